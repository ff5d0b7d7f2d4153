//! Commands for what else is kept on the servers, over the connections that publish.

use super::shared::Shared;
use crate::broker::BrokerError;
use crate::broker::commands::Commands;
use async_trait::async_trait;
use redis::Value;
use std::fmt;
use std::sync::Arc;

/// Runs commands over the broker's connections.
pub(super) struct RedisCommands(pub(super) Arc<Shared>);

impl fmt::Debug for RedisCommands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisCommands").field("url", &self.0.url).finish_non_exhaustive()
    }
}

#[async_trait]
impl Commands for RedisCommands {
    async fn run(&self, tag: &str, commands: &redis::Pipeline) -> Result<Vec<Value>, BrokerError> {
        let unavailable = |text: &str| BrokerError(text.to_owned());
        let owner = self.0.outbox.lock().owner_of(tag).ok_or_else(|| unavailable("master is not known"))?;
        let connection = self.0.connections.lock().get(&owner).cloned();
        let mut connection = connection.ok_or_else(|| unavailable("not connected"))?;
        let answers = connection
            .send_packed_commands(commands, 0, commands.len())
            .await
            .map_err(|error| BrokerError(error.to_string()))?;
        answers
            .into_iter()
            .map(|answer| {
                answer.extract_error().map_err(|error| {
                    // The slot may have moved.
                    self.0.look_again.notify_one();
                    BrokerError(format!("redis at {owner}: {error}"))
                })
            })
            .collect()
    }
}
