//! Columns to types and back, as SQLite has them.

pub(super) use crate::store::columns::{count, kind, kind_text, limit, role, role_text, time};

use super::error::corrupt;
use crate::store::StoreError;
use protocol::ClientId;
use uuid::Uuid;

pub(super) fn client_id(bytes: &[u8]) -> Result<ClientId, StoreError> {
    Uuid::from_slice(bytes).map(ClientId).map_err(corrupt)
}

/// Rows of values as one JSON text: the argument of a statement with `json_each`, whose text is
/// the same for any number of rows.
pub(super) fn json<T: serde::Serialize>(rows: impl IntoIterator<Item = T>) -> Result<String, StoreError> {
    let rows: Vec<T> = rows.into_iter().collect();
    serde_json::to_string(&rows).map_err(|error| StoreError::Internal(error.to_string()))
}
