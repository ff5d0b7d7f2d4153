//! A run of a plan: hosts, network, time and faults, one step after the other, until everything is as
//! it is to be or something is wrong.

mod acts;
mod asked;
mod bounds;
mod clients;
mod ear;
mod harms;
mod hub;
mod intruder;
pub mod judge;
mod ledger;
mod logs;
mod net;
mod servers;
pub mod terms;
mod timetable;
mod versions;

use crate::entropy;
use crate::history::{History, Lane, What};
use crate::marks::{Mark, sometimes};
use crate::oracle::log::Log;
use crate::oracle::said::Sayings;
use crate::oracle::{Invariant, Violation, end};
use crate::plan::{Host, Plan};
use ::hub::store::memory::MemoryStore;
use ::hub::store::{Append, LoginId, NewLogin, NewUser, Op, RoomOp, Store};
use acts::{room_id, user_id};
use clients::Site;
use futures_util::FutureExt;
use hub::{Hub, State};
use judge::{Client, Judge, Shared, now};
use ledger::Ledger;
use net::Net;
use protocol::model::RoomKind;
use protocol::{ClientId, Epoch, Timestamp};
use servers::Servers;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use terms::Terms;
use timetable::{Due, Timetable};
use turmoil::Sim;
use uuid::Uuid;

/// How often it is looked whether everything is as it is to be, in milliseconds.
const LOOK_INTERVAL: u64 = 100;
/// How often it is looked for commits, in milliseconds: what is told of them is as late at most.
const COMMITS_INTERVAL: u64 = 20;
/// How long everything has to stay as it is to be: what comes twice comes soon.
const SETTLES: u64 = 600;
/// How long nodes may hold what they held for clients that are gone.
const LETS_GO: u64 = 15_000;

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was wrong.
    pub violation: Option<Violation>,
    /// What happened.
    pub history: History,
    /// A hash of all bytes on the wire.
    pub wire: u64,
    /// How long it took for those in it.
    pub simulated: Duration,
    /// Events that clients got.
    pub deliveries: u64,
    /// Events in the log.
    pub events: u64,
    /// Faults.
    pub faults: u64,
}

impl Outcome {
    /// What came of a run of which nothing is left.
    #[must_use]
    pub fn empty(plan: &Plan) -> Self {
        Self {
            violation: None,
            history: History::default(),
            wire: entropy::wire(),
            simulated: entropy::elapsed(),
            deliveries: 0,
            events: 0,
            faults: plan.faults.len() as u64,
        }
    }
}

/// A run under way.
struct World<'a> {
    plan: Arc<Plan>,
    sim: Sim<'a>,
    judge: Shared,
    truth: Arc<MemoryStore>,
    servers: Servers,
    hubs: Vec<Hub>,
    site: Site,
    ledger: Ledger,
    down: BTreeMap<Host, u32>,
    visits: u32,
    look_at: u64,
}

/// Runs a plan, on a thread that simulates and did nothing else before.
#[must_use]
pub fn run(plan: &Plan, keeps_history: bool) -> Outcome {
    let mut world = World::new(plan, keeps_history);
    logs::take(world.judge.clone(), plan);
    let error = world.live().err();
    world.servers.mark();
    let World { judge, sim, site, hubs, .. } = world;
    if let Some(error) = error {
        let text = crate::run::take_panic().unwrap_or_else(|| format!("a host ended: {error}"));
        judge.lock().fail(Invariant::NoPanic, text);
    }
    let outcome = outcome(plan, &judge);
    // Hosts are torn down in the world that they lived in.
    drop(sim);
    drop((site, hubs));
    logs::end();
    outcome
}

fn outcome(plan: &Plan, judge: &Shared) -> Outcome {
    let mut judge = judge.lock();
    Outcome {
        violation: judge.violation.clone(),
        history: std::mem::take(&mut judge.history),
        wire: entropy::wire(),
        simulated: entropy::elapsed(),
        deliveries: judge.clients.iter().map(|client| client.page.events).sum(),
        events: judge.log.len() as u64,
        faults: plan.faults.len() as u64,
    }
}

