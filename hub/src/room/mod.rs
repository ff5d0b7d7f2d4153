//! Rooms on this node: the writer, each active room's feed and ring, and the doorbells that wake
//! connections. It knows nothing of WebSockets and HTTP.

pub mod active;
pub mod attendance;
pub mod bell;
pub mod feed;
pub mod publication;
pub mod ring;
mod sweep;
#[cfg(all(test, feature = "races"))]
mod tests;
pub mod topics;
mod users;
pub mod writer;
mod wrong;

pub use active::{AttachError, RingLimits, Room};
pub use attendance::{Attendance, Present, Watch, WatchError};
pub use bell::{Bell, Rung, Subscription};
pub use users::UserStream;
pub use writer::{Permit, SubmitError, Writer};

use crate::broker::{Broker, BrokerEvent, BrokerSink, Topic};
use crate::metrics::{self, Metrics};
use crate::store::{Event, Membership, Store, StoreError};
use crate::sync::RwLock;
use bell::Subscriber;
use bytes::Bytes;
use protocol::frame::server::{ReadMarker, ServerMessage, UserTyping};
use protocol::planted::{self, Bug};
use protocol::{MessageNo, NodeId, RoomId, UserId};
use publication::{Ephemeral, RoomPublication, UserPublication};
use ring::RingBudget;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use topics::Topics;
use users::Users;

/// How much of rooms a node keeps in memory.
#[derive(Clone, Copy, Debug)]
pub struct RoomLimits {
    /// Each ring.
    pub ring: RingLimits,
    /// All rings together, in bytes.
    pub rings_bytes_max: usize,
}

impl Default for RoomLimits {
    fn default() -> Self {
        let ring = RingLimits { events_max: 1_024, bytes_max: 1 << 20 };
        Self { ring, rings_bytes_max: 256 << 20 }
    }
}

/// What rooms need of their node.
#[derive(Debug)]
pub struct Parts {
    /// The node's name.
    pub node: NodeId,
    /// Keeps the log.
    pub store: Arc<dyn Store>,
    /// Joins nodes.
    pub broker: Arc<dyn Broker>,
    /// Knows who is online.
    pub attendance: Arc<Attendance>,
    /// How much is kept in memory.
    pub limits: RoomLimits,
    /// Counts what happens.
    pub metrics: Arc<Metrics>,
    /// Carries the rooms' own tasks.
    pub tasks: TaskTracker,
    /// Ends these.
    pub stop: CancellationToken,
}

/// The rooms and users of this node that have connections here.
#[derive(Debug)]
pub struct Rooms {
    node: NodeId,
    store: Arc<dyn Store>,
    broker: Arc<dyn Broker>,
    topics: Topics,
    active: RwLock<BTreeMap<RoomId, Arc<Room>>>,
    users: Arc<Users>,
    limits: RoomLimits,
    budget: Arc<RingBudget>,
    tasks: TaskTracker,
    stop: CancellationToken,
    resync: tokio::sync::Notify,
    attendance: Arc<Attendance>,
    metrics: Arc<Metrics>,
}

impl Rooms {
    /// A node's rooms, none of them active yet.
    #[must_use]
    pub fn new(parts: Parts) -> Arc<Self> {
        let Parts { node, store, broker, attendance, limits, metrics, tasks, stop } = parts;
        let node = if planted::has(Bug::OneNodeName) { NodeId("hub".into()) } else { node };
        Arc::new(Self {
            node,
            store,
            topics: Topics::new(Arc::clone(&broker)),
            broker,
            active: RwLock::default(),
            users: Arc::default(),
            limits,
            budget: Arc::new(RingBudget::new(limits.rings_bytes_max)),
            tasks,
            stop,
            resync: tokio::sync::Notify::new(),
            attendance,
            metrics,
        })
    }

