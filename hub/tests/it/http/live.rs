//! What REST does reaches connections: messages, markers, the end of a login.

use super::support::{Account, Hub};
use crate::support::{Client, Ended};
use protocol::CloseCode;
use serde_json::json;
use std::time::Duration;

async fn connect(hub: &Hub, who: &Account) -> Client {
    let mut client = Client::connect(hub.address).await;
    client.hello(&who.token, json!({})).await;
    client
}

#[tokio::test]
async fn signing_out_closes_the_connections_of_that_login_and_no_other() {
    let hub = Hub::start().await;
    let here = hub.register("ada").await;
    let credentials = json!({ "username": "ada", "password": "correct horse" });
    let there = Account::of(&hub.post("/api/login", credentials).await.json(200));
    let (mut first, mut second) = (connect(&hub, &here).await, connect(&hub, &there).await);
    assert_eq!(hub.call(&here, "POST /api/logout", None).await.status, 204);
    assert_eq!(first.ended().await, Ended::Closed(CloseCode::LoginRevoked.code()));
    second.drain().await;
}

#[tokio::test]
async fn a_stolen_refresh_token_closes_the_connections_of_its_login() {
    let hub = Hub::start().await;
    let first = hub.register("ada").await;
    let body = json!({ "refresh_token": first.refresh_token });
    let second = Account::of(&hub.post("/api/refresh", body.clone()).await.json(200));
    let mut client = connect(&hub, &second).await;
    hub.clock.advance(Duration::from_secs(61));
    hub.post("/api/refresh", body).await.error(401, "unauthorized", Some("refresh_token"));
    assert_eq!(client.ended().await, Ended::Closed(CloseCode::LoginRevoked.code()));
}

#[tokio::test]
async fn what_is_said_over_rest_arrives_on_connections() {
    let hub = Hub::start().await;
    let (ada, bob) = (hub.register("ada").await, hub.register("bob").await);
    let room_id = hub.create_room(&ada, "general", "public").await;
    let mut client = connect(&hub, &bob).await;
    hub.join(&bob, room_id).await;
    assert_eq!(client.expect("room_added").await["room"]["id"], room_id);
    let message = hub.say(&ada, room_id, "hello").await;
    let event = client.expect("new_message").await;
    for field in ["seq", "message_no", "message_id", "content", "created_at"] {
        assert_eq!(event[field], message[field], "{field}");
    }
    let line = format!("POST /api/rooms/{room_id}/read");
    hub.call(&bob, &line, Some(json!({ "message_no": 1 }))).await.json(200);
    assert_eq!(client.expect("read_marker").await["last_read_no"], 1);
}
