//! The durable log and everything else that is kept: the trait that every store implements. SQL
//! and driver errors stay below it.

mod checked;
mod columns;
mod login;
pub mod measured;
pub mod memory;
mod migrations;
pub mod op;
mod page;
pub mod postgres;
mod rows;
pub mod sqlite;
mod state;
pub mod user;

pub use crate::limits::bounds::BATCH_MAX;
pub use op::{Append, Committed, CommittedMessage, Event, Membership, Op, Outcome, RoomOp};
pub use user::{
    Account, AccountKey, CreateUserError, LoginId, NewLogin, NewUser, RefreshHash, Rotated, Rotation,
};

use crate::metrics::Timings;
use async_trait::async_trait;
use protocol::frame::server::ReadMarker;
use protocol::model::{Anchor, Member, Message, MessagePage, Room, RoomListing, User};
use protocol::{Epoch, MessageId, MessageNo, RoomId, Seq, Timestamp, UserId};
use std::fmt;

/// The store cannot do it now.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing happened; the same call may succeed later.
    #[error("store is unavailable: {0}")]
    Unavailable(String),
    /// The call may or may not have taken effect; asking again under the same `client_id` tells.
    #[error("outcome is unknown: {0}")]
    Unknown(String),
    /// A defect of the hub or of the data.
    #[error("store failed: {0}")]
    Internal(String),
}

impl StoreError {
    fn batch_too_large(len: usize) -> Self {
        Self::Internal(format!("a batch of {len} operations, at most {BATCH_MAX} are allowed"))
    }
}

/// A page of members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberPage {
    /// The members, in order of their username.
    pub members: Vec<Member>,
    /// Whether there are more.
    pub more: bool,
}

/// A page of rooms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomPage {
    /// The rooms, in order of their name.
    pub rooms: Vec<RoomListing>,
    /// Whether there are more.
    pub more: bool,
}

/// A read marker after it was asked to move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkedRead {
    /// Where it is.
    pub marker: ReadMarker,
    /// The user's version, see [`Account::version`]; one more than before if the marker moved.
    pub version: u64,
    /// Whether it moved.
    pub moved: bool,
}

/// The durable log, users, rooms and read markers.
///
/// Reads that name a `reader` answer `None` where the reader is not a member, so that no caller
/// can forget to ask.
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug + 'static {
    /// The store's incarnation.
    async fn epoch(&self) -> Result<Epoch, StoreError>;

    /// Applies up to [`BATCH_MAX`] operations in one transaction, in their order, each judged by
    /// [`crate::rules`] on the state that the ones before it left. Gives an outcome for each.
    /// Returns after the commit: what it reports is durable.
    async fn append(&self, batch: Vec<Append>) -> Result<Vec<Outcome>, StoreError>;

    /// The newest event of each of these rooms; rooms that do not exist are left out.
    async fn heads(&self, rooms: &[RoomId]) -> Result<Vec<(RoomId, Seq)>, StoreError>;

    /// Events of a room after a position, without a hole, at most `limit` of them.
    async fn events(&self, room_id: RoomId, after: Seq, limit: u32) -> Result<Vec<Event>, StoreError>;

    /// All rooms of a user, in order of their id.
    async fn rooms_of(&self, user_id: UserId) -> Result<Vec<Room>, StoreError>;

    /// One room as this member sees it.
    async fn room(&self, reader: UserId, room_id: RoomId) -> Result<Option<Room>, StoreError>;

    /// A page of messages in their latest state; with `pinned`, of pinned ones only.
    async fn history(
        &self,
        reader: UserId,
        room_id: RoomId,
        anchor: Anchor,
        pinned: bool,
        limit: u32,
    ) -> Result<Option<MessagePage>, StoreError>;

    /// One message in its latest state.
    async fn message(&self, reader: UserId, message_id: MessageId) -> Result<Option<Message>, StoreError>;

    /// A page of a room's members after a username.
    async fn members(
        &self,
        reader: UserId,
        room_id: RoomId,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Option<MemberPage>, StoreError>;

    /// A page of public rooms and the reader's own whose name contains `query`, after a name.
    /// Rooms that share a name (private ones may) come on one page together.
    async fn list_rooms(
        &self,
        reader: UserId,
        query: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<RoomPage, StoreError>;

    /// Moves a read marker forward, never back and never past the head; `None` for no member.
    async fn mark_read(
        &self,
        user_id: UserId,
        room_id: RoomId,
        message_no: MessageNo,
    ) -> Result<Option<MarkedRead>, StoreError>;

    /// Makes a user.
    async fn create_user(&self, user: NewUser) -> Result<User, CreateUserError>;

    /// Finds an account.
    async fn account(&self, key: AccountKey<'_>) -> Result<Option<Account>, StoreError>;

    /// The versions of these users, see [`Account::version`].
    async fn user_versions(&self, users: &[UserId]) -> Result<Vec<(UserId, u64)>, StoreError>;

    /// Records a login.
    async fn create_login(&self, login: NewLogin) -> Result<(), StoreError>;

    /// Exchanges a refresh token for the next one.
    async fn rotate_login(&self, rotation: Rotation) -> Result<Rotated, StoreError>;

    /// Ends a login; whose it was, if it was alive.
    async fn revoke_login(&self, id: LoginId, at: Timestamp) -> Result<Option<UserId>, StoreError>;

    /// Whether a login is alive.
    async fn login_is_alive(&self, id: LoginId) -> Result<bool, StoreError>;

    /// Round trip to the store, for `/ready`.
    async fn check(&self) -> Result<(), StoreError>;

    /// How long its calls take, if that is measured.
    fn timings(&self) -> Option<&Timings> {
        None
    }

    /// Waits for what is under way and lets go of files and connections.
    async fn close(&self);
}
