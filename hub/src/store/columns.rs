//! Columns to types and back, the same in every database.

use super::StoreError;
use protocol::Timestamp;
use protocol::model::{Role, RoomKind};

/// A row that says what none may say.
pub(super) fn corrupt(what: impl std::fmt::Display) -> StoreError {
    StoreError::Internal(format!("stored data is damaged: {what}"))
}

pub(super) const fn kind_text(kind: RoomKind) -> &'static str {
    match kind {
        RoomKind::Public => "public",
        RoomKind::Private => "private",
    }
}

pub(super) fn kind(text: &str) -> Result<RoomKind, StoreError> {
    match text {
        "public" => Ok(RoomKind::Public),
        "private" => Ok(RoomKind::Private),
        other => Err(corrupt(format_args!("kind of room {other:?}"))),
    }
}

pub(super) const fn role_text(role: Role) -> &'static str {
    match role {
        Role::Member => "member",
        Role::Admin => "admin",
        Role::Owner => "owner",
    }
}

pub(super) fn role(text: &str) -> Result<Role, StoreError> {
    match text {
        "member" => Ok(Role::Member),
        "admin" => Ok(Role::Admin),
        "owner" => Ok(Role::Owner),
        other => Err(corrupt(format_args!("role {other:?}"))),
    }
}

pub(super) fn time(column: Option<i64>) -> Option<Timestamp> {
    column.map(Timestamp::from_i64)
}

pub(super) fn count(column: i64) -> u64 {
    u64::try_from(column).unwrap_or(0)
}

/// A number of rows to read, as SQL takes it.
pub(super) fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