impl World<'_> {
    fn new(plan: &Plan, keeps_history: bool) -> Self {
        let plan = Arc::new(plan.clone());
        let (truth, logins) = furnish(&plan);
        let users = plan.topology.clients.iter().map(|client| user_id(client.user)).collect();
        let said = Sayings::new(users, plan.knobs.in_flight_per_room > 1);
        let log = Log::new(truth.clone(), said);
        let devices = (0..).zip(&plan.topology.clients);
        let clients = devices.map(|(index, device)| {
            let version = plan.versions.of_client(index);
            Client::new(user_id(device.user), logins[device.user as usize], version)
        });
        let clients = clients.collect();
        let judge = Judge::new(log, clients, Terms::of(&plan), plan.versions.clone(), keeps_history);
        let net = Net::new(plan.knobs.segments, plan.net_seed);
        let site = Site::new(plan.clone(), judge.clone(), net.clone());
        let servers = Servers::new(plan.clone(), truth.clone());
        let hubs: Vec<Hub> = (0..plan.topology.hubs)
            .map(|number| Hub {
                number,
                plan: plan.clone(),
                net: net.clone(),
                servers: servers.clone(),
                judge: judge.clone(),
                state: State::of(plan.versions.of_hub(number)),
            })
            .collect();
        let ledger = Ledger::new(&plan.hosts(), plan.knobs.latency);
        let mut sim = builder(&plan).build();
        for hub in &hubs {
            let hub = hub.clone();
            sim.host(Host::Hub(hub.number).to_string(), move || hub::run(hub.clone()));
        }
        for host in 0..plan.topology.hosts {
            let site = site.clone();
            sim.host(Host::Clients(host).to_string(), move || clients::run(site.clone(), host));
        }
        if plan.topology.has_redis() {
            let (servers, net) = (servers.clone(), net.clone());
            sim.host(Host::Redis.to_string(), move || servers.clone().run_redis(net.clone()));
        }
        let host = servers.clone();
        sim.host(Host::Store.to_string(), move || host.clone().run_store(net.clone()));
        World {
            plan,
            sim,
            judge,
            truth,
            servers,
            hubs,
            site,
            ledger,
            down: BTreeMap::new(),
            visits: 0,
            look_at: 0,
        }
    }

    fn live(&mut self) -> turmoil::Result {
        let plan = self.plan.clone();
        let mut timetable = Timetable::new(&plan);
        let heals_at = plan.heals_at();
        while now() <= heals_at {
            while let Some(due) = timetable.next(now()) {
                self.perform(due);
            }
            if !self.step()? {
                return Ok(());
            }
        }
        // A tick may lead beyond the last moment.
        while let Some(due) = timetable.next(u64::MAX) {
            self.perform(due);
        }
        self.judge.lock().tell(Lane::World, What::Told("all faults have ended".to_owned()));
        if self.converges()? && self.finds_lost()? {
            let mut judge = self.judge.lock();
            if let Err((invariant, text)) = judge.log.check_lasts() {
                judge.fail(invariant, text);
                return Ok(());
            }
            drop(judge);
            self.lets_go()?;
        }
        Ok(())
    }

    /// The node that is lost comes back once everyone has everything without it; then they have it still.
    fn finds_lost(&mut self) -> turmoil::Result<bool> {
        let Some(lost) = self.plan.lost else { return Ok(true) };
        sometimes(Mark::WithoutLost);
        self.judge.lock().tell(Lane::World, What::Told(format!("hub{} is back", lost.hub)));
        self.ledger.rejoin(Host::Hub(lost.hub), &self.sim);
        self.converges()
    }

    /// Nobody reaches a node any more.
    fn lose(&mut self) {
        let Some(lost) = self.plan.lost else { return };
        self.judge.lock().tell(Lane::World, What::Told(format!("hub{} is cut off for good", lost.hub)));
        self.ledger.isolate(Host::Hub(lost.hub), &self.sim);
    }

    fn perform(&mut self, due: Due) {
        let plan = self.plan.clone();
        match due {
            Due::Begin(number) => self.begin(number, &plan.faults[number]),
            Due::End(number) => self.end(number, &plan.faults[number]),
            Due::Lose => self.lose(),
            Due::Act(number) => self.act(&plan.ops[number]),
        }
    }

    /// Time goes on. False once something is wrong.
    fn step(&mut self) -> turmoil::Result<bool> {
        self.sim.step()?;
        entropy::set_elapsed(self.sim.elapsed());
        let mut judge = self.judge.lock();
        self.servers.tell_lost(&mut judge);
        if now() >= self.look_at {
            self.look_at = now() + COMMITS_INTERVAL;
            look(&mut judge, self.truth.as_ref());
            for hub in &self.hubs {
                let (frames, bytes) = {
                    let state = hub.state.lock();
                    (state.metrics.queue_frames_most(), state.metrics.rings_bytes_most())
                };
                judge.check_queue(hub.number, frames);
                judge.check_rings(hub.number, bytes);
            }
        }
        Ok(judge.violation.is_none())
    }

    /// Waits until everyone has everything, with nothing further going on.
    fn converges(&mut self) -> turmoil::Result<bool> {
        let deadline = now() + patience(&self.plan);
        let (mut look_at, mut since) = (now(), None);
        loop {
            if !self.step()? {
                return Ok(false);
            }
            if now() < look_at {
                continue;
            }
            look_at = now() + LOOK_INTERVAL;
            match self.lacking() {
                None if since.is_some_and(|since| now() >= since + SETTLES) => return Ok(true),
                None => {
                    since.get_or_insert(now());
                }
                Some((invariant, text)) if now() > deadline => {
                    self.judge.lock().fail(invariant, text);
                    return Ok(false);
                }
                Some(_) => since = None,
            }
        }
    }

    /// What is not yet as it is to be.
    fn lacking(&self) -> Option<(Invariant, String)> {
        let mut judge = self.judge.lock();
        look(&mut judge, self.truth.as_ref());
        for (index, client) in judge.clients.iter().enumerate() {
            if client.revoked_at.is_some() {
                if !client.ended {
                    return Some((
                        Invariant::Revoked,
                        format!("client{index} signed out and is still there"),
                    ));
                }
                continue;
            }
            if client.quits {
                if client.page.is_online() {
                    return Some((
                        Invariant::Converges,
                        format!("client{index} was closed and is still there"),
                    ));
                }
                continue;
            }
            if let Some(lacks) = end::lacks(self.truth.as_ref(), &judge.log, &client.page, client.user) {
                let state = lacks.starts_with("shows Room");
                let invariant = if state { Invariant::StateAgrees } else { Invariant::Converges };
                return Some((invariant, format!("client{index} {lacks}")));
            }
        }
        absent(&judge, self.truth.as_ref()).map(|text| (Invariant::Presence, text))
    }

    /// Everyone goes; nodes let go of what they held for them.
    fn lets_go(&mut self) -> turmoil::Result {
        {
            let mut judge = self.judge.lock();
            judge.tell(Lane::World, What::Told("everyone goes".to_owned()));
            for client in &mut judge.clients {
                client.closing = true;
                if let Some(handle) = &client.handle {
                    handle.close().now_or_never();
                }
            }
        }
        let deadline = now() + LETS_GO + self.plan.knobs.idle_timeout + self.plan.knobs.slow_reader;
        loop {
            if !self.step()? {
                return Ok(());
            }
            let Some(held) = self.held() else { return Ok(()) };
            if now() > deadline {
                self.judge.lock().fail(Invariant::Bounded, held);
                return Ok(());
            }
        }
    }

    /// What nodes still hold for clients.
    fn held(&self) -> Option<String> {
        let brokers = self.hubs.iter().filter_map(|hub| hub.state.lock().broker.as_ref()?.upgrade());
        let topics: usize = brokers.map(|broker| broker.status().topics).sum();
        if topics > 0 {
            return Some(format!("nodes are subscribed to {topics} topics for nobody"));
        }
        let baseline = self.hubs.iter().map(|hub| hub.state.lock().tasks.0).max().unwrap_or(0);
        self.hubs.iter().find_map(|hub| {
            let (_, tasks) = hub.state.lock().tasks;
            (tasks > baseline).then(|| {
                format!("hub{} has {tasks} tasks for nobody, {baseline} at the beginning", hub.number)
            })
        })
    }
}

