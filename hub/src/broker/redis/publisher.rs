//! The link that publishes on one server: pipelined, in order, and what may not have gone out
//! goes out again. A publication twice is harmless: receivers drop it by its `seq`.

use super::backoff::Backoff;
use super::link::{self, LinkError, PING_INTERVAL};
use super::outbox::Publication;
use super::shared::Shared;
use crate::broker::redis_url::Address;
use futures_util::FutureExt;
use futures_util::stream::{FuturesOrdered, StreamExt};
use redis::Value;
use redis::aio::{MultiplexedConnection, SendError};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior};

const PURPOSE: &str = "publish";
/// Most publications of one batch, and most of their bytes.
const BATCH_MAX: usize = 256;
const BATCH_BYTES_MAX: usize = 256 << 10;
/// Most batches that are written and not answered yet: a new one need not wait for the last.
const BATCHES_MAX: usize = 16;
/// How often a publication may be refused before it is given up.
const REFUSALS_MAX: u8 = 5;
/// How long publishing rests after a refusal.
const REFUSED_PAUSE: Duration = Duration::from_millis(100);

/// Keeps the link up until it is dropped.
pub(super) async fn run(shared: Arc<Shared>, owner: Address) {
    let mut backoff = Backoff::default();
    loop {
        let began = Instant::now();
        let mut session = Session { shared: &shared, owner: &owner, written: VecDeque::new() };
        let push = |_| Ok::<(), SendError>(());
        let Err(error) = shared
            .dialer
            .run(shared.call(&owner, PURPOSE), push, |connection| session.serve(connection))
            .await;
        drop(session);
        shared.report(&owner, PURPOSE, &error.to_string());
        shared.review();
        shared.look_again.notify_one();
        shared.pause(&mut backoff, began).await;
    }
}

struct Session<'a> {
    shared: &'a Shared,
    owner: &'a Address,
    /// Batches without an answer, oldest first.
    written: VecDeque<Vec<Publication>>,
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        // Also when the server is not in use any more, or the node leaves.
        self.shared.connections.lock().remove(self.owner);
        self.shared.outbox.lock().set_up(self.owner, false);
        self.take_back();
    }
}

impl Session<'_> {
    async fn serve(&mut self, mut connection: MultiplexedConnection) -> Result<Infallible, LinkError> {
        if self.shared.must_be_master() {
            link::expect_master(&mut connection).await?;
        }
        self.shared.connections.lock().insert(self.owner.clone(), connection.clone());
        let wake = {
            let mut outbox = self.shared.outbox.lock();
            outbox.set_up(self.owner, true);
            outbox.wake(self.owner).ok_or_else(|| LinkError("is not in use any more".into()))?
        };
        self.shared.review();
        let mut ping = tokio::time::interval(PING_INTERVAL);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut replies = FuturesOrdered::new();
        let mut rest_until = None;
        loop {
            while replies.len() < BATCHES_MAX && rest_until.is_none() {
                let batch = self.shared.outbox.lock().take(self.owner, BATCH_MAX, BATCH_BYTES_MAX);
                if batch.is_empty() {
                    break;
                }
                let mut request = send(connection.clone(), self.pipeline(&batch), batch.len()).boxed();
                self.written.push_back(batch);
                // Written now, so that batches leave in their order.
                replies.push_back(match request.as_mut().now_or_never() {
                    Some(reply) => ready(reply).boxed(),
                    None => request,
                });
            }
            tokio::select! {
                biased;
                Some(reply) = replies.next() => {
                    if self.handle_replies(&reply?) {
                        rest_until = Some(Instant::now() + REFUSED_PAUSE);
                    }
                }
                () = rest(rest_until) => rest_until = None,
                () = wake.notified(), if replies.len() < BATCHES_MAX => {}
                _ = ping.tick(), if replies.is_empty() => link::ping(&mut connection).await?,
            }
        }
    }

    fn pipeline(&self, batch: &[Publication]) -> redis::Pipeline {
        let command = if self.shared.is_sharded() { "SPUBLISH" } else { "PUBLISH" };
        let mut pipeline = redis::Pipeline::with_capacity(batch.len());
        for publication in batch {
            pipeline.cmd(command).arg(publication.topic.to_string()).arg(publication.payload.as_bytes());
        }
        pipeline
    }

    /// Takes the answers to the oldest batch. Returns whether some of it was refused.
    fn handle_replies(&mut self, replies: &[Value]) -> bool {
        let batch = self.written.pop_front().unwrap_or_default();
        let (mut again, mut given_up) = (Vec::new(), 0);
        let total = batch.len();
        for (mut publication, reply) in batch.into_iter().zip(replies) {
            let Value::ServerError(error) = reply else { continue };
            self.shared.report(
                self.owner,
                PURPOSE,
                &format!("{} {}", error.code(), error.details().unwrap_or("")),
            );
            publication.refusals += 1;
            if publication.refusals < REFUSALS_MAX {
                again.push(publication);
            } else {
                given_up += 1;
            }
        }
        let is_refused = given_up > 0 || !again.is_empty();
        self.shared.counters.published.add(total - again.len() - given_up);
        let (dropped, is_flushed) = {
            let mut outbox = self.shared.outbox.lock();
            outbox.confirm(total - again.len());
            (outbox.take_back(again), outbox.is_empty())
        };
        self.shared.counters.publications_dropped.add(given_up + dropped);
        if is_refused {
            self.shared.look_again.notify_one();
        }
        if is_flushed {
            self.shared.flushed.notify_waiters();
        }
        is_refused
    }

    /// Queues again what has no answer: it may or may not have gone out.
    fn take_back(&mut self) {
        let batches: Vec<_> = self.written.drain(..).flatten().collect();
        let dropped = self.shared.outbox.lock().take_back(batches);
        self.shared.counters.publications_dropped.add(dropped);
    }
}

async fn send(
    mut connection: MultiplexedConnection,
    pipeline: redis::Pipeline,
    commands: usize,
) -> Result<Vec<Value>, LinkError> {
    Ok(connection.send_packed_commands(&pipeline, 0, commands).await?)
}

async fn rest(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}
