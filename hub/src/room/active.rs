//! A room that has subscribers on this node: its feed, its ring, and whom to wake.

use crate::broker::{BrokerError, Topic};
use crate::limits::bounds::FEED_READ_DEADLINE;
use crate::metrics::Metrics;
use crate::room::attendance::Attendance;
use crate::room::bell::Subscriber;
use crate::room::feed::Feed;
use crate::room::ring::{Ring, RingBudget, RingRead};
use crate::room::topics::{Lease, Topics};
use crate::store::{Event, Store, StoreError};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, RwLock};
use bytes::Bytes;
use protocol::planted::{self, Bug};
use protocol::{RoomId, Seq, UserId};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::OnceCell;

/// How much a ring holds.
#[derive(Clone, Copy, Debug)]
pub struct RingLimits {
    /// Most events.
    pub events_max: usize,
    /// Most bytes.
    pub bytes_max: usize,
}

/// Why a room cannot be attached to now.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// The broker did not confirm the subscription.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The store did not tell the head.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An active room.
#[derive(Debug)]
pub struct Room {
    id: RoomId,
    /// Set once the node is subscribed and has read the head, in this order.
    started: OnceCell<Lease>,
    order: Mutex<Order>,
    ring: RwLock<Ring>,
    subscribers: Mutex<Subscribers>,
    is_repairing: AtomicBool,
    attendance: Arc<Attendance>,
    metrics: Arc<Metrics>,
}

#[derive(Debug)]
struct Order {
    /// Nothing is in order before the head is known.
    feed: Option<Feed>,
    /// The newest event that was seen before that.
    seen: Seq,
}

#[derive(Debug, Default)]
struct Subscribers {
    list: Vec<Arc<Subscriber>>,
    idle_since: Option<Instant>,
}

