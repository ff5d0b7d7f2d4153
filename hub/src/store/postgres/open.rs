//! Opening a database: its connections, and whether its schema is the one that this version knows.
//! Migrating is a job of its own.

use super::PostgresStore;
use super::ids::SpareIds;
use super::pool::Pool;
use crate::limits::bounds::{
    POSTGRES_ACQUIRE_TIMEOUT, POSTGRES_CONNECTIONS_MIN, POSTGRES_IDLE_TRANSACTION_TIMEOUT,
    POSTGRES_LOCK_TIMEOUT, POSTGRES_STATEMENT_TIMEOUT, POSTGRES_TRUSTED_IDLE,
};
use crate::store::migrations;
use protocol::Epoch;
use sqlx::migrate::{Migrate, MigrateError};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool};
use std::fmt;
use std::str::FromStr;

/// What a session is set to. Every statement takes few rows by indexes that hold them in the wanted
/// order, and plans are kept from when tables were small or unknown: so none may scan, hash, merge or
/// sort tables, which a planner that knows nothing of them takes for as good. An acknowledged commit
/// is on disk (<https://www.postgresql.org/docs/current/runtime-config-wal.html#GUC-SYNCHRONOUS-COMMIT>),
/// whatever the role's default.
const SESSION: &str = "select set_config('idle_in_transaction_session_timeout', $1, false),
    set_config('lock_timeout', $2, false),
    set_config('statement_timeout', $3, false),
    set_config('enable_seqscan', 'off', false),
    set_config('enable_bitmapscan', 'off', false),
    set_config('enable_hashjoin', 'off', false),
    set_config('enable_mergejoin', 'off', false),
    set_config('enable_sort', 'off', false),
    set_config('jit', 'off', false),
    set_config('synchronous_commit', case current_setting('synchronous_commit')
        when 'off' then 'on' else current_setting('synchronous_commit') end, false)";

const MIGRATIONS: &str = "_sqlx_migrations";

/// Why a database could not be opened or migrated.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its schema is not, or not all of, what this version needs.
    #[error(
        "the database has schema {found}, this version of the hub needs {known}: run `hub migrate` first"
    )]
    OlderSchema {
        /// The database's schema; 0 if it has none.
        found: i64,
        /// The schema that this version needs.
        known: i64,
    },
    /// A later version of the hub migrated it.
    #[error("the database has schema {found}, this version of the hub knows up to {known}: run a later one")]
    NewerSchema {
        /// The database's schema.
        found: i64,
        /// The newest schema that this version knows.
        known: i64,
    },
    /// Anything else: no such server or database, not let in, not a database of the hub.
    #[error("could not open the database: {0}")]
    Open(String),
}

impl From<sqlx::Error> for OpenError {
    fn from(error: sqlx::Error) -> Self {
        Self::Open(error.to_string())
    }
}

