//! Columns to types and back.

use super::error::corrupt;
use crate::store::StoreError;
use protocol::model::{Role, RoomKind};
use protocol::{ClientId, Timestamp};
use uuid::Uuid;

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

pub(super) fn client_id(bytes: &[u8]) -> Result<ClientId, StoreError> {
    Uuid::from_slice(bytes).map(ClientId).map_err(corrupt)
}

pub(super) fn time(column: Option<i64>) -> Option<Timestamp> {
    column.map(Timestamp::from_i64)
}

pub(super) fn count(column: i64) -> u64 {
    u64::try_from(column).unwrap_or(0)
}

/// Rows of values as one JSON text: the argument of a statement with `json_each`, whose text is
/// the same for any number of rows.
pub(super) fn json<T: serde::Serialize>(rows: impl IntoIterator<Item = T>) -> Result<String, StoreError> {
    let rows: Vec<T> = rows.into_iter().collect();
    serde_json::to_string(&rows).map_err(|error| StoreError::Internal(error.to_string()))
}

/// A number of rows to read, as SQL takes it.
pub(super) fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
