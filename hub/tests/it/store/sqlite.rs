//! What is of SQLite alone: the file, and what is in it after a crash.

use super::factory::{Sqlite, StoreFactory};
use super::world::{World, content};
use hub::store::sqlite::{OpenError, SqliteStore};
use hub::store::{Op, Store, StoreError};
use protocol::{Epoch, Seq};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};
use std::os::unix::fs::PermissionsExt;

async fn raw(factory: &Sqlite) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(factory.path());
    SqliteConnection::connect_with(&options).await.unwrap()
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_crash() {
    let factory = Sqlite::default();
    let w = World::new(factory.make().await);
    let ann = w.user("ann").await;
    let room = w.public_room(&[ann]).await;
    let append = w.append(ann, Op::in_room(room, content("acked")));
    let acked = w.apply(append.clone()).await.unwrap();
    // The files as a crash leaves them: nothing closed, nothing checkpointed.
    let crashed = Sqlite::default();
    std::fs::create_dir_all(crashed.path().parent().unwrap()).unwrap();
    for suffix in ["", "-wal"] {
        let name = |factory: &Sqlite| format!("{}{suffix}", factory.path().display());
        std::fs::copy(name(&factory), name(&crashed)).unwrap();
    }
    assert!(std::fs::metadata(format!("{}-wal", crashed.path().display())).unwrap().len() > 0);
    drop(w);

    let w = World::later(crashed.open().await);
    assert_eq!(w.log(room).await.last(), acked.events.last());
    let again = w.apply(append).await.unwrap();
    assert_eq!((again.seq, again.message, again.events), (acked.seq, acked.message, vec![]));
    assert_eq!(w.send(ann, room, "next").await.seq, acked.seq.next());
}

#[tokio::test]
async fn a_store_dropped_without_closing_is_opened_again_with_all_that_was_acknowledged() {
    let factory = Sqlite::default();
    let mut sent = Vec::new();
    let (mut user, mut room) = (None, None);
    for run in 0..4_u64 {
        let w = World::new(factory.open().await);
        let ann = match user {
            Some(ann) => ann,
            None => *user.insert(w.user("ann").await),
        };
        let room = match room {
            Some(room) => room,
            None => *room.insert(w.public_room(&[ann]).await),
        };
        for n in 0..5 {
            let client_id = protocol::ClientId(uuid::Uuid::from_u128(u128::from(run * 5 + n + 1_000)));
            let append = w.append(ann, Op::in_room(room, content("x")));
            sent.push(w.apply(hub::store::Append { client_id, ..append }).await.unwrap().events.remove(0));
        }
        drop(w);
    }
    let store = factory.open().await;
    assert_eq!(store.events(room.unwrap(), Seq(1), 100).await.unwrap(), sent);
}