impl From<MigrateError> for OpenError {
    fn from(error: MigrateError) -> Self {
        if let MigrateError::VersionMissing(found) = error
            && found > known()
        {
            return Self::NewerSchema { found, known: known() };
        }
        Self::Open(error.to_string())
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The pools' options hold the password.
        f.debug_struct("PostgresStore").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

impl PostgresStore {
    /// Opens a database with up to `connections` connections, a quarter of them for writing, so that
    /// appends never wait for reads. A new database is of the incarnation `new_epoch`; one that was
    /// opened before keeps its own.
    ///
    /// # Errors
    /// When it cannot be reached or its schema is not this version's.
    pub async fn open(url: &str, connections: u32, new_epoch: Epoch) -> Result<Self, OpenError> {
        let options = options(url)?;
        let connections = connections.max(POSTGRES_CONNECTIONS_MIN);
        let writing = (connections / 4).max(2);
        let mut db = tokio::time::timeout(POSTGRES_ACQUIRE_TIMEOUT, options.connect())
            .await
            .map_err(|_| OpenError::Open("the server does not answer".to_owned()))??;
        check_schema(&mut db).await?;
        let epoch = epoch(&mut db, new_epoch).await?;
        warn_of_settings(&mut db).await?;
        db.close().await?;
        let writers = Pool::new(writing, |settings| pool(settings, options.clone()));
        let readers = Pool::new(connections - writing, |settings| pool(settings, options));
        Ok(Self { epoch, writers, readers, spare_ids: SpareIds::default() })
    }

    /// Brings a database to this version's schema; the schema that it has then. Any number may do so
    /// at once: one does, and the others wait for it.
    ///
    /// # Errors
    /// When it cannot be reached, or a later version of the hub migrated it.
    pub async fn migrate(url: &str) -> Result<i64, OpenError> {
        let mut db = tokio::time::timeout(POSTGRES_ACQUIRE_TIMEOUT, options(url)?.connect())
            .await
            .map_err(|_| OpenError::Open("the server does not answer".to_owned()))??;
        migrations::POSTGRES.run_direct(None, &mut db, false).await?;
        db.close().await?;
        Ok(known())
    }
}

fn options(url: &str) -> Result<PgConnectOptions, OpenError> {
    let options = PgConnectOptions::from_str(url)?;
    let named = options.get_application_name().is_some();
    Ok(if named { options } else { options.application_name("hub") })
}

/// How the connections of a pool are opened and looked after.
fn pool(pool: PgPoolOptions, options: PgConnectOptions) -> PgPool {
    pool.test_before_acquire(false)
        .before_acquire(|db, used| {
            Box::pin(async move {
                if used.idle_for > POSTGRES_TRUSTED_IDLE {
                    db.ping().await?;
                }
                Ok(true)
            })
        })
        .after_connect(|db, _| {
            let timeouts =
                [POSTGRES_IDLE_TRANSACTION_TIMEOUT, POSTGRES_LOCK_TIMEOUT, POSTGRES_STATEMENT_TIMEOUT];
            let [idle, lock, statement] = timeouts.map(|timeout| format!("{}ms", timeout.as_millis()));
            Box::pin(async move {
                let session = sqlx::query(SESSION).bind(idle).bind(lock).bind(statement);
                session.execute(db).await.map(|_| ())
            })
        })
        .connect_lazy_with(options)
}

fn known() -> i64 {
    migrations::known(&migrations::POSTGRES)
}

async fn check_schema(db: &mut PgConnection) -> Result<(), OpenError> {
    let sql = "select to_regclass($1) is not null";
    let is_there: bool = sqlx::query_scalar(sql).bind(MIGRATIONS).fetch_one(&mut *db).await?;
    let known = known();
    if !is_there {
        return Err(OpenError::OlderSchema { found: 0, known });
    }
    if let Some(dirty) = db.dirty_version(MIGRATIONS).await? {
        return Err(OpenError::Open(format!("schema {dirty} was left half made")));
    }
    let applied = db.list_applied_migrations(MIGRATIONS).await?;
    let found = applied.iter().map(|migration| migration.version).max().unwrap_or(0);
    if found > known {
        return Err(OpenError::NewerSchema { found, known });
    }
    for migration in migrations::POSTGRES.iter() {
        match applied.iter().find(|applied| applied.version == migration.version) {
            None => return Err(OpenError::OlderSchema { found, known }),
            Some(applied) if applied.checksum != migration.checksum => {
                return Err(MigrateError::VersionMismatch(migration.version).into());
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Whoever comes first gives the database its incarnation.
async fn epoch(db: &mut PgConnection, new: Epoch) -> Result<Epoch, sqlx::Error> {
    let insert = sqlx::query("insert into hub (id, epoch) values (1, $1) on conflict do nothing");
    insert.bind(new.as_i64()).execute(&mut *db).await?;
    let stored: i64 = sqlx::query_scalar("select epoch from hub where id = 1").fetch_one(db).await?;
    Ok(Epoch::from_i64(stored))
}

async fn warn_of_settings(db: &mut PgConnection) -> Result<(), sqlx::Error> {
    let sql = "select name from pg_settings where name in ('fsync', 'full_page_writes') and setting = 'off'";
    for name in sqlx::query_scalar::<_, String>(sql).fetch_all(db).await? {
        tracing::warn!("the database runs with {name} off: a power cut may lose acknowledged messages");
    }
    Ok(())
}
