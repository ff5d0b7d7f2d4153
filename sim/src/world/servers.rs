//! The machines beside the nodes, Redis and the store, and what is done to them.

use super::judge::Judge;
use super::net::{Listener, Net, REDIS_PORT, STORE_PORT};
use crate::entropy;
use crate::marks::{Mark, sometimes};
use crate::plan::{Harm, Host, Plan};
use axum::serve::Listener as _;
use fakes::redis::{Core, FakeRedis};
use fakes::store::StoreHost;
use hub::broker::redis_url::Address;
use hub::store::Store;
use parking_lot::Mutex;
use protocol::{NodeId, RoomId, Seq};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::task::TaskTracker;

/// Redis and the store of a run.
#[derive(Clone, Debug)]
pub(super) struct Servers {
    plan: Arc<Plan>,
    redis: Arc<FakeRedis>,
    /// The store's machine, for nodes to reach it.
    pub(super) store: Arc<StoreHost>,
    /// Faults under way that last.
    lasting: Arc<Mutex<Vec<Harm>>>,
}

/// A durable event, as far as it is of interest here.
#[derive(Deserialize)]
struct Published {
    room_id: RoomId,
    seq: Seq,
}

/// The store's place in the network.
pub(super) fn store_address() -> Address {
    Address::Tcp(Host::Store.to_string().into(), STORE_PORT)
}

impl Servers {
    /// The servers of a plan, of which the store holds the truth.
    #[must_use]
    pub(super) fn new(plan: Arc<Plan>, truth: Arc<dyn Store>) -> Self {
        let clock = || u64::try_from((entropy::EPOCH + entropy::elapsed()).as_millis()).unwrap_or(u64::MAX);
        let redis = Arc::new(FakeRedis::new(clock));
        let store = Arc::new(StoreHost::new(truth, Duration::from_millis(plan.knobs.store_latency)));
        let servers = Self { plan, redis, store, lasting: Arc::default() };
        servers.settle();
        servers
    }

    /// Runs Redis until it dies.
    ///
    /// # Errors
    /// When the port is taken.
    pub(super) async fn run_redis(self, net: Net) -> turmoil::Result {
        let mut listener = Listener::bind(net, REDIS_PORT).await?;
        let tasks = TaskTracker::new();
        loop {
            let (stream, _) = listener.accept().await;
            let redis = Arc::clone(&self.redis);
            tasks.spawn(async move { redis.serve(stream).await });
        }
    }

    /// Runs the store until it dies.
    ///
    /// # Errors
    /// When the port is taken.
    pub(super) async fn run_store(self, net: Net) -> turmoil::Result {
        let mut listener = Listener::bind(net, STORE_PORT).await?;
        let tasks = TaskTracker::new();
        loop {
            let (stream, _) = listener.accept().await;
            let store = Arc::clone(&self.store);
            tasks.spawn(async move { store.serve(stream).await });
        }
    }

    /// A fault begins.
    pub(super) fn begin(&self, harm: Harm) {
        match harm {
            Harm::RedisRestart => _ = self.redis.with(Core::restart),
            Harm::RedisFailover { writes } => _ = self.redis.with(|core| core.fail_over(writes as usize)),
            Harm::RedisKill { connections } => {
                _ = self.redis.with(|core| core.kill_subscribers(connections as usize));
            }
            Harm::StoreFails { calls } => {
                self.lasting.lock().push(harm);
                self.store.fail(calls);
            }
            Harm::StoreLosesReplies { calls } => {
                self.lasting.lock().push(harm);
                self.store.lose_replies(calls);
            }
            Harm::StoreRestart => self.store.restart(),
            Harm::RedisStall
            | Harm::RedisLoss { .. }
            | Harm::RedisOutput { .. }
            | Harm::StoreSlow { .. }
            | Harm::StoreStall
            | Harm::StoreExhausted { .. } => {
                self.lasting.lock().push(harm);
                self.settle();
            }
            Harm::Cut { .. }
            | Harm::CutOneWay { .. }
            | Harm::Stall { .. }
            | Harm::Slow { .. }
            | Harm::Crash { .. }
            | Harm::PowerCut { .. }
            | Harm::SlowReader { .. }
            | Harm::Drain { .. }
            | Harm::Clock { .. } => {}
        }
    }

