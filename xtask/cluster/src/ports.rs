//! Ports that nobody listens on.

use anyhow::{Context, Result};
use std::net::{Ipv4Addr, TcpListener};

/// Finds a port of the loopback for each wish: that one where it is free, another one where it is not
/// or where the wish is 0. All differ. They are free now; nothing keeps others from taking them.
///
/// # Errors
/// When the system has none.
pub fn free(wishes: &[u16]) -> Result<Vec<u16>> {
    let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    // Held until all are found, so that none is given twice; wishes first, lest chance takes one.
    let wished = wishes.iter().map(|port| if *port == 0 { None } else { bind(*port).ok() });
    let wished: Vec<Option<TcpListener>> = wished.collect();
    let found = wished.into_iter().map(|listener| match listener {
        Some(listener) => Ok(listener),
        None => bind(0),
    });
    let held: Vec<TcpListener> =
        found.collect::<std::io::Result<_>>().context("failed to find a free port")?;
    held.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
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
}
