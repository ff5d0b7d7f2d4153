//! Runs plans, each on a fresh thread that lives in the simulation, and tells what came of them: what was
//! wrong, a panic included, and what was seen.

use crate::entropy;
use crate::marks::{self, Mark};
use crate::oracle::{Invariant, Violation};
use crate::plan::Plan;
use crate::world::{self, Outcome};
use protocol::planted::Bug;
use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;
use std::thread;

/// A run's stack: futures of whole nodes are polled on it.
const STACK_BYTES: usize = 16 << 20;

/// How to run a plan.
#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    /// Keep the history, for a report; without it a run is quicker.
    pub keeps_history: bool,
    /// With this bug in place.
    pub bug: Option<Bug>,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// What came of it.
    pub outcome: Outcome,
    /// What was seen.
    pub marks: BTreeMap<Mark, u64>,
}

impl Report {
    /// What was wrong.
    #[must_use]
    pub const fn violation(&self) -> Option<&Violation> {
        self.outcome.violation.as_ref()
    }

    /// What two runs of one plan must have in common: what happened, and every byte on the wire.
    #[must_use]
    pub const fn fingerprint(&self) -> (u64, u64) {
        (self.outcome.history.hash(), self.outcome.wire)
    }
}

thread_local! {
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs a plan.
///
/// # Panics
/// When no thread can be made.
#[must_use]
pub fn run(plan: &Plan, how: How) -> Report {
    static HOOK: Once = Once::new();
    HOOK.call_once(note_panics);
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK_BYTES).name("simulation".to_owned());
        let running = thread.spawn_scoped(scope, || on_this_thread(plan, how)).expect("a thread can be made");
        running.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
    })
}

fn on_this_thread(plan: &Plan, how: How) -> Report {
    plant(how.bug);
    align_task_ids();
    entropy::simulate(plan.seed);
    let result = panic::catch_unwind(AssertUnwindSafe(|| world::run(plan, how.keeps_history)));
    let outcome = result.unwrap_or_else(|panic| panicked(plan, panic.as_ref()));
    entropy::leave();
    Report { outcome, marks: marks::take() }
}

/// Begins every run at a task number that is a multiple of [`TASK_IDS`]: the runtime's tasks are counted
/// over the whole process, and a runtime that dies drops its tasks in an order that the low bits of their
/// numbers decide. With other runs beside it in the process, a run may still differ.
fn align_task_ids() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be made");
    let is_aligned = || {
        let id = runtime.spawn(std::future::ready(())).id().to_string();
        id.parse::<u64>().map_or(true, |id| (id + 1).is_multiple_of(TASK_IDS))
    };
    while !is_aligned() {}
}

/// A multiple of the number of lists over which a runtime spreads its tasks.
const TASK_IDS: u64 = 64;

#[cfg(feature = "planted-bugs")]
fn plant(bug: Option<Bug>) {
    protocol::planted::plant_here(bug);
}

#[cfg(not(feature = "planted-bugs"))]
fn plant(bug: Option<Bug>) {
    assert!(bug.is_none(), "bugs are planted with the feature `planted-bugs` only");
}

/// A panic in a simulation is a finding: it is told where the run ends, not where it happens.
fn note_panics() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !entropy::is_simulated() {
            return usual(info);
        }
        PANIC.with_borrow_mut(|noted| {
            noted.get_or_insert_with(|| info.to_string());
        });
    }));
}

fn panicked(plan: &Plan, panic: &(dyn Any + Send)) -> Outcome {
    let said = panic.downcast_ref::<String>().cloned();
    let said = said.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    let text = PANIC.take().or(said).unwrap_or_else(|| "a panic without a word".to_owned());
    let violation = Violation { invariant: Invariant::NoPanic, text, at: world::judge::now() };
    Outcome { violation: Some(violation), ..Outcome::empty(plan) }
}

/// Takes the first panic of this thread, of which a host's runtime told only that there was one.
pub(crate) fn take_panic() -> Option<String> {
    PANIC.take()
}
