//! What nodes log: warnings into the history, errors judged, some remarks noted as marks.

use super::judge::{Shared, now};
use crate::history::{Lane, What};
use crate::marks::{Mark, sometimes};
use crate::oracle::Invariant;
use crate::plan::{Harm, Host, Lost, Plan};
use std::cell::{Cell, RefCell};
use std::fmt::{self, Write as _};
use std::sync::Once;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// Whether a fault may cause something.
type Causes = fn(Harm) -> bool;

/// What a node says that cannot commit.
const NO_COMMIT: &str = "failed to commit a batch";
/// Errors that a fault explains: what they begin with, and which fault may cause them.
const EXPLAINED: [(&str, Causes); 2] =
    [(NO_COMMIT, harms_store), ("tasks were still running when the node left", makes_leave)];

/// What nodes say by the way and some run is to have heard.
const HEARD: &[(&str, Mark)] = &[
    ("reads a gap from the store", Mark::Backfilled),
    ("reads the store for a cursor", Mark::Lagged),
    ("gives up a connection that does not read", Mark::SlowReader),
];

/// Errors after something was found to be wrong. A node that does nothing else never gives up its turn, and
/// the run would not end.
const AFTER_MAX: u64 = 1_000;

thread_local! {
    static AFTER: Cell<u64> = const { Cell::new(0) };
    static JUDGE: RefCell<Option<Shared>> = const { RefCell::new(None) };
    /// From when on which errors are explained, in milliseconds.
    static EXCUSED: RefCell<Vec<(&'static str, u64)>> = const { RefCell::new(Vec::new()) };
    /// The node that nobody reaches: it reaches no store.
    static LOST: Cell<Option<Lost>> = const { Cell::new(None) };
}

struct Logs;

/// Takes what is logged on this thread from now on. One for all threads: what tracing remembers of
/// subscribers that come and go would differ from run to run.
pub(super) fn take(judge: Shared, plan: &Plan) {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let filter = Targets::new().with_default(LevelFilter::INFO).with_target("hub", LevelFilter::DEBUG);
        let subscriber = tracing_subscriber::registry().with(Logs).with(filter);
        tracing::subscriber::set_global_default(subscriber).expect("nobody else takes logs");
    });
    JUDGE.set(Some(judge));
    let begins =
        |causes: Causes| plan.faults.iter().filter(|fault| causes(fault.harm)).map(|fault| fault.at).min();
    LOST.set(plan.lost);
    EXCUSED.set(EXPLAINED.iter().filter_map(|(said, causes)| Some((*said, begins(*causes)?))).collect());
}

/// Whether a fault that has begun explains an error of a machine.
fn is_explained(lane: Lane, said: &str) -> bool {
    let is_lost = LOST.get().is_some_and(|lost| {
        lane == Lane::Host(Host::Hub(lost.hub)) && lost.at <= now() && said.starts_with(NO_COMMIT)
    });
    is_lost
        || EXCUSED
            .with_borrow(|excused| excused.iter().any(|(text, at)| said.starts_with(text) && *at <= now()))
}

/// Whether a fault may keep a node from committing.
fn harms_store(harm: Harm) -> bool {
    harm.hosts().contains(&Host::Store)
}

/// Whether a node leaves by a fault, and may have to leave something behind.
const fn makes_leave(harm: Harm) -> bool {
    matches!(harm, Harm::Drain { .. })
}

/// Takes no more.
pub(super) fn end() {
    JUDGE.set(None);
}

/// The machine whose code runs.
struct Machine(Lane);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Logs {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if attributes.metadata().name() != "node" {
            return;
        }
        let mut text = Text::default();
        attributes.record(&mut text);
        let lane = Host::try_from(text.name).map_or(Lane::World, Lane::Host);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(Machine(lane));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let level = *event.metadata().level();
        let target = event.metadata().target();
        if level > Level::WARN && !target.starts_with("hub") || target.starts_with("turmoil") {
            return;
        }
        let mut text = Text::default();
        event.record(&mut text);
        if level > Level::WARN {
            HEARD.iter().filter(|(said, _)| text.message == *said).for_each(|(_, mark)| sometimes(*mark));
            return;
        }
        let lane = context.event_span(event).and_then(|span| {
            span.scope().find_map(|span| span.extensions().get::<Machine>().map(|machine| machine.0))
        });
        let lane = lane.unwrap_or(Lane::World);
        let said = format!("{}{}", text.message, text.fields);
        // An event may be logged while the judge is at work; it never is by the judge itself.
        let Some(shared) = JUDGE.with_borrow(Clone::clone) else { return };
        let Some(mut judge) = shared.try_lock() else { return };
        judge.tell(lane, What::Logged(format!("{level} {said}")));
        if level == Level::ERROR && judge.violation.is_some() {
            assert!(AFTER.replace(AFTER.get() + 1) < AFTER_MAX, "{lane} goes on and on: {said}");
        }
        if level == Level::ERROR && !is_explained(lane, &said) {
            judge.fail(Invariant::NoErrors, format!("{lane} logs an error: {said}"));
        }
    }
}

#[derive(Default)]
struct Text {
    message: String,
    fields: String,
    name: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string does not fail.
        if field.name() == "message" {
            write!(self.message, "{value:?}").ok();
        } else {
            write!(self.fields, " {}={value:?}", field.name()).ok();
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "name" {
            value.clone_into(&mut self.name);
        } else {
            self.record_debug(field, &format_args!("{value}"));
        }
    }
}