#[tokio::test]
async fn a_transaction_that_was_cut_off_leaves_nothing() {
    let factory = Sqlite::default();
    let w = World::new(factory.make().await);
    let ann = w.user("ann").await;
    let room = w.public_room(&[ann]).await;
    for _ in 0..20 {
        // Polled once, an append is under way when its future goes.
        let batch = (0..50).map(|_| w.append(ann, Op::in_room(room, content("cut")))).collect();
        let mut append = Box::pin(w.store.append(batch));
        assert!(futures_util::poll!(append.as_mut()).is_pending());
        drop(append);
        let head = w.head(room).await;
        assert_eq!(w.send(ann, room, "whole").await.seq, head.next());
    }
    let log = w.log(room).await;
    let seqs: Vec<u64> = log.iter().map(|event| event.seq.0).collect();
    assert_eq!(seqs, (1..=log.len() as u64).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_write_goes_through_beside_another_process_that_writes() {
    let factory = Sqlite::default();
    let w = World::new(factory.make().await);
    let ann = w.user("ann").await;
    let room = w.public_room(&[ann]).await;
    let mut other = raw(&factory).await;
    let others = async {
        for _ in 0..60 {
            sqlx::raw_sql("begin immediate; update users set display_name = 'Ann'; commit;")
                .execute(&mut other)
                .await
                .unwrap();
        }
    };
    let ours = async {
        for _ in 0..60 {
            w.say(ann, room, "x").await;
        }
    };
    tokio::join!(others, ours);
    assert_eq!(w.head(room).await, Seq(61));
}

#[tokio::test]
async fn a_file_that_stays_locked_is_unavailable_and_nothing_happened() {
    let factory = Sqlite::default();
    let w = World::new(factory.make().await);
    let ann = w.user("ann").await;
    let room = w.public_room(&[ann]).await;
    let append = w.append(ann, Op::in_room(room, content("late")));
    let mut other = raw(&factory).await;
    sqlx::raw_sql("begin immediate").execute(&mut other).await.unwrap();
    let refused = w.store.append(vec![append.clone()]).await.unwrap_err();
    assert!(matches!(refused, StoreError::Unavailable(_)), "{refused:?}");
    assert_eq!(w.head(room).await, Seq(1), "reading goes on");
    sqlx::raw_sql("rollback").execute(&mut other).await.unwrap();
    assert_eq!(w.apply(append).await.unwrap().seq, Seq(2));
}

#[tokio::test]
async fn the_file_is_for_its_owner_alone() {
    let factory = Sqlite::default();
    let w = World::new(factory.make().await);
    w.user("ann").await;
    let mode = |path: std::path::PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(factory.path().parent().unwrap().into()), 0o700);
    for suffix in ["", "-wal", "-shm"] {
        assert_eq!(mode(format!("{}{suffix}", factory.path().display()).into()), 0o600, "{suffix}");
    }
}

#[tokio::test]
async fn a_file_keeps_its_epoch() {
    let factory = Sqlite::default();
    factory.open().await.close().await;
    let again = SqliteStore::open(&factory.path(), Epoch(8)).await.unwrap();
    assert_eq!(again.epoch().await.unwrap(), Epoch(7));
}

#[tokio::test]
async fn a_file_of_a_later_version_is_refused_and_left_alone() {
    let factory = Sqlite::default();
    factory.open().await.close().await;
    let later = "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
        values (999, 'later', true, x'00', 0)";
    sqlx::query(later).execute(&mut raw(&factory).await).await.unwrap();
    let refused = SqliteStore::open(&factory.path(), Epoch(7)).await.unwrap_err();
    assert!(matches!(refused, OpenError::NewerSchema { found: 999, known: 1, .. }), "{refused:?}");
    assert!(refused.to_string().contains("run a later one"), "{refused}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_with_its_name() {
    let factory = Sqlite::default();
    std::fs::create_dir_all(factory.path().parent().unwrap()).unwrap();
    std::fs::write(factory.path(), "not a database, but long enough to be looked at as one: ".repeat(50))
        .unwrap();
    let refused = SqliteStore::open(&factory.path(), Epoch(7)).await.unwrap_err();
    assert!(matches!(refused, OpenError::Open { .. }), "{refused:?}");
    assert!(refused.to_string().contains("hubbub.db"), "{refused}");
}

#[tokio::test]
async fn writes_are_durable_by_wal_and_full_sync() {
    let factory = Sqlite::default();
    let store = factory.open().await;
    let mode: String =
        sqlx::query_scalar("pragma journal_mode").fetch_one(&mut raw(&factory).await).await.unwrap();
    assert_eq!(mode, "wal");
    store.close().await;
}

#[tokio::test]
async fn a_deleted_text_is_nowhere_in_the_tables() {
    let factory = Sqlite::default();
    let w = World::new(factory.make().await);
    let ann = w.user("ann").await;
    let room = w.public_room(&[ann]).await;
    let message_id = w.say(ann, room, "xyzzy").await;
    let edit = hub::store::RoomOp::Edit { message_id, content: "xyzzy again".into() };
    w.ok(ann, room, edit).await;
    w.ok(ann, room, hub::store::RoomOp::Delete { message_id }).await;
    let sql = "select (select count(*) from messages where content like '%xyzzy%')
        + (select count(*) from events where payload like '%xyzzy%')";
    let found: i64 = sqlx::query_scalar(sql).fetch_one(&mut raw(&factory).await).await.unwrap();
    assert_eq!(found, 0);
}

#[tokio::test]
async fn unread_counts_walk_indexes_and_never_the_unread_messages() {
    let factory = Sqlite::default();
    factory.open().await.close().await;
    for (sql, index) in [
        (
            "select count(*) from messages where room_id = 1 and user_id = 1 and message_no > 5",
            "COVERING INDEX messages_own (room_id=? AND user_id=? AND message_no>?)",
        ),
        (
            "select count(*) from messages indexed by messages_deleted where room_id = 1
                and deleted_at is not null and message_no > 5 and user_id <> 1",
            "INDEX messages_deleted (room_id=? AND message_no>?)",
        ),
        (
            "select count(*) from mentions where user_id = 1 and room_id = 1 and message_no > 5",
            "PRIMARY KEY (user_id=? AND room_id=? AND message_no>?)",
        ),
    ] {
        let explain = sqlx::AssertSqlSafe(format!("explain query plan {sql}"));
        let plan = sqlx::query_as::<_, (i64, i64, i64, String)>(explain);
        let plan = plan.fetch_all(&mut raw(&factory).await).await.unwrap();
        assert!(plan.len() == 1 && plan[0].3.contains(index), "{plan:?}");
    }
}
