//! Bugs planted on purpose, for testing the tests: a check that passes with one of them in place
//! checks nothing. Without the feature `planted-bugs`, with which no release compiles,
//! [`has`] is a constant and everything behind it is compiled away.

// Neither a release nor whoever builds with all features gets them. The simulation's cfg marks its own builds.
#[cfg(all(feature = "planted-bugs", not(debug_assertions), not(tokio_unstable)))]
compile_error!("planted bugs are for tests and the simulation: a build without debug assertions has none");

/// Declares the bugs, so that each has one name in code, in commands and in tables.
macro_rules! bugs {
    ($($(#[doc = $doc:literal])+ $bug:ident = $name:literal,)+) => {
        /// A planted bug.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Bug {
            $($(#[doc = $doc])+ $bug,)+
        }

        impl Bug {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$bug,)+];

            /// Its name in commands and tables.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$bug => $name,)+
                }
            }

            /// What is wrong with it in place.
            #[must_use]
            pub const fn what(self) -> &'static str {
                match self {
                    $(Self::$bug => concat!($($doc),+),)+
                }
            }

            /// Reads a name.
            #[must_use]
            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|bug| bug.name() == name)
            }
        }
    };
}

bugs! {
    /// A send that was stored already is stored again.
    RetryNotIdempotent = "retry-not-idempotent",
    /// No node ever compares its rooms with the store by itself.
    NoSweep = "no-sweep",
    /// What the broker says it may have lost is not looked for.
    NoResync = "no-resync",
    /// An event of a type that a node does not know is taken for damage.
    LaterIsDamage = "later-is-damage",
    /// Of an event of a type that a node does not know it tells only the place.
    LaterIsCut = "later-is-cut",
    /// A node reads a room's head before it listens to the room.
    HeadBeforeListening = "head-before-listening",
    /// Other nodes are told of a message before it is committed, with the numbers that it should get.
    PublishBeforeCommit = "publish-before-commit",
    /// A hole in what a node was told of a room is not filled from the store.
    NoBackfill = "no-backfill",
    /// A send is acknowledged before the store has it, with the numbers that it should get.
    AckBeforeCommit = "ack-before-commit",
    /// An operation that the store did not take is answered as refused for good.
    FailureRefused = "failure-refused",
    /// An operation other than a send is acknowledged before the store took it.
    OperationAckedEarly = "operation-acked-early",
    /// Any member may do what only admins may.
    RoleNotAsked = "role-not-asked",
    /// A ban removes its user and keeps nobody out.
    BanKeepsNobodyOut = "ban-keeps-nobody-out",
    /// What was pinned stays pinned.
    PinsForEver = "pins-for-ever",
    /// Operations that say the same are taken for one.
    DedupByBody = "dedup-by-body",
    /// Only the last two names are known again.
    DedupWindow = "dedup-window",
    /// A room's numbers leave holes, as those of a sequence do when a transaction fails.
    SeqWithHoles = "seq-with-holes",
    /// A room's numbers follow the node's clock.
    SeqFromClock = "seq-from-clock",
    /// Each node numbers a room's events by a count of its own.
    SeqPerNode = "seq-per-node",
    /// What comes early is given out early.
    PushUnordered = "push-unordered",
    /// Other nodes are told under the key of another room.
    WrongRoomKey = "wrong-room-key",
    /// Other nodes are not told of new events.
    NoPublish = "no-publish",
    /// Two nodes go by one name.
    OneNodeName = "one-node-name",
    /// Whatever else happens arms the timer of the sweep anew.
    TimerRearmed = "timer-rearmed",
    /// A resume goes on at the head, without what was missed.
    ResumeFromHead = "resume-from-head",
    /// A resume replays what happened before its user came back into the room.
    ReplayBeforeJoining = "replay-before-joining",
    /// A cursor lets its user into any room.
    ForeignCursor = "foreign-cursor",
    /// Who leaves a room goes on getting its events.
    LeaveNotAwaited = "leave-not-awaited",
    /// A session outlives its login.
    RevokedLives = "revoked-lives",
    /// A connection on which nobody speaks any more is held for ever.
    SilenceForEver = "silence-for-ever",
    /// A full queue to a connection drops what comes.
    QueueDrops = "queue-drops",
    /// A connection takes whatever is new, however much waits to be written already.
    QueueUnbounded = "queue-unbounded",
    /// What a node keeps of rooms in memory is never given up.
    RingsUnbounded = "rings-unbounded",
    /// A page of history holds one message too many.
    PageOffByOne = "page-off-by-one",
    /// A page of history shows the text of what was deleted.
    PageKeepsDeleted = "page-keeps-deleted",
    /// The log keeps the text of what was deleted.
    LogKeepsDeleted = "log-keeps-deleted",
    /// A connection that fell behind goes on one event too late.
    LagOffByOne = "lag-off-by-one",
    /// The users of a dead node stay online.
    PresenceForEver = "presence-for-ever",
    /// A client never asks whether its node is alive.
    NoHeartbeat = "no-heartbeat",
    /// Clients that lost a node together come back together.
    NoJitter = "no-jitter",
    /// A connection that is given up stays open beside the next.
    TwoSessions = "two-sessions",
    /// A client comes back without its cursors.
    CursorsNotTold = "cursors-not-told",
    /// A cursor is moved to the head before what lies between has come.
    CursorAhead = "cursor-ahead",
    /// A client gives out what it has given out before.
    DeliveredTwice = "delivered-twice",
    /// What was on its way when the connection was lost is not sent again.
    OutboxForgets = "outbox-forgets",
    /// The outbox takes any number of messages.
    OutboxUnbounded = "outbox-unbounded",
    /// A read marker that the node could not keep is not sent again.
    MarksForgotten = "marks-forgotten",
    /// What a client's own user said counts as unread.
    UnreadOwn = "unread-own",
}

