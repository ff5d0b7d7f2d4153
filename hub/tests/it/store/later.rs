//! A log in which a node of a later version wrote: nodes of this version read on, and write on.

use super::factory::{Postgres, Sqlite, StoreFactory};
use super::world::{World, decode};
use hub::store::{Event, RoomOp};
use protocol::event::RoomEvent;
use protocol::{RoomId, Seq, UserId};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};

/// Makes of every pin in the log an event of a type that does not exist yet.
const LATER: &str = r#"update events set kind = 'message_starred',
    payload = replace(payload, '"message_pinned"', '"message_starred"') where kind = 'message_pinned'"#;

/// A room with a message, which is pinned: events 2 and 3.
async fn room_with_a_pin(w: &World) -> (UserId, RoomId) {
    let ann = w.user("ann").await;
    let room = w.public_room(&[ann]).await;
    let message_id = w.say(ann, room, "before").await;
    assert_eq!(w.ok(ann, room, RoomOp::Pin { message_id }).await.seq, Seq(3));
    (ann, room)
}

async fn reads_and_writes_on(w: &World, ann: UserId, room: RoomId) {
    assert_eq!(w.send(ann, room, "after").await.seq, Seq(4));
    let log = w.log(room).await;
    assert_eq!(log.iter().map(|event| event.seq.0).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let Event { room_id, membership, scrubs, json, .. } = &log[2];
    assert_eq!((*room_id, *membership, *scrubs), (room, None, false));
    assert!(json.contains(r#""type":"message_starred""#), "{json}");
    assert!(matches!(decode(&log[3]), RoomEvent::NewMessage(new) if new.content == "after"));
    // Who deletes the message does not stumble over what came later.
    let RoomEvent::NewMessage(before) = decode(&log[1]) else { panic!("{:?}", log[1]) };
    w.ok(ann, room, RoomOp::Delete { message_id: before.message_id }).await;
    assert_eq!(w.head(room).await, Seq(5));
}

#[tokio::test]
async fn on_sqlite_an_event_of_a_later_version_takes_its_place() {
    let factory = Sqlite::default();
    let w = World::new(factory.make().await);
    let (ann, room) = room_with_a_pin(&w).await;
    let options = SqliteConnectOptions::new().filename(factory.path());
    let mut db = SqliteConnection::connect_with(&options).await.unwrap();
    assert_eq!(sqlx::query(LATER).execute(&mut db).await.unwrap().rows_affected(), 1);
    reads_and_writes_on(&w, ann, room).await;
}

#[tokio::test]
async fn on_postgres_an_event_of_a_later_version_takes_its_place() {
    let factory = Postgres::default();
    let w = World::new(factory.make().await);
    let (ann, room) = room_with_a_pin(&w).await;
    let mut db = factory.database().await.raw().await;
    assert_eq!(sqlx::query(LATER).execute(&mut db).await.unwrap().rows_affected(), 1);
    reads_and_writes_on(&w, ann, room).await;
}

#[test]
fn only_types_of_later_versions_are_taken_unread() {
    let read = |json: &str| Event::from_json(json.into()).map(|event| event.seq);
    let starred = r#"{"type":"message_starred","room_id":1,"seq":3,"by":{"whom":[2]}}"#;
    assert_eq!(read(starred).unwrap(), Seq(3));
    for broken in [
        r#"{"type":"message_pinned","room_id":1,"seq":3}"#,
        r#"{"type":"message_starred","room_id":1}"#,
        r#"{"type":"message_starred","seq":3}"#,
        r#"{"room_id":1,"seq":3}"#,
        // Frames that are no events.
        r#"{"type":"ack","room_id":1,"seq":3}"#,
        r#"{"type":"pong","room_id":1,"seq":3}"#,
        r#"{"type":"message_starred","room_id":1,"seq":-3}"#,
        "[]",
    ] {
        read(broken).unwrap_err();
    }
}
