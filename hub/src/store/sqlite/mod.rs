//! The store in an SQLite file: for a node that runs alone. An acknowledged operation survives a
//! power cut (WAL, `synchronous = full`: <https://www.sqlite.org/pragma.html#pragma_synchronous>).
//!
//! One connection writes, so that transactions queue in the process instead of spinning on the
//! file's lock; a few others read, each from its own snapshot.

mod accounts;
mod append;
mod error;
mod flush;
mod history;
mod load;
mod open;
mod read;
mod rows;

pub use open::OpenError;

use super::{
    Account, AccountKey, Append, CreateUserError, Event, LoginId, MarkedRead, MemberPage, NewLogin, NewUser,
    Outcome, RoomPage, Rotated, Rotation, Store, StoreError,
};
use async_trait::async_trait;
use protocol::model::{Anchor, Message, MessagePage, Room, User};
use protocol::{Epoch, MessageId, MessageNo, RoomId, Seq, Timestamp, UserId};
use sqlx::{Sqlite, SqlitePool, Transaction};

/// A store in an SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    epoch: Epoch,
    writer: SqlitePool,
    readers: SqlitePool,
}

type Tx = Transaction<'static, Sqlite>;

impl SqliteStore {
    /// A transaction that holds the file's write lock from its beginning, so that it never fails
    /// half-way for want of it.
    async fn begin_write(&self) -> Result<Tx, StoreError> {
        self.writer.begin_with("begin immediate").await.map_err(error::before_commit)
    }

    /// A snapshot to read from.
    async fn begin_read(&self) -> Result<Tx, StoreError> {
        self.readers.begin().await.map_err(error::before_commit)
    }
}

async fn commit(tx: Tx) -> Result<(), StoreError> {
    tx.commit().await.map_err(error::at_commit)
}

#[async_trait]
impl Store for SqliteStore {
    async fn epoch(&self) -> Result<Epoch, StoreError> {
        Ok(self.epoch)
    }

    async fn append(&self, batch: Vec<Append>) -> Result<Vec<Outcome>, StoreError> {
        self.append_batch(&batch).await
    }

    async fn heads(&self, rooms: &[RoomId]) -> Result<Vec<(RoomId, Seq)>, StoreError> {
        self.read_heads(rooms).await
    }

    async fn events(&self, room_id: RoomId, after: Seq, limit: u32) -> Result<Vec<Event>, StoreError> {
        self.read_events(room_id, after, limit).await
    }

    async fn rooms_of(&self, user_id: UserId) -> Result<Vec<Room>, StoreError> {
        self.read_rooms_of(user_id).await
    }

    async fn room(&self, reader: UserId, room_id: RoomId) -> Result<Option<Room>, StoreError> {
        self.read_room(reader, room_id).await
    }

    async fn history(
        &self,
        reader: UserId,
        room_id: RoomId,
        anchor: Anchor,
        pinned: bool,
        limit: u32,
    ) -> Result<Option<MessagePage>, StoreError> {
        self.read_history(reader, room_id, anchor, pinned, limit).await
    }

    async fn message(&self, reader: UserId, message_id: MessageId) -> Result<Option<Message>, StoreError> {
        self.read_message(reader, message_id).await
    }

    async fn members(
        &self,
        reader: UserId,
        room_id: RoomId,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Option<MemberPage>, StoreError> {
        self.read_members(reader, room_id, after, limit).await
    }

    async fn list_rooms(
        &self,
        reader: UserId,
        query: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<RoomPage, StoreError> {
        self.read_room_list(reader, query, after, limit).await
    }

    async fn mark_read(
        &self,
        user_id: UserId,
        room_id: RoomId,
        message_no: MessageNo,
    ) -> Result<Option<MarkedRead>, StoreError> {
        self.move_read_marker(user_id, room_id, message_no).await
    }

    async fn create_user(&self, user: NewUser) -> Result<User, CreateUserError> {
        self.insert_user(user).await
    }

    async fn account(&self, key: AccountKey<'_>) -> Result<Option<Account>, StoreError> {
        self.read_account(key).await
    }

    async fn user_versions(&self, users: &[UserId]) -> Result<Vec<(UserId, u64)>, StoreError> {
        self.read_versions(users).await
    }

    async fn create_login(&self, login: NewLogin) -> Result<(), StoreError> {
        self.insert_login(&login).await
    }

    async fn rotate_login(&self, rotation: Rotation) -> Result<Rotated, StoreError> {
        self.rotate(&rotation).await
    }

    async fn revoke_login(&self, id: LoginId, at: Timestamp) -> Result<Option<UserId>, StoreError> {
        self.revoke(id, at).await
    }

    async fn login_is_alive(&self, id: LoginId) -> Result<bool, StoreError> {
        self.read_login_is_alive(id).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        let read = sqlx::query("select epoch from hub").execute(&self.readers).await;
        read.map(|_| ()).map_err(error::before_commit)
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}
