//! One connection to a server: dialled through the connector, greeted, and driven for as long as
//! its session lasts. Nothing of it outlives the task that runs it.

use super::connector::Connector;
use crate::broker::redis_url::{Address, Credentials};
use redis::aio::{AsyncPushSender, MultiplexedConnection};
use redis::{AsyncConnectionConfig, ProtocolVersion, RedisConnectionInfo, Value};
use std::sync::Arc;
use std::time::Duration;

/// How long dialling and greeting may take together.
pub(super) const DIAL_DEADLINE: Duration = Duration::from_secs(2);
/// How long a server may take to answer.
pub(super) const REPLY_DEADLINE: Duration = Duration::from_secs(2);
/// How often a server is asked whether it is there.
pub(super) const PING_INTERVAL: Duration = Duration::from_secs(1);
/// Requests that wait to be written to one connection; who puts in one more waits.
const REQUESTS_MAX: usize = 64;

const _: () = assert!(PING_INTERVAL.as_millis() <= REPLY_DEADLINE.as_millis());

/// A connection failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct LinkError(pub(super) String);

impl From<redis::RedisError> for LinkError {
    fn from(error: redis::RedisError) -> Self {
        Self(error.to_string())
    }
}

/// How connections are opened.
#[derive(Debug)]
pub(super) struct Dialer {
    pub(super) connector: Arc<dyn Connector>,
    /// The node's name, which a connection carries in the server's list of clients.
    pub(super) node: String,
}

/// Who speaks to whom.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) address: &'a Address,
    pub(super) credentials: &'a Credentials,
    pub(super) db: i64,
    /// What for: part of the connection's name.
    pub(super) purpose: &'static str,
}

impl Dialer {
    /// Opens a connection, and runs a session on it until that or the connection ends.
    pub(super) async fn run<T, S>(
        &self,
        call: Call<'_>,
        push: impl AsyncPushSender,
        session: impl FnOnce(MultiplexedConnection) -> S,
    ) -> Result<T, LinkError>
    where
        S: Future<Output = Result<T, LinkError>>,
    {
        let name = format!("hubbub:{}:{}", self.node, call.purpose);
        let info = info(&call);
        let greeted = async {
            let stream =
                self.connector.connect(call.address).await.map_err(|error| LinkError(error.to_string()))?;
            let config = AsyncConnectionConfig::new()
                .set_push_sender(push)
                .set_pipeline_buffer_size(REQUESTS_MAX)
                .set_response_timeout(Some(REPLY_DEADLINE));
            Ok(MultiplexedConnection::new_with_config(&info, stream, config).await?)
        };
        let (connection, driver) = tokio::time::timeout(DIAL_DEADLINE, greeted)
            .await
            .unwrap_or_else(|_| Err(LinkError("no answer in time".into())))?;
        let session = async {
            set_name(connection.clone(), &name).await?;
            session(connection).await
        };
        tokio::select! {
            result = session => result,
            () = driver => Err(LinkError("connection was lost".into())),
        }
    }
}

/// Asks whether the server is there.
pub(super) async fn ping(connection: &mut MultiplexedConnection) -> Result<(), LinkError> {
    let reply = connection.send_packed_command(&redis::cmd("PING")).await?.extract_error()?;
    if text(&reply) == Some("PONG") {
        return Ok(());
    }
    // A subscription that the server ended by itself took the place of the answer.
    Err(LinkError(format!("answers are out of step: {reply:?}")))
}

/// Makes sure that the server is a master: sentinels may lag behind.
pub(super) async fn expect_master(connection: &mut MultiplexedConnection) -> Result<(), LinkError> {
    let reply = connection.send_packed_command(&redis::cmd("ROLE")).await?.extract_error()?;
    let role = reply.as_sequence().and_then(|parts| parts.first()).and_then(text);
    if role == Some("master") {
        return Ok(());
    }
    Err(LinkError(format!("is no master but a {}", role.unwrap_or("stranger"))))
}

/// A string of a reply.
pub(super) fn text(value: &Value) -> Option<&str> {
    if let Value::BulkString(bytes) = value {
        return str::from_utf8(bytes).ok();
    }
    if let Value::SimpleString(text) = value { Some(text) } else { None }
}

async fn set_name(mut connection: MultiplexedConnection, name: &str) -> Result<(), LinkError> {
    // Naming is a courtesy to operators: a server that refuses it serves all the same.
    connection.send_packed_command(redis::cmd("CLIENT").arg("SETNAME").arg(name)).await?;
    Ok(())
}

fn info(call: &Call<'_>) -> RedisConnectionInfo {
    let mut info = RedisConnectionInfo::default()
        .set_protocol(ProtocolVersion::RESP3)
        .set_db(call.db)
        .set_lib_name("hubbub", env!("CARGO_PKG_VERSION"));
    if let Some(username) = &call.credentials.username {
        info = info.set_username(username);
    }
    if let Some(password) = &call.credentials.password {
        info = info.set_password(password);
    }
    info
}
