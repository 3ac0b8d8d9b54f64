//! Every parameter of store-and-forward is read, with its default, its unit and its place.

use std::time::Duration;

use super::{KEYS, RecipientsMode, SpoolConfig};
use crate::app::config::Config;
use crate::app::config::diagnostic::ConfigErrors;
use crate::app::config::resource::Resource;
use crate::model::tracking::Tracking;

fn parse(text: &str) -> Result<Config, ConfigErrors> {
    Config::parse(&format!("[gateway]\ninterfaces = [\"eth0\"]\n{text}"), "f")
}

fn resource(text: &str) -> Resource {
    parse(&format!("[[resource]]\nname = \"r\"\nmode = \"spool\"\n{text}")).unwrap().resources.remove(0)
}

#[test]
fn the_defaults_are_those_of_the_parameters() {
    let spool = parse("").unwrap().spool;
    assert_eq!(spool, SpoolConfig::default());
    assert_eq!(spool.timeout, Duration::from_secs(90));
    assert_eq!(spool.delivery.scan_period, Duration::from_secs(2));
    assert_eq!(spool.delivery.resend_period, Duration::from_mins(10));
    assert_eq!(spool.delivery.abandon_time, Duration::from_hours(120));
    assert_eq!(spool.max_mail_size, 1000 * 1024);
    let detail = spool.delivery.detail;
    assert!(!detail.smtp && !detail.scan && !detail.rules);
    assert!(spool.scan_timeout + spool.delivery.delivery_timeout <= spool.timeout);
}

#[test]
fn every_parameter_is_read() {
    let text = "[spool]\nrundir = \"/srv/spool\"\nspool_limit = 5\nspool_limit_scan_period = \"3s\"\n\
        timeout = \"2m\"\nscan_timeout = \"40s\"\ndelivery_timeout = \"80s\"\nscan_period = \"1s\"\n\
        resend_period = \"7m\"\nabandon_time = \"10s\"\ndelay_warning = \"1h\"\nmax_mail_size = \"2MiB\"\n\
        maxrecipients = 3\nmaxrecipients_mode = \"compat\"\nmax_conns = 4\nmax_conns_per_site = 2\n\
        max_mails_per_conn = 9\nmax_mx_node_per_mail = 8\nmax_ips_per_mx_node = 6\nmax_load = 11\n\
        max_hops = 12\ndetailed_smtp_err_mail = true\ndetailed_av_err_mail = true\n\
        detailed_rb_err_mail = true\npostmaster = \"pm@example.org\"\ndefault_server = \"192.0.2.1\"\n\
        dns_servers = [\"127.0.0.1:53\"]\ndns_trusted = true\n";
    for key in KEYS {
        assert!(text.contains(&format!("\n{key} = ")), "{key}");
    }
    let spool = parse(text).unwrap().spool;
    assert_eq!(spool.rundir.as_deref(), Some(std::path::Path::new("/srv/spool")));
    assert_eq!((spool.spool_limit, spool.spool_limit_scan_period), (5, Duration::from_secs(3)));
    assert_eq!((spool.timeout, spool.scan_timeout), (Duration::from_mins(2), Duration::from_secs(40)));
    assert_eq!((spool.max_mail_size, spool.maxrecipients), (2 << 20, 3));
    assert_eq!(spool.maxrecipients_mode, RecipientsMode::Compat);
    let delivery = spool.delivery;
    assert_eq!(delivery.delivery_timeout, Duration::from_secs(80));
    assert_eq!(delivery.scan_period, Duration::from_secs(1));
    assert_eq!(delivery.resend_period, Duration::from_mins(7));
    assert_eq!(delivery.abandon_time, Duration::from_secs(10));
    assert_eq!(delivery.delay_warning, Duration::from_hours(1));
    assert_eq!((delivery.max_conns, delivery.max_conns_per_site, delivery.max_mails_per_conn), (4, 2, 9));
    assert_eq!((delivery.max_mx_node_per_mail, delivery.max_ips_per_mx_node), (8, 6));
    assert_eq!((delivery.max_load, delivery.max_hops), (11, 12));
    assert!(delivery.detail.smtp && delivery.detail.scan && delivery.detail.rules);
    assert_eq!(delivery.postmaster.as_deref(), Some("pm@example.org"));
    assert_eq!(delivery.default_server.unwrap().to_string(), "192.0.2.1:25");
    assert_eq!(delivery.dns_servers, ["127.0.0.1:53".parse().unwrap()]);
}

