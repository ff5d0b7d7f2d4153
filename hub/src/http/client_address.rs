//! Where a request comes from, for rate limits.

use axum::extract::ConnectInfo;
use axum::extract::connect_info::Connected;
use axum::http::{Extensions, HeaderMap};
use axum::serve::{IncomingStream, Listener};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The address at the other end of the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// A listener that tells requests their [`Peer`].
#[derive(Debug)]
pub struct WithPeers<L>(pub L);

impl<L: Listener<Addr = SocketAddr>> Listener for WithPeers<L> {
    type Io = L::Io;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        self.0.accept().await
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl<L: Listener<Addr = SocketAddr>> Connected<IncomingStream<'_, WithPeers<L>>> for Peer {
    fn connect_info(stream: IncomingStream<'_, WithPeers<L>>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// The client's address: the socket's, or behind trusted proxies the last one in `X-Forwarded-For`
/// that is none of theirs. What stands before it the client may have written itself. Without a
/// socket (which does not happen when served as [`super::router`] asks) all clients are one.
pub(super) fn client_address(extensions: &Extensions, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let peer = extensions.get::<ConnectInfo<Peer>>();
    let mut address = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(Peer(peer))| peer.ip());
    address = address.to_canonical();
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let lines: Vec<&str> =
        headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).collect();
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        if !is_trusted(&address) {
            break;
        }
        let Some(hop) = parse_hop(hop.trim()) else { break };
        address = hop;
    }
    address
}

/// An address, perhaps with a port, as proxies write it.
fn parse_hop(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let parsed = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    parsed.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(peer: &str, forwarded: &[&str], trusted: &str) -> String {
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(Peer(SocketAddr::new(peer.parse().unwrap(), 1))));
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        let trusted: Vec<IpNet> = trusted.split_whitespace().map(|net| net.parse().unwrap()).collect();
        client_address(&extensions, &headers, &trusted).to_string()
    }

    #[test]
    fn a_client_cannot_name_its_own_address() {
        assert_eq!(address("9.9.9.9", &["1.1.1.1"], ""), "9.9.9.9");
        assert_eq!(address("9.9.9.9", &["1.1.1.1"], "10.0.0.0/8"), "9.9.9.9");
        assert_eq!(address("10.0.0.1", &["1.1.1.1, 9.9.9.9"], "10.0.0.0/8"), "9.9.9.9");
    }

    #[test]
    fn trusted_proxies_are_looked_through() {
        assert_eq!(address("10.0.0.1", &["9.9.9.9, 10.0.0.2"], "10.0.0.0/8"), "9.9.9.9");
        assert_eq!(address("10.0.0.1", &["9.9.9.9", "10.0.0.2"], "10.0.0.0/8"), "9.9.9.9");
        assert_eq!(address("::ffff:10.0.0.1", &["9.9.9.9:4711"], "10.0.0.0/8"), "9.9.9.9");
        assert_eq!(address("::1", &["[2001:db8::1]:80"], "::1/128"), "2001:db8::1");
        assert_eq!(address("10.0.0.1", &[], "10.0.0.0/8"), "10.0.0.1");
    }

    #[test]
    fn what_is_no_address_ends_the_search() {
        assert_eq!(address("10.0.0.1", &["9.9.9.9, unknown"], "10.0.0.0/8"), "10.0.0.1");
    }
}
