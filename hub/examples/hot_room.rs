//! How many durable messages a second one room takes: one row a transaction, and in batches, through
//! the same store; and what a page of history costs meanwhile.
//!
//! `cargo run --release --example hot_room [folder]`: on SQLite; the figures are those of the folder's disk.
//! `cargo run --release --example hot_room postgres://…`: on a Postgres database, which it migrates and
//! leaves its messages in.

use anyhow::{Context, Result};
use hub::store::postgres::PostgresStore;
use hub::store::sqlite::SqliteStore;
use hub::store::{Append, NewUser, Op, RoomOp, Store};
use protocol::model::{Anchor, RoomKind};
use protocol::{ClientId, Epoch, RoomId, Timestamp, UserId};
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// How long each size of batch is measured.
const SPAN: Duration = Duration::from_secs(3);
const SIZES: [usize; 5] = [1, 8, 32, 128, 256];

#[tokio::main]
async fn main() -> Result<()> {
    let place = std::env::args().nth(1);
    if let Some(url) = place.as_deref().filter(|place| place.starts_with("postgres")) {
        PostgresStore::migrate(url).await?;
        return measure(&PostgresStore::open(url, 8, Epoch(1)).await?).await;
    }
    let folder = tempfile::tempdir_in(place.map_or_else(std::env::temp_dir, Into::into))?;
    measure(&SqliteStore::open(&folder.path().join("hot.db"), Epoch(1)).await?).await
}

async fn measure(store: &dyn Store) -> Result<()> {
    let (user, room) = room(store).await?;
    let mut names = Uuid::new_v4().as_u128();
    let mut alone = None;
    println!("batch  messages/s  ms/commit  times one a transaction");
    for size in SIZES {
        let began = Instant::now();
        let (mut messages, mut commits) = (0_u32, 0_u32);
        while began.elapsed() < SPAN {
            let batch = (0..size).map(|_| send(user, room, &mut names)).collect();
            for outcome in store.append(batch).await? {
                outcome?;
                messages += 1;
            }
            commits += 1;
        }
        let seconds = began.elapsed().as_secs_f64();
        let rate = f64::from(messages) / seconds;
        let times = rate / *alone.get_or_insert(rate);
        println!("{size:>5}  {rate:>10.0}  {:>9.2}  {times:>5.1}", seconds * 1_000.0 / f64::from(commits));
    }
    let began = Instant::now();
    for _ in 0..200 {
        store.history(user, room, Anchor::Latest, false, 50).await?.context("a member reads")?;
    }
    println!("page of 50: {:.2} ms", began.elapsed().as_secs_f64() * 1_000.0 / 200.0);
    store.close().await;
    Ok(())
}

async fn room(store: &dyn Store) -> Result<(UserId, RoomId)> {
    let new = NewUser {
        username: format!("ann-{}", Uuid::new_v4()),
        display_name: "Ann".into(),
        password_hash: None,
        external_sub: None,
        at: Timestamp(1),
    };
    let user = store.create_user(new).await?.id;
    let op = Op::CreateRoom {
        name: format!("hot-{}", Uuid::new_v4()),
        kind: RoomKind::Public,
        topic: String::new(),
    };
    let create = Append { actor: user, client_id: ClientId(Uuid::from_u128(0)), at: Timestamp(1), op };
    let created = store.append(vec![create]).await?.pop().context("one outcome an operation")??;
    Ok((user, created.room_id))
}

fn send(actor: UserId, room: RoomId, names: &mut u128) -> Append {
    *names += 1;
    // Names of clients are random; this spreads them over the index likewise.
    let client_id = ClientId(Uuid::from_u128(names.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)));
    let op = RoomOp::Send { content: "x".repeat(128), reply_to: None };
    Append { actor, client_id, at: Timestamp(2), op: Op::in_room(room, op) }
}
