//! The fan-out's threads in many orders: connections come, read and go, writers of this node and of
//! others publish, rooms and topics are given back, and a scheduler decides who takes the next
//! step, of those orders that a sequentially consistent machine has: weaker ones are not tried. No wake
//! is lost, no event skipped, and nothing stays behind. Who waits for ever is found by the scheduler:
//! then nobody can take a step.

use super::{Attendance, Bell, Parts, RingLimits, RoomLimits, Rooms, Sink, Subscription};
use crate::broker::{Broker, BrokerError, BrokerEvent, BrokerSink, Topic};
use crate::limits::bounds::{LINGER, REORDER_WAIT};
use crate::presence::local::LocalPresence;
use crate::presence::{Incarnation, PresenceTimes};
use crate::room::ring::RingRead;
use crate::store::memory::MemoryStore;
use crate::store::{Append, Event, NewUser, Op, RoomOp, Store};
use crate::sync::Mutex;
use async_trait::async_trait;
use protocol::model::RoomKind;
use protocol::{ClientId, Epoch, NodeId, RoomId, Seq, Timestamp, UserId};
use shuttle::future::block_on;
use shuttle::rand::Rng;
use shuttle::thread;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

const ORDERS: usize = 1_000;
const ROUNDS: usize = 100;
const WRITER: UserId = UserId(1);
const MESSAGES_EACH: u64 = 3;
/// The room's making, and what two nodes write.
const LAST: Seq = Seq(1 + 2 * MESSAGES_EACH);

/// A broker that keeps account of the node's subscriptions.
#[derive(Debug, Default)]
struct Wire {
    topics: Mutex<BTreeSet<Topic>>,
}

#[async_trait]
impl Broker for Wire {
    fn start(&self, _: Arc<dyn BrokerSink>) {}

    fn is_shared(&self) -> bool {
        true
    }

    fn publish(&self, _: Topic, _: Arc<str>) {}

    async fn subscribe(&self, topic: Topic) -> Result<(), BrokerError> {
        shuttle::future::yield_now().await;
        assert!(self.topics.lock().insert(topic), "{topic:?} is subscribed to twice");
        Ok(())
    }

    async fn unsubscribe(&self, topic: Topic) {
        assert!(self.topics.lock().remove(&topic), "{topic:?} was not subscribed to");
        shuttle::future::yield_now().await;
    }

    async fn check(&self) -> Result<(), BrokerError> {
        Ok(())
    }
}

/// One node, and a store that it shares with another.
#[derive(Clone)]
struct World {
    store: Arc<MemoryStore>,
    wire: Arc<Wire>,
    rooms: Arc<Rooms>,
    room_id: RoomId,
    /// Another room of the same connections, whose events ring the same bells.
    other: RoomId,
    tasks: TaskTracker,
    names: Arc<AtomicU64>,
    /// How many readers have read all.
    done: Arc<AtomicUsize>,
}

impl World {
    fn new(events_max: usize) -> Self {
        let store = Arc::new(MemoryStore::new(Epoch(1)));
        let wire = Arc::new(Wire::default());
        let (as_store, as_broker) =
            (Arc::clone(&store) as Arc<dyn Store>, Arc::clone(&wire) as Arc<dyn Broker>);
        let times = PresenceTimes::default();
        let attendance = Attendance::new(
            Arc::new(LocalPresence::alone(Incarnation(Uuid::from_u128(1)))),
            Arc::clone(&as_broker),
            Arc::clone(&as_store),
            times,
        );
        let limits =
            RoomLimits { ring: RingLimits { events_max, bytes_max: 1 << 20 }, rings_bytes_max: 1 << 20 };
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let rooms = Rooms::new(Parts {
            node: NodeId("here".into()),
            store: as_store,
            broker: as_broker,
            attendance,
            limits,
            metrics: Arc::default(),
            tasks: tasks.clone(),
            stop,
        });
        let user = NewUser {
            username: "mira".into(),
            display_name: "Mira".into(),
            password_hash: None,
            external_sub: None,
            at: Timestamp(1),
        };
        let user = block_on(store.create_user(user)).expect("the store is empty");
        assert_eq!(user.id, WRITER);
        let mut world = Self {
            store,
            wire,
            rooms,
            room_id: RoomId(0),
            other: RoomId(0),
            tasks,
            names: Arc::default(),
            done: Arc::default(),
        };
        world.room_id = world.make_room("races");
        world.other = world.make_room("others");
        world
    }

    fn append(&self, op: Op) -> Vec<Event> {
        let name = self.names.fetch_add(1, Ordering::Relaxed);
        let client_id = ClientId(Uuid::from_u128(name.into()));
        let append = Append { actor: WRITER, client_id, at: Timestamp(1), op };
        let outcome = block_on(self.store.append(vec![append])).expect("memory is there").remove(0);
        outcome.expect("the writer may").events
    }

