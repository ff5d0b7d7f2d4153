//! A store whose calls are measured: any other one, and what Prometheus is told of it. It changes no
//! answer.

use super::{
    Account, AccountKey, Append, CreateUserError, Event, LoginId, MarkedRead, MemberPage, NewLogin, NewUser,
    Outcome, RoomPage, Rotated, Rotation, Store, StoreError,
};
use crate::metrics::Timings;
use async_trait::async_trait;
use protocol::model::{Anchor, Message, MessagePage, Room, User};
use protocol::{Epoch, MessageId, MessageNo, RoomId, Seq, Timestamp, UserId};
use tokio::time::Instant;

/// A store that is measured.
#[derive(Debug)]
pub struct Measured<S> {
    store: S,
    timings: Timings,
}

impl<S> Measured<S> {
    /// Measures this one.
    pub fn new(store: S) -> Self {
        Self { store, timings: Timings::default() }
    }

    async fn measure<T, E>(
        &self,
        call: &'static str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let mut under_way = UnderWay { timings: &self.timings, call, began: Instant::now(), failed: true };
        let result = work.await;
        under_way.failed = result.is_err();
        result
    }
}

/// A call; dropped before its end, it was given up.
struct UnderWay<'a> {
    timings: &'a Timings,
    call: &'static str,
    began: Instant,
    failed: bool,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.timings.observe(self.call, self.began.elapsed(), self.failed);
    }
}

#[async_trait]
impl<S: Store> Store for Measured<S> {
    fn timings(&self) -> Option<&Timings> {
        Some(&self.timings)
    }

    async fn epoch(&self) -> Result<Epoch, StoreError> {
        self.measure("epoch", self.store.epoch()).await
    }

    async fn append(&self, batch: Vec<Append>) -> Result<Vec<Outcome>, StoreError> {
        self.measure("append", self.store.append(batch)).await
    }

    async fn heads(&self, rooms: &[RoomId]) -> Result<Vec<(RoomId, Seq)>, StoreError> {
        self.measure("heads", self.store.heads(rooms)).await
    }

    async fn events(&self, room_id: RoomId, after: Seq, limit: u32) -> Result<Vec<Event>, StoreError> {
        self.measure("events", self.store.events(room_id, after, limit)).await
    }

    async fn rooms_of(&self, user_id: UserId) -> Result<Vec<Room>, StoreError> {
        self.measure("rooms_of", self.store.rooms_of(user_id)).await
    }

    async fn room(&self, reader: UserId, room_id: RoomId) -> Result<Option<Room>, StoreError> {
        self.measure("room", self.store.room(reader, room_id)).await
    }

    async fn history(
        &self,
        reader: UserId,
        room_id: RoomId,
        anchor: Anchor,
        pinned: bool,
        limit: u32,
    ) -> Result<Option<MessagePage>, StoreError> {
        self.measure("history", self.store.history(reader, room_id, anchor, pinned, limit)).await
    }

    async fn message(&self, reader: UserId, message_id: MessageId) -> Result<Option<Message>, StoreError> {
        self.measure("message", self.store.message(reader, message_id)).await
    }

    async fn members(
        &self,
        reader: UserId,
        room_id: RoomId,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Option<MemberPage>, StoreError> {
        self.measure("members", self.store.members(reader, room_id, after, limit)).await
    }

    async fn list_rooms(
        &self,
        reader: UserId,
        query: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<RoomPage, StoreError> {
        self.measure("list_rooms", self.store.list_rooms(reader, query, after, limit)).await
    }

    async fn mark_read(
        &self,
        user_id: UserId,
        room_id: RoomId,
        message_no: MessageNo,
    ) -> Result<Option<MarkedRead>, StoreError> {
        self.measure("mark_read", self.store.mark_read(user_id, room_id, message_no)).await
    }

    async fn create_user(&self, user: NewUser) -> Result<User, CreateUserError> {
        // A name that is taken is an answer, not a failure of the store's.
        let answer = async {
            match self.store.create_user(user).await {
                Err(CreateUserError::Store(error)) => Err(error),
                answer => Ok(answer),
            }
        };
        self.measure("create_user", answer).await?
    }

    async fn account(&self, key: AccountKey<'_>) -> Result<Option<Account>, StoreError> {
        self.measure("account", self.store.account(key)).await
    }

    async fn user_versions(&self, users: &[UserId]) -> Result<Vec<(UserId, u64)>, StoreError> {
        self.measure("user_versions", self.store.user_versions(users)).await
    }

    async fn create_login(&self, login: NewLogin) -> Result<(), StoreError> {
        self.measure("create_login", self.store.create_login(login)).await
    }

    async fn rotate_login(&self, rotation: Rotation) -> Result<Rotated, StoreError> {
        self.measure("rotate_login", self.store.rotate_login(rotation)).await
    }

    async fn revoke_login(&self, id: LoginId, at: Timestamp) -> Result<Option<UserId>, StoreError> {
        self.measure("revoke_login", self.store.revoke_login(id, at)).await
    }

    async fn login_is_alive(&self, id: LoginId) -> Result<bool, StoreError> {
        self.measure("login_is_alive", self.store.login_is_alive(id)).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.measure("check", self.store.check()).await
    }

    async fn close(&self) {
        self.store.close().await;
    }
}
