//! Rows that every database gives alike, and what they mean.

use super::StoreError;
use super::columns::{count, kind, role, time};
use protocol::model::{Message, ReplyTo, Room, RoomListing};
use protocol::{ClientId, MessageId, MessageNo, RoomId, Seq, Timestamp, UserId};
use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};
use uuid::Uuid;

/// Rows read by the names of their columns. Written out rather than derived: the library's derive
/// compiles every database driver once more, for the compiler's own machine.
macro_rules! rows {
    ($($(#[$doc:meta])* $name:ident { $($column:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        pub(super) struct $name {
            $(pub(super) $column: $type,)*
        }

        impl<'r, R: Row> FromRow<'r, R> for $name
        where
            for<'c> &'c str: ColumnIndex<R>,
            $($type: Decode<'r, R::Database> + Type<R::Database>,)*
        {
            fn from_row(row: &'r R) -> sqlx::Result<Self> {
                Ok(Self { $($column: row.try_get(stringify!($column))?,)* })
            }
        }
    )*};
}

rows! {
    /// A message with its writer, and what it answers.
    MessageRow {
        id: i64,
        room_id: i64,
        message_no: i64,
        seq: i64,
        latest_seq: i64,
        user_id: i64,
        username: String,
        display_name: String,
        client_id: Uuid,
        content: String,
        reply_to: Option<i64>,
        reply_no: Option<i64>,
        reply_user_id: Option<i64>,
        reply_username: Option<String>,
        reply_display_name: Option<String>,
        created_at: i64,
        edited_at: Option<i64>,
        deleted_at: Option<i64>,
        pinned_at: Option<i64>,
    }
    /// A room as one of its members sees it. What is not unread after the marker is counted: one's
    /// own messages and the deleted ones of others.
    RoomRow {
        id: i64,
        name: String,
        kind: String,
        topic: String,
        role: String,
        head_seq: i64,
        last_message_no: i64,
        last_read_no: i64,
        joined_seq: i64,
        own: i64,
        deleted: i64,
        mentioned: i64,
        member_count: i64,
        created_at: i64,
    }
    /// A room in a list to choose from.
    ListedRow {
        id: i64,
        name: String,
        kind: String,
        topic: String,
        member_count: i64,
        is_member: bool,
    }
}

impl MessageRow {
    /// The message, less its mentions and reactions.
    pub(super) fn message(mut self) -> Message {
        Message {
            room_id: RoomId::from_i64(self.room_id),
            message_id: MessageId::from_i64(self.id),
            message_no: MessageNo::from_i64(self.message_no),
            seq: Seq::from_i64(self.seq),
            latest_seq: Seq::from_i64(self.latest_seq),
            reply_to: self.take_reply_to(),
            user_id: UserId::from_i64(self.user_id),
            username: self.username,
            display_name: self.display_name,
            client_id: Some(ClientId(self.client_id)),
            content: self.content,
            mentions: Vec::new(),
            reactions: Vec::new(),
            created_at: Timestamp::from_i64(self.created_at),
            edited_at: time(self.edited_at),
            deleted_at: time(self.deleted_at),
            pinned_at: time(self.pinned_at),
        }
    }

    fn take_reply_to(&mut self) -> Option<ReplyTo> {
        Some(ReplyTo {
            message_id: MessageId::from_i64(self.reply_to?),
            message_no: MessageNo::from_i64(self.reply_no?),
            user_id: UserId::from_i64(self.reply_user_id?),
            username: self.reply_username.take()?,
            display_name: self.reply_display_name.take()?,
        })
    }
}

impl RoomRow {
    pub(super) fn room(self) -> Result<Room, StoreError> {
        let after = self.last_message_no - self.last_read_no;
        Ok(Room {
            id: RoomId::from_i64(self.id),
            name: self.name,
            kind: kind(&self.kind)?,
            topic: self.topic,
            role: role(&self.role)?,
            head_seq: Seq::from_i64(self.head_seq),
            last_message_no: MessageNo::from_i64(self.last_message_no),
            last_read_no: MessageNo::from_i64(self.last_read_no),
            joined_seq: Seq::from_i64(self.joined_seq),
            unread_count: count(after - self.own - self.deleted),
            mention_count: count(self.mentioned),
            member_count: count(self.member_count),
            created_at: Timestamp::from_i64(self.created_at),
        })
    }
}

impl ListedRow {
    pub(super) fn listing(self) -> Result<RoomListing, StoreError> {
        Ok(RoomListing {
            id: RoomId::from_i64(self.id),
            name: self.name,
            kind: kind(&self.kind)?,
            topic: self.topic,
            member_count: count(self.member_count),
            is_member: self.is_member,
        })
    }
}
