//! Health, readiness and the description of the API.

use super::support::{Hub, START};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[tokio::test]
async fn a_node_tells_that_it_lives() {
    let hub = Hub::start().await;
    let health = hub.send(hub.request(Method::GET, "/health")).await.json(200);
    assert_eq!(health, json!({ "status": "ok", "server_id": "test-node", "timestamp": START }));
}

#[tokio::test]
async fn a_node_tells_that_it_is_ready_part_by_part() {
    let hub = Hub::start().await;
    let ready = hub.send(hub.request(Method::GET, "/ready")).await.json(200);
    let parts = json!({
        "ready": true, "server_id": "test-node", "store": "ok", "broker": "ok", "draining": false,
    });
    assert_eq!(ready, parts);
}

async fn description(hub: &Hub) -> Value {
    hub.send(hub.request(Method::GET, "/api/openapi.json")).await.json(200)
}

fn operations(description: &Value) -> BTreeSet<String> {
    let paths = description["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys().filter(|key| *key != "parameters");
            methods.map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect()
}

#[tokio::test]
async fn the_description_has_every_endpoint_and_no_other() {
    let hub = Hub::start().await;
    let expected = "
        POST /api/register, POST /api/login, POST /api/refresh, POST /api/logout, GET /api/me, GET /api/me/rooms,
        GET /api/rooms, POST /api/rooms, GET /api/rooms/{room_id}, PATCH /api/rooms/{room_id},
        POST /api/rooms/{room_id}/join, POST /api/rooms/{room_id}/leave, POST /api/rooms/{room_id}/read,
        GET /api/rooms/{room_id}/members, POST /api/rooms/{room_id}/members,
        DELETE /api/rooms/{room_id}/members/{user_id}, PUT /api/rooms/{room_id}/members/{user_id}/role,
        PUT /api/rooms/{room_id}/bans/{user_id}, DELETE /api/rooms/{room_id}/bans/{user_id},
        GET /api/rooms/{room_id}/messages, POST /api/rooms/{room_id}/messages,
        GET /api/messages/{message_id}, PATCH /api/messages/{message_id}, DELETE /api/messages/{message_id},
        PUT /api/messages/{message_id}/reactions/{emoji}, DELETE /api/messages/{message_id}/reactions/{emoji},
        PUT /api/messages/{message_id}/pin, DELETE /api/messages/{message_id}/pin, GET /health, GET /ready,
        GET /metrics";
    let expected: BTreeSet<String> = expected.split(',').map(|line| line.trim().to_owned()).collect();
    assert_eq!(operations(&description(&hub).await), expected);
}

#[tokio::test]
async fn every_described_endpoint_is_there() {
    let hub = Hub::start().await;
    for operation in operations(&description(&hub).await) {
        let (method, path) = operation.split_once(' ').unwrap();
        let path = path.replace("{emoji}", "x").replace(['{', '}'], "");
        let reply = hub.send(hub.request(method.parse().unwrap(), &path)).await;
        assert_ne!(reply.status, 405, "{operation}");
        assert!(!reply.text.contains("no such endpoint"), "{operation}");
        let known = description(&hub).await;
        let item = &known["paths"][operation.split_once(' ').unwrap().1][method.to_lowercase()];
        let status = reply.status.as_u16().to_string();
        assert!(
            !item["responses"][&status].is_null(),
            "{operation} answers {status}, which is not described"
        );
    }
}

#[tokio::test]
async fn the_description_refers_to_nothing_that_it_lacks() {
    let hub = Hub::start().await;
    let description = description(&hub).await;
    let mut missing = BTreeSet::new();
    let mut todo = vec![&description];
    while let Some(value) = todo.pop() {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(target)) = fields.get("$ref") {
                    let pointer = target.strip_prefix('#').unwrap();
                    if description.pointer(pointer).is_none() {
                        missing.insert(target.clone());
                    }
                }
                todo.extend(fields.values());
            }
            Value::Array(items) => todo.extend(items),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    assert_eq!(missing, BTreeSet::new());
    let message = &description["components"]["schemas"]["Message"]["properties"];
    assert!(message["reactions"].is_object(), "{message}");
    let bearer = &description["components"]["securitySchemes"]["access_token"];
    assert_eq!(bearer["scheme"], "bearer");
}

#[tokio::test]
async fn a_node_that_leaves_is_not_ready_and_answers_what_is_under_way() {
    let hub = Hub::start().await;
    hub.register("ada").await;
    hub.shutdown.cancel();
    let ended = tokio::time::timeout(std::time::Duration::from_secs(20), hub.serving).await;
    ended.unwrap().unwrap().unwrap();
}