/// Whether this bug is in place.
#[cfg(not(feature = "planted-bugs"))]
#[inline]
#[must_use]
pub const fn has(_: Bug) -> bool {
    false
}

#[cfg(feature = "planted-bugs")]
pub use on::{has, plant_everywhere, plant_here};

#[cfg(feature = "planted-bugs")]
mod on {
    use super::Bug;
    use std::cell::Cell;
    use std::sync::OnceLock;

    static EVERYWHERE: OnceLock<Bug> = OnceLock::new();

    thread_local! {
        static HERE: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// Whether this bug is in place, on this thread or everywhere.
    #[must_use]
    pub fn has(bug: Bug) -> bool {
        HERE.get() == Some(bug) || EVERYWHERE.get() == Some(&bug)
    }

    /// Plants a bug in what runs on this thread, or takes it out.
    pub fn plant_here(bug: Option<Bug>) {
        HERE.set(bug);
    }

    /// Plants a bug in the whole process, for good. Only the first one counts.
    pub fn plant_everywhere(bug: Bug) {
        EVERYWHERE.get_or_init(|| bug);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_bug_has_a_name_of_its_own() {
        let names: BTreeSet<_> = Bug::ALL.iter().map(|bug| bug.name()).collect();
        assert_eq!(names.len(), Bug::ALL.len());
        assert!(Bug::ALL.iter().all(|bug| Bug::parse(bug.name()) == Some(*bug) && !bug.what().is_empty()));
        assert_eq!(Bug::parse("none"), None);
    }

    #[cfg(not(feature = "planted-bugs"))]
    #[test]
    fn a_build_without_the_feature_has_none() {
        const { assert!(!has(Bug::NoSweep)) };
    }

    #[cfg(feature = "planted-bugs")]
    #[test]
    fn a_bug_is_planted_and_taken_out() {
        plant_here(Some(Bug::NoSweep));
        assert!(has(Bug::NoSweep) && !has(Bug::NoResync));
        plant_here(None);
        assert!(!has(Bug::NoSweep));
    }
}
