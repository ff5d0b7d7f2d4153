//! A whole cluster of real processes (Postgres, Redis, hubs, Nginx), as `cargo xtask cluster` starts
//! it: hubs die in the middle, and everyone still has everything.

use ::cluster::{Cluster, Component, Layout, Spec, Status};
use futures_util::future::BoxFuture;
use loadgen::driver::{Handle, Observer, Options, Tokens};
use loadgen::socket::Tcp;
use protocol::client::{Client, Config, Now, Persisted, Token, TokenError};
use protocol::view::ClientEvent;
use protocol::{RoomEvent, RoomId, Timestamp};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinSet;

/// How long clients may take to find a living hub and all messages.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who sends while a hub is killed, and how much: one page of history in all.
const SENDERS: usize = 5;
const SENDS_EACH: usize = 20;

/// Ends the cluster also when the test fails.
struct Running(Cluster);

impl Drop for Running {
    fn drop(&mut self) {
        if let Err(error) = self.0.down() {
            eprintln!("the cluster does not end: {error:#}");
        }
    }
}

async fn ask(url: &str, token: Option<&str>, body: Option<&Value>) -> Value {
    let client = reqwest::Client::new();
    let mut request = body.map_or_else(|| client.get(url), |body| client.post(url).json(body));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert!(status.is_success(), "{url}: {status} {text}");
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

fn spec(dir: &TempDir) -> Spec {
    Spec {
        dir: dir.path().join("cluster"),
        hub: PathBuf::from(env!("CARGO_BIN_EXE_hub")),
        nginx_conf: PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../nginx.conf")),
        nodes: 3,
        port: None,
        usual_ports: false,
        hub_env: BTreeMap::new(),
    }
}

fn front(layout: &Layout) -> String {
    format!("http://127.0.0.1:{}", layout.port())
}

/// A user's token, and the id of a room of theirs.
async fn ann_with_a_room(front: &str) -> (String, u64) {
    let account = json!({"username": "ann", "password": "correct horse battery"});
    let ann = ask(&format!("{front}/api/register"), None, Some(&account)).await;
    let token = ann["access_token"].as_str().unwrap().to_owned();
    let room = json!({"name": "general", "kind": "public"});
    let room = ask(&format!("{front}/api/rooms"), Some(&token), Some(&room)).await;
    (token, room["id"].as_u64().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_native_cluster_serves_through_nginx_and_survives_a_killed_hub() {
    let dir = tempfile::tempdir().unwrap();
    let running = Running(Cluster::lay_out(spec(&dir)).unwrap());
    let cluster = &running.0;
    cluster.up(|_| {}).unwrap();
    for component in cluster.components() {
        assert!(matches!(cluster.status(component), Status::Serving(_)), "{component}");
    }
    let refused = Cluster::lay_out(spec(&dir)).unwrap_err().to_string();
    assert!(refused.contains("is running"), "{refused}");

    let layout = cluster.layout();
    let front = front(layout);
    let (token, room) = ann_with_a_room(&front).await;

    // Every hub serves its share of requests.
    let mut hubs = BTreeSet::new();
    for _ in 0..30 {
        let health = ask(&format!("{front}/health"), None, None).await;
        hubs.insert(health["server_id"].as_str().unwrap().to_owned());
    }
    assert_eq!(hubs, BTreeSet::from(["hub-1", "hub-2", "hub-3"].map(str::to_owned)));

    // What a hub counts is for the inside.
    let metrics = async |port: u16| {
        reqwest::get(format!("http://127.0.0.1:{port}/metrics")).await.unwrap().status().as_u16()
    };
    assert_eq!((metrics(layout.port()).await, metrics(layout.hub_port(1)).await), (404, 200));

    // A hub is killed while several send, without naming what they send; through the front nobody
    // notices, and nothing is said twice.
    let messages = format!("{front}/api/rooms/{room}/messages");
    let mut senders = JoinSet::new();
    for sender in 0..SENDERS {
        let (messages, token) = (messages.clone(), token.clone());
        senders.spawn(async move {
            for n in 0..SENDS_EACH {
                let body = json!({"content": format!("message {n} of {sender}")});
                ask(&messages, Some(&token), Some(&body)).await;
            }
        });
    }
    let url = format!("{messages}?limit=100");
    let at_least = |page: &Value, count| page["messages"].as_array().unwrap().len() >= count;
    while !at_least(&ask(&url, Some(&token), None).await, SENDERS * SENDS_EACH / 4) {}
    cluster.kill(Component::Hub(2)).unwrap();
    assert_eq!(cluster.status(Component::Hub(2)), Status::Down);
    assert!(senders.try_join_next().is_none(), "one had sent all before the hub was killed");
    senders.join_all().await;
    cluster.start(Component::Hub(2)).unwrap();
    let expected: BTreeSet<_> = (0..SENDERS)
        .flat_map(|sender| (0..SENDS_EACH).map(move |n| format!("message {n} of {sender}")))
        .collect();
    for number in 1..=3 {
        let port = layout.hub_port(number);
        let url = format!("http://127.0.0.1:{port}/api/rooms/{room}/messages?limit=100");
        let page = ask(&url, Some(&token), None).await;
        let page = page["messages"].as_array().unwrap();
        assert_eq!(page.len(), expected.len(), "hub-{number}");
        let contents = page.iter().map(|message| message["content"].as_str().unwrap().to_owned());
        assert_eq!(contents.collect::<BTreeSet<_>>(), expected, "hub-{number}");
        let numbers = page.iter().map(|message| message["message_no"].as_u64());
        assert!(numbers.eq((1..=expected.len()).map(|n| u64::try_from(n).ok())), "hub-{number}");
    }
    cluster.down().unwrap();
    assert_eq!(cluster.running().next(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_behind_nginx_cannot_name_its_own_address_and_what_stands_in_front_can() {
    let dir = tempfile::tempdir().unwrap();
    // One hub, for each counts by itself.
    let hub_env = BTreeMap::from([("RATE_LOGIN_ADDRESS".to_owned(), "3/1h".to_owned())]);
    let running = Running(Cluster::lay_out(Spec { nodes: 1, hub_env, ..spec(&dir) }).unwrap());
    let cluster = &running.0;
    cluster.up(|_| {}).unwrap();
    let url = format!("{}/api/login", front(cluster.layout()));
    // The header of each is made from its number.
    let logins = async |header: fn(usize) -> String| {
        let mut answers = Vec::new();
        for number in 1..=4 {
            let request = reqwest::Client::new()
                .post(&url)
                .header("x-forwarded-for", header(number))
                .json(&json!({"username": format!("nobody-{number}"), "password": "correct horse battery"}));
            answers.push(request.send().await.unwrap().status().as_u16());
        }
        answers
    };
    let forged = |number| format!("192.0.2.{number}");
    let answers = logins(forged).await;
    assert_eq!(answers, [401, 401, 401, 429], "the address is the one that connected to Nginx");

    let in_front = "set_real_ip_from 127.0.0.1;\nreal_ip_header X-Forwarded-For;\n";
    std::fs::write(cluster.layout().dir().join("nginx/site.d/front.conf"), in_front).unwrap();
    cluster.stop(Component::Nginx).unwrap();
    cluster.start(Component::Nginx).unwrap();
    // What the client wrote itself, and behind it what the one in front appended.
    let appended = |number| format!("192.0.2.{number}, 198.51.100.1");
    let answers = logins(appended).await;
    assert_eq!(answers, [401, 401, 401, 429], "the address is the one that was appended last");
}

/// The numbers of a room's messages as a client was told them; none before it was connected once.
type Seen = Arc<Mutex<Option<Vec<u64>>>>;

struct Watcher(Seen);

impl Observer for Watcher {
    fn handle_event(&mut self, event: ClientEvent) {
        let mut seen = self.0.lock().unwrap();
        if let ClientEvent::Ready { .. } = event {
            seen.get_or_insert_default();
        } else if let ClientEvent::Event { event: RoomEvent::NewMessage(message) } = event {
            seen.get_or_insert_default().push(message.message_no.0);
        }
    }
}

/// One token for all.
struct OneToken(String);

impl Tokens for OneToken {
    fn next(&self) -> BoxFuture<'static, Result<Token, TokenError>> {
        let access_token = self.0.clone();
        Box::pin(async { Ok(Token { access_token, expires_in: None }) })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_behind_nginx_find_a_hub_and_all_messages_while_each_hub_dies_in_turn() {
    const CLIENTS: u8 = 30;
    let dir = tempfile::tempdir().unwrap();
    let running = Running(Cluster::lay_out(spec(&dir)).unwrap());
    let cluster = &running.0;
    cluster.up(|_| {}).unwrap();
    let layout = cluster.layout();
    let (token, room) = ann_with_a_room(&front(layout)).await;

    let options = |seed| Options {
        dial: Arc::new(Tcp),
        addresses: [format!("127.0.0.1:{}", layout.port())].into(),
        config: Config::new("test", "1"),
        tokens: Arc::new(OneToken(token.clone())),
        seed: [seed; 32],
        restored: Persisted::default(),
    };
    let (mut clients, mut seen, mut tasks) = (Vec::new(), Vec::new(), JoinSet::new());
    for seed in 1..=CLIENTS {
        let messages = Seen::default();
        let (handle, run) = loadgen::driver::client(options(seed), Watcher(Arc::clone(&messages)));
        tasks.spawn(run);
        clients.push(handle);
        seen.push(messages);
    }
    let mut said = 0;
    everyone_has(&seen, said).await;
    // All of one address are on one hub. Whichever that is, and wherever they go from there, within two
    // rounds each hub has had them and lost them.
    for number in [1, 2, 3, 1, 2, 3] {
        cluster.kill(Component::Hub(number)).unwrap();
        say(&clients, RoomId(room), &mut said).await;
        everyone_has(&seen, said).await;
        cluster.start(Component::Hub(number)).unwrap();
    }
    let log = std::fs::read_to_string(layout.log(Component::Nginx)).unwrap();
    let lost = log.lines().filter(|line| line.contains("no live upstreams")).count();
    assert_eq!(lost, 0, "two hubs lived at any time, and Nginx sent clients away");
    for client in clients {
        client.close().await;
    }
    tasks.join_all().await;
}

/// Each client says something.
async fn say(clients: &[Handle], room: RoomId, said: &mut u64) {
    for client in clients {
        *said += 1;
        let text = format!("message {said}");
        let send = move |client: &mut Client, now: Now| {
            client.send_message(room, text, None, Timestamp(now.0), now).unwrap();
        };
        client.with(send).await.unwrap();
    }
}

/// Waits until every client is connected and was told every message, once and in order.
async fn everyone_has(seen: &[Seen], said: u64) {
    let all = Some((1..=said).collect::<Vec<_>>());
    let begun = tokio::time::Instant::now();
    while let Some(late) = seen.iter().map(|seen| seen.lock().unwrap().clone()).find(|seen| *seen != all) {
        assert!(begun.elapsed() < PATIENCE, "of {said} messages a client has {late:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
