//! Connections to the server: so many at most, each taken in turn. Whoever waits may give up; a
//! connection that is being opened for them is opened all the same, and serves whoever comes next.
//! Otherwise a server under pressure stays without connections: each is given up when it is nearly
//! there, by one who had waited for their turn first.

use crate::limits::bounds::{POSTGRES_ACQUIRE_TIMEOUT, POSTGRES_CONNECT_TIMEOUT};
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgPoolOptions;
use sqlx::{PgConnection, Postgres};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

/// A pool of connections.
pub(super) struct Pool {
    connections: sqlx::PgPool,
    turns: Arc<Semaphore>,
    /// At most one for each turn.
    opening: TaskTracker,
}

/// A connection of a pool, until it is dropped.
pub(super) struct Taken {
    // Before the turn: who takes it next finds the connection.
    db: PoolConnection<Postgres>,
    _turn: OwnedSemaphorePermit,
}

impl Pool {
    /// A pool of so many connections at most. Each is opened when it is first needed.
    pub(super) fn new(connections: u32, open: impl FnOnce(PgPoolOptions) -> sqlx::PgPool) -> Self {
        let options =
            PgPoolOptions::new().max_connections(connections).acquire_timeout(POSTGRES_CONNECT_TIMEOUT);
        let turns = Arc::new(Semaphore::new(connections as usize));
        Self { connections: open(options), turns, opening: TaskTracker::new() }
    }

    /// Takes a connection, and waits for one for [`POSTGRES_ACQUIRE_TIMEOUT`] at most.
    pub(super) async fn take(&self) -> Result<Taken, sqlx::Error> {
        let taken = async {
            let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| sqlx::Error::PoolClosed)?;
            let (give, given) = oneshot::channel();
            let connections = self.connections.clone();
            self.opening.spawn(async move {
                let taken = connections.acquire().await.map(|db| Taken { db, _turn: turn });
                // What nobody waits for any more goes back to the pool.
                give.send(taken).ok();
            });
            given.await.unwrap_or(Err(sqlx::Error::PoolClosed))
        };
        timeout(POSTGRES_ACQUIRE_TIMEOUT, taken).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    /// Closes all connections, once those that are taken have come back.
    pub(super) async fn close(&self) {
        self.turns.close();
        self.connections.close().await;
        self.opening.close();
        self.opening.wait().await;
    }
}

impl Taken {
    /// Ends the connection instead of giving it back.
    pub(super) fn close_on_drop(&mut self) {
        self.db.close_on_drop();
    }
}

impl Deref for Taken {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.db
    }
}

impl DerefMut for Taken {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.db
    }
}
