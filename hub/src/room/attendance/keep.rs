//! What goes on by itself: writing this node's lease, reading those of the others, and waking the
//! watchers.

use super::super::now;
use super::super::publication::PresencePublication;
use super::{Attendance, State};
use crate::limits::bounds::{PRESENCE_DEADLINE, PRESENCE_PAUSE, PRESENCE_RESYNC_PAUSE, PRESENCE_RETRY_PAUSE};
use crate::presence::table::Changes;
use crate::presence::{Incarnation, PresenceError};
use protocol::UserId;
use std::time::Instant;
use tokio::time::{sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// How the lease stands as far as this node knows.
struct Lease {
    /// Nothing went wrong since it was written as a whole.
    is_whole: bool,
    renew_at: Instant,
}

/// A read of leases under way: it ends with this, however that comes.
struct Reading<'a> {
    attendance: &'a Attendance,
    read: u64,
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.attendance.state.lock().table.abort_read(self.read);
    }
}

impl Attendance {
    /// Keeps all true until `stop`. `random` draws from `0.0..1.0`.
    pub(in super::super) async fn run(&self, random: impl FnMut() -> f64 + Send, stop: CancellationToken) {
        let keep = async {
            tokio::join!(self.keep_lease(), self.keep_views(), self.sweep(random));
        };
        stop.run_until_cancelled(keep).await;
    }

    /// The node is leaving: its users are gone, or elsewhere by now.
    pub async fn leave(&self) {
        let went = self.state.lock().own.all();
        self.publish(&Changes { came: Vec::new(), went });
        if let Err(error) = within_deadline(self.presence.release()).await {
            tracing::debug!(%error, "failed to end the lease; it ends by itself");
        }
    }

    async fn keep_lease(&self) {
        let mut lease = Lease { is_whole: true, renew_at: now() + self.times.renew };
        loop {
            let due = self.state.lock().own.poll_timeout();
            let next = due.map_or(lease.renew_at, |due| due.min(lease.renew_at));
            tokio::select! {
                biased;
                () = self.lease_news.notified() => {}
                () = sleep_until(next.into()) => {}
            }
            self.write_lease(&mut lease).await;
            sleep(if lease.is_whole { PRESENCE_PAUSE } else { PRESENCE_RETRY_PAUSE }).await;
            if !lease.is_whole {
                self.lease_news.notify_one();
            }
        }
    }

    async fn write_lease(&self, lease: &mut Lease) {
        let at = now();
        let (changes, users) = {
            let mut state = self.state.lock();
            let State { own, table, .. } = &mut *state;
            let changes = own.poll_changes(at);
            table.handle_changes(self.presence.incarnation(), &changes);
            (changes, if lease.is_whole { None } else { Some(own.all()) })
        };
        if !changes.is_empty() {
            self.view_news.notify_one();
        }
        let is_rewrite = users.is_some();
        let is_due = lease.renew_at <= at;
        let held = self.state.lock().own.len();
        let written = within_deadline(async {
            if let Some(users) = users {
                return self.presence.rewrite(&users).await.map(|()| true);
            }
            if !changes.is_empty() {
                self.presence.change(&changes.came, &changes.went).await?;
            }
            if is_due { self.presence.renew(held).await } else { Ok(true) }
        })
        .await;
        if is_due || is_rewrite {
            lease.renew_at = at + self.times.renew;
        }
        match written {
            Ok(is_whole) => {
                // After the write: who hears of it and reads the lease finds it there.
                self.publish(&changes);
                lease.is_whole = is_whole;
                if is_rewrite {
                    self.tell(&PresencePublication::PresenceRewritten { node: self.presence.incarnation() });
                }
            }
            Err(error) => {
                tracing::debug!(%error, "failed to write the lease; it is written anew");
                lease.is_whole = false;
            }
        }
    }

    /// Wakes the watchers of rooms that changed.
    async fn keep_views(&self) {
        loop {
            self.view_news.notified().await;
            {
                let mut state = self.state.lock();
                for room_id in state.table.poll_dirty() {
                    for watcher in state.watchers.get(&room_id).into_iter().flatten() {
                        watcher.ring();
                    }
                }
            }
            sleep(PRESENCE_PAUSE).await;
        }
    }

    /// Reads the leases of other nodes, now and then and in doubt.
    async fn sweep(&self, mut random: impl FnMut() -> f64 + Send) {
        loop {
            let (least, most) = self.times.sweep;
            let part = random().clamp(0.0, 1.0);
            tokio::select! {
                biased;
                () = self.doubt.notified() => sleep(PRESENCE_RESYNC_PAUSE.mul_f64(0.5 + part)).await,
                () = sleep(least + (most - least).mul_f64(part)) => {}
            }
            let users = self.state.lock().table.tracked();
            if !users.is_empty() {
                self.read_leases(&users).await;
            }
        }
    }

    /// Asks the leases of other nodes about these users. Without an answer what is known is kept for as
    /// long as a lease holds; then only this node's own users are known.
    pub(super) async fn read_leases(&self, users: &[UserId]) {
        let own = self.presence.incarnation();
        let reading = Reading { attendance: self, read: self.state.lock().table.begin_read() };
        let answer = within_deadline(self.presence.holders(users)).await;
        let at = now();
        {
            let mut state = self.state.lock();
            match answer {
                Ok(holders) => {
                    state.table.handle_holders(reading.read, users, &holders, own);
                    state.read_at = Some(at);
                }
                Err(error) => {
                    tracing::debug!(%error, "failed to read the leases of other nodes");
                    forget_if_old(&mut state, own, at, self.times.lease);
                }
            }
        }
        drop(reading);
        self.view_news.notify_one();
    }
}

fn forget_if_old(state: &mut State, own: Incarnation, at: Instant, lease: std::time::Duration) {
    if state.read_at.is_none_or(|read_at| read_at + lease <= at) {
        state.table.forget_others(own);
    }
}

async fn within_deadline<T>(
    answer: impl Future<Output = Result<T, PresenceError>>,
) -> Result<T, PresenceError> {
    timeout(PRESENCE_DEADLINE, answer)
        .await
        .unwrap_or_else(|_| Err(PresenceError("no answer in time".into())))
}
