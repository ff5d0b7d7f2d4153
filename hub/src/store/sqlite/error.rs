//! What a driver's error means to a caller: whether anything happened, and whether to try again.

pub(super) use crate::store::columns::corrupt;

use crate::store::StoreError;

/// An error before the commit: nothing happened.
pub(super) fn before_commit(error: sqlx::Error) -> StoreError {
    if is_passing(&error) {
        StoreError::Unavailable(error.to_string())
    } else {
        StoreError::Internal(error.to_string())
    }
}

/// An error of the commit itself, which may have happened all the same.
pub(super) fn at_commit(error: sqlx::Error) -> StoreError {
    StoreError::Unknown(error.to_string())
}

/// Whether the same call may succeed later, as by <https://www.sqlite.org/rescode.html>: busy,
/// locked, out of memory, read-only, interrupted, I/O error, disk full, cannot open.
fn is_passing(error: &sqlx::Error) -> bool {
    if let sqlx::Error::Database(error) = error {
        let code = error.code().and_then(|code| code.parse::<u32>().ok()).unwrap_or(0);
        return matches!(code & 0xff, 5..=10 | 13 | 14);
    }
    matches!(
        error,
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_of_the_pool_is_worth_another_try_and_a_missing_column_is_not() {
        assert!(matches!(before_commit(sqlx::Error::PoolTimedOut), StoreError::Unavailable(_)));
        let missing = sqlx::Error::ColumnNotFound("content".into());
        assert!(matches!(before_commit(missing), StoreError::Internal(_)));
    }

    #[test]
    fn a_failed_commit_has_an_unknown_outcome() {
        assert!(matches!(at_commit(sqlx::Error::PoolClosed), StoreError::Unknown(_)));
    }
}