impl Room {
    pub(super) fn new(
        id: RoomId,
        limits: RingLimits,
        budget: Arc<RingBudget>,
        attendance: Arc<Attendance>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            id,
            started: OnceCell::new(),
            order: Mutex::new(Order { feed: None, seen: Seq(0) }),
            ring: RwLock::new(Ring::new(Seq(0), limits.events_max, limits.bytes_max, budget)),
            subscribers: Mutex::default(),
            is_repairing: AtomicBool::new(false),
            attendance,
            metrics,
        }
    }

    /// The room's name.
    #[must_use]
    pub const fn id(&self) -> RoomId {
        self.id
    }

    /// Subscribes, then reads the head: the other way round would lose what is published between.
    pub(super) async fn start(&self, topics: &Topics, store: &dyn Store) -> Result<(), AttachError> {
        let start = async || -> Result<Lease, AttachError> {
            let early =
                if planted::has(Bug::HeadBeforeListening) { Some(self.head_of(store).await?) } else { None };
            let lease = topics.lease(Topic::Room(self.id)).await?;
            let head = if let Some(head) = early { head } else { self.head_of(store).await? };
            let now = tokio::time::Instant::now().into_std();
            let mut order = self.order.lock();
            let mut feed = Feed::new(head);
            feed.handle_head(order.seen, now);
            order.feed = Some(feed);
            self.ring.write().restart(head);
            Ok(lease)
        };
        self.started.get_or_try_init(start).await.map(|_| ())
    }

    async fn head_of(&self, store: &dyn Store) -> Result<Seq, StoreError> {
        let heads = read(store.heads(&[self.id])).await?;
        Ok(heads.first().map_or(Seq(0), |(_, head)| *head))
    }

    /// Takes events from the writer or the broker; whether the feed needs the store.
    pub(super) fn handle_events(&self, events: Vec<Event>, now: Instant) -> bool {
        let seen = events.iter().map(|event| event.seq).max().unwrap_or_default();
        self.with_feed(seen, |feed, due| {
            for event in events {
                feed.handle_event(event, now, due);
            }
        })
    }

    /// Takes the head as the store has it; whether the feed needs the store.
    pub(super) fn handle_head(&self, head: Seq, now: Instant) -> bool {
        self.with_feed(head, |feed, _| feed.handle_head(head, now))
    }

    /// Runs a step of the feed, puts what is due in the ring, and wakes who waits for it.
    fn with_feed(&self, seen: Seq, step: impl FnOnce(&mut Feed, &mut Vec<Event>)) -> bool {
        let mut order = self.order.lock();
        order.seen = order.seen.max(seen);
        let Some(feed) = &mut order.feed else { return false };
        let mut due = Vec::new();
        step(feed, &mut due);
        let needs_store = feed.poll_timeout().is_some();
        if due.is_empty() {
            return needs_store;
        }
        self.attendance.handle_events(self.id, &due);
        {
            let mut ring = self.ring.write();
            for event in due {
                ring.push(event);
            }
            self.metrics.note_rings(ring.budget().bytes());
        }
        // Still under the order's lock: a wake never comes before its event.
        for subscriber in &self.subscribers.lock().list {
            subscriber.ring();
        }
        drop(order);
        needs_store
    }

    /// Whether the feed knows of events that it does not have.
    pub(super) fn misses_events(&self) -> bool {
        self.order.lock().feed.as_ref().is_some_and(|feed| feed.poll_timeout().is_some())
    }

    /// Reads what the feed misses until it misses nothing. One at a time; a second call returns
    /// at once.
    pub(super) async fn repair(&self, store: &dyn Store) {
        if self.is_repairing.swap(true, Ordering::AcqRel) {
            return;
        }
        loop {
            let deadline = self.order.lock().feed.as_ref().and_then(Feed::poll_timeout);
            let Some(deadline) = deadline else {
                self.is_repairing.store(false, Ordering::Release);
                // What came between the look and the store above found a repair under way.
                if self.misses_events() && !self.is_repairing.swap(true, Ordering::AcqRel) {
                    continue;
                }
                return;
            };
            tokio::time::sleep_until(deadline.into()).await;
            let now = tokio::time::Instant::now().into_std();
            let backfill = self.order.lock().feed.as_mut().and_then(|feed| feed.poll_backfill(now));
            let Some(backfill) = backfill else { continue };
            tracing::debug!(room = %self.id, after = %backfill.after, "reads a gap from the store");
            self.metrics.backfills.inc();
            let result = read(store.events(self.id, backfill.after, backfill.limit)).await;
            let now = tokio::time::Instant::now().into_std();
            match result {
                Ok(events) => {
                    self.with_feed(Seq(0), |feed, due| feed.handle_backfill(events, now, due));
                }
                Err(error) => {
                    self.metrics.backfills_failed.inc();
                    tracing::warn!(room = %self.id, %error, "failed to backfill a room");
                    self.with_feed(Seq(0), |feed, _| feed.handle_backfill_failed(now));
                }
            }
        }
    }

    /// The events after a cursor, from the ring.
    pub(super) fn read(&self, after: Seq, events_max: usize, bytes_max: usize) -> RingRead {
        self.ring.read().read(after, events_max, bytes_max)
    }

    /// The newest event that connections of this node may have.
    #[must_use]
    pub fn head(&self) -> Seq {
        self.ring.read().head()
    }

    /// Hands a frame that may be lost to all subscribers but those of one user.
    pub(super) fn ring_ephemeral(&self, frame: &Bytes, except: UserId) {
        for subscriber in &self.subscribers.lock().list {
            if subscriber.user_id() != except {
                subscriber.ring_ephemeral(frame.clone());
            }
        }
    }

    pub(super) fn add(&self, subscriber: Arc<Subscriber>) {
        let mut subscribers = self.subscribers.lock();
        subscribers.list.push(subscriber);
        subscribers.idle_since = None;
    }

    pub(super) fn remove(&self, subscriber: &Arc<Subscriber>) {
        let mut subscribers = self.subscribers.lock();
        if let Some(at) = subscribers.list.iter().position(|other| Arc::ptr_eq(other, subscriber)) {
            subscribers.list.swap_remove(at);
        }
        if subscribers.list.is_empty() {
            subscribers.idle_since = Some(tokio::time::Instant::now().into_std());
        }
    }

    /// Whether nobody has been here since before `then`.
    pub(super) fn is_idle_since(&self, then: Instant) -> bool {
        let subscribers = self.subscribers.lock();
        subscribers.list.is_empty() && subscribers.idle_since.is_some_and(|since| since <= then)
    }

    pub(super) fn trim_if_over_budget(&self) {
        self.ring.write().trim_if_over_budget();
    }
}

async fn read<T>(answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::timeout(FEED_READ_DEADLINE, answer)
        .await
        .unwrap_or_else(|_| Err(StoreError::Unavailable("read took too long".into())))
}
