//! The store's host does wrong what it is told to, and only that: what failed did not happen, what was
//! committed lasts, and a node's errors say which of the two may be the case.

use fakes::store::{SimStore, StoreHost};
use hub::store::memory::MemoryStore;
use hub::store::{Append, NewUser, Op, RoomOp, Store, StoreError};
use protocol::model::RoomKind;
use protocol::{ClientId, Epoch, RoomId, Seq, Timestamp, UserId};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

const LATENCY: Duration = Duration::from_millis(10);
/// Longer than a node waits for a connection, shorter than for an answer.
const SLOW: Duration = Duration::from_secs(8);

struct World {
    host: Arc<StoreHost>,
    node: Arc<SimStore>,
    said: u64,
}

impl World {
    /// A room of one user, on a host with a node that has so many connections for reads.
    async fn new(readers: u32) -> Self {
        let truth = Arc::new(MemoryStore::new(Epoch(7)));
        let user = NewUser {
            username: "ann".into(),
            display_name: "Ann".into(),
            password_hash: None,
            external_sub: None,
            at: Timestamp(1),
        };
        truth.create_user(user).await.unwrap();
        let host = Arc::new(StoreHost::new(truth, LATENCY));
        let node = Arc::new(SimStore::within(&host, readers).await.unwrap());
        let mut world = Self { host, node, said: 0 };
        let op = Op::CreateRoom { name: "one".into(), kind: RoomKind::Public, topic: String::new() };
        world.append(op).await.unwrap();
        world
    }

    async fn append(&mut self, op: Op) -> Result<(), StoreError> {
        self.said += 1;
        self.again(op).await
    }

    /// Asks under the same name as before.
    async fn again(&self, op: Op) -> Result<(), StoreError> {
        let client_id = ClientId(Uuid::from_u128(u128::from(self.said)));
        let append = Append { actor: UserId(1), client_id, at: Timestamp(2), op };
        let outcomes = self.node.append(vec![append]).await?;
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        Ok(())
    }

    async fn say(&mut self) -> Result<(), StoreError> {
        self.append(hello()).await
    }

    async fn head(&self) -> u64 {
        self.node.heads(&[RoomId(1)]).await.unwrap()[0].1.0
    }
}

fn hello() -> Op {
    Op::in_room(RoomId(1), RoomOp::Send { content: "hello".into(), reply_to: None })
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_fails_did_not_happen() {
    let mut world = World::new(2).await;
    world.host.fail(2);
    for _ in 0..2 {
        assert!(matches!(world.say().await, Err(StoreError::Unavailable(_))));
    }
    world.say().await.unwrap();
    assert_eq!(world.head().await, 2, "the room and one message");
    assert_eq!(world.host.counts().failed, 2);
}

#[tokio::test(start_paused = true)]
async fn a_commit_whose_answer_is_lost_lasts_and_a_repeat_gets_its_result() {
    let mut world = World::new(2).await;
    world.host.lose_replies(1);
    assert!(matches!(world.say().await, Err(StoreError::Unknown(_))));
    assert_eq!(world.head().await, 2);
    world.again(hello()).await.unwrap();
    assert_eq!(world.head().await, 2, "it is stored once");
    assert_eq!(world.host.counts().unanswered, 1);
}

#[tokio::test(start_paused = true)]
async fn a_restart_interrupts_what_is_under_way_and_loses_nothing() {
    let mut world = World::new(2).await;
    let (node, host) = (Arc::clone(&world.node), Arc::clone(&world.host));
    let reading = async { node.heads(&[RoomId(1)]).await };
    let restarting = async {
        tokio::time::sleep(LATENCY * 3 / 4).await;
        host.restart();
    };
    let (read, ()) = tokio::join!(reading, restarting);
    assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
    // The connections of before are gone, which costs a commit another try and no more.
    world.say().await.unwrap();
    assert_eq!(world.head().await, 2);
    assert_eq!(world.host.counts().interrupted, 1);
}

#[tokio::test(start_paused = true)]
async fn a_stalled_store_keeps_nobody_waiting_longer_than_their_deadline_and_commits_late() {
    let mut world = World::new(2).await;
    world.host.stall(true);
    let began = Instant::now();
    assert!(matches!(world.say().await, Err(StoreError::Unavailable(_) | StoreError::Unknown(_))));
    assert!(world.node.heads(&[RoomId(1)]).await.is_err());
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
    world.host.stall(false);
    world.again(hello()).await.unwrap();
    assert_eq!(world.head().await, 2);

    // A commit that is on its way takes effect, though its node has given up.
    let append =
        Append { actor: UserId(1), client_id: ClientId(Uuid::from_u128(99)), at: Timestamp(3), op: hello() };
    let commit = world.node.append(vec![append]);
    timeout(LATENCY * 3 / 4, commit).await.unwrap_err();
    tokio::time::sleep(LATENCY).await;
    assert_eq!((world.head().await, world.host.counts().late), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn a_node_without_a_connection_gives_up_in_time() {
    let world = World::new(1).await;
    world.host.slow(Some(SLOW));
    let (first, second) = tokio::join!(world.node.heads(&[RoomId(1)]), world.node.heads(&[RoomId(1)]));
    assert!(first.is_ok(), "{first:?}");
    assert!(matches!(second, Err(StoreError::Unavailable(_))), "it waits for the one connection: {second:?}");
    world.host.slow(None);
    world.host.limit(Some(0));
    // The connection of before is lost, and no other is to be had.
    for _ in 0..2 {
        let refused = world.node.events(RoomId(1), Seq(0), 1).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    }
    assert!(world.host.counts().refused > 0);
    world.host.limit(None);
    assert_eq!(world.head().await, 1);
}
