//! A hub that serves on a socket, with a clock and pages of the test's, and a client for it.

use hub::auth::{Auth, AuthSettings, Keys, OutsideKey, PasswordParams, Passwords};
use hub::broker::local::LocalBroker;
use hub::clock::Clock;
use hub::http::{PageFile, Pages};
use hub::limits::{RateLimits, Rates};
use hub::presence::Incarnation;
use hub::presence::local::LocalPresence;
use hub::random::{Random, SystemRandom};
use hub::server::{Deps, NodeSettings, serve};
use hub::store::Store;
use hub::store::memory::MemoryStore;
use protocol::{Epoch, NodeId, Timestamp};
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub const SECRET: &[u8] = b"a secret that is only used in tests";
/// When tests begin, in milliseconds: 2027-01-15.
pub const START: u64 = 1_800_000_000_000;

/// A clock that tests set.
#[derive(Debug)]
pub struct TestClock(AtomicU64);

impl TestClock {
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_millis() as u64, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// Pages of the test's.
#[derive(Debug, Default)]
pub struct TestPages(pub BTreeMap<&'static str, &'static str>);

impl Pages for TestPages {
    fn file(&self, name: &str) -> Option<PageFile> {
        let bytes = self.0.get(name)?.as_bytes();
        let mut hash = [0; 32];
        for (at, byte) in name.bytes().chain(bytes.iter().copied()).enumerate() {
            hash[at % 16] ^= byte;
        }
        let mime = match name.rsplit('.').next() {
            Some("html") => "text/html",
            Some("js") => "text/javascript",
            Some("wasm") => "application/wasm",
            _ => "application/octet-stream",
        };
        Some(PageFile { bytes: bytes.into(), hash, mime: mime.into() })
    }
}

/// What a hub under test is made of.
pub struct HubBuilder {
    pub store: Arc<dyn Store>,
    pub rates: Rates,
    pub auth: AuthSettings,
    pub outside: Option<OutsideKey>,
    pub passwords: PasswordParams,
    pub pages: TestPages,
    pub trusted_proxies: &'static str,
}

impl Default for HubBuilder {
    fn default() -> Self {
        Self {
            store: Arc::new(MemoryStore::new(Epoch(1))),
            rates: Rates::OFF,
            auth: AuthSettings::default(),
            outside: None,
            passwords: PasswordParams { memory_kib: 8, iterations: 1, parallelism: 1 },
            pages: TestPages::default(),
            trusted_proxies: "",
        }
    }
}

impl HubBuilder {
    pub async fn start(self) -> Hub {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let clock = Arc::new(TestClock(AtomicU64::new(START)));
        let random = Arc::new(SystemRandom);
        let auth = Auth::new(
            Arc::clone(&self.store),
            Arc::clone(&clock) as _,
            Arc::clone(&random) as _,
            Keys::new(SECRET, self.outside),
            Passwords::new(self.passwords, 2, random.as_ref()).unwrap(),
            self.auth,
        );
        let trusted_proxies =
            self.trusted_proxies.split_whitespace().map(|net| net.parse().unwrap()).collect();
        let deps = Deps {
            store: Arc::clone(&self.store),
            broker: Arc::new(LocalBroker::alone()),
            presence: Arc::new(LocalPresence::alone(Incarnation(random.uuid()))),
            clock: Arc::clone(&clock) as _,
            random,
            auth: Arc::new(auth),
            limits: Arc::new(RateLimits::new(&self.rates)),
            pages: Arc::new(self.pages),
            metrics: Arc::default(),
            settings: NodeSettings {
                node: NodeId("test-node".into()),
                trusted_proxies,
                ..NodeSettings::default()
            },
        };
        let shutdown = CancellationToken::new();
        #[expect(clippy::disallowed_methods, reason = "the test owns the task and waits for it")]
        let serving = tokio::spawn(serve(listener, deps, shutdown.clone()));
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap();
        Hub { address, client, clock, shutdown, serving }
    }
}

/// A running hub.
pub struct Hub {
    pub address: SocketAddr,
    pub client: reqwest::Client,
    pub clock: Arc<TestClock>,
    pub shutdown: CancellationToken,
    pub serving: JoinHandle<std::io::Result<()>>,
}

/// An answer of a hub.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Reply {
    /// The JSON of an answer with this status.
    #[track_caller]
    pub fn json(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert_eq!(self.header("content-type"), "application/json");
        serde_json::from_str(&self.text).unwrap()
    }

    /// An error of this status, code and field; its message.
    #[track_caller]
    pub fn error(&self, status: u16, code: &str, field: Option<&str>) -> String {
        let body = self.json(status);
        assert_eq!(body["error"]["code"], code, "{body}");
        assert_eq!(body["error"]["field"].as_str(), field, "{body}");
        let message = body["error"]["message"].as_str().unwrap().to_owned();
        assert!(!message.is_empty());
        message
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// Someone who is signed in.
#[derive(Clone, Debug)]
pub struct Account {
    pub id: u64,
    pub token: String,
    pub refresh_token: String,
}

impl Account {
    #[track_caller]
    pub fn of(session: &Value) -> Self {
        Self {
            id: session["user"]["id"].as_u64().unwrap(),
            token: session["access_token"].as_str().unwrap().into(),
            refresh_token: session["refresh_token"].as_str().unwrap().into(),
        }
    }
}

impl Hub {
    pub async fn start() -> Self {
        HubBuilder::default().start().await
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address))
    }

    pub async fn send(&self, request: RequestBuilder) -> Reply {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Reply { status, headers, text: response.text().await.unwrap() }
    }

    /// Calls an endpoint as nobody.
    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.send(self.request(Method::POST, path).json(&body)).await
    }

    /// Calls an endpoint as a user: `"GET /api/me"`.
    pub async fn call(&self, who: &Account, line: &str, body: Option<Value>) -> Reply {
        self.call_with(&who.token, line, body).await
    }

    pub async fn call_with(&self, token: &str, line: &str, body: Option<Value>) -> Reply {
        let (method, path) = line.split_once(' ').unwrap();
        let mut request = self.request(method.parse().unwrap(), path).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        self.send(request).await
    }

    pub async fn get(&self, who: &Account, path: &str) -> Reply {
        self.call(who, &format!("GET {path}"), None).await
    }

    pub async fn register(&self, username: &str) -> Account {
        let body = json!({ "username": username, "password": "correct horse" });
        Account::of(&self.post("/api/register", body).await.json(201))
    }

    /// Makes a room; its id.
    pub async fn create_room(&self, who: &Account, name: &str, kind: &str) -> u64 {
        let body = json!({ "name": name, "kind": kind });
        self.call(who, "POST /api/rooms", Some(body)).await.json(201)["id"].as_u64().unwrap()
    }

    /// Says something; the message.
    pub async fn say(&self, who: &Account, room_id: u64, content: &str) -> Value {
        let line = format!("POST /api/rooms/{room_id}/messages");
        self.call(who, &line, Some(json!({ "content": content }))).await.json(201)
    }

    pub async fn join(&self, who: &Account, room_id: u64) -> Value {
        self.call(who, &format!("POST /api/rooms/{room_id}/join"), None).await.json(200)
    }
}
