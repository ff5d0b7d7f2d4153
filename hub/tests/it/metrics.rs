//! What Prometheus reads of a node: what happens is counted where it happens.

use crate::support::{NodeBuilder, eventually};
use hub::store::measured::Measured;
use hub::store::memory::MemoryStore;
use protocol::Epoch;
use serde_json::json;
use std::sync::Arc;

#[tokio::test]
async fn what_happens_on_a_node_is_counted() {
    let store = Arc::new(Measured::new(MemoryStore::new(Epoch(1))));
    let node = NodeBuilder { store, ..NodeBuilder::default() }.start().await;
    let read = async |name: &str| node.metric(name).await;
    assert_eq!(read("hub_connections").await, Some(0.0));
    assert_eq!(read("hub_rooms_active").await, Some(0.0));
    assert_eq!(read("hub_messages_acked_total").await, Some(0.0));

    let (ada, ben) = (node.user("ada").await, node.user("ben").await);
    let (mut a, mut b) = (node.join(&ada).await, node.join(&ben).await);
    let room = a.create_room("garden").await;
    b.join_room(room).await;
    let before = read("hub_events_delivered_total").await.unwrap();
    for n in 0..5 {
        a.say(room, &format!("message {n}")).await;
    }
    for _ in 0..5 {
        b.expect("new_message").await;
    }
    let refused = json!({ "type": "send_message", "room_id": 4_711, "content": "lost" });
    assert_eq!(a.request(refused).await["type"], "error");

    assert_eq!(read("hub_connections").await, Some(2.0));
    assert_eq!(read("hub_rooms_active").await, Some(1.0));
    assert_eq!(read("hub_messages_acked_total").await, Some(5.0));
    assert_eq!(read("hub_operations_acked_total").await, Some(2.0), "a room made, a room joined");
    assert_eq!(read("hub_operations_failed_total").await, Some(0.0));
    eventually("both were handed all five", async || {
        read("hub_events_delivered_total").await.unwrap() >= before + 10.0
    })
    .await;
    let commits = read("hub_writer_batch_operations_count").await.unwrap();
    assert!((7.0..=8.0).contains(&commits), "{commits} commits");
    assert_eq!(read("hub_store_call_seconds_count{call=\"append\"}").await, Some(commits));
    assert_eq!(read("hub_writer_queue").await, Some(0.0));
    assert!(read("hub_rings_bytes").await.unwrap() > 0.0);
    assert_eq!((read("hub_broker_up").await, read("hub_draining").await), (Some(1.0), Some(0.0)));

    drop((a, b));
    eventually("both are gone", async || read("hub_connections").await == Some(0.0)).await;
}
