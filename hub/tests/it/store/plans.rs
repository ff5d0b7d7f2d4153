//! How Postgres does what the hub asks of it, with a million messages in the table: by the plans that
//! it really used, as its own log tells them (`auto_explain`), plans that it keeps included.

use super::world::World;
use crate::support::postgres::Database;
use hub::store::postgres::PostgresStore;
use hub::store::{Append, Op, RoomOp};
use protocol::model::Anchor;
use protocol::{ClientId, Epoch, MessageNo, RoomId, Seq, Timestamp, UserId};
use std::ops::Range;
use std::sync::Arc;
use uuid::Uuid;

/// A hundred rooms of a hundred members each.
const ROOMS: &str = r#"
insert into users (username, display_name, created_at)
    select 'user-' || n, 'User ' || n, 1 from generate_series(1, 1000) n;
insert into rooms (id, kind, name, topic, head_seq, last_message_no, member_count, created_by, client_id, created_at)
    select n, 'public', 'room-' || n, '', 10000, 10000, 100, 1, gen_random_uuid(), 1 from generate_series(1, 100) n;
insert into members (room_id, user_id, role, joined_seq, last_read_no)
    select r, u, 'member', 1, 5000 from generate_series(1, 100) r, generate_series(1, 100) u;
select setval('message_ids', 1000000), setval('room_ids', 100);
"#;

/// A million messages in them, of the first room all by one user, among them one's own, deleted and pinned ones, and mentions; a log to
/// match.
const MESSAGES: &str = r#"
insert into messages (id, room_id, message_no, seq, latest_seq, user_id, client_id, content, reply_to,
        created_at, deleted_at, pinned_at)
    select n, n % 100 + 1, n / 100 + 1, n / 100 + 1, n / 100 + 1, case when n % 100 = 0 then 2 else n / 100 % 100 + 1 end, gen_random_uuid(),
        'message ' || n, case when n % 10 = 3 and n > 5000 then n - 5000 end, 1,
        case when n / 100 % 50 = 7 then 2 end, case when n / 100 % 500 = 9 then 2 end
    from generate_series(0, 999999) n;
insert into events (room_id, seq, kind, actor_id, payload, created_at)
    select room_id, seq, 'message_unpinned', user_id, '{"type":"message_unpinned","room_id":' || room_id
        || ',"seq":' || seq || ',"message_id":' || id || ',"message_no":' || message_no || ',"actor_id":1}', 1
    from messages where id < 1000000;
insert into mentions (user_id, room_id, message_no)
    select n % 100 + 1, n % 100 + 1, n / 10 + 1 from generate_series(0, 99999) n;
insert into reactions (message_id, emoji, user_id, seq, emoji_seq)
    select n * 10, '+1', 1, 1, 1 from generate_series(0, 99999) n;
"#;

/// Keeps the tables unknown to the planner.
const NO_STATISTICS: &str = r#"
do $$ declare name text; begin
    for name in select tablename from pg_tables where schemaname = 'public' loop
        execute format('alter table %I set (autovacuum_enabled = off)', name);
    end loop;
end $$;
"#;

const ANN: UserId = UserId(1);
const ROOM: RoomId = RoomId(7);
const ANCHORS: [Anchor; 4] = [
    Anchor::Latest,
    Anchor::Before(MessageNo(5_000)),
    Anchor::After(MessageNo(5_000)),
    Anchor::Around(MessageNo(5_000)),
];

/// What a statement read.
#[derive(Debug)]
struct Plan {
    text: String,
    /// Pages of 8 KiB, of tables and indexes.
    pages: u64,
}

impl Plan {
    fn read(entry: &str) -> Option<Self> {
        let text = entry.split_once("plan:\n")?.1.to_owned();
        let buffers = text.lines().find(|line| line.trim_start().starts_with("Buffers: shared"));
        let numbers = buffers.unwrap_or_default().split([' ', ',']);
        let pages = numbers
            .filter_map(|word| word.split_once('='))
            .filter(|(name, _)| matches!(*name, "hit" | "read"));
        let pages = pages.filter_map(|(_, count)| count.parse::<u64>().ok()).sum();
        Some(Self { text, pages })
    }

    fn uses(&self, part: &str) -> bool {
        self.text.contains(part)
    }
}

/// Runs a call often enough for Postgres to keep its plans; those of the last run.
async fn plans<T>(database: &Database, call: impl AsyncFn() -> T) -> Vec<Plan> {
    for _ in 0..8 {
        call().await;
    }
    let before = database.log().len();
    call().await;
    let plans = database.log()[before..].iter().filter_map(|entry| Plan::read(entry)).collect::<Vec<_>>();
    assert!(!plans.is_empty(), "auto_explain tells plans");
    for plan in &plans {
        assert!(!plan.uses("Seq Scan on"), "{}", plan.text);
        assert!(
            !plan.uses("Rows Removed by Filter") || plan.uses("Rows Removed by Filter: 0"),
            "{}",
            plan.text
        );
    }
    plans
}

fn with<'a>(plans: &'a [Plan], part: &str) -> &'a Plan {
    plans.iter().find(|plan| plan.uses(part)).unwrap_or_else(|| panic!("no plan has {part:?}: {plans:#?}"))
}

async fn rooms() -> (Database, World) {
    let database = Database::new().await;
    sqlx::raw_sql(ROOMS).execute(&mut database.raw().await).await.unwrap();
    let options = "-c session_preload_libraries=auto_explain -c auto_explain.log_min_duration=0 \
        -c auto_explain.log_analyze=on -c auto_explain.log_buffers=on -c auto_explain.log_timing=off";
    let url = format!("{}?options={}", database.url, options.replace(' ', "%20").replace('=', "%3D"));
    let store = PostgresStore::open(&url, 4, Epoch(7)).await.unwrap();
    (database, World::later(Arc::new(store)))
}

