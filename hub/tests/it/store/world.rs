//! Users and rooms on a store, with few words: what the contract's cases are written in.

use hub::rules::Rejection;
use hub::store::{Append, Committed, Event, NewUser, Op, Outcome, RoomOp, Store};
use protocol::event::RoomEvent;
use protocol::model::{Anchor, Message, MessagePage, Role, Room, RoomKind};
use protocol::{ClientId, MessageId, RoomId, Seq, Timestamp, UserId};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::Uuid;

/// A store, and names and times that are not used twice.
pub struct World {
    pub store: Arc<dyn Store>,
    ticks: AtomicU64,
}

impl World {
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, ticks: AtomicU64::new(1) }
    }

    /// A store that was used before: names and times go on far behind those of its first world.
    pub fn later(store: Arc<dyn Store>) -> Self {
        Self { store, ticks: AtomicU64::new(1_000_000) }
    }

    pub fn now(&self) -> Timestamp {
        Timestamp(1_000 + self.ticks.fetch_add(1, Ordering::Relaxed))
    }

    pub fn client_id(&self) -> ClientId {
        ClientId(Uuid::from_u128(u128::from(self.ticks.fetch_add(1, Ordering::Relaxed))))
    }

    pub async fn user(&self, username: &str) -> UserId {
        let new = NewUser {
            username: username.into(),
            display_name: format!("{username}!"),
            password_hash: None,
            external_sub: None,
            at: self.now(),
        };
        self.store.create_user(new).await.unwrap().id
    }

    pub async fn users<const N: usize>(&self, names: [&str; N]) -> [UserId; N] {
        let mut users = [UserId(0); N];
        for (user, name) in users.iter_mut().zip(names) {
            *user = self.user(name).await;
        }
        users
    }

    pub fn append(&self, actor: UserId, op: Op) -> Append {
        Append { actor, client_id: self.client_id(), at: self.now(), op }
    }

    /// Applies one operation alone.
    pub async fn apply(&self, append: Append) -> Outcome {
        let mut outcomes = self.store.append(vec![append]).await.unwrap();
        assert_eq!(outcomes.len(), 1);
        outcomes.remove(0)
    }

    pub async fn act(&self, actor: UserId, room_id: RoomId, op: RoomOp) -> Outcome {
        self.apply(self.append(actor, Op::in_room(room_id, op))).await
    }

    /// Does what must succeed.
    pub async fn ok(&self, actor: UserId, room_id: RoomId, op: RoomOp) -> Committed {
        self.act(actor, room_id, op).await.unwrap()
    }

    /// Asks for what must be refused.
    pub async fn refused(&self, actor: UserId, room_id: RoomId, op: RoomOp) -> Rejection {
        self.act(actor, room_id, op).await.unwrap_err()
    }

    /// Asks for what is the case already: it commits, tells the head, and makes no event.
    pub async fn unchanged(&self, actor: UserId, room_id: RoomId, op: RoomOp) {
        let head = self.head(room_id).await;
        let committed = self.ok(actor, room_id, op.clone()).await;
        assert_eq!((committed.seq, committed.events), (head, vec![]), "{op:?}");
        assert_eq!(self.head(room_id).await, head, "{op:?}");
    }

    pub async fn create(&self, actor: UserId, name: &str, kind: RoomKind) -> Outcome {
        self.apply(self.append(actor, Op::CreateRoom { name: name.into(), kind, topic: String::new() })).await
    }

    /// A public room of the first of these users, whom the others join.
    pub async fn public_room(&self, members: &[UserId]) -> RoomId {
        let name = format!("room-{}", self.now());
        let room_id = self.create(members[0], &name, RoomKind::Public).await.unwrap().room_id;
        for member in &members[1..] {
            self.ok(*member, room_id, RoomOp::Join).await;
        }
        room_id
    }

    /// A private room of the first of these users, to which the others are invited.
    pub async fn private_room(&self, owner: UserId, usernames: &[&str]) -> RoomId {
        let room_id = self.create(owner, "secret", RoomKind::Private).await.unwrap().room_id;
        for username in usernames {
            self.ok(owner, room_id, RoomOp::Invite { username: (*username).into() }).await;
        }
        room_id
    }

    pub async fn send(&self, actor: UserId, room_id: RoomId, content: &str) -> Committed {
        self.ok(actor, room_id, RoomOp::Send { content: content.into(), reply_to: None }).await
    }

    pub async fn say(&self, actor: UserId, room_id: RoomId, content: &str) -> MessageId {
        self.send(actor, room_id, content).await.message.unwrap().message_id
    }

    pub async fn set_role(&self, owner: UserId, room_id: RoomId, user_id: UserId, role: Role) {
        self.ok(owner, room_id, RoomOp::SetRole { user_id, role }).await;
    }

    pub async fn head(&self, room_id: RoomId) -> Seq {
        self.store.heads(&[room_id]).await.unwrap()[0].1
    }

    pub async fn room(&self, reader: UserId, room_id: RoomId) -> Room {
        self.store.room(reader, room_id).await.unwrap().unwrap()
    }

    pub async fn unread(&self, reader: UserId, room_id: RoomId) -> (u64, u64) {
        let room = self.room(reader, room_id).await;
        (room.unread_count, room.mention_count)
    }

    pub async fn message(&self, reader: UserId, message_id: MessageId) -> Message {
        self.store.message(reader, message_id).await.unwrap().unwrap()
    }

    pub async fn page(&self, reader: UserId, room_id: RoomId, anchor: Anchor, limit: u32) -> MessagePage {
        self.store.history(reader, room_id, anchor, false, limit).await.unwrap().unwrap()
    }

    /// The whole log of a room.
    pub async fn log(&self, room_id: RoomId) -> Vec<Event> {
        self.store.events(room_id, Seq(0), u32::MAX).await.unwrap()
    }

    /// The log's event at a position.
    pub async fn event(&self, room_id: RoomId, seq: Seq) -> RoomEvent {
        let events = self.store.events(room_id, Seq(seq.0 - 1), 1).await.unwrap();
        decode(&events[0])
    }

    pub async fn version(&self, user: UserId) -> u64 {
        self.store.user_versions(&[user]).await.unwrap()[0].1
    }
}

pub fn decode(event: &Event) -> RoomEvent {
    serde_json::from_str(&event.json).unwrap()
}

pub fn content(text: &str) -> RoomOp {
    RoomOp::Send { content: text.into(), reply_to: None }
}
