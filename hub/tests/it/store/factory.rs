//! Empty stores of every implementation.

use crate::support::postgres::Database;
use fakes::store::{SimStore, StoreHost};
use hub::store::Store;
use hub::store::memory::MemoryStore;
use hub::store::sqlite::SqliteStore;
use protocol::Epoch;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;

/// Makes empty stores of one implementation.
pub trait StoreFactory: Send + Sync + Default + 'static {
    /// The empty store, which lives as long as the factory.
    fn make(&self) -> impl Future<Output = Arc<dyn Store>> + Send;
}

/// Makes stores in memory.
#[derive(Default)]
pub struct Memory;

impl StoreFactory for Memory {
    async fn make(&self) -> Arc<dyn Store> {
        Arc::new(MemoryStore::new(Epoch(7)))
    }
}

/// Makes stores of the simulation, as a node has them: in memory, on a machine of their own.
#[derive(Default)]
pub struct Simulated;

impl StoreFactory for Simulated {
    async fn make(&self) -> Arc<dyn Store> {
        let host = Arc::new(StoreHost::new(Memory.make().await, Duration::ZERO));
        Arc::new(SimStore::within(&host, 8).await.unwrap())
    }
}

/// Makes stores in files.
pub struct Sqlite {
    folder: tempfile::TempDir,
}

impl Default for Sqlite {
    fn default() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }
}

impl Sqlite {
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("data").join("hubbub.db")
    }

    pub async fn open(&self) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(&self.path(), Epoch(7)).await.unwrap())
    }
}

impl StoreFactory for Sqlite {
    async fn make(&self) -> Arc<dyn Store> {
        self.open().await
    }
}

/// Makes stores in databases of a real server.
#[derive(Default)]
pub struct Postgres {
    database: OnceCell<Database>,
}

impl Postgres {
    pub async fn database(&self) -> &Database {
        self.database.get_or_init(Database::new).await
    }
}

impl StoreFactory for Postgres {
    async fn make(&self) -> Arc<dyn Store> {
        Arc::new(self.database().await.open().await)
    }
}
