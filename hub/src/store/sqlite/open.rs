//! Opening the file: made readable for its owner alone, brought to this version's schema, refused
//! if it is a later one's.

use super::SqliteStore;
use crate::store::migrations;
use protocol::Epoch;
use sqlx::migrate::MigrateError;
use sqlx::pool::PoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Sqlite, SqlitePool};
use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a statement waits for another process that holds the file's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a call waits for a connection: longer than one lock is waited for.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// How many connections read at once.
const READERS: u32 = 4;

const _: () = assert!(BUSY_TIMEOUT.as_millis() < ACQUIRE_TIMEOUT.as_millis());

/// Why the file could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file or its folder could not be made.
    #[error("could not make {path}: {source}")]
    Make {
        /// What was to be made.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A later version of the hub wrote it.
    #[error("{path} has schema {found}, this version of the hub knows up to {known}: run a later one")]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// The file's schema.
        found: i64,
        /// The newest schema that this version knows.
        known: i64,
    },
    /// Anything else: no database, damaged, locked, not readable.
    #[error("could not open {path}: {reason}")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
}

impl SqliteStore {
    /// Opens a file, which it makes if it does not exist, readable for its owner alone, and brings
    /// its schema up to date. A new file is of the incarnation `new_epoch`; one that exists keeps
    /// its own.
    ///
    /// # Errors
    /// When the file cannot be made or opened, or a later version of the hub wrote it.
    pub async fn open(path: &Path, new_epoch: Epoch) -> Result<Self, OpenError> {
        make_file(path)?;
        let failed = |error: sqlx::Error| OpenError::Open { path: path.into(), reason: error.to_string() };
        let options =
            SqliteConnectOptions::new().filename(path).busy_timeout(BUSY_TIMEOUT).foreign_keys(true);
        let writing = options
            .clone()
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            // Text that was deleted does not stay behind in pages that are written anyway.
            .pragma("secure_delete", "fast")
            // A long read lets the WAL grow; afterwards the file shrinks back to this, in bytes.
            .pragma("journal_size_limit", "67108864")
            .pragma("cache_size", "-16384");
        let writer = pool(1).connect_with(writing).await.map_err(failed)?;
        migrate(&writer, path).await?;
        let epoch = epoch(&writer, new_epoch).await.map_err(failed)?;
        let readers = pool(READERS).connect_with(options.read_only(true)).await.map_err(failed)?;
        Ok(Self { epoch, writer, readers })
    }
}

/// Connections to a file do not go stale, so they stay.
fn pool(connections: u32) -> PoolOptions<Sqlite> {
    PoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
}

/// SQLite gives its `-wal` and `-shm` files the permissions of the database.
fn make_file(path: &Path) -> Result<(), OpenError> {
    let mut folder = DirBuilder::new();
    folder.recursive(true);
    let mut file = OpenOptions::new();
    file.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
        folder.mode(0o700);
        file.mode(0o600);
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        folder.create(parent).map_err(|source| OpenError::Make { path: parent.into(), source })?;
    }
    match file.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(OpenError::Make { path: path.into(), source }),
    }
}

async fn migrate(writer: &SqlitePool, path: &Path) -> Result<(), OpenError> {
    let known = migrations::known(&migrations::SQLITE);
    match migrations::SQLITE.run(writer).await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(found)) if found > known => {
            Err(OpenError::NewerSchema { path: path.into(), found, known })
        }
        Err(error) => Err(OpenError::Open { path: path.into(), reason: error.to_string() }),
    }
}

async fn epoch(writer: &SqlitePool, new: Epoch) -> Result<Epoch, sqlx::Error> {
    let insert = sqlx::query("insert into hub (id, epoch) values (1, ?1) on conflict do nothing");
    insert.bind(new.as_i64()).execute(writer).await?;
    let stored: i64 = sqlx::query_scalar("select epoch from hub").fetch_one(writer).await?;
    Ok(Epoch::from_i64(stored))
}
