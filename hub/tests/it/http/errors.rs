//! Errors of every class have one shape, and say what is wrong.

use super::support::Hub;
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn an_unknown_endpoint_is_told_in_json() {
    let hub = Hub::start().await;
    for path in ["/api", "/api/", "/api/nothing", "/api/rooms/1/nothing", "/api/rooms/"] {
        let request = hub.request(Method::GET, path);
        hub.send(request).await.error(404, "not_found", None);
    }
}

#[tokio::test]
async fn a_wrong_method_is_told_with_the_right_ones() {
    let hub = Hub::start().await;
    let reply = hub.send(hub.request(Method::PUT, "/api/rooms")).await;
    let message = reply.error(405, "invalid_message", None);
    assert!(message.contains("PUT"), "{message}");
    let mut allowed: Vec<&str> = reply.header("allow").split(',').map(str::trim).collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "HEAD", "POST"]);
}

#[tokio::test]
async fn a_body_must_be_declared_as_json() {
    let hub = Hub::start().await;
    let body = r#"{"username":"ada","password":"correct horse"}"#;
    let post =
        |kind: &str| hub.request(Method::POST, "/api/register").header("content-type", kind).body(body);
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/xml"] {
        hub.send(post(kind)).await.error(415, "invalid_message", None);
    }
    hub.send(post("Application/JSON; charset=utf-8")).await.json(201);
}

#[tokio::test]
async fn what_is_no_json_is_told_with_its_place() {
    let hub = Hub::start().await;
    let post = |body: Vec<u8>| {
        hub.request(Method::POST, "/api/login").header("content-type", "application/json").body(body)
    };
    for body in ["{", "[]", "null", "{\"username\":\"a\",}", "{} {}", "\u{0}"] {
        let reply = hub.send(post(body.into())).await;
        assert_eq!(reply.json(400)["error"]["code"], "invalid_message", "{body}");
    }
    let message = hub.send(post(b"{\"username\":\"a\",}".to_vec())).await.error(400, "invalid_message", None);
    assert!(message.contains("line 1 column"), "{message}");
    hub.send(post(b"{\"username\":\"\xff\"}".to_vec())).await.error(400, "invalid_message", None);
    let message = hub.send(post(Vec::new())).await.error(400, "invalid_message", None);
    assert_eq!(message, "the body is empty");
    let twice = br#"{"username":"a","username":"b","password":"x"}"#;
    hub.send(post(twice.to_vec())).await.error(400, "invalid_message", Some("username"));
    let after = br#"{"username":"a","password":"x"} x"#;
    hub.send(post(after.to_vec())).await.error(400, "invalid_message", None);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let hub = Hub::start().await;
    let body = json!({ "username": "x".repeat(70_000), "password": "x" });
    let message = hub.post("/api/login", body).await.error(413, "too_large", None);
    assert!(message.contains("65536"), "{message}");
    let stream = futures_util::stream::iter((0..100).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1000])));
    let chunked = hub
        .request(Method::POST, "/api/login")
        .header("content-type", "application/json")
        .body(reqwest::Body::wrap_stream(stream));
    hub.send(chunked).await.error(413, "too_large", None);
}

#[tokio::test]
async fn an_id_in_the_path_must_be_one() {
    let hub = Hub::start().await;
    let ada = hub.register("ada").await;
    for (path, field) in [
        ("/api/rooms/x", "room_id"),
        ("/api/rooms/-1", "room_id"),
        ("/api/rooms/1.5", "room_id"),
        ("/api/rooms/9007199254740992/members", "room_id"),
        ("/api/messages/abc", "message_id"),
    ] {
        hub.get(&ada, path).await.error(400, "invalid_field", Some(field));
    }
    let room_id = hub.create_room(&ada, "general", "public").await;
    let line = format!("DELETE /api/rooms/{room_id}/members/me");
    hub.call(&ada, &line, None).await.error(400, "invalid_field", Some("user_id"));
}

#[tokio::test]
async fn without_a_token_nothing_is_told() {
    let hub = Hub::start().await;
    let ada = hub.register("ada").await;
    hub.create_room(&ada, "general", "public").await;
    for (method, path) in [
        (Method::GET, "/api/me"),
        (Method::GET, "/api/me/rooms"),
        (Method::GET, "/api/rooms"),
        (Method::POST, "/api/rooms"),
        (Method::GET, "/api/rooms/1"),
        (Method::GET, "/api/rooms/x"),
        (Method::GET, "/api/rooms/1/messages?limit=x"),
        (Method::POST, "/api/rooms/1/messages"),
        (Method::DELETE, "/api/messages/1"),
    ] {
        hub.send(hub.request(method, path)).await.error(401, "unauthorized", None);
    }
}