    /// What this node counts.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Attaches a connection to a room: from here on its bell rings for every event that comes
    /// after the room's head.
    ///
    /// # Errors
    /// When the broker or the store does not answer; the connection is not attached then.
    pub async fn attach(
        self: &Arc<Self>,
        room_id: RoomId,
        user_id: UserId,
        bell: Arc<Bell>,
    ) -> Result<Subscription, AttachError> {
        let subscriber = Arc::new(Subscriber::new(room_id, user_id, bell));
        let room = {
            let mut active = self.active.write();
            let new = || {
                let (budget, attendance) = (Arc::clone(&self.budget), Arc::clone(&self.attendance));
                Arc::new(Room::new(room_id, self.limits.ring, budget, attendance, Arc::clone(&self.metrics)))
            };
            let room = Arc::clone(active.entry(room_id).or_insert_with(new));
            // Under the map's lock: the sweep cannot take an empty room away between.
            room.add(Arc::clone(&subscriber));
            room
        };
        let subscription = Subscription::new(subscriber, room);
        let room = subscription.room();
        room.start(&self.topics, self.store.as_ref()).await?;
        // What was published between the subscription and the look at the head is known to exist.
        if room.misses_events() {
            self.repair(Arc::clone(room));
        }
        Ok(subscription)
    }

    /// Enters a user's own stream; what is read of the user after that misses nothing.
    ///
    /// # Errors
    /// When the broker or the store does not answer.
    pub async fn enter_user(&self, user_id: UserId, bell: Arc<Bell>) -> Result<UserStream, AttachError> {
        let lease = self.topics.lease(Topic::User(user_id)).await?;
        let versions = self.store.user_versions(&[user_id]).await?;
        let version = versions.first().map_or(0, |(_, version)| *version);
        Ok(self.users.enter(user_id, version, bell, lease))
    }

    /// A user's connection was let in: they are online as long as this is kept.
    #[must_use]
    pub fn be_present(&self, user_id: UserId) -> Present {
        self.attendance.enter(user_id)
    }

    /// Watches who of a room is online, for one of its members.
    ///
    /// # Errors
    /// [`WatchError`]; nothing is watched then.
    pub async fn watch_presence(
        &self,
        room_id: RoomId,
        reader: UserId,
        bell: Arc<Bell>,
    ) -> Result<Watch, WatchError> {
        // First one listens to the others, then one reads what they would tell changes of.
        let heard = self.topics.lease(Topic::Presence).await?;
        self.attendance.watch(room_id, reader, bell, heard).await
    }

    /// The node is leaving, and its users with it.
    pub async fn end_presence(&self) {
        self.attendance.leave().await;
    }

    /// Takes new events of this node's writer: delivers them here at once, then tells the others.
    pub fn handle_committed(self: &Arc<Self>, events: Vec<Event>) {
        for event in events.iter().filter(|_| !planted::has(Bug::NoPublish)) {
            let key = event.room_id.0 + u64::from(planted::has(Bug::WrongRoomKey));
            self.broker.publish(Topic::Room(RoomId(key)), Arc::clone(&event.json));
        }
        let changed: Vec<UserId> = events.iter().filter_map(|event| event.membership.map(member)).collect();
        let mut by_room = BTreeMap::<RoomId, Vec<Event>>::new();
        for event in events {
            by_room.entry(event.room_id).or_default().push(event);
        }
        for (room_id, events) in by_room {
            self.deliver(room_id, events);
        }
        for user_id in changed {
            self.handle_user_changed(user_id);
        }
    }

    fn deliver(self: &Arc<Self>, room_id: RoomId, events: Vec<Event>) {
        let Some(room) = self.active.read().get(&room_id).cloned() else { return };
        if room.handle_events(events, now()) {
            self.repair(room);
        }
    }

    fn repair(self: &Arc<Self>, room: Arc<Room>) {
        if planted::has(Bug::NoBackfill) {
            return;
        }
        let (store, stop) = (Arc::clone(&self.store), self.stop.clone());
        crate::sync::spawn(&self.tasks, async move {
            stop.run_until_cancelled(room.repair(store.as_ref())).await;
        });
    }

    /// The user's rooms or logins changed on this node: every connection of the user, on any
    /// node, reads them again.
    pub fn handle_user_changed(&self, user_id: UserId) {
        self.users.ring_reload(user_id);
        self.publish_to_user(user_id, &UserPublication::UserChanged { node: self.node.clone() });
    }

    /// Moves a user's read marker and tells the user's connections; `None` for no member.
    ///
    /// # Errors
    /// When the store does not take it.
    pub async fn mark_read(
        &self,
        user_id: UserId,
        room_id: RoomId,
        message_no: MessageNo,
    ) -> Result<Option<ReadMarker>, StoreError> {
        let Some(marked) = self.store.mark_read(user_id, room_id, message_no).await? else { return Ok(None) };
        let marker = marked.marker;
        // Who asks again, for the first answer was lost, waits for it.
        self.users.ring_frame(user_id, &marker_frame(&marker));
        if !marked.moved {
            return Ok(Some(marker));
        }
        self.users.handle_own_change(user_id, marked.version);
        let publication = UserPublication::ReadMarker { node: self.node.clone(), marker: marker.clone() };
        self.publish_to_user(user_id, &publication);
        Ok(Some(marker))
    }

