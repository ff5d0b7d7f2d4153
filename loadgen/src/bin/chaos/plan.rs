//! What is done to the cluster, and when: drawn from a seed before the run, as data.

use crate::args::{Schedule, Size};
use crate::{crowd, judge};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use std::fmt;
use std::time::Duration;

/// Something that is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// `kill -9` of a hub, and a new one after a while.
    HubKill { hub: usize, down: Duration },
    /// A hub is halted, and goes on.
    HubHalt { hub: usize, halted: Duration },
    /// A hub leaves in order (SIGTERM) and comes back.
    HubDrain { hub: usize },
    /// Redis is killed, and a new, empty one comes.
    RedisRestart { down: Duration },
    /// `CLIENT KILL TYPE pubsub`.
    RedisKillSubscribers,
    /// `CLIENT KILL TYPE normal`: those that publish.
    RedisKillPublishers,
    /// The output limit of subscribers is made tiny, and filled.
    RedisTinyOutput { lasts: Duration },
    /// Redis refuses publications.
    RedisRefusePublish { lasts: Duration },
    /// `pg_ctl stop -m immediate`, and a start.
    PostgresImmediate { down: Duration },
    /// `pg_terminate_backend` of every hub's connections.
    PostgresTerminate,
    /// Nginx reads its settings again.
    NginxReload,
    /// Connections of so many clients are cut without a goodbye.
    ClientsCut { clients: usize },
    /// Clients leave.
    Leave,
    /// Clients leave, and in the same moment the hub that most of them are at is killed, so that it
    /// cannot tell.
    LeaveAndKill { down: Duration },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secs = |time: &Duration| time.as_secs_f64();
        match self {
            Self::HubKill { hub, down } => write!(f, "hub-{hub} kill -9, down {:.1} s", secs(down)),
            Self::HubHalt { hub, halted } => write!(f, "hub-{hub} halted {:.1} s", secs(halted)),
            Self::HubDrain { hub } => write!(f, "hub-{hub} drained, restarted"),
            Self::RedisRestart { down } => write!(f, "redis kill -9, down {:.1} s", secs(down)),
            Self::RedisKillSubscribers => f.write_str("redis subscribers killed"),
            Self::RedisKillPublishers => f.write_str("redis publishers killed"),
            Self::RedisTinyOutput { lasts } => write!(f, "redis output tiny {:.1} s", secs(lasts)),
            Self::RedisRefusePublish { lasts } => write!(f, "redis refuses {:.1} s", secs(lasts)),
            Self::PostgresImmediate { down } => write!(f, "postgres immediate, down {:.1} s", secs(down)),
            Self::PostgresTerminate => f.write_str("postgres backends killed"),
            Self::NginxReload => f.write_str("nginx reloaded"),
            Self::ClientsCut { clients } => write!(f, "{clients} clients cut"),
            Self::Leave => f.write_str("clients leave"),
            Self::LeaveAndKill { down } => {
                write!(f, "clients leave, hub kill -9, down {:.1} s", secs(down))
            }
        }
    }
}

/// A fault, what comes before it, and what comes after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// How long everyone talks before it.
    pub(crate) talk: Duration,
    pub(crate) fault: Fault,
    /// How long nobody says anything after it: what got lost last shows only then.
    pub(crate) silence: Duration,
}

/// Draws a run's steps.
pub(crate) fn draw(schedule: Schedule, size: Size, seed: u64) -> Vec<Step> {
    let mut rng = StdRng::seed_from_u64(seed);
    match schedule {
        Schedule::Mixed => mixed(size, &mut rng),
        Schedule::Rolling => (1..=size.nodes)
            .map(|hub| step(Duration::from_secs(1), Fault::HubDrain { hub }, Duration::ZERO))
            .collect(),
        Schedule::Retries => (1..=size.nodes)
            .map(|hub| {
                let halted = crowd::ANSWER_TIMEOUT + millis(&mut rng, 1_000..2_000);
                step(Duration::from_secs(1), Fault::HubHalt { hub, halted }, Duration::ZERO)
            })
            .collect(),
        // The last of them is followed by nothing at all.
        Schedule::Silence => (0..2).map(|_| silence(&mut rng)).collect(),
        // Longer than a message may take; what a sweep brings sooner by chance is missed at another time.
        Schedule::Subscribers => (0..8)
            .map(|_| {
                let talk = millis(&mut rng, 800..1_500);
                step(talk, Fault::RedisKillSubscribers, judge::LATE + Duration::from_secs(1))
            })
            .collect(),
    }
}

