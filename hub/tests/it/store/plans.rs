//! How Postgres does what the hub asks of it, with a million messages in the table: by the plans that
//! it really used, as its own log tells them (`auto_explain`), plans that it keeps included.

use super::world::World;
use crate::support::postgres::Database;
use hub::store::postgres::PostgresStore;
use hub::store::{Append, Op, RoomOp};
use protocol::model::Anchor;
use protocol::{ClientId, Epoch, MessageId, MessageNo, RoomId, Seq, Timestamp, UserId};
use std::sync::Arc;
use uuid::Uuid;

/// A million messages in a hundred rooms of a hundred members each, among them one's own, deleted and
/// pinned ones, and mentions; a log to match.
const DATA: &str = r#"
insert into users (username, display_name, created_at)
    select 'user-' || n, 'User ' || n, 1 from generate_series(1, 1000) n;
insert into rooms (id, kind, name, topic, head_seq, last_message_no, member_count, created_by, client_id, created_at)
    select n, 'public', 'room-' || n, '', 10000, 10000, 100, 1, gen_random_uuid(), 1 from generate_series(1, 100) n;
insert into members (room_id, user_id, role, joined_seq, last_read_no)
    select r, u, 'member', 1, 5000 from generate_series(1, 100) r, generate_series(1, 100) u;
insert into messages (id, room_id, message_no, seq, latest_seq, user_id, client_id, content, reply_to,
        created_at, deleted_at, pinned_at)
    select n, n % 100 + 1, n / 100 + 1, n / 100 + 1, n / 100 + 1, n / 100 % 100 + 1, gen_random_uuid(),
        'message ' || n, case when n % 10 = 3 and n > 5000 then n - 5000 end, 1,
        case when n / 100 % 50 = 7 then 2 end, case when n / 100 % 500 = 9 then 2 end
    from generate_series(0, 999999) n;
insert into events (room_id, seq, kind, actor_id, payload, created_at)
    select room_id, seq, 'message_unpinned', user_id, '{"type":"message_unpinned","room_id":' || room_id
        || ',"seq":' || seq || ',"message_id":' || id || ',"message_no":' || message_no || ',"actor_id":1}', 1
    from messages;
insert into mentions (user_id, room_id, message_no)
    select n % 100 + 1, n % 100 + 1, n / 10 + 1 from generate_series(0, 99999) n;
insert into reactions (message_id, emoji, user_id, seq, emoji_seq)
    select n * 10, '+1', 1, 1, 1 from generate_series(0, 99999) n;
select setval('message_ids', 1000000), setval('room_ids', 100);
"#;

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

async fn million() -> (Database, World) {
    let database = Database::new().await;
    let mut db = database.raw().await;
    sqlx::raw_sql("set synchronous_commit = off").execute(&mut db).await.unwrap();
    sqlx::raw_sql(DATA).execute(&mut db).await.unwrap();
    sqlx::raw_sql("vacuum analyze").execute(&mut db).await.unwrap();
    let options = "-c session_preload_libraries=auto_explain -c auto_explain.log_min_duration=0 \
        -c auto_explain.log_analyze=on -c auto_explain.log_buffers=on -c auto_explain.log_timing=off";
    let url = format!("{}?options={}", database.url, options.replace(' ', "%20").replace('=', "%3D"));
    let store = PostgresStore::open(&url, 4, Epoch(7)).await.unwrap();
    (database, World::later(Arc::new(store)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_million_messages_reads_and_appends_walk_indexes_and_few_pages() {
    let (database, w) = million().await;
    let (ann, room, no) = (UserId(1), RoomId(7), MessageNo(5_000));
    // History: 50 messages, with their writers, answers, mentions and reactions.
    for anchor in [Anchor::Latest, Anchor::Before(no), Anchor::After(no), Anchor::Around(no)] {
        let page = plans(&database, async || w.page(ann, room, anchor, 50).await).await;
        let messages = with(&page, "messages_room_id_message_no_key on messages m");
        assert!(messages.pages < 1_000, "{anchor:?}: {}", messages.text);
        assert!(page.iter().map(|plan| plan.pages).sum::<u64>() < 2_500, "{anchor:?}: {page:#?}");
    }
    let pinned =
        plans(&database, async || w.store.history(ann, room, Anchor::Latest, true, 20).await.unwrap()).await;
    assert!(with(&pinned, "messages_pinned").pages < 500, "{pinned:#?}");

    // Unread: the indexes alone, for 5,000 unread messages in each of a hundred rooms.
    let rooms = plans(&database, async || w.store.rooms_of(ann).await.unwrap()).await;
    let counts = with(&rooms, "Index Only Scan using messages_own on messages o");
    assert!(counts.uses("Index Only Scan using messages_deleted on messages d"), "{}", counts.text);
    assert!(counts.uses("Index Only Scan using mentions_pkey on mentions n"), "{}", counts.text);
    assert!(counts.text.matches("Heap Fetches: 0").count() >= 3, "{}", counts.text);
    assert!(counts.pages < 6_000, "{}", counts.text);

    // Resume and heads.
    let events = plans(&database, async || w.store.events(room, Seq(9_000), 100).await.unwrap()).await;
    assert!(with(&events, "Index Scan using events_pkey on events").pages < 200, "{events:#?}");
    let every: Vec<RoomId> = (1..=100).map(RoomId).collect();
    let heads = plans(&database, async || w.store.heads(&every).await.unwrap()).await;
    assert!(with(&heads, "rooms_pkey").pages < 500, "{heads:#?}");

    // A batch, its retry, and what it takes beside its inserts.
    let batch = || {
        let send = |n: u128| {
            let op = RoomOp::Send { content: "x".into(), reply_to: Some(MessageId(600)) };
            let client_id = ClientId(Uuid::from_u128(n << 32));
            Append { actor: ann, client_id, at: Timestamp(9), op: Op::in_room(RoomId(1), op) }
        };
        (1..=50).map(send).collect::<Vec<_>>()
    };
    w.store.append(batch()).await.unwrap();
    let append = plans(&database, async || w.store.append(batch()).await.unwrap()).await;
    let firsts = with(&append, "messages_room_id_user_id_client_id_key");
    assert!(firsts.uses("events_client_id") && firsts.pages < 2_000, "{}", firsts.text);
    assert!(append.len() < 10, "a batch takes few statements: {append:#?}");
    w.store.close().await;
}
