//! From checked settings to a node's parts: the one place that names adapters.

use super::{Deps, NodeSettings};
use crate::auth::{Auth, Keys, Passwords};
use crate::broker::Broker;
use crate::broker::local::LocalBroker;
use crate::broker::redis::RedisBroker;
use crate::broker::redis::connector::NetConnector;
use crate::clock::{Clock, SystemClock};
use crate::config::{BrokerConfig, Config, StoreConfig};
use crate::http::Pages;
use crate::limits::RateLimits;
use crate::presence::local::LocalPresence;
use crate::presence::redis::RedisPresence;
use crate::presence::{Incarnation, Presence, PresenceTimes};
use crate::random::{Random, SystemRandom};
use crate::store::Store;
use crate::store::measured::Measured;
use crate::store::postgres::PostgresStore;
use crate::store::sqlite::SqliteStore;
use anyhow::Context;
use protocol::Epoch;
use protocol::ids::MAX_SAFE_INTEGER;
use std::sync::Arc;
use std::thread::available_parallelism;
use tokio_util::sync::CancellationToken;

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
        let settings = NodeSettings {
            node: config.server_id.clone(),
            connections_max: config.connections_max,
            drain_grace: config.drain_grace,
            trusted_proxies: config.trusted_proxies.clone(),
            ..NodeSettings::default()
        };
        let (broker, presence) = open_broker(config, &random, &settings.presence)?;
        Ok(Self {
            store,
            broker,
            presence,
            clock,
            random,
            auth: Arc::new(auth),
            limits: Arc::new(RateLimits::new(&config.rates)),
            pages,
            metrics: Arc::default(),
            settings,
        })
    }
}

async fn open_store(config: &StoreConfig, random: &dyn Random) -> anyhow::Result<Arc<dyn Store>> {
    match config {
        StoreConfig::Sqlite(path) => {
            let store = SqliteStore::open(path, new_epoch(random))
                .await
                .with_context(|| format!("failed to open the database {}", path.display()))?;
            Ok(Arc::new(Measured::new(store)))
        }
        StoreConfig::Postgres { url, connections } => {
            let store = PostgresStore::open(url.as_str(), *connections, new_epoch(random))
                .await
                .context("failed to open the database of DATABASE_URL")?;
            Ok(Arc::new(Measured::new(store)))
        }
    }
}

/// Redis need not be there yet: until it is, nodes find each other's messages in the store, and know
/// of their own users only.
fn open_broker(
    config: &Config,
    random: &Arc<dyn Random>,
    times: &PresenceTimes,
) -> anyhow::Result<(Arc<dyn Broker>, Arc<dyn Presence>)> {
    let incarnation = Incarnation(random.uuid());
    let url = match &config.broker {
        BrokerConfig::Alone => {
            let presence = LocalPresence::alone(incarnation);
            return Ok((Arc::new(LocalBroker::alone()), Arc::new(presence)));
        }
        BrokerConfig::Redis(url) => url.clone(),
    };
    let connector = NetConnector::new(url.tls.as_ref()).context("failed to prepare TLS to Redis")?;
    // It ends when the node closes it, after the last publication.
    let stop = CancellationToken::new();
    let broker = RedisBroker::new(url, Arc::new(connector), Arc::clone(random), &config.server_id, stop);
    let presence = RedisPresence::new(broker.commands(), incarnation, times);
    Ok((Arc::new(broker), Arc::new(presence)))
}

/// Brings the database that the settings name to this version's schema: a command of its own, on a
/// runtime of its own.
///
/// # Errors
/// When it cannot be opened, or a later version of the hub migrated it.
#[tokio::main]
pub async fn migrate(config: &Config) -> anyhow::Result<()> {
    crate::telemetry::start(&config.log)?;
    match &config.store {
        // Opening migrates it: no one else has it open.
        StoreConfig::Sqlite(_) => open_store(&config.store, &SystemRandom).await?.close().await,
        StoreConfig::Postgres { url, .. } => {
            let schema = PostgresStore::migrate(url.as_str())
                .await
                .context("failed to migrate the database of DATABASE_URL")?;
            tracing::info!(schema, "the database has this version's schema");
        }
    }
    Ok(())
}

/// A store's first epoch: drawn, so that one made anew in the same place is told from the old.
fn new_epoch(random: &dyn Random) -> Epoch {
    let mut bytes = [0; 8];
    random.fill(&mut bytes);
    Epoch(u64::from_le_bytes(bytes) & MAX_SAFE_INTEGER)
}
