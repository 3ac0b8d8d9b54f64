//! Which addresses are this host's.

use std::net::IpAddr;

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::SockaddrStorage;

/// Whether an address is one of an interface of this network namespace; not, if nobody can tell.
pub fn is_own(address: IpAddr) -> bool {
    let of = |storage: SockaddrStorage| {
        let v4 = storage.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
        v4.or_else(|| storage.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
    };
    let address = address.to_canonical();
    getifaddrs().is_ok_and(|mut all| all.any(|found| found.address.and_then(of) == Some(address)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_address_is_own_and_one_of_the_documentation_is_not() {
        for (address, own) in [
            ("127.0.0.1", true),
            ("::ffff:127.0.0.1", true),
            ("192.0.2.1", false),
            ("127.0.0.2", false),
            ("2001:db8::1", false),
            ("0.0.0.0", false),
        ] {
            assert_eq!(is_own(address.parse().unwrap()), own, "{address}");
        }
    }
}
