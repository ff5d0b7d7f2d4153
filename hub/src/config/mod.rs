//! Every setting of the node, read from flags and the environment in one place and checked before
//! anything is opened or bound. What leaves here is typed and trusted.

mod check;
mod database_url;
pub mod duration;
#[cfg(feature = "planted-bugs")]
mod planted;
mod secret;
mod settings;

pub use check::{ConfigError, Problem};
pub use database_url::DatabaseUrl;
pub use secret::{Secret, SecretError, SecretSource};
pub use settings::Settings;

use crate::auth::{AuthSettings, OutsideKey, PasswordParams};
use crate::broker::redis_url::RedisUrl;
use crate::limits::Rates;
use clap::{Parser, Subcommand};
use ipnet::IpNet;
use protocol::NodeId;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The hub's command line.
#[derive(Debug, Parser)]
#[command(name = "hub", version, about = "A node of Hubbub, the chat hub", long_about = None)]
#[command(
    after_help = "With nothing set, the node keeps everything in ./hubbub-data and needs nothing beside it."
)]
pub struct Cli {
    /// What to do; serves when nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The settings.
    #[command(flatten)]
    pub settings: Settings,
}

/// What the hub can be told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Serve until told to stop (the default).
    Serve,
    /// Bring the database to this version's schema and exit; nodes on Postgres need it before they
    /// serve. Several may do so at once.
    Migrate,
    /// Ask the node that serves with these settings whether it lives, and exit: 0 if it does, 1 if not.
    Health,
    /// Look at the settings.
    #[command(subcommand)]
    Config(ConfigCommand),
}

/// What can be done with the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub enum ConfigCommand {
    /// Check the settings, print those in effect and exit: 0 if they hold, 2 if not.
    Check,
}

/// The settings, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The node's name.
    pub server_id: NodeId,
    /// Where the node keeps what it makes by itself.
    pub data: PathBuf,
    /// What keeps the log.
    pub store: StoreConfig,
    /// What joins this node to others.
    pub broker: BrokerConfig,
    /// What signs access tokens.
    pub jwt_secret: SecretSource,
    /// What else verifies them.
    pub outside_key: Option<OutsideKey>,
    /// How authentication behaves.
    pub auth: AuthSettings,
    /// The cost of a password's hash.
    pub password_params: PasswordParams,
    /// The rate limits.
    pub rates: Rates,
    /// Proxies whose word on a client's address is taken.
    pub trusted_proxies: Vec<IpNet>,
    /// Most WebSocket connections.
    pub connections_max: usize,
    /// How long connections have to move to other nodes when this one stops.
    pub drain_grace: Duration,
    /// The log.
    pub log: LogConfig,
}

/// What keeps the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreConfig {
    /// An embedded database in this file.
    Sqlite(PathBuf),
    /// A Postgres database, which nodes share.
    Postgres {
        /// Where it is.
        url: DatabaseUrl,
        /// Most connections of this node.
        connections: u32,
    },
}

/// What joins nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BrokerConfig {
    /// Nothing: the node runs alone.
    Alone,
    /// Redis Pub/Sub.
    Redis(RedisUrl),
}

/// How the node logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// How a line looks.
    pub format: LogFormat,
    /// What is logged, in the directives of `tracing_subscriber::EnvFilter`.
    pub filter: String,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs: a JSON object a line.
    Json,
}