async fn fill(database: &Database) {
    let mut db = database.raw().await;
    sqlx::raw_sql("set synchronous_commit = off").execute(&mut db).await.unwrap();
    sqlx::raw_sql(MESSAGES).execute(&mut db).await.unwrap();
}

fn every_room() -> Vec<RoomId> {
    (1..=100).map(RoomId).collect()
}

/// Sends of the user who wrote all of the first room, named by numbers.
fn sends(names: Range<u128>) -> Vec<Append> {
    let send = |n: u128| {
        let op = RoomOp::Send { content: "x".into(), reply_to: None };
        let client_id = ClientId(Uuid::from_u128(n << 32));
        Append { actor: UserId(2), client_id, at: Timestamp(9), op: Op::in_room(RoomId(1), op) }
    };
    names.map(send).collect()
}

/// Lets every connection keep the plans that seem right while the tables are nearly empty.
async fn keep_early_plans(w: &World) {
    for _ in 0..32 {
        for anchor in ANCHORS {
            w.page(ANN, ROOM, anchor, 50).await;
        }
        w.store.history(ANN, ROOM, Anchor::Latest, true, 20).await.unwrap();
        w.store.rooms_of(ANN).await.unwrap();
        w.store.events(ROOM, Seq(9_000), 100).await.unwrap();
        w.store.heads(&every_room()).await.unwrap();
        w.store.append(sends(1..51)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_million_messages_reads_and_appends_walk_indexes_and_few_pages() {
    let (database, w) = rooms().await;
    fill(&database).await;
    sqlx::raw_sql("vacuum analyze").execute(&mut database.raw().await).await.unwrap();
    let counts = walk(&database, &w).await;
    // The indexes alone, for 5,000 unread messages in each of a hundred rooms.
    assert!(counts.text.matches("Heap Fetches: 0").count() >= 3, "{}", counts.text);
    assert!(counts.pages < 6_000, "{}", counts.text);
    w.store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_statistics_and_with_plans_of_empty_tables_they_do_so_too() {
    let (database, w) = rooms().await;
    sqlx::raw_sql(NO_STATISTICS).execute(&mut database.raw().await).await.unwrap();
    keep_early_plans(&w).await;
    fill(&database).await;
    walk(&database, &w).await;
    w.store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_costs_no_more_in_a_room_that_grew_before_any_statistics() {
    let (database, w) = rooms().await;
    sqlx::raw_sql(NO_STATISTICS).execute(&mut database.raw().await).await.unwrap();
    for n in 0..16 {
        w.store.append(sends(n..n + 1)).await.unwrap();
    }
    for n in 1..40 {
        w.store.append(sends(n * 200..(n + 1) * 200)).await.unwrap();
    }
    let append = plans(&database, async || w.store.append(sends(8_000..8_100)).await.unwrap()).await;
    let firsts = with(&append, "join events e on e.room_id = m.room_id and e.seq = m.seq");
    assert!(firsts.pages < 2_000, "{}", firsts.text);
    let page = plans(&database, async || w.page(UserId(2), RoomId(1), Anchor::Latest, 50).await).await;
    assert!(with(&page, "on messages m").pages < 1_000, "{page:#?}");
    w.store.close().await;
}

/// Holds each call to its indexes and pages; gives the plan of the unread counts.
async fn walk(database: &Database, w: &World) -> Plan {
    // History: 50 messages, with their writers, answers, mentions and reactions.
    for anchor in ANCHORS {
        let page = plans(database, async || w.page(ANN, ROOM, anchor, 50).await).await;
        let messages = with(&page, "messages_room_id_message_no_key on messages m");
        assert!(messages.pages < 1_000, "{anchor:?}: {}", messages.text);
        assert!(page.iter().map(|plan| plan.pages).sum::<u64>() < 2_500, "{anchor:?}: {page:#?}");
    }
    let pinned =
        plans(database, async || w.store.history(ANN, ROOM, Anchor::Latest, true, 20).await.unwrap()).await;
    assert!(with(&pinned, "messages_pinned").pages < 500, "{pinned:#?}");

    let mut rooms = plans(database, async || w.store.rooms_of(ANN).await.unwrap()).await;
    let counts = with(&rooms, "Index Only Scan using messages_own on messages o");
    assert!(counts.uses("Index Only Scan using messages_deleted on messages d"), "{}", counts.text);
    assert!(counts.uses("Index Only Scan using mentions_pkey on mentions n"), "{}", counts.text);

    // Resume and heads.
    let events = plans(database, async || w.store.events(ROOM, Seq(9_000), 100).await.unwrap()).await;
    assert!(with(&events, "Index Scan using events_pkey on events").pages < 200, "{events:#?}");
    let every = every_room();
    let heads = plans(database, async || w.store.heads(&every).await.unwrap()).await;
    assert!(with(&heads, "rooms_pkey").pages < 500, "{heads:#?}");

    // A batch, its retry, and what it takes beside its inserts.
    w.store.append(sends(1..51)).await.unwrap();
    let append = plans(database, async || w.store.append(sends(1..51)).await.unwrap()).await;
    let firsts = with(&append, "messages_client_id_room_id_user_id_key");
    assert!(firsts.uses("events_client_id") && firsts.pages < 2_000, "{}", firsts.text);
    assert!(append.len() < 10, "a batch takes few statements: {append:#?}");
    let counts = rooms.iter().position(|plan| plan.uses("messages_own")).unwrap();
    rooms.swap_remove(counts)
}