    fn make_room(&self, name: &str) -> RoomId {
        self.append(Op::CreateRoom { name: name.into(), kind: RoomKind::Public, topic: String::new() })[0]
            .room_id
    }

    fn send(&self) -> Vec<Event> {
        self.send_to(self.room_id)
    }

    fn send_to(&self, room_id: RoomId) -> Vec<Event> {
        let op = RoomOp::Send { content: "x".into(), reply_to: None };
        self.append(Op::InRoom { room_id, op })
    }

    /// This node's writer: what it commits is in order here.
    fn write_here(&self) {
        for _ in 0..MESSAGES_EACH {
            let events = self.send();
            thread::yield_now();
            self.rooms.handle_committed(events);
        }
        self.rooms.handle_committed(self.send_to(self.other));
    }

    /// Another node's writer: its publications come if this node is subscribed when they do, but for
    /// those that get lost, and some of them twice.
    fn write_there(&self, loses: bool) {
        let sink = Sink(Arc::clone(&self.rooms));
        let topic = Topic::Room(self.room_id);
        for _ in 0..MESSAGES_EACH {
            let events = self.send();
            thread::yield_now();
            let copies = if loses { shuttle::rand::thread_rng().gen_range(0..=2) } else { 1 };
            for _ in 0..copies {
                if !self.wire.topics.lock().contains(&topic) {
                    continue;
                }
                for event in &events {
                    let payload = Arc::clone(&event.json);
                    sink.handle_broker_event(BrokerEvent::Publication { topic, payload });
                }
            }
        }
    }

    async fn attach(&self, room_id: RoomId, bell: &Arc<Bell>) -> Subscription {
        loop {
            // Time passes at once here: what takes a step too many has taken too long, and is asked again.
            match self.rooms.attach(room_id, UserId(2), Arc::clone(bell)).await {
                Ok(subscription) => return subscription,
                Err(_) => shuttle::future::yield_now().await,
            }
        }
    }

    /// A connection that reads from a cursor to another, and goes; where it stopped.
    async fn read(&self, mut cursor: Seq, until: Seq) -> Seq {
        let bell = Arc::new(Bell::default());
        let _other = self.attach(self.other, &bell).await;
        let subscription = self.attach(self.room_id, &bell).await;
        loop {
            let events = match subscription.read(cursor, 2, usize::MAX) {
                RingRead::Events { events, is_all } => {
                    if events.is_empty() {
                        assert!(is_all, "nothing new, and yet not all");
                        // A ring of the other room is no answer: it would hide that this one's was lost.
                        while !bell.take().rooms.contains(&self.room_id) {
                            bell.wait().await;
                        }
                    }
                    events.into_iter().map(|event| event.event).collect()
                }
                RingRead::Behind => {
                    let page = self.store.events(self.room_id, cursor, 2).await.expect("memory is there");
                    assert!(!page.is_empty(), "the ring is ahead of the store");
                    page
                }
            };
            for event in events {
                assert_eq!(event.seq, cursor.next(), "an event was skipped or came twice");
                cursor = event.seq;
            }
            if cursor >= until {
                if cursor >= LAST {
                    self.done.fetch_add(1, Ordering::Relaxed);
                }
                return cursor;
            }
        }
    }
}

/// Runs a scene in many orders; a runtime's clock stands still but for [`pass`].
fn in_many_orders(scene: impl Fn(&tokio::runtime::Runtime) + Send + Sync + 'static) {
    let scene = Arc::new(scene);
    let run = move || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_time().start_paused(true).build().expect("it needs no resources");
        let _entered = runtime.enter();
        scene(&runtime);
    };
    let again = run.clone();
    shuttle::check_random(run, ORDERS);
    shuttle::check_pct(again, ORDERS, 3);
}

/// Runs the node's own tasks until all readers have what they want; who still waits after that many
/// rounds waits for ever.
fn serve(runtime: &tokio::runtime::Runtime, readers: Vec<thread::JoinHandle<Seq>>, world: &World) {
    for _ in 0..ROUNDS {
        if world.done.load(Ordering::Relaxed) == readers.len() {
            break;
        }
        pass(runtime, Duration::from_secs(1));
        thread::yield_now();
    }
    for reader in readers {
        assert_eq!(reader.join().expect("reads"), LAST);
    }
    // Repairs that have nothing left to do; the clock ends with the scene.
    while !world.tasks.is_empty() {
        pass(runtime, Duration::from_secs(1));
        thread::yield_now();
    }
}

/// Lets time pass for the node's own tasks, which run meanwhile.
fn pass(runtime: &tokio::runtime::Runtime, time: Duration) {
    runtime.block_on(tokio::time::sleep(time));
}

