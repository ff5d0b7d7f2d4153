//! A whole cluster of real processes (Postgres, Redis, three hubs, Nginx), as `cargo xtask cluster`
//! starts it: one hub dies in the middle, and everyone still has everything.

use ::cluster::{Cluster, Component, Spec, Status};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_native_cluster_serves_through_nginx_and_survives_a_killed_hub() {
    let dir = tempfile::tempdir().unwrap();
    let spec = Spec {
        dir: dir.path().join("cluster"),
        hub: PathBuf::from(env!("CARGO_BIN_EXE_hub")),
        nginx_conf: PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../nginx.conf")),
        nodes: 3,
        port: None,
        usual_ports: false,
        hub_env: BTreeMap::new(),
    };
    let again = spec.clone();
    let running = Running(Cluster::lay_out(spec).unwrap());
    let cluster = &running.0;
    cluster.up(|_| {}).unwrap();
    for component in cluster.components() {
        assert!(matches!(cluster.status(component), Status::Serving(_)), "{component}");
    }
    let refused = Cluster::lay_out(again).unwrap_err().to_string();
    assert!(refused.contains("is running"), "{refused}");

    let layout = cluster.layout();
    let front = format!("http://127.0.0.1:{}", layout.port());
    let account = json!({"username": "ann", "password": "correct horse battery"});
    let ann = ask(&format!("{front}/api/register"), None, Some(&account)).await;
    let token = ann["access_token"].as_str().unwrap();
    let room = json!({"name": "general", "kind": "public"});
    let room = ask(&format!("{front}/api/rooms"), Some(token), Some(&room)).await["id"].clone();

    // Every hub serves its share of requests.
    let mut hubs = BTreeSet::new();
    for _ in 0..30 {
        let health = ask(&format!("{front}/health"), None, None).await;
        hubs.insert(health["server_id"].as_str().unwrap().to_owned());
    }
    assert_eq!(hubs, BTreeSet::from(["hub-1", "hub-2", "hub-3"].map(str::to_owned)));

    // A hub is killed between sends; through the front nobody notices.
    let messages = format!("{front}/api/rooms/{room}/messages");
    for n in 1..=20_u128 {
        if n == 7 {
            cluster.kill(Component::Hub(2)).unwrap();
            assert_eq!(cluster.status(Component::Hub(2)), Status::Down);
        }
        let body = json!({"client_id": uuid::Uuid::from_u128(n), "content": format!("message {n}")});
        ask(&messages, Some(token), Some(&body)).await;
    }
    cluster.start(Component::Hub(2)).unwrap();
    for number in 1..=3 {
        let port = layout.hub_port(number);
        let url = format!("http://127.0.0.1:{port}/api/rooms/{room}/messages?limit=50");
        let page = ask(&url, Some(token), None).await;
        let numbers =
            page["messages"].as_array().unwrap().iter().map(|message| message["message_no"].as_u64());
        assert_eq!(numbers.collect::<Vec<_>>(), (1..=20).map(Some).collect::<Vec<_>>(), "hub-{number}");
    }
    cluster.down().unwrap();
    assert_eq!(cluster.running().next(), None);
}
