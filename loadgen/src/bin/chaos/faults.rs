//! Does to the cluster what the plan says, and heals it.

use crate::crowd::Crowd;
use crate::member::at;
use crate::plan::{Fault, Step};
use anyhow::{Context, Result, ensure};
use cluster::{Cluster, Component};
use loadgen::history::FaultSpan;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// The output limit of subscribers that Redis comes with.
const USUAL_LIMIT: &str = "pubsub 33554432 8388608 60";
/// The smallest there is: whatever does not fit the socket at once ends the connection.
const TINY_LIMIT: &str = "pubsub 1 1 1";
/// More than the socket's own buffer of a connection takes, in bytes.
const NOISE_BYTES: usize = 64 * 1024;
/// How long the talk goes on from the beginning of a fault that silence follows: until it has happened,
/// and less than a round of all rooms takes, so that nothing tells of what was missed in one.
const HUSH_AFTER: Duration = Duration::from_millis(150);
/// How long a fault counts that is over at once: what it broke heals meanwhile.
const AFTER_SHOCK: Duration = Duration::from_millis(500);
/// How often noise is made while the limit is tiny.
const NOISE_PAUSE: Duration = Duration::from_millis(250);
/// How long there may be nobody to hit: those who were hit before may still be away.
const HITS_WITHIN: Duration = Duration::from_secs(10);
/// The pause before the next try.
const HIT_PAUSE: Duration = Duration::from_millis(50);

/// A cluster under the hand of a plan.
pub(crate) struct Surgeon {
    cluster: Arc<Cluster>,
    crowd: Arc<Crowd>,
    talks: watch::Sender<bool>,
    began: Instant,
    rng: StdRng,
    dead: Vec<Component>,
}

impl Surgeon {
    pub(crate) fn new(
        cluster: Arc<Cluster>,
        crowd: Arc<Crowd>,
        talks: watch::Sender<bool>,
        (seed, began): (u64, Instant),
    ) -> Self {
        Self { cluster, crowd, talks, began, rng: StdRng::seed_from_u64(seed), dead: Vec::new() }
    }

    /// Carries a plan out, up to the first fault that cannot be done or undone: what came of it, and why it
    /// went no further. Nobody talks afterwards. `told` hears of each fault when it is over.
    pub(crate) async fn run(
        &mut self,
        plan: &[Step],
        told: impl Fn(&FaultSpan),
    ) -> (Vec<FaultSpan>, Result<()>) {
        let (mut spans, mut result) = (Vec::new(), Ok(()));
        for step in plan {
            self.talks.send_replace(true);
            sleep(step.talk).await;
            let from = at(self.began);
            result = self.carry_out(step).await.with_context(|| format!("failed at: {}", step.fault));
            let span = FaultSpan { name: step.fault.to_string(), from, until: at(self.began) };
            told(&span);
            spans.push(span);
            if result.is_err() {
                break;
            }
            if !step.silence.is_zero() {
                self.talks.send_replace(false);
                sleep(step.silence).await;
            }
        }
        self.talks.send_replace(false);
        (spans, result)
    }

    /// Everyone talks for a while, and nothing is done.
    pub(crate) async fn leave_alone(&self, lasts: Duration) {
        self.talks.send_replace(true);
        sleep(lasts).await;
        self.talks.send_replace(false);
    }

    async fn carry_out(&mut self, step: &Step) -> Result<()> {
        self.revive().await?;
        if step.silence.is_zero() {
            self.inflict(step.fault).await
        } else {
            self.inflict_and_hush(step.fault).await
        }
    }

    /// Has all run that ended by itself, and remembers it: the next fault on it would hide that.
    async fn revive(&mut self) -> Result<()> {
        let dead = self.act(|cluster| {
            let dead = cluster.components().filter(|component| cluster.pid(*component).is_none());
            Ok(dead.collect::<Vec<_>>())
        });
        for component in dead.await? {
            self.dead.push(component);
            self.act(move |cluster| cluster.start(component)).await?;
        }
        Ok(())
    }

    /// All that ended by itself until now, and why not everything runs afterwards, if it does not.
    pub(crate) async fn dead(mut self) -> (Vec<Component>, Result<()>) {
        let result = self.revive().await;
        (self.dead, result)
    }

    /// Does it, and nobody says anything from the next moment on.
    async fn inflict_and_hush(&mut self, fault: Fault) -> Result<()> {
        let talks = self.talks.clone();
        let hush = async {
            sleep(HUSH_AFTER).await;
            talks.send_replace(false);
            Ok(())
        };
        tokio::try_join!(self.inflict(fault), hush).map(drop)
    }

