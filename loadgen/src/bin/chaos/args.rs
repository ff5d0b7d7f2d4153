//! What a run is told, and the sizes that follow from it.

use clap::{Parser, ValueEnum};
use protocol::planted::Bug;
use std::path::PathBuf;
use std::time::Duration;

/// Talks through a cluster while its parts die, and judges what everyone saw.
#[derive(Clone, Debug, Parser)]
pub(crate) struct Args {
    /// The hub's program
    #[arg(long)]
    pub(crate) hub: PathBuf,
    /// The project's nginx.conf
    #[arg(long)]
    pub(crate) nginx_conf: PathBuf,
    /// The folder of the cluster, or with `--planted` of a folder for each run; what was in it is deleted
    #[arg(long)]
    pub(crate) dir: PathBuf,
    /// What is done to the cluster
    #[arg(long, value_enum, default_value = "mixed")]
    pub(crate) schedule: Schedule,
    /// Fewer clients, and some ten seconds of faults
    #[arg(long)]
    pub(crate) short: bool,
    /// Draws the schedule and the talk
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Runs once for each bug that can be planted, or for the one that is named, and without any:
    /// succeeds only if each is found and nothing else is. The hub must be built with the feature
    /// `planted-bugs`
    #[arg(long, value_name = "BUG", num_args = 0..=1, default_missing_value = "all")]
    #[arg(conflicts_with_all = ["schedule", "short"])]
    pub(crate) planted: Option<String>,
    /// The bug that the hubs of this run have.
    #[arg(skip)]
    pub(crate) bug: Option<Bug>,
}

/// What is done to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Schedule {
    /// Everything, in an order that the seed draws
    Mixed,
    /// Hubs restart in order, one after another, under load
    Rolling,
    /// Hubs are halted for longer than clients wait for an answer, so that they get sends twice
    Retries,
    /// Redis refuses publications, and nothing is said afterwards
    Silence,
    /// Subscriptions are killed in bursts, and nothing is said for a while after each
    Subscribers,
}

impl Schedule {
    /// As it is given on the command line.
    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value().expect("no schedule is hidden");
        value.get_name().to_owned()
    }
}

/// How large a run is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) nodes: usize,
    pub(crate) clients: usize,
    /// At most as many as clients: each is made by one of them.
    pub(crate) rooms: usize,
    /// Rooms of each client.
    pub(crate) rooms_each: usize,
    /// Messages a second, all clients together.
    pub(crate) rate: u32,
    /// How long there are faults.
    pub(crate) lasts: Duration,
    /// How long everyone may take to have everything once all is healed.
    pub(crate) settles_within: Duration,
    /// How long presence may take to be right after that: the leases of a dead node, and some.
    pub(crate) presence_within: Duration,
    /// Clients that leave while a hub dies, so that it cannot tell.
    pub(crate) leavers: usize,
    /// How long a leaving hub gives its connections.
    pub(crate) drain_grace: &'static str,
    /// Whether someone talks by requests too.
    pub(crate) posts: bool,
    /// The talk lasts at least that long.
    pub(crate) talks_for: Duration,
}

impl Args {
    pub(crate) fn size(&self) -> Size {
        let full = Size {
            nodes: 3,
            clients: 200,
            rooms: 20,
            rooms_each: 2,
            rate: 60,
            lasts: Duration::from_secs(100),
            settles_within: Duration::from_secs(60),
            presence_within: Duration::from_secs(60),
            leavers: 20,
            drain_grace: "4s",
            posts: true,
            talks_for: Duration::from_secs(60),
        };
        let short = Size {
            clients: 60,
            rooms: 8,
            rate: 40,
            lasts: Duration::from_secs(12),
            settles_within: Duration::from_secs(40),
            leavers: 6,
            drain_grace: "2s",
            talks_for: Duration::ZERO,
            ..full
        };
        let quiet = Size { leavers: 0, posts: false, settles_within: Duration::from_secs(15), ..short };
        let rolling = Size { leavers: 0, drain_grace: "8s", talks_for: Duration::ZERO, ..full };
        match self.schedule {
            Schedule::Mixed if self.short => short,
            Schedule::Mixed => full,
            Schedule::Rolling if self.short => Size { clients: 60, rooms: 8, rate: 40, ..rolling },
            Schedule::Rolling => rolling,
            Schedule::Retries | Schedule::Silence => quiet,
            // So many rooms that nothing else is said in one where a message was missed.
            Schedule::Subscribers => Size { rooms: 60, rooms_each: 6, rate: 300, ..quiet },
        }
    }
}
