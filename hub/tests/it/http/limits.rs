//! Rate limits over HTTP: whom they count together, and what is told.

use super::support::{Hub, HubBuilder, Reply};
use hub::limits::{Rate, Rates};
use reqwest::Method;
use serde_json::json;

fn rate(text: &str) -> Option<Rate> {
    Some(text.parse().unwrap())
}

async fn hub(rates: Rates) -> Hub {
    HubBuilder { rates, trusted_proxies: "127.0.0.1/32", ..HubBuilder::default() }.start().await
}

/// Signs in from behind a trusted proxy.
async fn login_from(hub: &Hub, address: &str, username: &str) -> Reply {
    let body = json!({ "username": username, "password": "wrong horse" });
    let request = hub.request(Method::POST, "/api/login").header("x-forwarded-for", address).json(&body);
    hub.send(request).await
}

#[track_caller]
fn assert_limited(reply: &Reply) {
    reply.error(429, "rate_limited", None);
    let seconds: u64 = reply.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    let millis = reply.json(429)["error"]["retry_after_ms"].as_u64().unwrap();
    assert!(millis > 0 && millis <= seconds * 1000, "{millis} ms, {seconds} s");
}

#[tokio::test]
async fn logins_are_limited_by_address() {
    let hub = hub(Rates { login_address: rate("2/1m"), ..Rates::OFF }).await;
    for name in ["ada", "bob"] {
        login_from(&hub, "9.9.9.9", name).await.error(401, "unauthorized", None);
    }
    assert_limited(&login_from(&hub, "9.9.9.9", "cyd").await);
    login_from(&hub, "8.8.8.8", "cyd").await.error(401, "unauthorized", None);
}

#[tokio::test]
async fn an_ipv6_client_cannot_change_its_address_within_its_network() {
    let hub = hub(Rates { login_address: rate("1/1m"), ..Rates::OFF }).await;
    login_from(&hub, "2001:db8:0:1::1", "ada").await.error(401, "unauthorized", None);
    assert_limited(&login_from(&hub, "2001:db8:0:1::2", "ada").await);
    login_from(&hub, "2001:db8:0:2::1", "ada").await.error(401, "unauthorized", None);
}

#[tokio::test]
async fn logins_are_limited_by_name_from_wherever_they_come() {
    let hub = hub(Rates { login_name: rate("2/1m"), ..Rates::OFF }).await;
    login_from(&hub, "1.1.1.1", "ada").await.error(401, "unauthorized", None);
    login_from(&hub, "2.2.2.2", "ADA").await.error(401, "unauthorized", None);
    assert_limited(&login_from(&hub, "3.3.3.3", "ada").await);
    login_from(&hub, "3.3.3.3", "bob").await.error(401, "unauthorized", None);
}

#[tokio::test]
async fn nobody_believes_a_forwarded_address_of_an_unknown_proxy() {
    let rates = Rates { login_address: rate("1/1m"), ..Rates::OFF };
    let hub = HubBuilder { rates, ..HubBuilder::default() }.start().await;
    login_from(&hub, "1.1.1.1", "ada").await.error(401, "unauthorized", None);
    assert_limited(&login_from(&hub, "2.2.2.2", "ada").await);
}

#[tokio::test]
async fn registrations_and_token_exchanges_are_limited_by_address() {
    let hub =
        hub(Rates { register_address: rate("1/1m"), anonymous_address: rate("1/1m"), ..Rates::OFF }).await;
    hub.register("ada").await;
    let body = json!({ "username": "bob", "password": "correct horse" });
    assert_limited(&hub.post("/api/register", body).await);
    let body = json!({ "refresh_token": "x" });
    hub.post("/api/refresh", body.clone()).await.error(401, "unauthorized", Some("refresh_token"));
    assert_limited(&hub.post("/api/refresh", body).await);
}

#[tokio::test]
async fn requests_are_limited_by_user() {
    let hub = hub(Rates { requests_user: rate("2/1m"), ..Rates::OFF }).await;
    let (ada, bob) = (hub.register("ada").await, hub.register("bob").await);
    for _ in 0..2 {
        hub.get(&ada, "/api/me").await.json(200);
    }
    assert_limited(&hub.get(&ada, "/api/me").await);
    hub.get(&bob, "/api/me").await.json(200);
}

#[tokio::test]
async fn operations_are_limited_by_user_and_reading_is_not() {
    let hub = hub(Rates { operations_user: rate("2/1m"), ..Rates::OFF }).await;
    let ada = hub.register("ada").await;
    let room_id = hub.create_room(&ada, "general", "public").await;
    hub.say(&ada, room_id, "one").await;
    let line = format!("POST /api/rooms/{room_id}/messages");
    assert_limited(&hub.call(&ada, &line, Some(json!({ "content": "two" }))).await);
    let page = hub.get(&ada, &format!("/api/rooms/{room_id}/messages")).await.json(200);
    assert_eq!(page["messages"].as_array().unwrap().len(), 1);
}
