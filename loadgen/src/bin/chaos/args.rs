//! What a run is told, and the sizes that follow from it.

use clap::{Parser, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Talks through a cluster while its parts die, and judges what everyone saw.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// The hub's program
    #[arg(long)]
    pub(crate) hub: PathBuf,
    /// The project's nginx.conf
    #[arg(long)]
    pub(crate) nginx_conf: PathBuf,
    /// The folder of the cluster; what was in it is deleted
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
    /// A bug that the hubs have; they must be built with the feature for it
    #[arg(long)]
    pub(crate) planted: Option<String>,
}

/// What is done to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Schedule {
    /// Everything, in an order that the seed draws
    Mixed,
    /// Hubs restart in order, one after another, under load
    Rolling,
    /// Connections are cut right after sends, so that acknowledgements get lost
    Cuts,
    /// Redis refuses publications, and nothing is said afterwards
    Silence,
    /// Subscriptions are killed in bursts, and nothing is said for a while after each
    Subscribers,
}

/// How large a run is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) nodes: usize,
    pub(crate) clients: usize,
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
}

impl Args {
    pub(crate) fn size(&self) -> Size {
        let full = Size {
            nodes: 3,
            clients: 200,
            rooms: 20,
            rooms_each: 2,
            rate: 60,
            lasts: Duration::from_secs(75),
            settles_within: Duration::from_secs(60),
            presence_within: Duration::from_secs(60),
            leavers: 20,
            drain_grace: "4s",
        };
        let short = Size {
            clients: 60,
            rooms: 8,
            rate: 40,
            lasts: Duration::from_secs(12),
            settles_within: Duration::from_secs(40),
            leavers: 6,
            drain_grace: "2s",
            ..full
        };
        match self.schedule {
            Schedule::Mixed if self.short => short,
            Schedule::Mixed => full,
            Schedule::Rolling => {
                Size { leavers: 0, drain_grace: "8s", lasts: Duration::from_secs(45), ..full }
            }
            Schedule::Cuts | Schedule::Silence => {
                Size { leavers: 0, settles_within: Duration::from_secs(25), ..short }
            }
            Schedule::Subscribers => Size { leavers: 0, lasts: Duration::from_secs(50), ..short },
        }
    }
}
