//! Asks sentinels which server is master: at once when one says that it changed, when a link
//! fails, and every second anyway.

use super::{LOOK_PAUSE, tell};
use crate::broker::redis::backoff::Backoff;
use crate::broker::redis::link::{Call, LinkError, text};
use crate::broker::redis::routes::Routes;
use crate::broker::redis::shared::Shared;
use crate::broker::redis_url::Address;
use redis::aio::{MultiplexedConnection, SendError};
use redis::{PushInfo, PushKind};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

const PURPOSE: &str = "sentinel";
/// How often a sentinel is asked without a reason; it is also how one that hangs is noticed.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Where sentinels publish a change of master (Redis manual, "Sentinel Pub/Sub messages").
const SWITCHED: &str = "+switch-master";

/// Follows one sentinel after the other.
pub(super) async fn run(
    shared: &Shared,
    sentinels: &[Address],
    master: &str,
    routes: &watch::Sender<Arc<Routes>>,
) -> ! {
    let mut backoff = Backoff::default();
    loop {
        for sentinel in sentinels {
            let began = Instant::now();
            let credentials = &shared.url.sentinel_credentials;
            let call = Call { address: sentinel, credentials, db: 0, purpose: PURPOSE };
            let switched = Arc::new(Notify::new());
            let told = Arc::clone(&switched);
            let push = move |info: PushInfo| {
                if matches!(info.kind, PushKind::Message) {
                    told.notify_one();
                }
                Ok::<(), SendError>(())
            };
            let session = |connection| follow(shared, connection, master, routes, &switched);
            let Err(error) = shared.dialer.run(call, push, session).await;
            shared.report(sentinel, PURPOSE, &error.to_string());
            shared.pause(&mut backoff, began).await;
        }
        shared.table.lock().search_failed();
    }
}

async fn follow(
    shared: &Shared,
    mut connection: MultiplexedConnection,
    master: &str,
    routes: &watch::Sender<Arc<Routes>>,
    switched: &Notify,
) -> Result<Infallible, LinkError> {
    connection.subscribe(SWITCHED).await?;
    loop {
        let address = ask(&mut connection, master).await?;
        if tell(routes, Routes::One(address.clone())) {
            tracing::info!(%address, master, "redis master is known");
        }
        tokio::select! {
            biased;
            () = switched.notified() => {}
            () = shared.look_again.notified() => tokio::time::sleep(LOOK_PAUSE).await,
            () = tokio::time::sleep(LOOK_INTERVAL) => {}
        }
    }
}

async fn ask(connection: &mut MultiplexedConnection, master: &str) -> Result<Address, LinkError> {
    let mut command = redis::cmd("SENTINEL");
    command.arg("get-master-addr-by-name").arg(master);
    let reply = connection.send_packed_command(&command).await?.extract_error()?;
    let address = match reply.as_sequence() {
        Some([host, port]) => text(host).zip(text(port).and_then(|port| port.parse().ok())),
        Some(_) | None => None,
    };
    let (host, port) = address.ok_or_else(|| LinkError(format!("knows no master {master:?}")))?;
    Ok(Address::Tcp(host.into(), port))
}
