//! Asks the node of these settings whether it lives, from outside of it: for a container, whose image
//! has nothing else that could ask.

use anyhow::{Context, bail};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// How long each step may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// Enough of an answer to see whether it is a good one, in bytes.
const ANSWER_BYTES_MAX: u64 = 4096;

/// Asks `/health` of the node that listens there.
///
/// # Errors
/// When there is no good answer.
pub fn probe(listen: SocketAddr) -> anyhow::Result<()> {
    let address = reachable(listen);
    let answer = ask(address).with_context(|| format!("failed to ask the hub on {address}"))?;
    match answer.split(' ').nth(1) {
        Some("200") => Ok(()),
        Some(_) | None => bail!("hub on {address} is not well: {}", answer.lines().next().unwrap_or("")),
    }
}

/// Where a node is reached that listens there: on the loopback, if it listens everywhere.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, listen.port())
}

fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // In one piece: who answers the first of several and hangs up resets the connection.
    let request = format!("GET /health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn answered(answer: &'static str) -> anyhow::Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let answering = std::thread::spawn(move || {
            let (mut peer, _) = listener.accept().unwrap();
            let (mut asked, mut byte) = (Vec::new(), [0]);
            while !asked.ends_with(b"\r\n\r\n") {
                peer.read_exact(&mut byte).unwrap();
                asked.extend(byte);
            }
            peer.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&asked).into_owned()
        });
        // As it is set in an image.
        let result = probe(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)));
        assert!(answering.join().unwrap().starts_with("GET /health HTTP/1.1\r\n"));
        result
    }

    #[test]
    fn a_good_answer_is_health_and_nothing_else_is() {
        answered("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").unwrap();
        let error = answered("HTTP/1.1 503 Service Unavailable\r\n\r\n").unwrap_err().to_string();
        assert!(error.contains("503 Service Unavailable"), "{error}");
        answered("").unwrap_err();
    }

    #[test]
    fn where_nobody_listens_is_told() {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let error = format!("{:#}", probe(free).unwrap_err());
        assert!(error.contains(&free.to_string()) && error.contains("refused"), "{error}");
    }
}
