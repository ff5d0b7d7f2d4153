//! The link that subscribes on one server: it carries out the table's wishes, and hands over what
//! comes in.

use super::backoff::Backoff;
use super::link::{self, LinkError, PING_INTERVAL};
use super::shared::Shared;
use super::table::{Answer, Batch};
use crate::broker::Topic;
use crate::broker::redis_url::Address;
use redis::aio::{AsyncPushSender, MultiplexedConnection, SendError};
use redis::{PushInfo, PushKind, Value};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior};

const PURPOSE: &str = "subscribe";
/// Most topics of one batch: large enough to make round trips cheap, small enough to be answered
/// well within the deadline.
const BATCH_MAX: usize = 500;
/// How long a refused topic rests.
const REFUSED_PAUSE: Duration = Duration::from_millis(250);

/// Keeps the link up until it is dropped.
pub(super) async fn run(shared: Arc<Shared>, owner: Address) {
    let mut backoff = Backoff::default();
    loop {
        let began = Instant::now();
        let push = Push { shared: Arc::clone(&shared), owner: owner.clone() };
        let session = |connection| serve(&shared, &owner, connection);
        let Err(error) = shared.dialer.run(shared.call(&owner, PURPOSE), push, session).await;
        if shared.table.lock().link_ended(&owner) {
            shared.counters.reconnects.add(1);
        }
        shared.report(&owner, PURPOSE, &error.to_string());
        shared.review();
        shared.look_again.notify_one();
        shared.pause(&mut backoff, began).await;
    }
}

async fn serve(
    shared: &Shared,
    owner: &Address,
    mut connection: MultiplexedConnection,
) -> Result<Infallible, LinkError> {
    if shared.must_be_master() {
        link::expect_master(&mut connection).await?;
    }
    let wake = {
        let mut table = shared.table.lock();
        table.link_up(owner);
        table.wake(owner).ok_or_else(|| LinkError("is not in use any more".into()))?
    };
    shared.review();
    let mut ping = tokio::time::interval(PING_INTERVAL);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut refused = Vec::new();
    let mut retry_at = Instant::now();
    loop {
        tokio::select! {
            biased;
            () = wake.notified() => loop {
                let batch = shared.table.lock().take(owner, BATCH_MAX);
                if batch.is_empty() {
                    break;
                }
                let before = refused.len();
                carry_out(shared, owner, &mut connection, batch, &mut refused).await?;
                if refused.len() > before {
                    retry_at = Instant::now() + REFUSED_PAUSE;
                }
            },
            () = tokio::time::sleep_until(retry_at), if !refused.is_empty() => {
                shared.table.lock().retry(&refused);
                refused.clear();
            }
            _ = ping.tick() => link::ping(&mut connection).await?,
        }
    }
}

/// Sends a batch in one write, and tells the table each answer.
async fn carry_out(
    shared: &Shared,
    owner: &Address,
    connection: &mut MultiplexedConnection,
    batch: Batch,
    refused: &mut Vec<Topic>,
) -> Result<(), LinkError> {
    let (subscribe, unsubscribe) =
        if shared.is_sharded() { ("SSUBSCRIBE", "SUNSUBSCRIBE") } else { ("SUBSCRIBE", "UNSUBSCRIBE") };
    let unsubscribed = batch.unsubscribe.into_iter().map(|topic| (topic, unsubscribe, Answer::Unsubscribed));
    let subscribed = batch.subscribe.into_iter().map(|topic| (topic, subscribe, Answer::Subscribed));
    let commands: Vec<_> = unsubscribed.chain(subscribed).collect();
    // One channel a command: each has one answer of its own, and channels of a cluster differ in
    // their slots.
    let mut pipeline = redis::Pipeline::with_capacity(commands.len());
    for (topic, command, _) in &commands {
        pipeline.cmd(command).arg(topic.to_string());
    }
    let replies = connection.send_packed_commands(&pipeline, 0, commands.len()).await?;
    for ((topic, _, answer), reply) in commands.into_iter().zip(replies) {
        let answer = match reply.extract_error() {
            Ok(reply) if is_confirmation_of(topic, &reply) => answer,
            Ok(reply) => return Err(LinkError(format!("answers are out of step: {reply:?}"))),
            Err(error) => {
                shared.report(owner, PURPOSE, &error.to_string());
                shared.look_again.notify_one();
                refused.push(topic);
                Answer::Refused
            }
        };
        if shared.table.lock().answer(owner, topic, answer) {
            shared.handover.doubt();
        }
    }
    shared.review();
    Ok(())
}

fn is_confirmation_of(topic: Topic, reply: &Value) -> bool {
    let Value::Push { data, .. } = reply else { return false };
    data.first().and_then(link::text).and_then(Topic::parse) == Some(topic)
}

/// Takes what the server sends by itself, on the task that reads the connection.
struct Push {
    shared: Arc<Shared>,
    owner: Address,
}

impl AsyncPushSender for Push {
    fn send(&self, PushInfo { kind, data }: PushInfo) -> Result<(), SendError> {
        if matches!(kind, PushKind::Message | PushKind::SMessage) {
            self.message(data);
        } else if matches!(kind, PushKind::SUnsubscribe) {
            self.ended(&data);
        }
        Ok(())
    }
}

impl Push {
    fn message(&self, data: Vec<Value>) {
        let Ok([channel, Value::BulkString(payload)]) = <[Value; 2]>::try_from(data) else { return };
        let Some(topic) = link::text(&channel).and_then(Topic::parse) else { return };
        if self.shared.echo.lock().is_own(&payload) {
            return;
        }
        self.shared.counters.received.add(1);
        match String::from_utf8(payload) {
            Ok(payload) => self.shared.handover.publication(topic, payload.into()),
            // Damaged or another's: what it was to tell is looked for in the store.
            Err(_) => {
                tracing::debug!(%topic, "publication is no UTF-8");
                self.shared.handover.doubt();
            }
        }
    }

    /// The server ended a subscription, because it was asked to or because the slot moved.
    fn ended(&self, data: &[Value]) {
        let Some(topic) = data.first().and_then(link::text).and_then(Topic::parse) else { return };
        if self.shared.table.lock().ended(&self.owner, topic) {
            self.shared.look_again.notify_one();
            self.shared.review();
        }
    }
}
