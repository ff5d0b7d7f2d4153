//! The store's machine: it takes calls from nodes, carries them out on the store that holds the truth, and
//! does wrong what it is told to. What was committed lasts, whatever happens to it.

use super::desk::{Desk, Job};
use super::wire::{self, Said, Step};
use hub::store::{Store, StoreError};
use parking_lot::Mutex;
use protocol::Epoch;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

/// What was counted since the host was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreCounts {
    /// Calls that were carried out.
    pub calls: u64,
    /// Commits that failed, and nothing happened.
    pub failed: u64,
    /// Commits that took effect, and the answer was lost.
    pub unanswered: u64,
    /// Commits that took effect when nobody waited for them any more.
    pub late: u64,
    /// Calls under way when the host restarted.
    pub interrupted: u64,
    /// Connections that were refused, for there were too many.
    pub refused: u64,
}

/// What is wrong.
#[derive(Debug, Default)]
struct Wrong {
    fails: u32,
    loses: u32,
    latency: Option<Duration>,
    connections_max: Option<usize>,
}

/// The store's machine.
pub struct StoreHost {
    truth: Arc<dyn Store>,
    desk: Desk,
    latency: Duration,
    wrong: Mutex<Wrong>,
    counts: Mutex<StoreCounts>,
    /// Connections, and those of them on which a call is under way.
    open: Mutex<(usize, usize)>,
    stalled: watch::Sender<bool>,
    /// Grows with each restart, and ends the connections of before.
    runs: watch::Sender<u64>,
}

impl fmt::Debug for StoreHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreHost").field("wrong", &self.wrong.lock()).finish_non_exhaustive()
    }
}

/// Counts a connection, or a call on one, while it lasts.
struct Counted<'a> {
    host: &'a StoreHost,
    count: fn(&mut (usize, usize)) -> &mut usize,
}

impl<'a> Counted<'a> {
    fn new(host: &'a StoreHost, count: fn(&mut (usize, usize)) -> &mut usize) -> Self {
        *count(&mut host.open.lock()) += 1;
        Self { host, count }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        *(self.count)(&mut self.host.open.lock()) -= 1;
    }
}

impl StoreHost {
    /// A host of the truth, which takes so long for each step.
    #[must_use]
    pub fn new(truth: Arc<dyn Store>, latency: Duration) -> Self {
        Self {
            truth,
            desk: Desk::default(),
            latency,
            wrong: Mutex::default(),
            counts: Mutex::default(),
            open: Mutex::default(),
            stalled: watch::Sender::new(false),
            runs: watch::Sender::new(0),
        }
    }

    /// The truth's incarnation.
    pub(super) async fn epoch(&self) -> Result<Epoch, StoreError> {
        self.truth.epoch().await
    }

    /// Where calls for it are put.
    pub(super) fn desk(&self) -> Desk {
        self.desk.clone()
    }

    /// What was counted.
    #[must_use]
    pub fn counts(&self) -> StoreCounts {
        *self.counts.lock()
    }

    /// The next so many calls fail, beyond those that are to fail anyway, and nothing happens.
    pub fn fail(&self, calls: u32) {
        self.wrong.lock().fails += calls;
    }

    /// No call fails any more.
    pub fn stop_failing(&self) {
        self.wrong.lock().fails = 0;
    }

    /// The next so many commits, beyond those told before, take effect, and their answers are lost with their
    /// connections.
    pub fn lose_replies(&self, commits: u32) {
        self.wrong.lock().loses += commits;
    }

    /// No answer is lost any more.
    pub fn stop_losing_replies(&self) {
        self.wrong.lock().loses = 0;
    }

    /// Each step takes that long, or as long as usual.
    pub fn slow(&self, latency: Option<Duration>) {
        self.wrong.lock().latency = latency;
    }

    /// Answers nothing from now on, or answers again; connections are still taken.
    pub fn stall(&self, stalled: bool) {
        self.stalled.send_replace(stalled);
    }

    /// Has so many connections at most: those that it has end, and those beyond are refused.
    pub fn limit(&self, connections: Option<usize>) {
        let before = std::mem::replace(&mut self.wrong.lock().connections_max, connections);
        if connections.is_some() && connections != before {
            self.cut();
        }
    }

    /// Ends all connections; what is under way is not done, or its answer is lost.
    pub fn restart(&self) {
        self.counts.lock().interrupted += self.open.lock().1 as u64;
        self.cut();
    }

    fn cut(&self) {
        self.runs.send_modify(|runs| *runs += 1);
    }

    /// Serves a connection until either side ends it.
    pub async fn serve<S: AsyncRead + AsyncWrite + Unpin>(&self, mut stream: S) {
        let _open = Counted::new(self, |open| &mut open.0);
        let is_over = {
            let (max, open) = (self.wrong.lock().connections_max, self.open.lock().0);
            max.is_some_and(|max| open > max)
        };
        if is_over {
            self.counts.lock().refused += 1;
            return;
        }
        let mut runs = self.runs.subscribe();
        tokio::select! {
            biased;
            _ = runs.changed() => {}
            () = self.steps(&mut stream) => {}
        }
    }

    async fn steps<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: &mut S) {
        while let Ok((step, call)) = wire::asked(stream).await {
            let _busy = Counted::new(self, |open| &mut open.1);
            let Some(said) = self.step(step, call).await else { return };
            if wire::say(stream, said).await.is_err() {
                return;
            }
        }
    }

    /// Takes a step; `None` where the connection is to be lost.
    async fn step(&self, step: Step, call: u64) -> Option<Said> {
        self.pause().await;
        let (Step::Read | Step::Commit) = step else { return Some(Said::Done) };
        let job = self.desk.take(call);
        if take_one(&mut self.wrong.lock().fails) {
            self.counts.lock().failed += u64::from(step == Step::Commit);
            return Some(Said::Failed);
        }
        let waits = self.carry_out(call, job?).await;
        if step == Step::Commit {
            self.counts.lock().late += u64::from(!waits);
            if take_one(&mut self.wrong.lock().loses) {
                self.counts.lock().unanswered += 1;
                return None;
            }
        }
        // The answer takes its time as well: here a commit is done that nobody knows of.
        self.pause().await;
        Some(Said::Done)
    }

    async fn carry_out(&self, call: u64, job: Job) -> bool {
        let answer = job(self.truth.as_ref()).await;
        self.counts.lock().calls += 1;
        self.desk.answer(call, answer)
    }

    async fn pause(&self) {
        let latency = self.wrong.lock().latency.unwrap_or(self.latency);
        if !latency.is_zero() {
            tokio::time::sleep(latency / 2).await;
        }
        // The sender lives as long as this.
        self.stalled.subscribe().wait_for(|stalled| !stalled).await.ok();
    }
}

fn take_one(left: &mut u32) -> bool {
    let is_left = *left > 0;
    *left = left.saturating_sub(1);
    is_left
}
