//! Leases in Redis: for each run of a node a set of its users under a key that expires, and a set of
//! all runs. All keys carry one hash tag, so that a Redis Cluster keeps them on one master. Plain
//! commands alone, written together; time is the server's.

use super::{Holders, Incarnation, Presence, PresenceError, PresenceTimes};
use crate::broker::BrokerError;
use crate::broker::commands::Commands;
use async_trait::async_trait;
use parking_lot::Mutex;
use protocol::UserId;
use protocol::planted::{self, Bug};
use redis::{Pipeline, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// The hash tag of all keys.
const TAG: &str = "presence";
/// The runs that hold leases, or did until a moment ago.
const NODES: &str = "{presence}:nodes";
/// Most users of one command.
const USERS_MAX: usize = 1_000;
/// Most commands that are written together.
const COMMANDS_MAX: usize = 64;
/// Most runs that are asked about; there are more only when they come and go within minutes.
const NODES_MAX: usize = 256;
/// A run without a lease is forgotten after so many times the lease.
const FORGET_AFTER: u32 = 2;

impl From<BrokerError> for PresenceError {
    fn from(error: BrokerError) -> Self {
        Self(error.to_string())
    }
}

/// A node's lease in Redis.
#[derive(Debug)]
pub struct RedisPresence {
    commands: Arc<dyn Commands>,
    incarnation: Incarnation,
    lease: Duration,
    /// Since when a run was seen without a lease; as many as are asked about.
    dead_since: Mutex<BTreeMap<Incarnation, Instant>>,
}

impl RedisPresence {
    /// The lease of a run, over the broker's connections.
    #[must_use]
    pub fn new(commands: Arc<dyn Commands>, incarnation: Incarnation, times: &PresenceTimes) -> Self {
        Self { commands, incarnation, lease: times.lease, dead_since: Mutex::default() }
    }

    async fn run(&self, pipeline: Pipeline) -> Result<Vec<Value>, PresenceError> {
        Ok(self.commands.run(TAG, &pipeline).await?)
    }

    fn add(&self, pipeline: &mut Pipeline, users: &[UserId]) {
        let key = key(self.incarnation);
        pipeline.cmd("SADD").arg(NODES).arg(self.incarnation.to_string());
        for users in users.chunks(USERS_MAX) {
            members(pipeline.cmd("SADD").arg(&key), users);
        }
    }

    fn expire(&self, pipeline: &mut Pipeline) {
        let lease = if planted::has(Bug::PresenceForEver) { self.lease * 10_000 } else { self.lease };
        let millis = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
        pipeline.cmd("PEXPIRE").arg(key(self.incarnation)).arg(millis);
    }

    /// The other runs that say that they hold leases.
    async fn others(&self) -> Result<Vec<Incarnation>, PresenceError> {
        let mut pipeline = Pipeline::new();
        pipeline.cmd("SMEMBERS").arg(NODES);
        let answers = self.run(pipeline).await?;
        let runs = answers.first().map(texts).transpose()?.unwrap_or_default();
        let runs = runs.iter().filter_map(|run| Uuid::try_parse(run).ok()).map(Incarnation);
        Ok(runs.filter(|run| *run != self.incarnation).take(NODES_MAX).collect())
    }

    /// Which of these runs hold a lease; forgets those that have had none for long.
    async fn living(&self, runs: Vec<Incarnation>) -> Result<Vec<Incarnation>, PresenceError> {
        let mut living = Vec::new();
        let mut dead = BTreeSet::new();
        for runs in runs.chunks(COMMANDS_MAX) {
            let mut pipeline = Pipeline::with_capacity(runs.len());
            for run in runs {
                pipeline.cmd("PTTL").arg(key(*run));
            }
            for (run, left) in runs.iter().zip(self.run(pipeline).await?) {
                // A key without an end was left by a node that died as it made it: a lease that
                // does not end is none.
                if integer(&left)? > 0 { living.push(*run) } else { _ = dead.insert(*run) }
            }
        }
        let forgotten = self.bury(&dead);
        if !forgotten.is_empty() {
            let mut pipeline = Pipeline::new();
            for run in forgotten {
                pipeline.cmd("DEL").arg(key(run));
                pipeline.cmd("SREM").arg(NODES).arg(run.to_string());
            }
            self.run(pipeline).await?;
        }
        Ok(living)
    }

    /// Takes note of who has no lease; gives those who have had none for long, a few at a time.
    fn bury(&self, dead: &BTreeSet<Incarnation>) -> Vec<Incarnation> {
        let now = Instant::now();
        let mut dead_since = self.dead_since.lock();
        dead_since.retain(|run, _| dead.contains(run));
        for run in dead {
            dead_since.entry(*run).or_insert(now);
        }
        let long = self.lease * FORGET_AFTER;
        let is_long = |(run, since): (&Incarnation, &Instant)| (*since + long <= now).then_some(*run);
        dead_since.iter().filter_map(is_long).take(COMMANDS_MAX / 2).collect()
    }
}

#[async_trait]
impl Presence for RedisPresence {
    fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    async fn change(&self, came: &[UserId], went: &[UserId]) -> Result<(), PresenceError> {
        let mut pipeline = Pipeline::new();
        if !came.is_empty() {
            self.add(&mut pipeline, came);
        }
        for users in went.chunks(USERS_MAX) {
            members(pipeline.cmd("SREM").arg(key(self.incarnation)), users);
        }
        self.expire(&mut pipeline);
        self.run(pipeline).await.map(|_| ())
    }

    async fn renew(&self, users: usize) -> Result<bool, PresenceError> {
        let mut pipeline = Pipeline::new();
        self.expire(&mut pipeline);
        pipeline.cmd("SCARD").arg(key(self.incarnation));
        if users > 0 {
            pipeline.cmd("SADD").arg(NODES).arg(self.incarnation.to_string());
        }
        let answers = self.run(pipeline).await?;
        let held = answers.get(1).map(integer).transpose()?;
        Ok(held == i64::try_from(users).ok())
    }

    async fn rewrite(&self, users: &[UserId]) -> Result<(), PresenceError> {
        let wanted: BTreeSet<_> = users.iter().copied().collect();
        let mut pipeline = Pipeline::new();
        if !users.is_empty() {
            self.add(&mut pipeline, users);
        }
        self.expire(&mut pipeline);
        pipeline.cmd("SMEMBERS").arg(key(self.incarnation));
        let answers = self.run(pipeline).await?;
        let held = answers.last().map(texts).transpose()?.unwrap_or_default();
        let held = held.iter().filter_map(|user| user.parse::<UserId>().ok());
        let extra: Vec<_> = held.filter(|user| !wanted.contains(user)).collect();
        if extra.is_empty() { Ok(()) } else { self.change(&[], &extra).await }
    }

    async fn holders(&self, users: &[UserId]) -> Result<Holders, PresenceError> {
        let living = self.living(self.others().await?).await?;
        let mut holders: BTreeMap<Incarnation, Vec<UserId>> =
            living.iter().map(|run| (*run, Vec::new())).collect();
        let asked: Vec<_> =
            living.iter().flat_map(|run| users.chunks(USERS_MAX).map(|users| (*run, users))).collect();
        for asked in asked.chunks(COMMANDS_MAX) {
            let mut pipeline = Pipeline::with_capacity(asked.len());
            for (run, users) in asked {
                members(pipeline.cmd("SMISMEMBER").arg(key(*run)), users);
            }
            for ((run, users), answer) in asked.iter().zip(self.run(pipeline).await?) {
                let held = answer.as_sequence().ok_or_else(|| unexpected(&answer))?;
                for (user, is_held) in users.iter().zip(held) {
                    if integer(is_held)? != 0 {
                        holders.entry(*run).or_default().push(*user);
                    }
                }
            }
        }
        Ok(holders.into_iter().collect())
    }

    async fn release(&self) -> Result<(), PresenceError> {
        let mut pipeline = Pipeline::new();
        pipeline.cmd("DEL").arg(key(self.incarnation));
        pipeline.cmd("SREM").arg(NODES).arg(self.incarnation.to_string());
        self.run(pipeline).await.map(|_| ())
    }
}

fn key(run: Incarnation) -> String {
    format!("{{presence}}:node:{run}")
}

fn members(command: &mut Pipeline, users: &[UserId]) {
    for user in users {
        command.arg(user.0);
    }
}

fn integer(value: &Value) -> Result<i64, PresenceError> {
    if let Value::Int(integer) = value { Ok(*integer) } else { Err(unexpected(value)) }
}

fn texts(value: &Value) -> Result<Vec<String>, PresenceError> {
    let (Value::Set(members) | Value::Array(members)) = value else { return Err(unexpected(value)) };
    let text = |member: &Value| {
        let Value::BulkString(bytes) = member else { return Err(unexpected(member)) };
        String::from_utf8(bytes.clone()).map_err(|_| unexpected(member))
    };
    members.iter().map(text).collect()
}

fn unexpected(value: &Value) -> PresenceError {
    PresenceError(format!("unexpected answer: {value:?}"))
}