#[test]
fn no_wake_is_lost_and_no_event_skipped_while_all_publications_come() {
    in_many_orders(|runtime| {
        let world = World::new(4);
        let (here, there) = (world.clone(), world.clone());
        let readers: Vec<_> = (0..2)
            .map(|_| world.clone())
            .map(|world| thread::spawn(move || block_on(world.read(Seq(0), LAST))))
            .collect();
        let here = thread::spawn(move || here.write_here());
        let there = thread::spawn(move || there.write_there(false));
        // Gaps are repaired while more comes.
        pass(runtime, Duration::from_millis(100));
        here.join().expect("writes");
        there.join().expect("writes");
        // No sweep: what is known to be missing is read without one.
        serve(runtime, readers, &world);
    });
}

#[test]
fn lost_publications_are_found_by_the_sweep() {
    in_many_orders(|runtime| {
        let world = World::new(3);
        let (here, there, sweeper) = (world.clone(), world.clone(), world.clone());
        let reader = world.clone();
        let reader = thread::spawn(move || block_on(reader.read(Seq(0), LAST)));
        let here = thread::spawn(move || here.write_here());
        let there = thread::spawn(move || there.write_there(true));
        let sweeper = thread::spawn(move || block_on(sweeper.rooms.sweep()).expect("memory is there"));
        pass(runtime, Duration::from_millis(100));
        for writer in [here, there, sweeper] {
            writer.join().expect("writes");
        }
        block_on(world.rooms.sweep()).expect("memory is there");
        serve(runtime, vec![reader], &world);
    });
}

#[test]
fn rooms_and_topics_are_given_back_while_connections_come_and_go() {
    in_many_orders(|runtime| {
        let world = World::new(4);
        let (here, there) = (world.clone(), world.clone());
        let readers: Vec<_> = [Seq(2), Seq(4)]
            .map(|stop| (world.clone(), stop))
            .into_iter()
            .map(|(world, stop)| {
                thread::spawn(move || {
                    block_on(async {
                        let cursor = world.read(Seq(0), stop).await;
                        world.read(cursor, LAST).await
                    })
                })
            })
            .collect();
        let here = thread::spawn(move || here.write_here());
        let there = thread::spawn(move || there.write_there(false));
        for _ in 0..4 {
            pass(runtime, 2 * LINGER);
            block_on(world.rooms.tidy());
        }
        for writer in [here, there] {
            writer.join().expect("writes");
        }
        serve(runtime, readers, &world);
        pass(runtime, 2 * LINGER);
        block_on(world.rooms.tidy());
        assert_eq!(world.rooms.active_rooms(), 0);
        pass(runtime, 2 * LINGER);
        block_on(world.rooms.tidy());
        assert_eq!(world.rooms.ring_bytes(), 0);
        assert!(world.rooms.topics.is_empty(), "a topic is still leased");
        assert!(world.wire.topics.lock().is_empty(), "a topic is still subscribed to");
    });
}

#[test]
fn the_last_event_wakes_who_just_looked() {
    in_many_orders(|runtime| {
        let world = World::new(4);
        let reader = world.clone();
        let reader = thread::spawn(move || block_on(reader.read(Seq(0), Seq(3))));
        // The first one rings; the second one comes while that is answered.
        for _ in 0..2 {
            world.rooms.handle_committed(world.send());
        }
        pass(runtime, Duration::from_secs(1));
        assert_eq!(reader.join().expect("reads"), Seq(3));
    });
}

#[test]
fn a_gap_that_comes_as_a_repair_ends_is_repaired() {
    in_many_orders(|runtime| {
        let world = World::new(8);
        let bell = Arc::new(Bell::default());
        let subscription =
            block_on(world.rooms.attach(world.room_id, UserId(2), bell)).expect("all is there");
        let (room, told) = (Arc::clone(subscription.room()), world.clone());
        let there = thread::spawn(move || {
            for head in [Seq(1), Seq(3)] {
                // The second gap comes about when the first one is closed.
                while room.head() < head {
                    thread::yield_now();
                }
                let _lost = told.send();
                told.rooms.deliver(told.room_id, told.send());
            }
            told.done.fetch_add(1, Ordering::Relaxed);
        });
        for _ in 0..ROUNDS {
            if world.done.load(Ordering::Relaxed) == 1 {
                break;
            }
            pass(runtime, REORDER_WAIT);
            thread::yield_now();
        }
        there.join().expect("writes");
        serve(runtime, Vec::new(), &world);
        assert_eq!(subscription.room().head(), Seq(5));
    });
}

#[test]
fn a_topic_that_is_leased_while_it_is_given_back_is_subscribed_to() {
    in_many_orders(|runtime| {
        let world = World::new(4);
        let topic = Topic::Room(world.room_id);
        drop(block_on(world.rooms.topics.lease(topic)).expect("the wire takes it"));
        pass(runtime, 2 * LINGER);
        let sweeper = world.clone();
        let sweeper = thread::spawn(move || block_on(sweeper.rooms.topics.sweep(super::now())));
        let lease = block_on(world.rooms.topics.lease(topic)).expect("the wire takes it");
        sweeper.join().expect("sweeps");
        assert!(world.wire.topics.lock().contains(&topic), "leased, and not subscribed to");
        drop(lease);
    });
}
