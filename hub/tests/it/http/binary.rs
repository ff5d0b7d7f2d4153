//! The binary itself: settings from the environment, an embedded start, an orderly end.

use crate::support::Client;
use crate::support::postgres::Database;
use crate::support::redis::RedisServer;
use hub::presence::PresenceTimes;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use tokio::time::Instant;

/// The hub with nothing in its environment but this.
fn hub(args: &[&str], env: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hub"));
    command.args(args).env_clear().envs(env.iter().copied());
    command
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn config_check_prints_what_is_in_effect_and_opens_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let env = [("HUB_DATA", data.to_str().unwrap()), ("LISTEN", "0.0.0.0:9000"), ("SERVER_ID", "")];
    let Output { status, stdout, .. } = hub(&["config", "check"], &env).output().unwrap();
    assert!(status.success());
    let report = text(&stdout);
    assert!(report.contains("LISTEN                  0.0.0.0:9000 (set)"), "{report}");
    assert!(report.contains("REGISTRATION            open (default)"), "{report}");
    assert!(report.contains("data/jwt-secret (default)"), "{report}");
    assert!(!data.exists(), "a check makes nothing");
    let Output { stdout, .. } = hub(&["--listen", "[::1]:7", "config", "check"], &env).output().unwrap();
    assert!(
        text(&stdout).contains("LISTEN                  [::1]:7 (set)"),
        "a flag outdoes the environment"
    );
}

#[test]
fn wrong_settings_end_it_with_2_before_anything_is_opened() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let env = [
        ("HUB_DATA", data.to_str().unwrap()),
        ("DATABASE_URL", "postgres://ada:hunter2@db:x/chat"),
        ("JWT_SECRET", "hunter2"),
    ];
    for args in [&[][..], &["serve"], &["config", "check"]] {
        let Output { status, stdout, stderr } = hub(args, &env).output().unwrap();
        assert_eq!(status.code(), Some(2), "{args:?}");
        let told = text(&stderr);
        assert!(
            told.contains("DATABASE_URL (--database-url) is \"postgres://ada:<redacted>@db:x/chat\""),
            "{told}"
        );
        assert!(told.contains("JWT_SECRET (--jwt-secret) is \"<redacted>\""), "{told}");
        assert!(!told.contains("hunter2") && stdout.is_empty(), "{told}");
    }
    assert!(!data.exists());
    assert_eq!(hub(&["--nonsense"], &[]).output().unwrap().status.code(), Some(2));
}

struct Running {
    child: Child,
    address: String,
}

fn start(data: &Path) -> Running {
    start_on(data, "")
}

fn start_on(data: &Path, database_url: &str) -> Running {
    start_in_cluster(data, database_url, "")
}

fn start_in_cluster(data: &Path, database_url: &str, redis_url: &str) -> Running {
    let env = [
        ("HUB_DATA", data.to_str().unwrap()),
        ("DATABASE_URL", database_url),
        ("REDIS_URL", redis_url),
        ("LISTEN", "127.0.0.1:0"),
        ("LOG_FORMAT", "json"),
    ];
    let mut child = hub(&[], &env).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let line = log.by_ref().find(|line| line.contains("listening on")).expect("the node listens");
    let line: Value = serde_json::from_str(&line).unwrap();
    let address = line["message"].as_str().unwrap().strip_prefix("listening on ").unwrap().to_owned();
    // Read on, so that the node can write.
    std::thread::spawn(move || log.count());
    Running { child, address }
}

impl Running {
    async fn post(&self, path: &str, token: &str, body: Value) -> Value {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.post(format!("{}{path}", self.address)).bearer_auth(token).json(&body);
        request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap()
    }

    /// A connection of someone who registers.
    async fn arrive(&self, username: &str) -> Client {
        let credentials = json!({ "username": username, "password": "correct horse" });
        let session = self.post("/api/register", "", credentials).await;
        let address = self.address.strip_prefix("http://").unwrap().parse().unwrap();
        let mut client = Client::connect(address).await;
        client.hello(session["access_token"].as_str().unwrap(), json!({})).await;
        client
    }

    fn signal(mut self, signal: &str) -> Option<i32> {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        self.child.wait().unwrap().code()
    }
}

#[test]
fn health_is_asked_of_the_hub_that_listens() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(&dir.path().join("data"));
    let listen = running.address.strip_prefix("http://").unwrap().to_owned();
    let ask = || hub(&["health"], &[("LISTEN", &listen)]).output().unwrap();
    let Output { status, stdout, stderr } = ask();
    assert!(status.success() && stdout.is_empty() && stderr.is_empty(), "{}", text(&stderr));
    running.signal("-KILL");
    let Output { status, stderr, .. } = ask();
    assert_eq!(status.code(), Some(1));
    assert!(text(&stderr).contains(&listen), "{}", text(&stderr));
}