    /// A fault ends.
    pub(super) fn end(&self, harm: Harm) {
        let (fails, loses) = {
            let mut lasting = self.lasting.lock();
            if let Some(index) = lasting.iter().position(|other| *other == harm) {
                lasting.remove(index);
            }
            let is_left = |kind: fn(&Harm) -> bool| lasting.iter().any(kind);
            (
                is_left(|harm| matches!(harm, Harm::StoreFails { .. })),
                is_left(|harm| matches!(harm, Harm::StoreLosesReplies { .. })),
            )
        };
        // What is left of one goes on until the last of its kind has ended.
        if !fails {
            self.store.stop_failing();
        }
        if !loses {
            self.store.stop_losing_replies();
        }
        self.settle();
    }

    /// A machine dies, with what it had in memory.
    pub(super) fn die(&self, host: Host) {
        match host {
            Host::Redis => _ = self.redis.with(Core::restart),
            Host::Store => self.store.restart(),
            Host::Hub(_) | Host::Clients(_) => {}
        }
    }

    /// Makes the servers what all faults under way ask for together.
    fn settle(&self) {
        let (mut lost, mut output, mut slow, mut limit) = (self.plan.knobs.doorbells_lost, None, None, None);
        let (mut redis_stalls, mut store_stalls) = (false, false);
        for harm in self.lasting.lock().iter() {
            if let Harm::RedisLoss { percent } = *harm {
                lost = lost.max(u64::from(percent));
            } else if let Harm::RedisOutput { bytes } = *harm {
                output = Some(output.map_or(bytes, |least: u32| least.min(bytes)));
            } else if let Harm::StoreSlow { latency } = *harm {
                slow = slow.max(Some(latency));
            } else if let Harm::StoreExhausted { connections } = *harm {
                limit = Some(limit.map_or(connections, |least: u32| least.min(connections)));
            }
            redis_stalls |= *harm == Harm::RedisStall;
            store_stalls |= *harm == Harm::StoreStall;
        }
        self.redis.with(|core| {
            core.lose_publications(lost, self.plan.net_seed);
            core.set_output_max(output.map(|bytes| bytes as usize));
        });
        self.redis.stall(redis_stalls);
        self.store.stall(store_stalls);
        self.store.slow(slow.map(Duration::from_millis));
        self.store.limit(limit.map(|connections| connections as usize));
    }

    /// Tells the judge of doorbells that were lost on their way to a node.
    pub(super) fn tell_lost(&self, judge: &mut Judge) {
        for lost in self.redis.with(Core::take_lost) {
            let (Some(from), Some(to)) = (node(&lost.from), node(&lost.to)) else { continue };
            if let Ok(event) = serde_json::from_slice::<Published>(&lost.payload)
                && from != to
            {
                judge.doorbells_lost.insert((to, event.room_id, event.seq));
            }
        }
    }

    /// Marks what the servers did.
    pub(super) fn mark(&self) {
        let redis = self.redis.with(|core| core.counts());
        let store = self.store.counts();
        for (happened, mark) in [
            (redis.dropped, Mark::PublicationLost),
            (redis.forgotten, Mark::RedisForgot),
            (redis.killed, Mark::SubscriberKilled),
            (redis.cut, Mark::SubscriberCut),
            (redis.unsaved, Mark::FailoverLost),
            (store.failed, Mark::StoreFailed),
            (store.unanswered, Mark::CommitUnknown),
            (store.late, Mark::CommitLate),
            (store.interrupted, Mark::StoreInterrupted),
            (store.refused, Mark::StoreFull),
        ] {
            if happened > 0 {
                sometimes(mark);
            }
        }
    }
}

/// The node whose connection has a name.
fn node(name: &[u8]) -> Option<NodeId> {
    let name = str::from_utf8(name).ok()?;
    Some(NodeId(name.split(':').nth(1)?.to_owned()))
}