/// Reads what is new in all rooms.
fn look(judge: &mut Judge, store: &MemoryStore) {
    for (room_id, head) in end::now(store.heads(&(1..=64).map(protocol::RoomId).collect::<Vec<_>>())) {
        if judge.log.event(room_id, head).is_none() {
            judge.look(room_id);
        }
    }
}

/// Who is shown as online in a watched room and is not, or the other way round.
fn absent(judge: &Judge, store: &MemoryStore) -> Option<String> {
    let is_there = |user| judge.clients.iter().any(|client| client.user == user && client.page.is_online());
    for (index, client) in judge.clients.iter().enumerate().filter(|(_, client)| client.page.is_online()) {
        if let Some(room_id) = client.page.unanswered_watch() {
            return Some(format!("client{index} watches room {room_id} and was told nothing of it"));
        }
        for (room_id, online) in &client.page.online {
            let members = end::now(store.members(client.user, *room_id, None, 100));
            let Some(members) = members else { continue };
            let there = members.members.iter().map(|member| member.user_id).filter(|user| is_there(*user));
            let mut there: Vec<_> = there.collect();
            there.sort_unstable();
            if there != *online {
                return Some(format!(
                    "client{index} sees {online:?} online in room {room_id}, there are {there:?}"
                ));
            }
        }
    }
    None
}

