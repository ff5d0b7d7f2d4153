//! What a simulation must have seen at least once in many runs: a check of something that never
//! happens checks nothing.

use std::cell::RefCell;
use std::collections::BTreeMap;

macro_rules! marks {
    ($($mark:ident = $text:literal,)+) => {
        /// Something that is to happen in some run.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "each has its text")]
        pub enum Mark { $($mark,)+ }

        impl Mark {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$mark,)+];

            /// What it means.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$mark => $text,)+ }
            }
        }
    };
}

marks! {
    Reset = "a client was told that the gap is too wide to replay",
    Resumed = "a client that came back got what it had missed",
    TurnedAway = "one with a token that is forged, or that has ended, was turned away",
    Done = "something other than a message was done, and its effect was in the log",
    Retried = "a send was stored once and asked for again",
    UnackedStored = "a message was stored whose sender was not told before it lost the connection",
    LaterVersion = "an event of a later version took its place and showed nothing",
    OverEarlier = "a client of the later version got an event over a node that does not know its type",
    Drained = "a client moved to another node before its own had left",
    Removed = "a client was removed from a room and told so",
    JoinedLater = "a client was let into a room while connected",
    RoomMade = "a room was made on the way",
    PageWhileWriting = "a page of history was read while others wrote",
    TokenRenewed = "a client renewed its token on a living connection",
    TokenEnded = "a node ended a connection whose token had ended",
    SlowReader = "a node closed a connection that did not read",
    SilentPeer = "a client took a silent connection for dead",
    OutboxSurvived = "a message outlived the client that it was written in",
    NotDelivered = "a message came to a client later than three seconds after it was stored",
    TypingSeen = "someone saw that another was writing",
    Backfilled = "a node read a gap in a room from the store",
    Lagged = "a connection fell behind the ring and read pages from the store",
    ManyHubsOneRoom = "one room had members on three nodes",
    StoreFailed = "a commit failed",
    CommitUnknown = "a commit took effect whose answer was lost",
    CommitLate = "a commit took effect when its node had given it up or died",
    StoreInterrupted = "the store restarted while calls were under way",
    StoreFull = "the store refused a connection, for it had too many",
    StoreCameBack = "the store was gone and came back",
    PublicationLost = "a publication was lost on its way to a node",
    LostAndFound = "a publication was lost, and a client of that node got the event all the same",
    RedisForgot = "Redis lost everything while nodes were subscribed",
    RedisCameBack = "Redis was gone and came back",
    SubscriberKilled = "Redis ended a connection that was subscribed",
    SubscriberCut = "Redis ended a connection that did not read fast enough",
    FailoverLost = "Redis failed over to a replica that lacked writes",
    PresenceSeen = "someone saw that another came or went",
    Asked = "a page of history was asked for and came",
    Intruded = "one that spoke the protocol badly was told so",
    WithoutLost = "everyone had everything while a node stayed cut off",
    ClockWrong = "a node's wall clock was wrong by more than ten seconds",
}

thread_local! {
    static HITS: RefCell<BTreeMap<Mark, u64>> = const { RefCell::new(BTreeMap::new()) };
}

/// It happened.
pub fn sometimes(mark: Mark) {
    HITS.with_borrow_mut(|hits| *hits.entry(mark).or_default() += 1);
}

/// What happened on this thread, which is forgotten then.
#[must_use]
pub fn take() -> BTreeMap<Mark, u64> {
    HITS.take()
}