    /// Tells a room that a user is writing.
    pub fn typing(&self, typing: UserTyping) {
        let topic = Topic::Room(typing.room_id);
        self.show_typing(&typing);
        let publication = Ephemeral::Typing { node: self.node.clone(), typing };
        self.broker.publish(topic, protocol::encode(&publication).into());
    }

    /// How they stand, as Prometheus is told.
    #[must_use]
    pub fn now(&self) -> metrics::Now {
        metrics::Now {
            rooms_active: self.active_rooms(),
            ring_bytes: self.ring_bytes(),
            broker: self.broker.status(),
            ..metrics::Now::default()
        }
    }

    /// How many bytes the rings hold.
    #[must_use]
    pub fn ring_bytes(&self) -> usize {
        self.budget.bytes()
    }

    /// How many rooms have connections here, or had until a moment ago.
    #[must_use]
    pub fn active_rooms(&self) -> usize {
        self.active.read().len()
    }

    fn show_typing(&self, typing: &UserTyping) {
        let Some(room) = self.active.read().get(&typing.room_id).cloned() else { return };
        let frame = Bytes::from(protocol::encode(&ServerMessage::Typing(typing.clone())));
        room.ring_ephemeral(&frame, typing.user_id);
    }

    fn publish_to_user(&self, user_id: UserId, publication: &UserPublication) {
        self.broker.publish(Topic::User(user_id), protocol::encode(publication).into());
    }

    fn handle_room_publication(self: &Arc<Self>, room_id: RoomId, payload: Arc<str>) {
        match RoomPublication::parse(payload) {
            RoomPublication::Event(event) if event.room_id == room_id => self.deliver(room_id, vec![event]),
            RoomPublication::Ephemeral(Ephemeral::Typing { node, typing }) => {
                if node != self.node && typing.room_id == room_id {
                    self.show_typing(&typing);
                }
            }
            RoomPublication::Event(_) | RoomPublication::Unknown => {
                tracing::debug!(room = %room_id, "publication is not understood");
                self.resync.notify_one();
            }
        }
    }

    fn handle_user_publication(&self, user_id: UserId, payload: &str) {
        match serde_json::from_str(payload) {
            Ok(UserPublication::UserChanged { node }) if node != self.node => self.users.ring_reload(user_id),
            Ok(UserPublication::ReadMarker { node, marker }) if node != self.node => {
                self.users.ring_frame(user_id, &marker_frame(&marker));
            }
            Ok(UserPublication::UserChanged { .. } | UserPublication::ReadMarker { .. }) => {}
            Err(error) => {
                tracing::debug!(user = %user_id, %error, "publication is not understood");
                self.users.ring_reload(user_id);
            }
        }
    }
}

/// Where a broker hands its events over.
#[derive(Debug)]
pub struct Sink(pub Arc<Rooms>);

impl BrokerSink for Sink {
    fn handle_broker_event(&self, event: BrokerEvent) {
        match event {
            BrokerEvent::Publication { topic: Topic::Room(room_id), payload } => {
                self.0.handle_room_publication(room_id, payload);
            }
            BrokerEvent::Publication { topic: Topic::User(user_id), payload } => {
                self.0.handle_user_publication(user_id, &payload);
            }
            BrokerEvent::Publication { topic: Topic::Presence, payload } => {
                self.0.attendance.handle_publication(&payload);
            }
            BrokerEvent::Resync if planted::has(Bug::NoResync) => {}
            BrokerEvent::Resync => {
                self.0.metrics.resyncs.inc();
                self.0.resync.notify_one();
                self.0.attendance.handle_doubt();
            }
        }
    }
}

const fn member(membership: Membership) -> UserId {
    match membership {
        Membership::Joined(user_id) | Membership::Left(user_id) | Membership::Changed(user_id) => user_id,
    }
}

fn marker_frame(marker: &ReadMarker) -> Bytes {
    Bytes::from(protocol::encode(&ServerMessage::ReadMarker(marker.clone())))
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
