//! What every store must hold, written once. Each case becomes one test a store.

mod messages;

use super::world::World;
use hub::store::Store;
use hub::store::memory::MemoryStore;
use protocol::Epoch;
use std::future::Future;
use std::sync::Arc;

/// Makes empty stores of one implementation.
pub trait StoreFactory: Send + Sync + Default + 'static {
    /// An empty store, which lives as long as the factory.
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

/// Runs a case on an empty store.
pub async fn run<F: StoreFactory, T>(case: impl AsyncFnOnce(World) -> T) -> T {
    let factory = F::default();
    case(World::new(factory.make().await)).await
}

/// One test for each case and store.
macro_rules! contract {
    ($($case:ident)*) => {
        mod memory {
            $(#[tokio::test]
            async fn $case() {
                $crate::store::contract::run::<$crate::store::contract::Memory, _>(super::$case).await;
            })*
        }
    };
}
pub(crate) use contract;
