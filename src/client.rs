//! Where a request comes from: the address of whoever sent it, past the proxies that are trusted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{HeaderMap, request::Parts},
};
use ipnet::IpNet;

use crate::{app::App, error::Error};

/// The address of whoever sent a request: the connection's other end, or, where that is a trusted proxy, the
/// rightmost hop of `X-Forwarded-For` that is not one. What stands left of it anybody may have written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Client(IpAddr);

impl Client {
    /// Of a connection from `peer` with these headers.
    pub fn new(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
        let peer = peer.to_canonical();
        if !is_trusted(&peer) {
            return Self(peer);
        }
        let lines = headers.get_all("x-forwarded-for").iter().rev();
        let hops = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(',').map(hop));
        let mut nearest = peer;
        for hop in hops {
            // A hop that cannot be read was not written by a proxy of ours: the one that passed it on is the last known.
            let Some(address) = hop else { break };
            nearest = address;
            if !is_trusted(&address) {
                break;
            }
        }
        Self(nearest)
    }

    /// What stands for whoever sits there: the address, or of IPv6 the network of 64 bits, which one household has.
    pub fn network(self) -> [u8; 8] {
        match self.0 {
            IpAddr::V4(address) => {
                let mut bytes = [0; 8];
                // No network of IPv6 begins like this.
                bytes[2..4].fill(0xFF);
                bytes[4..].copy_from_slice(&address.octets());
                bytes
            }
            IpAddr::V6(address) => {
                let mut bytes = [0; 8];
                bytes.copy_from_slice(&address.octets()[..8]);
                bytes
            }
        }
    }
}

/// An address, with or without a port, brackets around IPv6 as they are written.
fn hop(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.trim_start_matches('[').split(']').next().unwrap_or_default();
    let address = text.parse::<SocketAddr>().map(|socket| socket.ip()).or_else(|_| bare.parse());
    address.ok().map(|address: IpAddr| address.to_canonical())
}

impl FromRequestParts<App> for Client {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        // A service that is called without a connection is called by this process.
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.0.ip());
        Ok(Self::new(peer, &parts.headers, &app.config.limits.trusted_proxies))
    }
}

/// Nobody in particular, for what has no request.
impl Default for Client {
    fn default() -> Self {
        Self(IpAddr::V6(Ipv6Addr::UNSPECIFIED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|network| network.parse().unwrap()).collect();
        Client::new(peer.parse().unwrap(), &headers, &trusted).0.to_string()
    }

    #[test]
    fn nobody_is_believed_who_is_not_trusted() {
        assert_eq!(client("9.9.9.9", &["1.1.1.1"], &[]), "9.9.9.9");
        assert_eq!(client("9.9.9.9", &["1.1.1.1"], &["10.0.0.0/8"]), "9.9.9.9");
        assert_eq!(client("::ffff:9.9.9.9", &[], &[]), "9.9.9.9", "one address, one name");
    }

    #[test]
    fn the_rightmost_hop_that_is_not_trusted_counts() {
        let ours = &["10.0.0.0/8", "::1/128"];
        for (forwarded, found) in [
            (&["1.1.1.1"][..], "1.1.1.1"),
            (&["6.6.6.6, 1.1.1.1"], "1.1.1.1"),
            (&["6.6.6.6, 1.1.1.1, 10.0.0.7"], "1.1.1.1"),
            (&["6.6.6.6", "1.1.1.1,10.0.0.7"], "1.1.1.1"),
            (&["1.1.1.1:4711"], "1.1.1.1"),
            (&["[2001:db8::1]:4711"], "2001:db8::1"),
            (&["[2001:db8::1]"], "2001:db8::1"),
            (&["::ffff:1.1.1.1"], "1.1.1.1"),
            // Nothing but our own, or nonsense right of it: the last that is known.
            (&[], "10.0.0.1"),
            (&["10.0.0.9"], "10.0.0.9"),
            (&["1.1.1.1, unknown"], "10.0.0.1"),
            (&["1.1.1.1, unknown, 10.0.0.9"], "10.0.0.9"),
            (&[""], "10.0.0.1"),
        ] {
            assert_eq!(client("10.0.0.1", forwarded, ours), found, "{forwarded:?}");
        }
    }

    #[test]
    fn a_household_is_one_network() {
        let network = |text: &str| Client(text.parse().unwrap()).network();
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:2"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_ne!(network("1.1.1.1"), network("1.1.1.2"));
        assert_ne!(network("0.0.0.0"), network("::"));
    }
}