const fn step(talk: Duration, fault: Fault, silence: Duration) -> Step {
    Step { talk, fault, silence }
}

/// Long enough for a node to give its publications up.
fn silence(rng: &mut StdRng) -> Step {
    let lasts = Duration::from_millis(rng.random_range(1_500..2_500));
    step(Duration::from_millis(700), Fault::RedisRefusePublish { lasts }, Duration::ZERO)
}

/// Every kind once, further ones until the time is full, a death in which clients leave, and a loss
/// that nothing follows.
fn mixed(size: Size, rng: &mut StdRng) -> Vec<Step> {
    let short = size.lasts < Duration::from_secs(30);
    let mut faults = all(size, short, rng);
    faults.shuffle(rng);
    let slot = Duration::from_secs(if short { 1 } else { 5 });
    let wanted = usize::try_from(size.lasts.as_secs() / slot.as_secs()).unwrap_or(1);
    while !short && faults.len() < wanted.saturating_sub(2) {
        let mut more = all(size, short, rng);
        more.shuffle(rng);
        faults.extend(more);
        faults.truncate(wanted.saturating_sub(2));
    }
    let down = Duration::from_millis(rng.random_range(500..1_500));
    // A dead node's lease takes half a minute to end.
    faults.push(if short { Fault::Leave } else { Fault::LeaveAndKill { down } });
    let talk = |rng: &mut StdRng| if short { millis(rng, 200..500) } else { millis(rng, 1_500..3_500) };
    let mut steps: Vec<Step> =
        faults.into_iter().map(|fault| step(talk(rng), fault, Duration::ZERO)).collect();
    steps.push(silence(rng));
    steps
}

/// One of each kind.
fn all(size: Size, short: bool, rng: &mut StdRng) -> Vec<Fault> {
    let hubs = size.nodes;
    let factor = if short { 1 } else { 3 };
    let lasts = |rng: &mut StdRng| millis(rng, 300..900) * factor;
    let hub = |rng: &mut StdRng| rng.random_range(1..=hubs);
    vec![
        Fault::HubKill { hub: hub(rng), down: lasts(rng) },
        Fault::HubHalt { hub: hub(rng), halted: lasts(rng) * 2 },
        Fault::HubDrain { hub: hub(rng) },
        Fault::RedisRestart { down: lasts(rng) },
        Fault::RedisKillSubscribers,
        Fault::RedisKillPublishers,
        Fault::RedisTinyOutput { lasts: lasts(rng) },
        Fault::PostgresImmediate { down: lasts(rng) },
        Fault::PostgresTerminate,
        Fault::NginxReload,
        Fault::ClientsCut { clients: size.clients / 5 },
    ]
}

fn millis(rng: &mut StdRng, range: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(rng.random_range(range))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Args;
    use clap::Parser;
    use std::collections::BTreeSet;
    use std::mem::discriminant;

    fn plan(seed: u64, more: &[&str]) -> Vec<Step> {
        let args = ["chaos", "--hub", "h", "--nginx-conf", "n", "--dir", "d"];
        let args = Args::parse_from(args.iter().chain(more));
        draw(args.schedule, args.size(), seed)
    }

    #[test]
    fn one_seed_gives_one_plan_and_another_one_another() {
        assert_eq!(plan(1, &[]), plan(1, &[]));
        assert_ne!(plan(1, &[]), plan(2, &[]));
    }

    #[test]
    fn every_kind_of_fault_is_in_every_mixed_plan_and_a_loss_is_last() {
        for seed in 0..50 {
            for more in [&[][..], &["--short"]] {
                let steps = plan(seed, more);
                let kinds: BTreeSet<String> =
                    steps.iter().map(|step| format!("{:?}", discriminant(&step.fault))).collect();
                assert_eq!(kinds.len(), 13, "{steps:?}");
                assert!(matches!(steps.last().unwrap().fault, Fault::RedisRefusePublish { .. }));
            }
        }
    }
}
