//! What is of Postgres alone: many nodes on one database, what is left after a failure, the schema.

use super::world::{World, content};
use crate::support::postgres::{Database, Server};
use hub::rules::Rejection;
use hub::store::postgres::{OpenError, PostgresStore};
use hub::store::{Append, CreateUserError, NewUser, Op, RoomOp, Store, StoreError};
use protocol::model::RoomKind;
use protocol::{ClientId, Epoch, Seq, Timestamp};
use sqlx::PgConnection;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;

async fn worlds(database: &Database) -> (World, World) {
    (World::new(Arc::new(database.open().await)), World::later(Arc::new(database.open().await)))
}

/// Ends every other session of the database; how many there were.
async fn end_others(db: &mut PgConnection) -> usize {
    let sql = "select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()";
    sqlx::query(sql).fetch_all(db).await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_on_two_nodes_leave_dense_numbers_and_a_follower_misses_nothing() {
    const WRITERS: u64 = 32;
    const SENDS: u64 = 10;
    let database = Database::new().await;
    let (one, two) = worlds(&database).await;
    let ann = one.user("ann").await;
    let room = one.public_room(&[ann]).await;
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let store = if writer % 2 == 0 { one.store.clone() } else { two.store.clone() };
        writers.spawn(async move {
            for n in 0..SENDS {
                let client_id = ClientId(Uuid::from_u128(u128::from(1_000_000 + writer * SENDS + n)));
                let op = Op::in_room(room, content("x"));
                let send = Append { actor: ann, client_id, at: Timestamp(5), op };
                store.append(vec![send]).await.unwrap().remove(0).unwrap();
            }
        });
    }
    let follower = async {
        let (mut cursor, mut seqs) = (Seq(1), Vec::new());
        while seqs.len() < (WRITERS * SENDS) as usize {
            for event in two.store.events(room, cursor, 7).await.unwrap() {
                cursor = event.seq;
                seqs.push(event.seq.0);
            }
        }
        seqs
    };
    let (seqs, _) = tokio::join!(follower, writers.join_all());
    assert_eq!(seqs, (2..=WRITERS * SENDS + 1).collect::<Vec<_>>());
    let page = one.page(ann, room, protocol::model::Anchor::Latest, 1_000).await;
    let ids: BTreeSet<_> = page.messages.iter().map(|message| message.message_id).collect();
    let numbers: Vec<u64> = page.messages.iter().map(|message| message.message_no.0).collect();
    assert_eq!(numbers, (1..=WRITERS * SENDS).collect::<Vec<_>>());
    assert_eq!(ids.len(), numbers.len(), "no two nodes gave one id");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_operation_sent_to_two_nodes_at_once_happens_once() {
    let database = Database::new().await;
    let (one, two) = worlds(&database).await;
    let ann = one.user("ann").await;
    let room = one.public_room(&[ann]).await;
    for n in 0..20 {
        let send = one.append(ann, Op::in_room(room, content("once")));
        let make = Op::CreateRoom { name: format!("made-{n}"), kind: RoomKind::Public, topic: String::new() };
        let batch = vec![send, one.append(ann, make)];
        let (a, b) = tokio::join!(one.store.append(batch.clone()), two.store.append(batch));
        let (a, b) = (a.unwrap(), b.unwrap());
        for (a, b) in a.into_iter().zip(b) {
            let (a, b) = (a.unwrap(), b.unwrap());
            assert_eq!((a.room_id, a.seq, a.message), (b.room_id, b.seq, b.message));
            assert_eq!(a.events.len() + b.events.len(), 1);
        }
    }
    assert_eq!(one.head(room).await, Seq(21));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_asked_for_on_two_nodes_at_once_goes_to_one() {
    let database = Database::new().await;
    let (one, two) = worlds(&database).await;
    let [ann, bob] = one.users(["ann", "bob"]).await;
    for n in 0..20 {
        let name = format!("room-{n}");
        let (a, b) =
            tokio::join!(one.create(ann, &name, RoomKind::Public), two.create(bob, &name, RoomKind::Public));
        let taken = [&a, &b].into_iter().filter(|made| **made == Err(Rejection::NameTaken)).count();
        assert_eq!((taken, usize::from(a.is_ok()) + usize::from(b.is_ok())), (1, 1), "{a:?} {b:?}");
        let new = |at| NewUser {
            username: format!("user-{n}"),
            display_name: "x".into(),
            password_hash: None,
            external_sub: None,
            at: Timestamp(at),
        };
        let (a, b) = tokio::join!(one.store.create_user(new(1)), two.store.create_user(new(2)));
        assert!(matches!(
            (a, b),
            (Ok(_), Err(CreateUserError::Taken)) | (Err(CreateUserError::Taken), Ok(_))
        ));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_over_many_rooms_joins_and_markers_cross_without_an_error() {
    let database = Database::new().await;
    let (one, two) = worlds(&database).await;
    let [ann, bob] = one.users(["ann", "bob"]).await;
    let mut rooms = Vec::new();
    for _ in 0..4 {
        rooms.push(one.public_room(&[ann, bob]).await);
    }
    let cross = |world: World, back: bool| {
        let mut rooms = rooms.clone();
        async move {
            if back {
                rooms.reverse();
            }
            for _ in 0..30 {
                let mut batch: Vec<_> =
                    rooms.iter().map(|room| world.append(ann, Op::in_room(*room, content("x")))).collect();
                let turn = if back { RoomOp::Leave } else { RoomOp::Join };
                batch.extend(rooms.iter().map(|room| world.append(bob, Op::in_room(*room, turn.clone()))));
                for outcome in world.store.append(batch).await.unwrap() {
                    assert!(matches!(outcome, Ok(_) | Err(Rejection::NotMember)), "{outcome:?}");
                }
                for (n, room) in rooms.iter().enumerate() {
                    world.store.mark_read(bob, *room, protocol::MessageNo(n as u64 * 20)).await.unwrap();
                }
            }
            world
        }
    };
    let crossed = [cross(one, false), cross(two, true)].into_iter().collect::<JoinSet<_>>();
    let one = crossed.join_all().await.remove(0);
    let deadlocks = database.log().into_iter().filter(|entry| entry.contains("deadlock")).collect::<Vec<_>>();
    assert!(deadlocks.is_empty(), "all take their locks in one order: {deadlocks:#?}");
    for room in rooms {
        let members = one.store.members(ann, room, None, 10).await.unwrap().unwrap().members.len();
        assert_eq!(one.room(ann, room).await.member_count, members as u64);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_whose_sessions_are_ended_is_resolved_by_its_name() {
    let database = Database::new().await;
    let w = World::new(Arc::new(database.open().await));
    let ann = w.user("ann").await;
    let room = w.public_room(&[ann]).await;
    let mut db = database.raw().await;
    let (mut failed, mut ended) = (0, 0);
    for n in 0..40_u32 {
        let batch: Vec<_> = (0..50).map(|_| w.append(ann, Op::in_room(room, content("x")))).collect();
        let append = w.store.append(batch.clone());
        let ending = async {
            for _ in 0..n % 8 {
                tokio::task::yield_now().await;
            }
            ended += end_others(&mut db).await;
        };
        let (first, ()) = tokio::join!(append, ending);
        if let Err(error) = &first {
            assert!(matches!(error, StoreError::Unavailable(_) | StoreError::Unknown(_)), "{error:?}");
            failed += 1;
        }
        let again = loop {
            if let Ok(outcomes) = w.store.append(batch.clone()).await {
                break outcomes;
            }
        };
        let new: usize = again.iter().map(|outcome| outcome.as_ref().unwrap().events.len()).sum();
        assert!(new == 0 || new == 50 && first.is_err(), "a batch is stored whole or not at all");
    }
    assert!(ended > 40, "sessions were ended");
    assert_eq!(w.head(room).await, Seq(1 + 40 * 50), "after {failed} failures");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_left_lying_is_ended_and_a_locked_room_waited_for() {
    let database = Database::new().await;
    let w = World::new(Arc::new(database.open().await));
    let ann = w.user("ann").await;
    let room = w.public_room(&[ann]).await;
    let mut other = database.raw().await;
    sqlx::raw_sql("set idle_in_transaction_session_timeout = 500; begin; select * from rooms for update")
        .execute(&mut other)
        .await
        .unwrap();
    assert_eq!(w.send(ann, room, "after it").await.seq, Seq(2));
    let mut other = database.raw().await;
    sqlx::raw_sql("begin; select * from rooms for update").execute(&mut other).await.unwrap();
    let late = w.append(ann, Op::in_room(room, content("late")));
    let refused = w.store.append(vec![late.clone()]).await.unwrap_err();
    assert!(matches!(refused, StoreError::Unavailable(_)), "{refused:?}");
    sqlx::raw_sql("rollback").execute(&mut other).await.unwrap();
    assert_eq!(w.apply(late).await.unwrap().seq, Seq(3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_stopped_at_once_loses_nothing_that_was_acknowledged() {
    let mut server = Server::start().await;
    let w = World::new(Arc::new(PostgresStore::open(&server.url(), 8, Epoch(7)).await.unwrap()));
    let ann = w.user("ann").await;
    let room = w.public_room(&[ann]).await;
    let mut acked = Vec::new();
    for _ in 0..2 {
        let mut writers = JoinSet::new();
        for _ in 0..4 {
            let store = w.store.clone();
            let sends: Vec<_> = (0..2_000).map(|_| w.append(ann, Op::in_room(room, content("x")))).collect();
            writers.spawn(async move {
                let mut acked = Vec::new();
                for send in sends {
                    match store.append(vec![send]).await {
                        Ok(mut outcomes) => acked.extend(outcomes.remove(0).unwrap().events),
                        Err(error) => {
                            let passing =
                                matches!(error, StoreError::Unavailable(_) | StoreError::Unknown(_));
                            assert!(passing, "{error:?}");
                            break;
                        }
                    }
                }
                acked
            });
        }
        let before = w.head(room).await;
        while w.head(room).await.0 < before.0 + 40 {}
        server.stop_immediately();
        acked.extend(writers.join_all().await.into_iter().flatten());
        server.start_again();
        // The same store goes on, with new connections.
        w.send(ann, room, "again").await;
    }
    assert!(acked.len() >= 80, "{}", acked.len());
    let log = w.log(room).await;
    let seqs: Vec<u64> = log.iter().map(|event| event.seq.0).collect();
    assert_eq!(seqs, (1..=log.len() as u64).collect::<Vec<_>>());
    for event in acked {
        assert_eq!(log[event.seq.0 as usize - 1], event);
    }
}

#[tokio::test]
async fn any_number_may_migrate_at_once_and_nobody_serves_before() {
    let database = Database::empty().await;
    let open = || PostgresStore::open(&database.url, 4, Epoch(7));
    let refused = open().await.unwrap_err();
    assert!(matches!(refused, OpenError::OlderSchema { found: 0, known: 1 }), "{refused:?}");
    assert!(refused.to_string().contains("run `hub migrate` first"), "{refused}");
    let migrations = (0..4).map(|_| {
        let url = database.url.clone();
        async move { PostgresStore::migrate(&url).await.unwrap() }
    });
    let migrated = migrations.collect::<JoinSet<_>>().join_all().await;
    assert_eq!(migrated, [1; 4]);
    open().await.unwrap().check().await.unwrap();
    let later = "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
        values (999, 'later', true, '', 0)";
    sqlx::query(later).execute(&mut database.raw().await).await.unwrap();
    let refused = open().await.unwrap_err();
    assert!(matches!(refused, OpenError::NewerSchema { found: 999, known: 1 }), "{refused:?}");
    let refused = PostgresStore::migrate(&database.url).await.unwrap_err();
    assert!(matches!(refused, OpenError::NewerSchema { found: 999, known: 1 }), "{refused:?}");
}

#[tokio::test]
async fn nodes_that_come_first_together_agree_on_the_epoch() {
    let database = Database::new().await;
    let opened = (1..=6_u64).map(|epoch| {
        let url = database.url.clone();
        async move { PostgresStore::open(&url, 4, Epoch(epoch)).await.unwrap().epoch().await.unwrap() }
    });
    let epochs: BTreeSet<_> = opened.collect::<JoinSet<_>>().join_all().await.into_iter().collect();
    assert_eq!(epochs.len(), 1, "{epochs:?}");
}

#[tokio::test]
async fn commits_are_synchronous_whatever_the_default() {
    let database = Database::new().await;
    let mut db = database.raw().await;
    let off = format!("alter database {} set synchronous_commit = off", database.name);
    sqlx::raw_sql(sqlx::AssertSqlSafe(off)).execute(&mut db).await.unwrap();
    // Tells what the session that commits has.
    let tell = "create table told (setting text);
        create function tell() returns trigger language plpgsql as
            $$ begin insert into told values (current_setting('synchronous_commit')); return new; end $$;
        create trigger tell after insert on messages for each row execute function tell()";
    sqlx::raw_sql(tell).execute(&mut db).await.unwrap();
    let w = World::new(Arc::new(database.open().await));
    let ann = w.user("ann").await;
    let room = w.public_room(&[ann]).await;
    w.say(ann, room, "x").await;
    let told: Vec<String> = sqlx::query_scalar("select setting from told").fetch_all(&mut db).await.unwrap();
    assert_eq!(told, ["on"]);
}

#[tokio::test]
async fn a_deleted_text_is_nowhere_in_the_tables() {
    let database = Database::new().await;
    let w = World::new(Arc::new(database.open().await));
    let ann = w.user("ann").await;
    let room = w.public_room(&[ann]).await;
    let message_id = w.say(ann, room, "xyzzy").await;
    w.ok(ann, room, RoomOp::Edit { message_id, content: "xyzzy again".into() }).await;
    w.ok(ann, room, RoomOp::Delete { message_id }).await;
    let sql = "select (select count(*) from messages where content like '%xyzzy%')
        + (select count(*) from events where payload like '%xyzzy%')";
    let found: i64 = sqlx::query_scalar(sql).fetch_one(&mut database.raw().await).await.unwrap();
    assert_eq!(found, 0);
}

#[tokio::test]
async fn a_server_that_is_not_there_or_lets_nobody_in_is_told_without_the_password() {
    let database = Database::new().await;
    for url in [
        "postgres://hub:hunter2@127.0.0.1:1/chat".to_owned(),
        database.url.replace("hub@", "nobody:hunter2@"),
        database.url.replace(&database.name, "nowhere"),
    ] {
        let refused = PostgresStore::open(&url, 4, Epoch(7)).await.unwrap_err();
        assert!(matches!(refused, OpenError::Open(_)), "{refused:?}");
        assert!(!format!("{refused} {refused:?}").contains("hunter2"), "{refused}");
    }
    let url = database.url.replace("hub@", "hub:hunter2@");
    let store = PostgresStore::open(&url, 4, Epoch(7)).await.unwrap();
    assert!(!format!("{store:?}").contains("hunter2"), "{store:?}");
}

/// A way to a server on which what comes in waits for so many milliseconds first.
async fn slow_way(server: String, waits: Arc<AtomicU64>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    tokio::spawn(async move {
        let mut ways = JoinSet::new();
        while let Ok((mut near, _)) = listener.accept().await {
            let (server, waits) = (server.clone(), Arc::clone(&waits));
            ways.spawn(async move {
                tokio::time::sleep(Duration::from_millis(waits.load(Ordering::Relaxed))).await;
                let mut far = TcpStream::connect(server).await.unwrap();
                tokio::io::copy_bidirectional(&mut near, &mut far).await.ok();
            });
        }
    });
    port
}

#[tokio::test]
async fn a_connection_that_is_slow_to_open_serves_those_who_come_later() {
    let database = Database::new().await;
    let (before, after) = database.url.split_once("127.0.0.1:").unwrap();
    let (port, rest) = after.split_once('/').unwrap();
    let waits = Arc::new(AtomicU64::new(0));
    let slow_port = slow_way(format!("127.0.0.1:{port}"), Arc::clone(&waits)).await;
    let url = format!("{before}127.0.0.1:{slow_port}/{rest}");
    let store = PostgresStore::open(&url, 4, Epoch(1)).await.unwrap();
    // Longer than anyone waits for a connection, so that none is ever there in time for who asked first.
    waits.store(7_000, Ordering::Relaxed);
    let asked = Instant::now();
    assert!(matches!(store.check().await, Err(StoreError::Unavailable(_))));
    while let Err(error) = store.check().await {
        assert!(asked.elapsed() < Duration::from_secs(60), "nobody ever gets a connection: {error}");
    }
    store.close().await;
}
