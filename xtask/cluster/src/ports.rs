//! Ports that nobody listens on.

use anyhow::{Context, Result};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;

/// From where ports are taken: below those that systems give to connections that go out (from 32,768 on Linux). One
/// of these would often be taken before the server that it was meant for is up.
const PORTS: Range<u16> = 20_000..32_000;

/// Finds a port of the loopback for each wish: that one where it is free, another one where it is not
/// or where the wish is 0. All differ. They are free now; no connection takes them, and another server only by chance.
///
/// # Errors
/// When the system has none.
pub fn free(wishes: &[u16]) -> Result<Vec<u16>> {
    // Held until all are found, so that none is given twice; wishes first, lest chance takes one.
    let wished = wishes.iter().map(|port| if *port == 0 { None } else { bind(*port).ok() });
    let wished: Vec<Option<TcpListener>> = wished.collect();
    let found = wished.into_iter().map(|listener| match listener {
        Some(listener) => Ok(listener),
        None => bind_any(),
    });
    let held: Vec<TcpListener> = found.collect::<io::Result<_>>().context("failed to find a free port")?;
    held.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
}

/// Finds a port of the loopback as [`free`] does.
///
/// # Panics
/// When the system has none.
#[must_use]
pub fn any() -> u16 {
    free(&[0]).expect("there are free ports")[0]
}

fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}

/// Begins anywhere, so that processes that look at the same time seldom meet.
fn bind_any() -> io::Result<TcpListener> {
    let count = usize::from(PORTS.end - PORTS.start);
    let start = usize::try_from(RandomState::new().hash_one(()) >> 32).unwrap_or_default() % count;
    let found = PORTS.cycle().skip(start).take(count).find_map(|port| bind(port).ok());
    // Where all are taken, what the system gives is better than nothing.
    found.map_or_else(|| bind(0), Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_not_given_and_none_is_given_twice() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let given = free(&[port, port, 0, 0]).unwrap();
        assert!(!given.contains(&port));
        let mut different = given.clone();
        different.sort_unstable();
        different.dedup();
        assert_eq!(different.len(), given.len());
        drop(taken);
        assert_eq!(free(&[port]).unwrap(), [port]);
    }

    #[test]
    fn no_port_is_one_that_a_connection_may_get() {
        for port in free(&[0; 20]).unwrap() {
            assert!(PORTS.contains(&port), "{port}");
        }
    }
}
