//! What may happen to a client.

use proptest::prelude::*;
use protocol::client::{Operation, Request};
use protocol::model::Anchor;
use protocol::{MessageId, RoomId};

/// Rooms, counted from one: the client is in the first two from the beginning.
pub(super) const ROOMS: u64 = 3;

/// One thing that happens. A `usize` picks one of those that there are.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Time passes, in milliseconds.
    Wait(u64),
    /// The oldest connection on its way is open.
    Opened,
    /// A connection is lost, with this close code.
    Closed(usize, u16),
    /// A node does something on one of its connections.
    Node(usize, Act),
    Token,
    NoToken,
    Say(u64),
    Retry(usize),
    Discard(usize),
    Operate(Operation),
    Request(Request),
    MarkRead(u64, u64),
    Typing(u64),
    Watch(u64),
    Unwatch(u64),
    Online,
    Reload,
}

/// What a node does, as it should or not.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Welcome,
    /// The next event of a room, a new one if there is none.
    Next(u64),
    /// One of a later version's.
    Later(u64),
    /// An event that was told before.
    Again(u64),
    /// An event too early.
    TooEarly(u64),
    /// What waits for an answer is committed, and acknowledged or not.
    Commit(usize, bool),
    /// It is refused, for now or for good.
    Refuse(usize, bool),
    /// The rest of a room is skipped.
    Reset(u64),
    /// The user is taken out of a room, or let in.
    Member(u64, bool),
    Drain,
    Pong,
    Raw(&'static str),
}

const CODES: [u16; 8] = [1006, 1001, 4000, 4001, 4002, 4003, 4005, 4007];
const RAW: [&str; 5] =
    ["", "{}", "[1]", "{\"type\":\"ack\"}", "{\"type\":\"of_a_later_version\",\"more\":[1]}"];

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Most runs begin with a client that came in, as in life.
    let begun = [Step::Token, Step::Opened, Step::Node(0, Act::Welcome)].to_vec();
    let begin = prop_oneof![1 => Just(Vec::new()), 4 => Just(begun)];
    (begin, prop::collection::vec(step(), 1..90)).prop_map(|(mut begin, steps)| {
        begin.extend(steps);
        begin
    })
}

fn room() -> impl Strategy<Value = u64> {
    prop_oneof![4 => Just(1), 2 => Just(2_u64), 1 => Just(ROOMS)]
}

fn step() -> impl Strategy<Value = Step> {
    let pick = any::<usize>;
    let wait = prop_oneof![4 => 0..60_u64, 3 => 60..1_500_u64, 1 => 1_500..40_000_u64];
    prop_oneof![
        14 => wait.prop_map(Step::Wait),
        10 => Just(Step::Opened),
        3 => (pick(), prop::sample::select(&CODES[..])).prop_map(|(pick, code)| Step::Closed(pick, code)),
        50 => (pick(), act()).prop_map(|(pick, act)| Step::Node(pick, act)),
        4 => Just(Step::Token),
        1 => Just(Step::NoToken),
        14 => room().prop_map(Step::Say),
        6 => pick().prop_map(Step::Retry),
        2 => pick().prop_map(Step::Discard),
        4 => operation().prop_map(Step::Operate),
        2 => room().prop_map(|room| Step::Request(Request::History {
            room_id: RoomId(room),
            anchor: Anchor::Latest,
            limit: None,
            pinned: false,
        })),
        2 => (room(), 0..9_u64).prop_map(|(room, no)| Step::MarkRead(room, no)),
        1 => room().prop_map(Step::Typing),
        1 => room().prop_map(Step::Watch),
        1 => room().prop_map(Step::Unwatch),
        1 => Just(Step::Online),
        2 => Just(Step::Reload),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        room().prop_map(|room| Operation::JoinRoom { room_id: RoomId(room) }),
        room().prop_map(|room| Operation::EditMessage {
            room_id: RoomId(room),
            message_id: MessageId(1),
            content: "edited".into()
        }),
        Just(Operation::CreateRoom {
            name: "new".into(),
            kind: protocol::model::RoomKind::Public,
            topic: String::new()
        }),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let pick = any::<usize>;
    prop_oneof![
        16 => Just(Act::Welcome),
        24 => room().prop_map(Act::Next),
        2 => room().prop_map(Act::Later),
        3 => room().prop_map(Act::Again),
        1 => room().prop_map(Act::TooEarly),
        16 => (pick(), any::<bool>()).prop_map(|(pick, acks)| Act::Commit(pick, acks)),
        8 => (pick(), any::<bool>()).prop_map(|(pick, for_good)| Act::Refuse(pick, for_good)),
        4 => room().prop_map(Act::Reset),
        4 => (room(), any::<bool>()).prop_map(|(room, is_in)| Act::Member(room, is_in)),
        2 => Just(Act::Drain),
        4 => Just(Act::Pong),
        1 => prop::sample::select(&RAW[..]).prop_map(Act::Raw),
    ]
}
