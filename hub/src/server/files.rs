//! The process's limit of open files: each connection is one, and the usual start is 1,024.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that a node has open besides its connections.
const FILES_SPARE: u64 = 256;

/// Takes as many open files as so many connections need, or as the system lets the process have.
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
