//! What every store must hold, written once. Each case becomes one test a store, named for the
//! behaviour that it holds.

mod accounts;
mod concurrency;
mod history;
mod members;
mod messages;
mod numbers;
mod reactions;
mod read;
mod retries;
mod rooms;

use super::factory::StoreFactory;
use super::world::World;

/// Runs a case on an empty store.
async fn run<F: StoreFactory>(case: impl AsyncFnOnce(World)) {
    let factory = F::default();
    let world = World::new(factory.make().await);
    let store = world.store.clone();
    case(world).await;
    store.close().await;
}

/// One test for each case and store.
macro_rules! contract {
    ($($case:ident)*) => {
        $crate::store::contract::contract_for!(memory, Memory, $($case)*);
        $crate::store::contract::contract_for!(simulated, Simulated, $($case)*);
        $crate::store::contract::contract_for!(sqlite, Sqlite, $($case)*);
        $crate::store::contract::contract_for!(postgres, Postgres, $($case)*);
    };
}

macro_rules! contract_for {
    ($module:ident, $factory:ident, $($case:ident)*) => {
        mod $module {
            use $crate::store::contract::run;
            use $crate::store::factory::$factory;

            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                run::<$factory>(super::$case).await;
            })*
        }
    };
}

use {contract, contract_for};