#[test]
fn each_mistake_has_its_place() {
    for (line, column) in [
        ("resend_period = 600", 17),
        ("resend_period = \"600\"", 17),
        ("resend_period = \"31d\"", 17),
        ("max_conns = 0", 13),
        ("spool_limit = 0", 15),
        ("detailed_smtp_err_mail = 1", 26),
        ("detailed_smtp_err_email = true", 1),
        ("postmaster = \"nobody\"", 14),
        ("postmaster = \"a@b.example>\"", 14),
        ("default_server = \"a b\"", 18),
        ("rundir = \"spool\"", 10),
        ("max_mail_size = \"1KiB\"", 17),
        ("maxrecipients_mode = \"strict\"", 22),
        ("dns_servers = [\"127.0.0.1\"]", 16),
        ("delivery_timeout = \"61s\"", 20),
        ("timeout = \"89s\"", 11),
    ] {
        let errors = parse(&format!("[spool]\n{line}\n")).expect_err(line);
        let places: Vec<_> = errors.diagnostics.iter().map(|d| (d.line, d.column)).collect();
        assert_eq!(places, [(4, column)], "{line}: {errors}");
    }
}

#[test]
fn misspelled_names_and_bare_numbers_are_told_what_to_write() {
    for (line, suggestion) in [
        ("detailed_smtp_err_email = true", "detailed_smtp_err_mail"),
        ("detailed_smtp_err_mail = 1", "detailed_smtp_err_mail = true"),
        ("resend_period = \"600\"", "600s"),
        ("dns_servers = [\"127.0.0.1\"]", "127.0.0.1:53"),
    ] {
        let errors = parse(&format!("[spool]\n{line}\n")).expect_err(line);
        assert_eq!(errors.diagnostics[0].suggestion.as_deref(), Some(suggestion), "{line}");
    }
}

#[test]
fn a_resource_says_where_its_mail_goes() {
    let resource = resource(
        "delivery_servers = [\"192.0.2.1\", \"mx.example.org:2525\"]\nerror_servers = [\"192.0.2.2\"]\n\
         notify_sender = false\ncheck_rule_base = true\nexception_tracking = \"alert\"\nhold = \"5s\"\n",
    );
    let servers: Vec<String> = resource.delivery.servers.iter().map(ToString::to_string).collect();
    assert_eq!(servers, ["192.0.2.1:25", "mx.example.org:2525"]);
    assert_eq!(resource.delivery.error_servers[0].to_string(), "192.0.2.2:25");
    assert!(!resource.delivery.use_mx && !resource.delivery.error_mx && !resource.delivery.notify_sender);
    assert!(resource.delivery.check_rule_base);
    assert_eq!(resource.delivery.exception_tracking, Tracking::Alert);
    assert_eq!(resource.hold, Some(Duration::from_secs(5)));
}

#[test]
fn a_resource_may_leave_it_to_dns() {
    let resource = resource("use_mx = true\nerror_mx = true\n");
    assert!(resource.delivery.use_mx && resource.delivery.error_mx && resource.delivery.notify_sender);
    assert!(!resource.delivery.check_rule_base);
    assert_eq!((resource.delivery.exception_tracking, resource.hold), (Tracking::Log, None));
}

#[test]
fn a_resource_contradicts_itself_or_asks_for_what_its_mode_has_not() {
    for text in [
        "mode = \"spool\"\nuse_mx = true\ndelivery_servers = [\"192.0.2.1\"]\n",
        "mode = \"spool\"\nerror_mx = true\nerror_servers = [\"192.0.2.1\"]\n",
        "mode = \"proxy\"\nuse_mx = true\n",
        "mode = \"proxy\"\ncheck_rule_base = true\n",
        "mode = \"spool\"\nexception_tracking = \"alerts\"\n",
        "hold = \"5s\"\n",
        "mode = \"spool\"\ndelivery_servers = [\"{a,b}\"]\n",
        "mode = \"spool\"\ndelivery_servers = []\n",
    ] {
        let errors = parse(&format!("[[resource]]\nname = \"r\"\n{text}")).expect_err(text);
        assert_eq!(errors.diagnostics.len(), 1, "{text}: {errors}");
    }
}
