//! Which addresses files are fetched from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The public addresses, and those that the operator adds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reach {
    also: Vec<IpAddr>,
}

impl Reach {
    /// The public addresses and these, whatever they are.
    #[must_use]
    pub fn public_and(also: Vec<IpAddr>) -> Self {
        Self { also }
    }

    /// Whether files are fetched from here.
    #[must_use]
    pub fn allows(&self, address: IpAddr) -> bool {
        self.also.contains(&address)
            || match address {
                IpAddr::V4(address) => is_public_v4(address),
                IpAddr::V6(address) => is_public_v6(address),
            }
    }
}

/// Not in the IANA IPv4 Special-Purpose Address Registry, nor multicast, nor of class E.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !matches!(
        (a, b, c),
        (0 | 10 | 127 | 224.., ..)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 31, 196)
            | (192, 52, 193)
            | (192, 88, 99)
            | (192, 168, _)
            | (192, 175, 48)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    )
}

/// Global unicast (`2000::/3`, RFC 4291), without what the IANA IPv6 Special-Purpose Address Registry takes out of it: `2001::/23`
/// with its tunnels, documentation, 6to4, which leads to IPv4 addresses, and AS112. All that wraps an IPv4 address otherwise
/// (`::ffff:0:0/96`, `64:ff9b::/96`) and everything local is outside of `2000::/3`.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, ..] = address.segments();
    (0x2000..=0x3fff).contains(&a)
        && !matches!(
            (a, b, c),
            (0x2001, 0..=0x01ff | 0xdb8, _) | (0x2002, ..) | (0x2620, 0x4f, 0x8000) | (0x3fff, 0..=0x0fff, _)
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(address: &str) -> bool {
        Reach::default().allows(address.parse().unwrap())
    }

    #[test]
    fn addresses_of_the_internet_are_public() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.0.1",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.1",
            "192.167.1.1",
            "192.169.0.0",
            "198.17.0.1",
            "198.20.0.0",
            "203.0.112.1",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2001:4860:4860::8888",
            "2400:cb00::1",
            "2a00:1450::1",
        ] {
            assert!(allows(address), "{address}");
        }
    }

    #[test]
    fn local_private_reserved_and_metadata_addresses_are_not() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
        ] {
            assert!(!allows(address), "{address}");
        }
    }

    #[test]
    fn no_ipv6_address_leads_back_inside() {
        for address in [
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:0:7f00:1::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2002:a00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!allows(address), "{address}");
        }
    }

    #[test]
    fn an_operator_can_add_an_address_and_adds_no_other() {
        let reach = Reach::public_and(vec!["10.0.0.7".parse().unwrap()]);
        assert!(reach.allows("10.0.0.7".parse().unwrap()));
        for other in ["10.0.0.8", "::ffff:10.0.0.7", "127.0.0.1"] {
            assert!(!reach.allows(other.parse().unwrap()), "{other}");
        }
    }
}
