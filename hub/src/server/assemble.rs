//! From checked settings to a node's parts: the one place that names adapters.

use super::{Deps, NodeSettings};
use crate::auth::{Auth, Keys, Passwords};
use crate::broker::local::LocalBroker;
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, StoreConfig};
use crate::http::Pages;
use crate::limits::RateLimits;
use crate::random::{Random, SystemRandom};
use crate::store::Store;
use crate::store::sqlite::SqliteStore;
use anyhow::Context;
use protocol::Epoch;
use protocol::ids::MAX_SAFE_INTEGER;
use std::sync::Arc;
use std::thread::available_parallelism;

impl Deps {
    /// Opens what the settings name, and makes on first start what is missing: the data folder,
    /// the database, the secret.
    ///
    /// # Errors
    /// When something cannot be opened; says what and why.
    pub async fn from_config(config: &Config, pages: Arc<dyn Pages>) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let random: Arc<dyn Random> = Arc::new(SystemRandom);
        let secret = config.jwt_secret.load(random.as_ref())?;
        let store = open_store(&config.store, random.as_ref()).await?;
        let hashes_at_a_time = available_parallelism().map_or(1, std::num::NonZero::get);
        let passwords = Passwords::new(config.password_params, hashes_at_a_time, random.as_ref())
            .map_err(anyhow::Error::msg)
            .context("failed to prepare password hashing")?;
        let keys = Keys::new(secret.bytes(), config.outside_key.clone());
        let auth = Auth::new(
            Arc::clone(&store),
            Arc::clone(&clock),
            Arc::clone(&random),
            keys,
            passwords,
            config.auth,
        );
        Ok(Self {
            store,
            broker: Arc::new(LocalBroker::alone()),
            clock,
            random,
            auth: Arc::new(auth),
            limits: Arc::new(RateLimits::new(&config.rates)),
            pages,
            settings: NodeSettings {
                node: config.server_id.clone(),
                connections_max: config.connections_max,
                drain_grace: config.drain_grace,
                trusted_proxies: config.trusted_proxies.clone(),
                ..NodeSettings::default()
            },
        })
    }
}

async fn open_store(config: &StoreConfig, random: &dyn Random) -> anyhow::Result<Arc<dyn Store>> {
    match config {
        StoreConfig::Sqlite(path) => {
            let store = SqliteStore::open(path, new_epoch(random))
                .await
                .with_context(|| format!("failed to open the database {}", path.display()))?;
            Ok(Arc::new(store))
        }
    }
}

/// A store's first epoch: drawn, so that one made anew in the same place is told from the old.
fn new_epoch(random: &dyn Random) -> Epoch {
    let mut bytes = [0; 8];
    random.fill(&mut bytes);
    Epoch(u64::from_le_bytes(bytes) & MAX_SAFE_INTEGER)
}
