//! The REST API, as far as a run needs it: accounts, rooms, tokens and history.

use anyhow::{Context, Result, bail};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use loadgen::driver::Tokens;
use loadgen::history::{Logged, RoomLog, Said};
use parking_lot::Mutex;
use protocol::client::{Token, TokenError};
use protocol::model::{Message, MessagePage, Room, User};
use protocol::{ClientId, MessageNo, RoomId};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Everyone's password.
const PASSWORD: &str = "a password for a run";
/// How long a request may take.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How often something is tried again: parts of the cluster may be away or busy.
const TRIES_MAX: u32 = 10;
/// The pause between.
const PAUSE: Duration = Duration::from_millis(500);

/// A cluster's API.
#[derive(Clone, Debug)]
pub(crate) struct Rest {
    client: Client,
    url: String,
}

/// A user with tokens.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SignedIn {
    pub(crate) user: User,
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
    expires_in: u64,
}

impl Rest {
    pub(crate) fn new(port: u16) -> Result<Self> {
        let client = Client::builder().timeout(TIMEOUT).build()?;
        Ok(Self { client, url: format!("http://127.0.0.1:{port}") })
    }

    pub(crate) async fn register(&self, username: &str) -> Result<SignedIn> {
        let body = json!({ "username": username, "password": PASSWORD });
        let register = || ask(self.request(Method::POST, "/api/register", None).json(&body));
        let login = || ask(self.request(Method::POST, "/api/login", None).json(&body));
        let either = || async {
            match register().await {
                Ok(signed_in) => Ok(signed_in),
                // It may have been done, and the answer was lost.
                Err(error) => login().await.map_err(|_| error),
            }
        };
        persist(either).await.with_context(|| format!("failed to register {username}"))
    }

    pub(crate) async fn login(&self, username: &str) -> Result<SignedIn> {
        let body = json!({ "username": username, "password": PASSWORD });
        persist(|| ask(self.request(Method::POST, "/api/login", None).json(&body))).await
    }

    pub(crate) async fn create_room(&self, token: &str, name: &str, client_id: ClientId) -> Result<Room> {
        let body = json!({ "name": name, "kind": "public", "client_id": client_id });
        let create = || ask(self.request(Method::POST, "/api/rooms", Some(token)).json(&body));
        persist(create).await.with_context(|| format!("failed to make {name}"))
    }

    pub(crate) async fn join(&self, token: &str, room: RoomId) -> Result<()> {
        let path = format!("/api/rooms/{room}/join");
        let join = || ask::<Value>(self.request(Method::POST, &path, Some(token)).json(&json!({})));
        persist(join).await.map(drop).with_context(|| format!("failed to join room {room}"))
    }

    /// Sends a message, once.
    pub(crate) async fn post(
        &self,
        token: &str,
        room: RoomId,
        name: ClientId,
        text: &str,
    ) -> Result<Message> {
        let path = format!("/api/rooms/{room}/messages");
        let body = json!({ "client_id": name, "content": text });
        ask(self.request(Method::POST, &path, Some(token)).json(&body)).await
    }

    /// All of a room's messages.
    pub(crate) async fn log(&self, token: &str, room: RoomId) -> Result<RoomLog> {
        let mut log = RoomLog::default();
        loop {
            let after = log.messages.last().map_or(MessageNo(0), |logged| logged.said.message_no);
            let path = format!("/api/rooms/{room}/messages?after={after}&limit=100");
            let page: MessagePage = self.read(&path, token).await?;
            log.head = page.as_of_seq;
            log.messages.extend(page.messages.into_iter().map(|message| Logged {
                seq: message.seq,
                said: Said {
                    message_no: message.message_no,
                    client_id: message.client_id,
                    user_id: message.user_id,
                    content: message.content,
                },
            }));
            if !page.more_after {
                return Ok(log);
            }
        }
    }

    async fn read<T: DeserializeOwned>(&self, path: &str, token: &str) -> Result<T> {
        let read = || ask(self.request(Method::GET, path, Some(token)));
        persist(read).await.with_context(|| format!("failed to read {path}"))
    }

    async fn refresh(&self, refresh_token: &str) -> Result<SignedIn, TokenError> {
        let body = json!({ "refresh_token": refresh_token });
        let request = self.request(Method::POST, "/api/refresh", None).json(&body);
        let response = request.send().await.map_err(|_| TokenError::Transient)?;
        match response.status() {
            StatusCode::OK => response.json().await.map_err(|_| TokenError::Transient),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(TokenError::Ended),
            _ => Err(TokenError::Transient),
        }
    }

    fn request(&self, method: Method, path: &str, token: Option<&str>) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.url));
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }
}

/// Asks again while it fails, within bounds.
async fn persist<T, F: Future<Output = Result<T>>>(ask: impl Fn() -> F) -> Result<T> {
    let mut tried = 0;
    loop {
        match ask().await {
            Err(_) if tried < TRIES_MAX => {
                tried += 1;
                tokio::time::sleep(PAUSE).await;
            }
            result => return result,
        }
    }
}

async fn ask<T: DeserializeOwned>(request: RequestBuilder) -> Result<T> {
    let response = request.send().await?;
    let status = response.status();
    if !status.is_success() {
        bail!("{status}: {}", response.text().await.unwrap_or_default());
    }
    Ok(response.json().await?)
}

/// A login's tokens: the one it began with, then each by an exchange of the last.
#[derive(Debug)]
pub(crate) struct Login {
    rest: Rest,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    signed_in: SignedIn,
    is_used: bool,
}

impl Login {
    pub(crate) fn new(rest: Rest, signed_in: SignedIn) -> Self {
        Self { rest, state: Arc::new(Mutex::new(State { signed_in, is_used: false })) }
    }
}

impl Tokens for Login {
    fn next(&self) -> BoxFuture<'static, Result<Token, TokenError>> {
        let (rest, state) = (self.rest.clone(), Arc::clone(&self.state));
        async move {
            let (refresh_token, is_used) = {
                let mut state = state.lock();
                let is_used = std::mem::replace(&mut state.is_used, true);
                (state.signed_in.refresh_token.clone(), is_used)
            };
            if is_used {
                let signed_in = rest.refresh(&refresh_token).await?;
                state.lock().signed_in = signed_in;
            }
            let state = state.lock();
            let access_token = state.signed_in.access_token.clone();
            // The first one is some seconds old, which the node tells in its welcome.
            Ok(Token { access_token, expires_in: Some(Duration::from_secs(state.signed_in.expires_in)) })
        }
        .boxed()
    }
}
