//! Which senders and servers a configuration will not get on with, said before they find out.

use crate::app::config::Config;
use crate::app::config::resource::{ClientTls, Resource, ServerTls};
use crate::app::config::tls_files;

/// A sentence for everything that is as configured, and that somebody may not expect.
pub(super) fn notes(config: &Config) -> Vec<String> {
    config.resources.iter().flat_map(|resource| of_resource(config, resource)).collect()
}

fn of_resource(config: &Config, resource: &Resource) -> Vec<String> {
    let name = &resource.name;
    let mut notes = Vec::new();
    // Files that cannot be read are errors of their own.
    let shown = tls_files::shown(config, resource).unwrap_or_default();
    match &resource.client_tls {
        ClientTls::Off if resource.server_tls.is_mandatory() => notes.push(format!(
            "resource `{name}`: senders are not offered STARTTLS; only the server's side is encrypted, and senders \
             that insist on TLS will not deliver."
        )),
        ClientTls::Off => {}
        ClientTls::Imported { .. } => notes.push(format!(
            "resource `{name}`: senders see a certificate for {}; those that verify it by another name will not \
             deliver.",
            list(&shown.names)
        )),
        ClientTls::Mint => {
            notes.push(format!(
                "resource `{name}`: senders see certificates of the CA {:?}; those that verify and do not trust it \
                 will not deliver (`openssl verify` says 19, 20 or 21), nor will those that follow DANE or MTA-STS: \
                 give them `postern ca export`, or import the server's own certificate.",
                shown.subject
            ));
            if resource.server_tls != ServerTls::Verified {
                notes.push(format!(
                    "resource `{name}`: a copy is signed whatever the server's certificate is worth, so senders can \
                     no longer tell; with `server_tls = \"verified\"` the gateway does it for them."
                ));
            }
        }
    }
    if resource.server_tls == ServerTls::Verified && resource.server_name.is_none() {
        notes.push(format!(
            "resource `{name}`: without `server_name` the server's certificate must be for its address; mail waits \
             where it is not."
        ));
    }
    notes
}

fn list(names: &[String]) -> String {
    match names {
        [] => "no name at all".to_owned(),
        names => names.join(", "),
    }
}
