//! What is told while the store does not answer.

use super::support::HubBuilder;
use hub::store::Store;
use hub::store::sqlite::SqliteStore;
use protocol::Epoch;
use reqwest::Method;
use serde_json::json;
use std::sync::Arc;

#[tokio::test]
async fn while_the_store_is_away_everything_says_when_to_try_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(&dir.path().join("hubbub.db"), Epoch(1)).await.unwrap());
    let hub = HubBuilder { store: Arc::clone(&store) as _, ..HubBuilder::default() }.start().await;
    let ada = hub.register("ada").await;
    let room_id = hub.create_room(&ada, "general", "public").await;
    store.close().await;
    let credentials = json!({ "username": "ada", "password": "correct horse" });
    for reply in [
        hub.get(&ada, "/api/me").await,
        hub.get(&ada, &format!("/api/rooms/{room_id}/messages")).await,
        hub.post("/api/login", credentials.clone()).await,
        hub.post("/api/register", credentials).await,
        hub.post("/api/refresh", json!({ "refresh_token": ada.refresh_token })).await,
        hub.post("/api/logout", json!({ "refresh_token": ada.refresh_token })).await,
    ] {
        reply.error(503, "unavailable", None);
        assert_eq!(reply.header("retry-after"), "2");
    }
    let ready = hub.send(hub.request(Method::GET, "/ready")).await.json(503);
    assert_eq!(
        (&ready["ready"], &ready["store"], &ready["broker"]),
        (&json!(false), &json!("unavailable"), &json!("ok"))
    );
    hub.send(hub.request(Method::GET, "/health")).await.json(200);
}
