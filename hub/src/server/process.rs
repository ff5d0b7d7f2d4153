//! The process around the node: its limit of open files, and the signals that end it.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Files that a node has open besides its connections.
const FILES_SPARE: u64 = 256;

/// Takes as many open files as so many connections need, or as the system lets the process have: each
/// connection is one, and the usual start is 1,024.
pub fn raise_file_limit(connections_max: usize) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = (connections_max as u64).saturating_add(FILES_SPARE);
    let reachable = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let Some(current) = current.filter(|current| *current < wanted) else { return };
    if current < reachable
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(reachable), maximum })
    {
        tracing::warn!(%error, current, reachable, "limit of open files could not be raised");
    }
    if reachable < wanted {
        tracing::warn!(
            open_files_max = reachable,
            connections_max,
            "fewer open files are allowed than connections: raise `ulimit -Hn` or lower CONNECTIONS_MAX"
        );
    }
}

/// The signals that tell the process to stop: SIGTERM and SIGINT.
#[derive(Debug)]
pub struct Stops {
    terminate: Signal,
    interrupt: Signal,
}

impl Stops {
    /// Takes the signals over from the system, which would end the process at once.
    ///
    /// # Errors
    /// When the system does not let it.
    pub fn new() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next of them.
    pub async fn next(&mut self) {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
