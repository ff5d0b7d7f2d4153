//! A node under test, on a free port of the loopback.

use super::client::Client;
use hub::auth::{Auth, AuthSettings, Keys, PasswordParams, Passwords};
use hub::broker::Broker;
use hub::broker::local::LocalBroker;
use hub::clock::{Clock, SystemClock};
use hub::http::NoPages;
use hub::limits::{RateLimits, Rates};
use hub::presence::local::LocalPresence;
use hub::presence::{Incarnation, Presence};
use hub::random::SystemRandom;
use hub::server::{Deps, NodeSettings, serve, tcp};
use hub::store::memory::MemoryStore;
use hub::store::{NewUser, Store};
use jsonwebtoken::{EncodingKey, Header, encode};
use protocol::model::User;
use protocol::{Epoch, Timestamp};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const SECRET: &[u8] = b"a secret that is only used in tests";

/// What a node under test is made of.
pub struct NodeBuilder {
    pub store: Arc<dyn Store>,
    pub broker: Arc<dyn Broker>,
    pub presence: Arc<dyn Presence>,
    pub rates: Rates,
    pub settings: NodeSettings,
}

impl Default for NodeBuilder {
    fn default() -> Self {
        Self {
            store: Arc::new(MemoryStore::new(Epoch(1))),
            broker: Arc::new(LocalBroker::alone()),
            presence: Arc::new(LocalPresence::alone(incarnation())),
            rates: Rates::OFF,
            settings: NodeSettings::default(),
        }
    }
}

/// A fresh one.
pub fn incarnation() -> Incarnation {
    Incarnation(Uuid::new_v4())
}

impl NodeBuilder {
    pub async fn start(self) -> TestNode {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let clock = Arc::new(SystemClock);
        let random = Arc::new(SystemRandom);
        let cheap = PasswordParams { memory_kib: 8, iterations: 1, parallelism: 1 };
        let passwords = Passwords::new(cheap, 2, random.as_ref()).unwrap();
        let auth = Auth::new(
            Arc::clone(&self.store),
            Arc::clone(&clock) as _,
            Arc::clone(&random) as _,
            Keys::new(SECRET, None),
            passwords,
            AuthSettings::default(),
        );
        let deps = Deps {
            store: Arc::clone(&self.store),
            broker: self.broker,
            presence: self.presence,
            clock,
            random,
            auth: Arc::new(auth),
            limits: Arc::new(RateLimits::new(&self.rates)),
            pages: Arc::new(NoPages),
            metrics: Arc::default(),
            settings: self.settings,
        };
        #[expect(clippy::disallowed_methods, reason = "the test owns the task and waits for it")]
        let serving = tokio::spawn(serve(tcp(listener), deps, shutdown.clone()));
        TestNode { address, store: self.store, shutdown, serving }
    }
}

/// A running node.
pub struct TestNode {
    pub address: SocketAddr,
    pub store: Arc<dyn Store>,
    pub shutdown: CancellationToken,
    serving: JoinHandle<std::io::Result<()>>,
}

impl TestNode {
    pub async fn start() -> Self {
        NodeBuilder::default().start().await
    }

    /// Makes a user.
    pub async fn user(&self, username: &str) -> User {
        let user = NewUser {
            username: username.into(),
            display_name: username.to_uppercase(),
            password_hash: None,
            external_sub: None,
            at: Timestamp(1),
        };
        self.store.create_user(user).await.unwrap()
    }

    /// A token of a user that ends in so many seconds, or ended so many ago.
    pub fn token(user: &User, ends_in_secs: i64) -> String {
        let now = SystemClock.now().0.cast_signed() / 1000;
        let claims = json!({
            "sub": user.id.to_string(), "name": user.username, "jti": "test",
            "iat": now - 3600, "exp": now + ends_in_secs,
        });
        encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET)).unwrap()
    }

    /// A connection that said nothing yet.
    pub async fn connect(&self) -> Client {
        Client::connect(self.address).await
    }

    /// A connection of a user that was welcomed.
    pub async fn join(&self, user: &User) -> Client {
        let mut client = self.connect().await;
        client.hello(&Self::token(user, 600), json!({})).await;
        client
    }

    /// What the node tells Prometheus under this name, labels included.
    pub async fn metric(&self, name: &str) -> Option<f64> {
        let response = reqwest::get(format!("http://{}/metrics", self.address)).await.unwrap();
        assert_eq!(response.status(), 200);
        let kind = response.headers()["content-type"].to_str().unwrap();
        assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
        let text = response.text().await.unwrap();
        assert!(text.ends_with("# EOF\n"), "{text}");
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
        Some(value.parse().unwrap())
    }

    /// Stops the node in order and waits for it.
    pub async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(Duration::from_secs(30), self.serving).await.unwrap().unwrap().unwrap();
    }
}
