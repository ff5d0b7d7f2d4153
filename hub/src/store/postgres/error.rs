//! What a driver's error means to a caller: whether anything happened, and whether to try again
//! (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).

use crate::store::StoreError;

/// What went wrong on the way.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The driver or the database.
    Driver(sqlx::Error),
    /// What was found does not hold, or time ran out.
    Store(StoreError),
}

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Self {
        Self::Driver(error)
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Trouble {
    /// Whether the same transaction may well succeed at once: it lost to another one, or its
    /// connection was an old one that had died.
    pub(super) fn is_worth_another_try(&self) -> bool {
        match self {
            Self::Driver(sqlx::Error::Io(_)) => true,
            Self::Driver(error) => code(error).is_some_and(|code| {
                // Serialization failure, deadlock, a name that another took at the same time, a
                // backend that was terminated, a server that went down.
                matches!(code.as_str(), "40001" | "40P01" | "23505" | "57P01" | "57P02")
            }),
            Self::Store(_) => false,
        }
    }
}

/// An error before the commit: nothing happened.
pub(super) fn before_commit(trouble: impl Into<Trouble>) -> StoreError {
    match trouble.into() {
        Trouble::Store(error) => error,
        Trouble::Driver(error) if is_passing(&error) => StoreError::Unavailable(error.to_string()),
        Trouble::Driver(error) => StoreError::Internal(error.to_string()),
    }
}

/// An error of the commit itself, which may have happened all the same.
pub(super) fn at_commit(error: &sqlx::Error) -> StoreError {
    StoreError::Unknown(error.to_string())
}

/// Whether the same call may succeed later.
fn is_passing(error: &sqlx::Error) -> bool {
    if let Some(code) = code(error) {
        return is_passing_code(&code);
    }
    matches!(
        error,
        sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::BeginFailed
    )
}

fn is_passing_code(code: &str) -> bool {
    // Connection, sign-in, database, transaction lost to another, resources, the operator, the system.
    const CLASSES: [&str; 7] = ["08", "28", "3D", "40", "53", "57", "58"];
    // A name that another took again and again, a transaction left idle, a standby, a lock's timeout.
    const CODES: [&str; 5] = ["23505", "25P03", "25P04", "25006", "55P03"];
    CODES.contains(&code) || CLASSES.iter().any(|class| code.starts_with(class))
}

fn code(error: &sqlx::Error) -> Option<String> {
    if let sqlx::Error::Database(error) = error { error.code().map(|code| code.into_owned()) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_connection_is_worth_another_try_and_a_missing_column_is_not() {
        let lost = || sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into());
        assert!(Trouble::from(lost()).is_worth_another_try());
        assert!(matches!(before_commit(lost()), StoreError::Unavailable(_)));
        assert!(matches!(before_commit(sqlx::Error::PoolTimedOut), StoreError::Unavailable(_)));
        let missing = || sqlx::Error::ColumnNotFound("content".into());
        assert!(!Trouble::from(missing()).is_worth_another_try());
        assert!(matches!(before_commit(missing()), StoreError::Internal(_)));
    }

    #[test]
    fn a_failed_commit_has_an_unknown_outcome() {
        assert!(matches!(at_commit(&sqlx::Error::PoolClosed), StoreError::Unknown(_)));
    }

    #[test]
    fn codes_of_the_server_pass_or_do_not() {
        let passing = ["40001", "40P01", "23505", "57P01", "57014", "55P03", "25P03", "53300", "08006"];
        assert!(passing.iter().all(|code| is_passing_code(code)));
        let defects = ["42P01", "42601", "22P05", "23502", "23503", "25P02"];
        assert!(!defects.iter().any(|code| is_passing_code(code)));
    }
}
