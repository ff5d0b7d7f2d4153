//! The machines on which clients run: each client is the one of the browser, over the simulated network,
//! with what it kept.

use super::ear::Ear;
use super::judge::{Client, Shared};
use super::net::Net;
use crate::entropy;
use crate::marks::{Mark, sometimes};
use crate::plan::{Host, Knobs, Plan};
use crate::rng::Rng;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hub::store::LoginId;
use jsonwebtoken::{EncodingKey, Header, encode};
use loadgen::driver::{self, Options, Tokens};
use parking_lot::Mutex;
use protocol::UserId;
use protocol::client::{Config, Token, TokenError};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

/// What signs tokens.
pub(super) const SECRET: &[u8] = b"a secret that is only used in simulations";
/// Nodes are up before clients come.
const CLIENTS_START: Duration = Duration::from_millis(100);

/// What the clients of a run share.
#[derive(Clone, Debug)]
pub(super) struct Site {
    /// The plan.
    pub(super) plan: Arc<Plan>,
    /// The judge.
    pub(super) judge: Shared,
    /// The network.
    pub(super) net: Net,
    jobs: Arc<Mutex<BTreeMap<u32, mpsc::Sender<Job>>>>,
}

/// Something to do on a machine.
type Job = BoxFuture<'static, ()>;
/// Most of it that waits; what comes then is not done.
const JOBS_MAX: usize = 64;

impl Site {
    /// Where a plan's clients run.
    #[must_use]
    pub(super) fn new(plan: Arc<Plan>, judge: Shared, net: Net) -> Self {
        Self { plan, judge, net, jobs: Arc::default() }
    }

    /// Does something on a machine, if it is up.
    pub(super) fn run_on(&self, host: u32, job: Job) {
        if let Some(jobs) = self.jobs.lock().get(&host) {
            jobs.try_send(job).ok();
        }
    }
}

/// Runs one machine's clients until it dies.
///
/// # Errors
/// Never; the network asks for one.
pub(super) async fn run(site: Site, host: u32) -> turmoil::Result {
    let tasks = TaskTracker::new();
    tokio::time::sleep(CLIENTS_START).await;
    for (index, device) in site.plan.topology.clients.iter().enumerate() {
        if device.host == host {
            tasks.spawn(live(site.clone(), u32::try_from(index).unwrap_or(u32::MAX)));
        }
    }
    let (sender, mut jobs) = mpsc::channel(JOBS_MAX);
    site.jobs.lock().insert(host, sender);
    while let Some(job) = jobs.recv().await {
        tasks.spawn(job);
    }
    Ok(())
}

/// A client, opened as often as it is to be.
async fn live(site: Site, index: u32) {
    loop {
        let (options, life) = {
            let mut judge = site.judge.lock();
            let client = judge.client(index);
            if client.ended || client.quits {
                return;
            }
            let restored = judge.open(index);
            let client = judge.client(index);
            (options(&site, index, client, restored), client.life)
        };
        let ear = Ear { judge: Arc::clone(&site.judge), index, life };
        let (handle, run) = driver::client(options, ear);
        site.judge.lock().client(index).handle = Some(handle);
        run.await;
        let mut judge = site.judge.lock();
        judge.client(index).handle = None;
        if !judge.client(index).reopens {
            return;
        }
    }
}

fn options(site: &Site, index: u32, client: &Client, restored: protocol::client::Persisted) -> Options {
    let Client { user, login, life, version, .. } = *client;
    let mut seed = [0; 32];
    Rng::new(site.plan.seed ^ u64::from(index) << 32 ^ life, "client").fill(&mut seed);
    let life = site.plan.knobs.token_life;
    Options {
        dial: Arc::new(site.net.of(version)),
        addresses: (0..site.plan.topology.hubs).map(|hub| Host::Hub(hub).to_string()).collect(),
        config: config(&site.plan.knobs),
        tokens: Arc::new(Mint { judge: Arc::clone(&site.judge), index, user, login, life }),
        seed,
        restored,
    }
}

fn config(knobs: &Knobs) -> Config {
    let millis = Duration::from_millis;
    Config {
        backoff_base: millis(knobs.backoff.0),
        backoff_cap: millis(knobs.backoff.1),
        stable_after: millis(knobs.backoff.1),
        connect_timeout: millis(knobs.connect_timeout),
        pong_timeout: millis(knobs.pong_timeout),
        in_flight_per_room: knobs.in_flight_per_room,
        outbox_messages_max: knobs.outbox_messages,
        answer_timeout: millis(knobs.answer_timeout),
        operation_timeout: millis(20_000),
        persist_interval: millis(knobs.persist_interval),
        ..Config::new("sim", "1")
    }
}

struct Mint {
    judge: Shared,
    index: u32,
    user: UserId,
    login: LoginId,
    life: u64,
}

impl Tokens for Mint {
    fn next(&self) -> BoxFuture<'static, Result<Token, TokenError>> {
        let (is_over, renews) = {
            let mut judge = self.judge.lock();
            let client = judge.client(self.index);
            (client.revoked_at.is_some(), client.page.is_online())
        };
        if is_over {
            return std::future::ready(Err(TokenError::Ended)).boxed();
        }
        if renews {
            sometimes(Mark::TokenRenewed);
        }
        let access_token = token(self.user, self.login, self.life);
        let token = Token { access_token, expires_in: Some(Duration::from_secs(self.life)) };
        std::future::ready(Ok(token)).boxed()
    }
}

/// A token of a user's login that lives so many seconds.
#[must_use]
pub(super) fn token(user: UserId, login: LoginId, life: u64) -> String {
    signed(user, login, life.cast_signed(), SECRET)
}

/// A token by this secret that lives so many seconds, or ended so many seconds ago.
pub(super) fn signed(user: UserId, login: LoginId, life: i64, secret: &[u8]) -> String {
    let now = (entropy::EPOCH + entropy::elapsed()).as_secs();
    let claims = json!({
        "sub": user.to_string(), "name": user.to_string(), "jti": login.0.to_string(), "sid": login.0.to_string(),
        "iat": now, "exp": now.saturating_add_signed(life),
    });
    encode(&Header::default(), &claims, &EncodingKey::from_secret(secret)).expect("the claims are JSON")
}
