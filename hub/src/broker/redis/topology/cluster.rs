//! Asks a Redis Cluster which master owns which slots: when a link fails, when a server sends one
//! elsewhere, and every few seconds anyway.

use super::{LOOK_PAUSE, tell};
use crate::broker::redis::link::{LinkError, text};
use crate::broker::redis::routes::Routes;
use crate::broker::redis::shared::Shared;
use crate::broker::redis_url::Address;
use redis::Value;
use redis::aio::{MultiplexedConnection, SendError};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

const PURPOSE: &str = "cluster";
/// How often the cluster is asked while all is well, and while it is not.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
const LOOK_INTERVAL_TROUBLED: Duration = Duration::from_millis(500);
/// Most servers that are remembered.
const SERVERS_MAX: usize = 256;

/// What a server says of its cluster.
struct View {
    routes: Routes,
    servers: Vec<Address>,
}

/// Asks one server after the other. One that does not answer is asked last, and so is one that has
/// no news after a link failed: it may be cut off itself.
pub(super) async fn run(shared: &Shared, seeds: &[Address], routes: &watch::Sender<Arc<Routes>>) -> ! {
    let mut servers: VecDeque<Address> = seeds.iter().cloned().collect();
    let mut failures = 0;
    loop {
        let Some(server) = servers.front().cloned() else {
            servers.extend(seeds.iter().cloned());
            continue;
        };
        let mut has_news = false;
        match ask(shared, &server).await {
            Ok(view) => {
                failures = 0;
                has_news = tell(routes, view.routes);
                learn(&mut servers, seeds, view.servers);
            }
            Err(error) => {
                shared.report(&server, PURPOSE, &error.to_string());
                servers.rotate_left(1);
                failures += 1;
                if failures < servers.len() {
                    continue;
                }
                failures = 0;
                shared.table.lock().search_failed();
            }
        }
        let interval = if shared.trouble().is_some() { LOOK_INTERVAL_TROUBLED } else { LOOK_INTERVAL };
        let asked = tokio::time::timeout(interval, shared.look_again.notified()).await;
        if asked.is_ok() && !has_news {
            servers.rotate_left(1);
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
}

/// Adds servers that are new, and drops those that are gone, seeds apart.
fn learn(known: &mut VecDeque<Address>, seeds: &[Address], servers: Vec<Address>) {
    known.retain(|server| servers.contains(server) || seeds.contains(server));
    for server in servers {
        if known.len() < SERVERS_MAX && !known.contains(&server) {
            known.push_back(server);
        }
    }
}

async fn ask(shared: &Shared, server: &Address) -> Result<View, LinkError> {
    let push = |_| Ok::<(), SendError>(());
    let session = |mut connection: MultiplexedConnection| async move {
        let reply = connection.send_packed_command(redis::cmd("CLUSTER").arg("SLOTS")).await?;
        let reply = reply.extract_error()?;
        read(&reply, server).ok_or_else(|| LinkError(format!("CLUSTER SLOTS tells no slots: {reply:?}")))
    };
    shared.dialer.run(shared.call(server, PURPOSE), push, session).await
}

/// Reads the reply to `CLUSTER SLOTS`: `[first, last, master, replica…]…`, each server being
/// `[host, port, …]`; a server that does not know its own address says nothing as its host.
fn read(reply: &Value, asked: &Address) -> Option<View> {
    let mut view = View { routes: Routes::Unknown, servers: Vec::new() };
    let mut ranges = Vec::new();
    for range in reply.as_sequence()? {
        let [first, last, servers @ ..] = range.as_sequence()? else { return None };
        let servers: Vec<_> = servers.iter().filter_map(|server| address(server, asked)).collect();
        ranges.push((slot(first)?, slot(last)?, servers.first()?.clone()));
        view.servers.extend(servers);
    }
    if ranges.is_empty() {
        return None;
    }
    view.servers.sort();
    view.servers.dedup();
    view.routes = Routes::from_slots(ranges);
    Some(view)
}

fn slot(value: &Value) -> Option<u16> {
    let Value::Int(slot) = value else { return None };
    u16::try_from(*slot).ok()
}

fn address(server: &Value, asked: &Address) -> Option<Address> {
    let [host, Value::Int(port), ..] = server.as_sequence()? else { return None };
    let port = u16::try_from(*port).ok()?;
    let host = text(host).filter(|host| !host.is_empty() && *host != "?");
    match (host, asked) {
        (Some(host), _) => Some(Address::Tcp(host.into(), port)),
        (None, Address::Tcp(host, _)) => Some(Address::Tcp(Arc::clone(host), port)),
        (None, Address::Unix(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp(host.into(), port)
    }

    fn server(host: &[u8], port: i64) -> Value {
        Value::Array(vec![
            Value::BulkString(host.to_vec()),
            Value::Int(port),
            Value::BulkString(b"id".to_vec()),
        ])
    }

    #[test]
    fn the_first_server_of_a_range_is_its_master() {
        let reply = Value::Array(vec![
            Value::Array(vec![Value::Int(8192), Value::Int(16383), server(b"b", 2), server(b"c", 3)]),
            Value::Array(vec![Value::Int(0), Value::Int(8191), server(b"", 1)]),
        ]);
        let view = read(&reply, &tcp("a", 9)).unwrap();
        let ranges = vec![(0, 8191, tcp("a", 1)), (8192, 16383, tcp("b", 2))];
        assert_eq!(view.routes, Routes::from_slots(ranges));
        assert_eq!(view.servers, [tcp("a", 1), tcp("b", 2), tcp("c", 3)]);
    }

    #[test]
    fn what_is_no_such_reply_is_refused() {
        for reply in [Value::Nil, Value::Array(vec![Value::Int(1)]), Value::Array(vec![Value::Array(vec![])])]
        {
            assert!(read(&reply, &tcp("a", 9)).is_none());
        }
    }

    #[test]
    fn servers_that_are_gone_are_forgotten_and_seeds_are_kept() {
        let mut known = VecDeque::from([tcp("seed", 1), tcp("old", 1), tcp("kept", 1)]);
        learn(&mut known, &[tcp("seed", 1)], vec![tcp("kept", 1), tcp("new", 1)]);
        assert_eq!(known, [tcp("seed", 1), tcp("kept", 1), tcp("new", 1)]);
    }
}