/// How long after the last fault everything may take, in milliseconds: what each side waits for before
/// it gives something up, and the pauses between tries.
fn patience(plan: &Plan) -> u64 {
    let knobs = &plan.knobs;
    let connecting = knobs.heartbeat + knobs.pong_timeout + 2 * knobs.connect_timeout + knobs.backoff.1;
    60_000 + 3 * connecting + 3 * knobs.answer_timeout + 30 * knobs.store_latency
}

fn builder(plan: &Plan) -> turmoil::Builder {
    let knobs = &plan.knobs;
    let mut builder = turmoil::Builder::new();
    builder
        .rng_seed(plan.net_seed)
        .epoch(SystemTime::UNIX_EPOCH + entropy::EPOCH)
        .enable_random_order()
        .simulation_duration(Duration::from_secs(24 * 3600))
        .tick_duration(Duration::from_millis(knobs.tick))
        .min_message_latency(Duration::from_millis(knobs.latency.0))
        .max_message_latency(Duration::from_millis(knobs.latency.1))
        .tcp_capacity(knobs.tcp_capacity);
    builder
}

/// A store with the plan's users and rooms, and each user's login.
fn furnish(plan: &Plan) -> (Arc<MemoryStore>, Vec<LoginId>) {
    let store = Arc::new(MemoryStore::new(Epoch(1)));
    let mut logins = Vec::new();
    for user in 0..plan.topology.users {
        let name = format!("user{user}");
        let new = NewUser {
            username: name.clone(),
            display_name: name,
            password_hash: None,
            external_sub: None,
            at: Timestamp(1),
        };
        let made = end::now(store.create_user(new));
        debug_assert_eq!(made.id, user_id(user), "users are counted");
        let id = LoginId(Uuid::from_u64_pair(u64::MAX, u64::from(user)));
        let login = NewLogin {
            id,
            user_id: made.id,
            refresh_hash: [0; 32],
            at: Timestamp(1),
            expires_at: Timestamp(u64::MAX >> 12),
            user_agent: String::new(),
        };
        end::now(store.create_login(login));
        logins.push(id);
    }
    let mut count = 0;
    let mut append = |actor, op| {
        count += 1;
        let client_id = ClientId(Uuid::from_u64_pair(0, count));
        let outcomes = end::now(store.append(vec![Append { actor, client_id, at: Timestamp(1), op }]));
        debug_assert!(outcomes.iter().all(Result::is_ok), "rooms are furnished: {outcomes:?}");
    };
    for (number, room) in (0..).zip(&plan.topology.rooms) {
        let Some((owner, others)) = room.members.split_first() else { continue };
        let kind = if room.private { RoomKind::Private } else { RoomKind::Public };
        let name = format!("room {number}");
        append(user_id(*owner), Op::CreateRoom { name, kind, topic: String::new() });
        for other in others {
            let invite = RoomOp::Invite { username: format!("user{other}") };
            append(user_id(*owner), Op::InRoom { room_id: room_id(number), op: invite });
        }
    }
    (store, logins)
}
