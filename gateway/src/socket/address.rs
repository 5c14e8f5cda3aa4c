//! Whose address a connection counts for.

use std::net::{IpAddr, Ipv6Addr};

use axum::http::HeaderMap;

use crate::settings::Settings;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The client's address: the peer's, or the one that a proxy we trust has it from. `None` for this machine, whose
/// connections come from a proxy here or from who develops here, and are not counted. Of IPv6 the network of 64 bits: a
/// customer has at least that.
pub(super) fn client_address(settings: &Settings, peer: IpAddr, headers: &HeaderMap) -> Option<IpAddr> {
    let is_trusted = |address: &IpAddr| settings.trusted_proxies.contains(address);
    let peer = peer.to_canonical();
    let mut client = peer;
    if is_trusted(&peer) {
        let lists = headers.get_all(FORWARDED_FOR).iter().filter_map(|list| list.to_str().ok());
        let told: Vec<_> =
            lists.flat_map(|list| list.split(',')).map(|text| text.trim().parse::<IpAddr>()).collect();
        // Each proxy appends whom it has heard from; what stands before the first one that we do not trust may be invented.
        for address in told.into_iter().rev() {
            let Ok(address) = address else { break };
            client = address.to_canonical();
            if !is_trusted(&client) {
                break;
            }
        }
    }
    if client.is_loopback() {
        return None;
    }
    Some(match client {
        IpAddr::V4(_) => client,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn address(peer: &str, forwarded: &[&'static str]) -> Option<String> {
        let settings = Settings {
            trusted_proxies: vec!["10.0.0.1".parse().unwrap(), "127.0.0.1".parse().unwrap()],
            ..Settings::default()
        };
        let mut headers = HeaderMap::new();
        for list in forwarded {
            headers.append(FORWARDED_FOR, HeaderValue::from_static(list));
        }
        client_address(&settings, peer.parse().unwrap(), &headers).map(|address| address.to_string())
    }

    #[test]
    fn a_connection_counts_for_its_peer_unless_a_trusted_proxy_has_it_from_another() {
        for (peer, forwarded, expected) in [
            ("192.0.2.7", &[][..], Some("192.0.2.7")),
            ("192.0.2.7", &["198.51.100.9"], Some("192.0.2.7")),
            ("10.0.0.1", &["198.51.100.9"], Some("198.51.100.9")),
            ("10.0.0.1", &["203.0.113.5, 198.51.100.9"], Some("198.51.100.9")),
            ("10.0.0.1", &["203.0.113.5", "198.51.100.9, 127.0.0.1"], Some("198.51.100.9")),
            ("10.0.0.1", &["198.51.100.9, nonsense"], Some("10.0.0.1")),
            ("10.0.0.1", &[], Some("10.0.0.1")),
            ("127.0.0.1", &["198.51.100.9"], Some("198.51.100.9")),
            ("::1", &[], None),
            ("127.0.0.2", &["198.51.100.9"], None),
            ("::ffff:192.0.2.7", &[], Some("192.0.2.7")),
            ("2001:db8:1:2:3:4:5:6", &[], Some("2001:db8:1:2::")),
        ] {
            assert_eq!(address(peer, forwarded).as_deref(), expected, "{peer} {forwarded:?}");
        }
    }
}