#[tokio::test]
async fn an_embedded_hub_keeps_everything_over_an_end_of_any_kind() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let hub = start(&data);
    let credentials = json!({ "username": "ada", "password": "correct horse" });
    let session = hub.post("/api/register", "", credentials.clone()).await;
    let token = session["access_token"].as_str().unwrap();
    let room = hub.post("/api/rooms", token, json!({ "name": "general", "kind": "public" })).await;
    let messages = format!("/api/rooms/{}/messages", room["id"]);
    hub.post(&messages, token, json!({ "content": "one" })).await;
    for (path, mode) in
        [(data.clone(), 0o700), (data.join("jwt-secret"), 0o600), (data.join("hubbub.db"), 0o600)]
    {
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode, "{}", path.display());
    }
    assert_eq!(hub.signal("-KILL"), None);

    let hub = start(&data);
    let second = hub.post(&messages, token, json!({ "content": "two" })).await;
    assert_eq!(second["message_no"], 2, "the token and the first message outlived the kill");
    assert_eq!(hub.signal("-TERM"), Some(0));

    let hub = start(&data);
    hub.post("/api/login", "", credentials).await;
    assert_eq!(hub.signal("-INT"), Some(0));
}

#[tokio::test]
async fn an_address_that_is_taken_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let dir = tempfile::tempdir().unwrap();
    let env = [("HUB_DATA", dir.path().to_str().unwrap()), ("LISTEN", address.as_str())];
    let Output { status, stderr, .. } = hub(&[], &env).output().unwrap();
    assert_eq!(status.code(), Some(1));
    let told = text(&stderr);
    assert!(told.contains(&format!("failed to listen on LISTEN={address}")), "{told}");
}

#[tokio::test]
async fn on_postgres_a_hub_serves_once_its_database_was_migrated() {
    let database = Database::empty().await;
    let dir = tempfile::tempdir().unwrap();
    let env = [
        ("HUB_DATA", dir.path().to_str().unwrap()),
        ("DATABASE_URL", &database.url),
        ("LISTEN", "127.0.0.1:0"),
    ];
    let Output { status, stderr, .. } = hub(&[], &env).output().unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(text(&stderr).contains("run `hub migrate` first"), "{}", text(&stderr));
    for _ in 0..2 {
        let Output { status, stderr, .. } = hub(&["migrate"], &env).output().unwrap();
        assert!(status.success(), "{}", text(&stderr));
    }
    let hub = start_on(dir.path(), &database.url);
    let session =
        hub.post("/api/register", "", json!({ "username": "ada", "password": "correct horse" })).await;
    let token = session["access_token"].as_str().unwrap();
    let room = hub.post("/api/rooms", token, json!({ "name": "general", "kind": "public" })).await;
    let messages = format!("/api/rooms/{}/messages", room["id"]);
    assert_eq!(hub.post(&messages, token, json!({ "content": "one" })).await["message_no"], 1);
    assert_eq!(hub.signal("-KILL"), None);
    let hub = start_on(dir.path(), &database.url);
    assert_eq!(hub.post(&messages, token, json!({ "content": "two" })).await["message_no"], 2);
    assert_eq!(hub.signal("-TERM"), Some(0));
}

#[tokio::test]
async fn a_node_that_is_killed_leaves_no_ghosts_after_its_lease() {
    let (database, redis) = (Database::empty().await, RedisServer::start(&[]).await);
    let dir = tempfile::tempdir().unwrap();
    let env = [("HUB_DATA", dir.path().to_str().unwrap()), ("DATABASE_URL", &database.url)];
    assert!(hub(&["migrate"], &env).output().unwrap().status.success());
    let start = || start_in_cluster(dir.path(), &database.url, &redis.url());
    let (first, second) = (start(), start());
    let (mut ada, mut ben) = (first.arrive("ada").await, second.arrive("ben").await);
    let room = ada.create_room("general").await;
    ben.join_room(room).await;
    ada.send(json!({ "type": "watch_presence", "room_id": room })).await;
    let mut online = ada.expect("presence").await["online"].as_array().unwrap().len();
    if online == 1 {
        online += ada.expect("presence_changed").await["online"].as_array().unwrap().len();
    }
    assert_eq!(online, 2);
    assert_eq!(second.signal("-KILL"), None);
    let (killed, times) = (Instant::now(), PresenceTimes::default());
    let gone = loop {
        let frames = ada.drain().await;
        if let Some(gone) = frames.into_iter().find(|frame| frame["type"] == "presence_changed") {
            break gone;
        }
        assert!(killed.elapsed() < times.lease + times.sweep.1 + times.linger, "a ghost is left");
        tokio::time::sleep(times.sweep.0 / 50).await;
    };
    assert_eq!(gone["offline"], json!([ben.welcome["user"]["id"]]));
    assert!(killed.elapsed() + times.renew * 2 > times.lease, "a lease is not cut short");
    drop(ada);
    assert_eq!(first.signal("-TERM"), Some(0));
}
