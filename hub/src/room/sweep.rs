//! Anti-entropy: compares heads and versions with the store, at once on `Resync` and now and then
//! without a reason, for a node may die between its commit and its publication. Also gives back
//! what nobody uses any more.

use super::{Rooms, now};
use crate::limits::bounds::{
    LINGER, SWEEP_PAUSE, SWEEP_PAUSE_DEGRADED, SWEEP_QUERY_DEADLINE, SWEEP_QUERY_MAX, TIDY_INTERVAL,
};
use crate::store::StoreError;
use protocol::planted::{self, Bug};
use std::sync::Arc;
use std::time::Duration;

impl Rooms {
    /// Runs the sweep and the tidying until the node stops. `random` draws from `0.0..1.0`.
    pub async fn run(self: Arc<Self>, mut random: impl FnMut() -> f64 + Send) {
        let mut tidy = tokio::time::interval(TIDY_INTERVAL);
        let mut swept_at = tokio::time::Instant::now();
        let mut part = random().clamp(0.0, 1.0);
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = self.resync.notified() => {}
                // The tidying looks again, so the pause shrinks as soon as the broker is degraded.
                () = tokio::time::sleep_until(since(swept_at) + self.sweep_pause(part)),
                    if !planted::has(Bug::NoSweep) => {}
                _ = tidy.tick() => {
                    self.tidy().await;
                    continue;
                }
            }
            self.metrics.sweeps.inc();
            if let Err(error) = self.sweep().await {
                self.metrics.sweeps_failed.inc();
                tracing::warn!(%error, "failed to compare heads with the store");
            }
            swept_at = tokio::time::Instant::now();
            part = random().clamp(0.0, 1.0);
        }
    }

    /// Keeps presence true until the node stops.
    pub async fn run_presence(self: Arc<Self>, random: impl FnMut() -> f64 + Send) {
        self.attendance.run(random, self.stop.clone()).await;
    }

    /// How long to wait after a sweep; `part` of the way from the least to the most.
    fn sweep_pause(&self, part: f64) -> Duration {
        let is_degraded = self.broker.status().degraded_for.is_some();
        let (least, most) = if is_degraded { SWEEP_PAUSE_DEGRADED } else { SWEEP_PAUSE };
        least + (most - least).mul_f64(part)
    }

    /// Compares the heads of all active rooms and the versions of all connected users.
    pub(super) async fn sweep(self: &Arc<Self>) -> Result<(), StoreError> {
        let rooms: Vec<_> = self.active.read().keys().copied().collect();
        for rooms in rooms.chunks(SWEEP_QUERY_MAX) {
            let heads = within_deadline(self.store.heads(rooms)).await?;
            for (room_id, head) in heads {
                let room = self.active.read().get(&room_id).cloned();
                if let Some(room) = room
                    && room.handle_head(head, now())
                {
                    self.metrics.sweep_gaps.inc();
                    self.repair(room);
                }
            }
        }
        for users in self.users.ids().chunks(SWEEP_QUERY_MAX) {
            let versions = within_deadline(self.store.user_versions(users)).await?;
            self.users.handle_versions(&versions);
        }
        Ok(())
    }

    /// Lets go of rooms and topics that nobody has used for a moment.
    pub(super) async fn tidy(&self) {
        let then = now().checked_sub(LINGER);
        {
            let mut active = self.active.write();
            active.retain(|_, room| !then.is_some_and(|then| room.is_idle_since(then)));
            for room in active.values() {
                room.trim_if_over_budget();
            }
        }
        self.topics.sweep(now()).await;
    }
}

fn since(swept_at: tokio::time::Instant) -> tokio::time::Instant {
    if planted::has(Bug::TimerRearmed) { tokio::time::Instant::now() } else { swept_at }
}

async fn within_deadline<T>(answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::timeout(SWEEP_QUERY_DEADLINE, answer)
        .await
        .unwrap_or_else(|_| Err(StoreError::Unavailable("query took too long".into())))
}
