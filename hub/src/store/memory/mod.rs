//! The store in memory: for tests and the simulation. It means the same as every other store and
//! keeps nothing beyond its own life.

mod accounts;
mod read;

use super::state::{Changes, State};
use super::{
    Account, AccountKey, Append, BATCH_MAX, CreateUserError, Event, LoginId, MarkedRead, MemberPage,
    NewLogin, NewUser, Outcome, RoomPage, Rotated, Rotation, Store, StoreError,
};
use accounts::Accounts;
use async_trait::async_trait;
use parking_lot::Mutex;
use protocol::model::{Anchor, Message, MessagePage, Room, User};
use protocol::{Epoch, MessageId, MessageNo, RoomId, Seq, Timestamp, UserId};
use std::collections::BTreeMap;
use std::fmt;

/// A store in memory.
pub struct MemoryStore {
    epoch: Epoch,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    state: State,
    accounts: Accounts,
    by_no: BTreeMap<(RoomId, MessageNo), MessageId>,
}

impl MemoryStore {
    /// An empty store of this incarnation.
    #[must_use]
    pub fn new(epoch: Epoch) -> Self {
        Self { epoch, inner: Mutex::default() }
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

impl Inner {
    fn append(&mut self, batch: &[Append]) -> Vec<Outcome> {
        let mut changes = Changes::default();
        let outcomes = batch.iter().map(|append| self.state.apply(append, &mut changes)).collect();
        for id in &changes.new_messages {
            if let Some(message) = self.state.messages.get(id) {
                self.by_no.insert((message.room_id, message.message_no), *id);
            }
        }
        self.accounts.bump(changes.users);
        outcomes
    }

    fn mark_read(&mut self, user_id: UserId, room_id: RoomId, message_no: MessageNo) -> Option<MarkedRead> {
        let head = self.state.rooms.get(&room_id)?.last_message_no;
        let member = self.state.members.get_mut(&(room_id, user_id))?;
        let wanted = message_no.min(head);
        let moved = wanted > member.last_read_no;
        if moved {
            member.last_read_no = wanted;
            self.accounts.bump([user_id]);
        }
        let version = self.accounts.version(user_id)?;
        Some(MarkedRead { marker: self.read_marker(user_id, room_id)?, version, moved })
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn epoch(&self) -> Result<Epoch, StoreError> {
        Ok(self.epoch)
    }

    async fn append(&self, batch: Vec<Append>) -> Result<Vec<Outcome>, StoreError> {
        if batch.len() > BATCH_MAX {
            return Err(StoreError::batch_too_large(batch.len()));
        }
        Ok(self.inner.lock().append(&batch))
    }

    async fn heads(&self, rooms: &[RoomId]) -> Result<Vec<(RoomId, Seq)>, StoreError> {
        Ok(self.inner.lock().heads(rooms))
    }

    async fn events(&self, room_id: RoomId, after: Seq, limit: u32) -> Result<Vec<Event>, StoreError> {
        Ok(self.inner.lock().events(room_id, after, limit))
    }

    async fn rooms_of(&self, user_id: UserId) -> Result<Vec<Room>, StoreError> {
        Ok(self.inner.lock().rooms_of(user_id))
    }

    async fn room(&self, reader: UserId, room_id: RoomId) -> Result<Option<Room>, StoreError> {
        Ok(self.inner.lock().room(reader, room_id))
    }

    async fn history(
        &self,
        reader: UserId,
        room_id: RoomId,
        anchor: Anchor,
        pinned: bool,
        limit: u32,
    ) -> Result<Option<MessagePage>, StoreError> {
        Ok(self.inner.lock().history(reader, room_id, anchor, pinned, limit))
    }

    async fn message(&self, reader: UserId, message_id: MessageId) -> Result<Option<Message>, StoreError> {
        Ok(self.inner.lock().message(reader, message_id))
    }

    async fn members(
        &self,
        reader: UserId,
        room_id: RoomId,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Option<MemberPage>, StoreError> {
        Ok(self.inner.lock().members(reader, room_id, after, limit))
    }

    async fn list_rooms(
        &self,
        reader: UserId,
        query: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<RoomPage, StoreError> {
        Ok(self.inner.lock().list_rooms(reader, query, after, limit))
    }

    async fn mark_read(
        &self,
        user_id: UserId,
        room_id: RoomId,
        message_no: MessageNo,
    ) -> Result<Option<MarkedRead>, StoreError> {
        Ok(self.inner.lock().mark_read(user_id, room_id, message_no))
    }

    async fn create_user(&self, user: NewUser) -> Result<User, CreateUserError> {
        self.inner.lock().create_user(user)
    }

    async fn account(&self, key: AccountKey<'_>) -> Result<Option<Account>, StoreError> {
        Ok(self.inner.lock().account(key))
    }

    async fn user_versions(&self, users: &[UserId]) -> Result<Vec<(UserId, u64)>, StoreError> {
        Ok(self.inner.lock().accounts.versions(users))
    }

    async fn create_login(&self, login: NewLogin) -> Result<(), StoreError> {
        self.inner.lock().accounts.create_login(login)
    }

    async fn rotate_login(&self, rotation: Rotation) -> Result<Rotated, StoreError> {
        Ok(self.inner.lock().accounts.rotate(&rotation))
    }

    async fn revoke_login(&self, id: LoginId, at: Timestamp) -> Result<Option<UserId>, StoreError> {
        Ok(self.inner.lock().accounts.revoke(id, at))
    }

    async fn login_is_alive(&self, id: LoginId) -> Result<bool, StoreError> {
        Ok(self.inner.lock().accounts.is_alive(id))
    }

    async fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn close(&self) {}
}
