//! Plain commands on the servers that the broker is connected to, for what else is kept there: the
//! broker's connections, its routes and its deadlines, and nothing of its own.

use super::BrokerError;
use async_trait::async_trait;
use std::fmt;

/// Runs commands.
#[async_trait]
pub trait Commands: Send + Sync + fmt::Debug + 'static {
    /// Runs commands on the master of the keys with this hash tag (Redis cluster specification,
    /// "Hash tags"), which all of them must name; gives an answer for each.
    ///
    /// # Errors
    /// When the master is not known, not connected, does not answer in time, or refuses one of the
    /// commands; any of them may have taken effect.
    async fn run(&self, tag: &str, commands: &redis::Pipeline) -> Result<Vec<redis::Value>, BrokerError>;
}
