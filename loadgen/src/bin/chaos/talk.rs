//! The talk: so many messages a second, by whoever, in each room in turn, while it is switched on.

use crate::crowd::Crowd;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// Talks until told to stop, while `talks` says so.
pub(crate) async fn run(
    crowd: Arc<Crowd>,
    rate: u32,
    seed: u64,
    mut talks: watch::Receiver<bool>,
    stop: CancellationToken,
) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut tick = tokio::time::interval(Duration::from_secs(1) / rate.max(1));
    // What could not be said in time is not said later, all at once.
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for room in 0.. {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            Ok(_) = talks.wait_for(|talks| *talks) => {}
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        if *talks.borrow() {
            crowd.say(room, &mut rng).await;
        }
    }
}
