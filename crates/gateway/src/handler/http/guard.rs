//! Which addresses a handler's service may have.
//!
//! A URL in a configuration, or a name that somebody else's DNS answers, must not make the
//! gateway a way into the network it stands in. The connection goes to the very addresses
//! that were checked. Behind a proxy the proxy resolves the name, and its rules hold.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// A name or address that is not on the public internet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{host} is not on the public internet; if that is meant, set allow_private = true for the \
     handler"
)]
pub struct PrivateAddress {
    /// The name or address.
    pub host: String,
}

/// Resolves names to public addresses.
#[derive(Debug)]
pub(super) struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let host = name.as_str();
            let mut all = tokio::net::lookup_host((host, 0)).await?.peekable();
            if all.peek().is_none() {
                return Err(
                    io::Error::new(io::ErrorKind::NotFound, "the name has no address").into()
                );
            }
            let public: Vec<SocketAddr> = all.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err(PrivateAddress { host: host.to_owned() }.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// Checks what can be known without resolving: addresses, and with `names` the names of this
/// machine, which the resolver judges otherwise. Behind a proxy that is all that is checked.
///
/// # Errors
/// [`PrivateAddress`] when the URL leads off the public internet for sure.
pub fn check_host(url: &Url, names: bool) -> Result<(), PrivateAddress> {
    let public = match url.host() {
        Some(Host::Ipv4(address)) => is_public(address.into()),
        Some(Host::Ipv6(address)) => is_public(address.into()),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            !names || !(name == "localhost" || name.ends_with(".localhost"))
        }
        None => true,
    };
    let host = url.host_str().unwrap_or_default().to_owned();
    if public { Ok(()) } else { Err(PrivateAddress { host }) }
}

/// True for an address on the public internet, by the registries of special addresses.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        // This network; reserved, with broadcast.
        [0 | 240..=255, ..] => true,
        // Carrier-grade NAT.
        [100, 64..=127, ..] => true,
        // Protocol assignments; 6to4 relays; benchmarks.
        [192, 0, 0, _] | [192, 88, 99, _] | [198, 18 | 19, ..] => true,
        _ => false,
    };
    !(special
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match (a, b) {
        // NAT64: as public as the address it stands for.
        (0x64, 0xff9b) => (c, d, e, f) == (0, 0, 0, 0) && embedded(g, h),
        // 6to4, the same.
        (0x2002, _) => embedded(b, c),
        // Protocol assignments, with Teredo; documentation.
        (0x2001, 0..=0x1ff | 0xdb8) | (0x3fff, 0..=0xfff) => false,
        // What is given out; loopback, private, link-local, multicast and mapped lie outside.
        (0x2000..=0x3fff, _) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_the_gateways_own_network_is_refused_without_resolving() {
        let refused = |url: &str| check_host(&Url::parse(url).unwrap(), true).is_err();
        for url in ["http://localhost/", "http://a.localhost./", "http://[::1]/", "http://0x7f.1/"]
        {
            assert!(refused(url), "{url}");
        }
        assert!(!refused("https://bot.example.com/"));
    }

    #[test]
    fn special_addresses_are_not_public() {
        for text in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:1.1.1.1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:c0a8:1::1",
            "3fff::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn other_addresses_are_public() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.1.0.1",
            "198.17.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2400:3200::1",
            "64:ff9b::101:101",
            "2002:101:101::1",
        ] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }
}
