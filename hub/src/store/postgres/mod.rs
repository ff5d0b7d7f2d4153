//! The store in a Postgres database, which any number of nodes share. An acknowledged operation is
//! durable as far as the database's commits are.
//!
//! Appends have connections of their own. Transactions are read committed under row locks; reads of
//! more than one statement see one snapshot.

mod accounts;
mod append;
mod error;
mod flush;
mod history;
mod ids;
mod load;
mod open;
mod pool;
mod read;
mod rows;

pub use append::retry_pause;
pub use open::OpenError;

use super::{
    Account, AccountKey, Append, CreateUserError, Event, LoginId, MarkedRead, MemberPage, NewLogin, NewUser,
    Outcome, RoomPage, Rotated, Rotation, Store, StoreError,
};
use crate::limits::bounds::POSTGRES_CALL_DEADLINE;
use async_trait::async_trait;
use error::{at_commit, before_commit};
use protocol::model::{Anchor, Message, MessagePage, Room, User};
use protocol::{Epoch, MessageId, MessageNo, RoomId, Seq, Timestamp, UserId};
use sqlx::{Connection, Postgres, Transaction};
use tokio::time::timeout;

const READ_COMMITTED: &str = "begin isolation level read committed read write";
const READ_SNAPSHOT: &str = "begin isolation level repeatable read read only";

/// A store in a Postgres database.
pub struct PostgresStore {
    epoch: Epoch,
    writers: pool::Pool,
    readers: pool::Pool,
    spare_ids: ids::SpareIds,
}

type Tx<'db> = Transaction<'db, Postgres>;

/// Runs a future on a reading connection, which it gives up when time runs out.
macro_rules! read {
    ($store:ident, |$db:ident| $body:expr) => {{
        let mut db = $store.readers.take().await.map_err(before_commit)?;
        let done = timeout(POSTGRES_CALL_DEADLINE, async {
            let $db = &mut *db;
            $body.await
        });
        match done.await {
            Ok(result) => result.map_err(before_commit),
            Err(_) => {
                db.close_on_drop();
                Err(StoreError::Unavailable("the database took too long".into()))
            }
        }
    }};
}

/// Runs a future in a transaction, and commits it.
macro_rules! write {
    ($store:ident, |$tx:ident| $body:expr) => {{
        let mut db = $store.readers.take().await.map_err(before_commit)?;
        let done = timeout(POSTGRES_CALL_DEADLINE, async {
            let mut tx = db.begin_with(READ_COMMITTED).await.map_err(before_commit)?;
            let $tx = &mut tx;
            let result = $body.await.map_err(before_commit)?;
            tx.commit().await.map_err(|error| at_commit(&error))?;
            Ok::<_, StoreError>(result)
        });
        match done.await {
            Ok(result) => result,
            Err(_) => {
                db.close_on_drop();
                Err(StoreError::Unknown("the database took too long".into()))
            }
        }
    }};
}

#[async_trait]
impl Store for PostgresStore {
    async fn epoch(&self) -> Result<Epoch, StoreError> {
        Ok(self.epoch)
    }

    async fn append(&self, batch: Vec<Append>) -> Result<Vec<Outcome>, StoreError> {
        self.append_batch(&batch).await
    }

    async fn heads(&self, rooms: &[RoomId]) -> Result<Vec<(RoomId, Seq)>, StoreError> {
        read!(self, |db| read::read_heads(db, rooms))
    }

    async fn events(&self, room_id: RoomId, after: Seq, limit: u32) -> Result<Vec<Event>, StoreError> {
        read!(self, |db| read::read_events(db, room_id, after, limit))
    }

    async fn rooms_of(&self, user_id: UserId) -> Result<Vec<Room>, StoreError> {
        read!(self, |db| read::rooms(db, user_id, None))
    }

    async fn room(&self, reader: UserId, room_id: RoomId) -> Result<Option<Room>, StoreError> {
        read!(self, |db| read::rooms(db, reader, Some(room_id))).map(|mut rooms| rooms.pop())
    }

    async fn history(
        &self,
        reader: UserId,
        room_id: RoomId,
        anchor: Anchor,
        pinned: bool,
        limit: u32,
    ) -> Result<Option<MessagePage>, StoreError> {
        read!(self, |db| history::read_history(db, reader, room_id, anchor, pinned, limit))
    }

    async fn message(&self, reader: UserId, message_id: MessageId) -> Result<Option<Message>, StoreError> {
        read!(self, |db| history::read_message(db, reader, message_id))
    }

    async fn members(
        &self,
        reader: UserId,
        room_id: RoomId,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Option<MemberPage>, StoreError> {
        read!(self, |db| read::read_members(db, reader, room_id, after, limit))
    }

    async fn list_rooms(
        &self,
        reader: UserId,
        query: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<RoomPage, StoreError> {
        read!(self, |db| read::read_room_list(db, reader, query, after, limit))
    }

    async fn mark_read(
        &self,
        user_id: UserId,
        room_id: RoomId,
        message_no: MessageNo,
    ) -> Result<Option<MarkedRead>, StoreError> {
        write!(self, |tx| read::move_read_marker(tx, user_id, room_id, message_no))
    }

    async fn create_user(&self, user: NewUser) -> Result<User, CreateUserError> {
        let id = write!(self, |tx| accounts::insert_user(tx, &user))?;
        let id = id.ok_or(CreateUserError::Taken)?;
        Ok(User { id, username: user.username, display_name: user.display_name })
    }

    async fn account(&self, key: AccountKey<'_>) -> Result<Option<Account>, StoreError> {
        read!(self, |db| accounts::read_account(db, key))
    }

    async fn user_versions(&self, users: &[UserId]) -> Result<Vec<(UserId, u64)>, StoreError> {
        read!(self, |db| accounts::read_versions(db, users))
    }

    async fn create_login(&self, login: NewLogin) -> Result<(), StoreError> {
        write!(self, |tx| accounts::insert_login(tx, &login))
    }

    async fn rotate_login(&self, rotation: Rotation) -> Result<Rotated, StoreError> {
        write!(self, |tx| accounts::rotate(tx, &rotation))
    }

    async fn revoke_login(&self, id: LoginId, at: Timestamp) -> Result<Option<UserId>, StoreError> {
        write!(self, |tx| accounts::revoke(tx, id, at))
    }

    async fn login_is_alive(&self, id: LoginId) -> Result<bool, StoreError> {
        read!(self, |db| accounts::read_login_is_alive(db, id))
    }

    async fn check(&self) -> Result<(), StoreError> {
        read!(self, |db| async {
            sqlx::query("select epoch from hub where id = 1").execute(db).await.map(|_| ())
        })
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writers.close().await;
    }
}