    /// Does it and undoes it; returns once everything answers again.
    async fn inflict(&mut self, fault: Fault) -> Result<()> {
        match fault {
            Fault::HubKill { hub, down } => self.kill(Component::Hub(hub), down).await,
            Fault::HubHalt { hub, halted } => {
                self.act(move |cluster| cluster.halt(Component::Hub(hub))).await?;
                sleep(halted).await;
                self.act(move |cluster| cluster.proceed(Component::Hub(hub))).await
            }
            Fault::HubDrain { hub } => self.drain(Component::Hub(hub)).await,
            Fault::RedisRestart { down } => self.kill(Component::Redis, down).await,
            Fault::RedisKillSubscribers => {
                self.hit(|cluster| cluster.redis(&["client", "kill", "type", "pubsub"])).await?;
                after_shock().await
            }
            Fault::RedisKillPublishers => {
                self.hit(|cluster| cluster.redis(&["client", "kill", "type", "normal"])).await?;
                after_shock().await
            }
            Fault::RedisTinyOutput { lasts } => self.tiny_output(lasts).await,
            Fault::RedisRefusePublish { lasts } => self.refuse_publish(lasts).await,
            Fault::PostgresImmediate { down } => self.kill(Component::Postgres, down).await,
            Fault::PostgresTerminate => {
                let sql = "select count(*) filter (where pg_terminate_backend(pid)) from pg_stat_activity \
                           where backend_type = 'client backend' and pid <> pg_backend_pid()";
                self.hit(move |cluster| cluster.sql(sql)).await?;
                after_shock().await
            }
            Fault::NginxReload => {
                self.act(Cluster::reload_nginx).await?;
                after_shock().await
            }
            Fault::ClientsCut { clients } => {
                self.crowd.cut(clients, &mut self.rng).await;
                after_shock().await
            }
            Fault::Leave => {
                self.crowd.leave().await;
                after_shock().await
            }
            Fault::LeaveAndKill { down } => {
                let hub = self.crowd.node_of_leavers().and_then(|node| node.parse().ok());
                let hub = hub.unwrap_or(Component::Hub(1));
                self.act(move |cluster| cluster.kill(hub)).await?;
                self.crowd.leave().await;
                sleep(down).await;
                self.act(move |cluster| cluster.start(hub)).await
            }
        }
    }

    async fn kill(&self, component: Component, down: Duration) -> Result<()> {
        self.act(move |cluster| cluster.kill(component)).await?;
        sleep(down).await;
        self.act(move |cluster| cluster.start(component)).await
    }

    /// In order, and it must be in order: one that has to be killed did not leave in time.
    async fn drain(&self, component: Component) -> Result<()> {
        self.act(move |cluster| {
            cluster.terminate(component)?;
            ensure!(
                cluster.wait_until_ended(component, Duration::from_secs(30)),
                "{component} does not leave"
            );
            cluster.start(component)
        })
        .await
    }

    /// Subscriptions are ended by what they do not take at once: for a while, and until one is.
    async fn tiny_output(&self, lasts: Duration) -> Result<()> {
        self.redis(&["config", "set", "client-output-buffer-limit", TINY_LIMIT]).await?;
        let (until, noise) = (Instant::now() + lasts, "x".repeat(NOISE_BYTES));
        let (mut seen, mut has_hit) = (self.subscriptions().await?, false);
        for room in self.crowd.rooms.iter().cycle() {
            if Instant::now() > until && has_hit {
                break;
            }
            ensure!(Instant::now() < until + HITS_WITHIN, "redis ended no subscription for its output");
            self.redis(&["publish", &format!("room:{room}"), &noise]).await?;
            sleep(NOISE_PAUSE).await;
            let left = self.subscriptions().await?;
            has_hit |= !seen.is_subset(&left);
            seen.extend(left);
        }
        self.redis(&["config", "set", "client-output-buffer-limit", USUAL_LIMIT]).await.map(drop)
    }

    /// The numbers of the connections that are subscribed.
    async fn subscriptions(&self) -> Result<BTreeSet<String>> {
        let list = self.redis(&["client", "list", "type", "pubsub"]).await?;
        Ok(list.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
    }

    /// Publications are refused for a while; at least one must be.
    async fn refuse_publish(&self, lasts: Duration) -> Result<()> {
        self.redis(&["acl", "log", "reset"]).await?;
        self.redis(&["acl", "setuser", "default", "-publish"]).await?;
        sleep(lasts).await;
        // Nothing is said while it gets better: what was refused last stays lost.
        self.talks.send_replace(false);
        sleep(Duration::from_secs(1)).await;
        self.redis(&["acl", "setuser", "default", "+@all"]).await?;
        let refused = self.redis(&["acl", "log"]).await?;
        ensure!(refused.lines().any(|line| line == "publish"), "redis refused no publication");
        Ok(())
    }

    async fn redis(&self, args: &[&str]) -> Result<String> {
        let args: Vec<String> = args.iter().map(ToString::to_string).collect();
        self.act(move |cluster| {
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            cluster.redis(&args)
        })
        .await
    }

    /// Does what says how many it hit, until it hit someone.
    async fn hit(&self, act: impl Fn(&Cluster) -> Result<String> + Copy + Send + 'static) -> Result<()> {
        let until = Instant::now() + HITS_WITHIN;
        loop {
            let hit = self.act(act).await?;
            if hit.parse::<u64>().with_context(|| format!("{hit:?} is no count"))? > 0 {
                return Ok(());
            }
            ensure!(Instant::now() < until, "hit nobody within {HITS_WITHIN:?}");
            sleep(HIT_PAUSE).await;
        }
    }

    /// Does something with the cluster, which blocks.
    async fn act<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Cluster) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let cluster = Arc::clone(&self.cluster);
        tokio::task::spawn_blocking(move || act(&cluster)).await?
    }
}

async fn after_shock() -> Result<()> {
    sleep(AFTER_SHOCK).await;
    Ok(())
}
