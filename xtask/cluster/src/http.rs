//! One request of HTTP, to ask a component how it is.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// Largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Asks `127.0.0.1:port` for a path; the body of a good answer (200), or the status of another one.
///
/// # Errors
/// When there is no answer in time.
pub fn get(port: u16, path: &str, within: Duration) -> io::Result<Result<String, u16>> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, within)?;
    stream.set_read_timeout(Some(within))?;
    stream.set_write_timeout(Some(within))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    parse(&String::from_utf8_lossy(&answer)).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn parse(answer: &str) -> Option<Result<String, u16>> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(if status == 200 { Ok(body.to_owned()) } else { Err(status) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        assert_eq!(parse("HTTP/1.1 200 OK\r\na: b\r\n\r\nbody"), Some(Ok("body".to_owned())));
        assert_eq!(parse("HTTP/1.1 503 Service Unavailable\r\n\r\n"), Some(Err(503)));
        assert_eq!(parse("HTTP/1.1"), None);
    }
}
