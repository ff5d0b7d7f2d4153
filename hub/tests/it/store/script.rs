//! Random scripts of operations, for running on two stores at once. Users, rooms and messages are
//! small numbers that often name something that exists, and sometimes nothing.

use hub::store::{Append, Op, RoomOp};
use proptest::prelude::*;
use protocol::model::{Role, RoomKind};
use protocol::{ClientId, MessageId, MessageNo, RoomId, Timestamp, UserId};
use uuid::Uuid;

/// The users of every script, with ids from 1.
pub const USERNAMES: [&str; 5] = ["ann", "bob", "cyd", "dan", "eve"];

/// One step of a script.
#[derive(Clone, Debug)]
pub enum Step {
    /// A batch of operations.
    Append(Vec<Append>),
    /// A read marker moves.
    MarkRead(UserId, RoomId, MessageNo),
    /// Someone signs up: under a name, or a subject of another issuer, that may be taken.
    SignUp(&'static str, Option<&'static str>),
    /// Someone signs in; logins are counted from one.
    SignIn(UserId),
    /// A refresh token is exchanged: of which login, the presented token's number and the next one's, how long
    /// ago the one before may have been replaced.
    Rotate(u64, u8, u8, u64),
    /// A login is ended.
    SignOut(u64),
    /// Everything that can be read is read.
    Look,
}

const TEXTS: [&str; 6] =
    ["hi", "hello @bob and @CYD.", "@ann @ann @nobody", "\"q\\ \u{7}\n</b> é 😀\u{2028}", "x", "@eve"];
const EMOJI: [&str; 3] = ["👍", "❤️", "🎉"];
const NAMES: [&str; 4] = ["one", "two", "three", "vier-ä"];

fn user() -> impl Strategy<Value = UserId> {
    // Nobody is the last one, however many sign up.
    prop_oneof![6 => 1..=2_u64, 4 => 3..=5_u64, 1 => Just(99)].prop_map(UserId)
}

fn room() -> impl Strategy<Value = RoomId> {
    prop_oneof![12 => Just(1), 3 => Just(2_u64), 2 => 3..=6_u64].prop_map(RoomId)
}

fn message() -> impl Strategy<Value = MessageId> {
    prop_oneof![6 => 1..=4_u64, 2 => 1..=16_u64].prop_map(MessageId)
}

fn text() -> impl Strategy<Value = String> {
    prop::sample::select(&TEXTS[..]).prop_map(str::to_owned)
}

fn emoji() -> impl Strategy<Value = String> {
    prop::sample::select(&EMOJI[..]).prop_map(str::to_owned)
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(&NAMES[..]).prop_map(str::to_owned)
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Member), Just(Role::Admin), Just(Role::Owner)]
}

fn room_op() -> impl Strategy<Value = RoomOp> {
    let username = || prop::sample::select(&["ann", "bob", "cyd", "dan", "eve", "nobody"][..]);
    prop_oneof![
        8 => (text(), prop::option::weighted(0.3, message()))
            .prop_map(|(content, reply_to)| RoomOp::Send { content, reply_to }),
        4 => (message(), text()).prop_map(|(message_id, content)| RoomOp::Edit { message_id, content }),
        1 => message().prop_map(|message_id| RoomOp::Delete { message_id }),
        4 => (message(), emoji()).prop_map(|(message_id, emoji)| RoomOp::AddReaction { message_id, emoji }),
        3 => (message(), emoji())
            .prop_map(|(message_id, emoji)| RoomOp::RemoveReaction { message_id, emoji }),
        2 => message().prop_map(|message_id| RoomOp::Pin { message_id }),
        2 => message().prop_map(|message_id| RoomOp::Unpin { message_id }),
        2 => (prop::option::of(name()), prop::option::of(text()))
            .prop_map(|(name, topic)| RoomOp::Update { name, topic }),
        6 => Just(RoomOp::Join),
        2 => Just(RoomOp::Leave),
        3 => username().prop_map(|username| RoomOp::Invite { username: username.into() }),
        1 => user().prop_map(|user_id| RoomOp::Kick { user_id }),
        1 => user().prop_map(|user_id| RoomOp::Ban { user_id }),
        1 => user().prop_map(|user_id| RoomOp::Unban { user_id }),
        2 => (user(), role()).prop_map(|(user_id, role)| RoomOp::SetRole { user_id, role }),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let kind = prop_oneof![2 => Just(RoomKind::Public), 1 => Just(RoomKind::Private)];
    prop_oneof![
        1 => (name(), kind, text()).prop_map(|(name, kind, topic)| Op::CreateRoom { name, kind, topic }),
        14 => (room(), room_op()).prop_map(|(room_id, op)| Op::in_room(room_id, op)),
    ]
}

/// An operation under a name: mostly its own, which the script fills in, sometimes an old one.
fn append() -> impl Strategy<Value = Append> {
    let old = prop::option::weighted(0.12, 1..=30_u128);
    (user(), op(), old).prop_map(|(actor, op, old)| {
        let client_id = ClientId(Uuid::from_u128(old.unwrap_or(0)));
        Append { actor, client_id, at: Timestamp(0), op }
    })
}

fn step() -> impl Strategy<Value = Step> {
    let marker = (user(), room(), (0..=12_u64).prop_map(MessageNo));
    let name = prop::sample::select(&["ann", "fay", "gus", "hal"][..]);
    let subject = prop::option::of(prop::sample::select(&["a|1", "b|2"][..]));
    let rotation = (login(), 0..4_u8, 0..4_u8, 0..6_u64);
    prop_oneof![
        24 => prop::collection::vec(append(), 1..8).prop_map(Step::Append),
        4 => marker.prop_map(|(user_id, room_id, no)| Step::MarkRead(user_id, room_id, no)),
        1 => (name, subject).prop_map(|(name, subject)| Step::SignUp(name, subject)),
        2 => (1..=5_u64).prop_map(|user| Step::SignIn(UserId(user))),
        5 => rotation.prop_map(|(login, presented, next, grace)| Step::Rotate(login, presented, next, grace)),
        1 => login().prop_map(Step::SignOut),
        1 => Just(Step::Look),
    ]
}

fn login() -> impl Strategy<Value = u64> {
    1..=4_u64
}

/// A script. It begins with two rooms that have members, so that most of what follows is allowed.
pub fn script() -> impl Strategy<Value = Vec<Step>> {
    let tail = (prop::collection::vec(step(), 4..24), prop::collection::vec(any::<prop::sample::Index>(), 6));
    tail.prop_map(|(mut steps, repeats)| {
        steps.insert(0, Step::Append(beginning()));
        number(&mut steps);
        // Some operations come again word for word, as retries do.
        for index in repeats {
            let again = index.get(&steps).clone();
            steps.push(again);
        }
        steps
    })
}

fn beginning() -> Vec<Append> {
    let create = |name: &str, kind| Op::CreateRoom { name: name.into(), kind, topic: String::new() };
    let in_room = |room, op| Op::in_room(RoomId(room), op);
    let ops = [
        (1, create("one", RoomKind::Public)),
        (2, create("hidden", RoomKind::Private)),
        (2, in_room(1, RoomOp::Join)),
        (3, in_room(1, RoomOp::Join)),
        (2, in_room(2, RoomOp::Invite { username: "ann".into() })),
        (1, in_room(1, RoomOp::SetRole { user_id: UserId(2), role: Role::Admin })),
        (1, in_room(1, RoomOp::Send { content: "hello @bob".into(), reply_to: None })),
        (2, in_room(1, RoomOp::Send { content: "hello @ann".into(), reply_to: Some(MessageId(1)) })),
    ];
    let append =
        |(actor, op)| Append { actor: UserId(actor), client_id: ClientId(Uuid::nil()), at: Timestamp(0), op };
    ops.into_iter().map(append).collect()
}

/// Gives each operation its time, and its own name where it has none.
fn number(steps: &mut [Step]) {
    let mut next = 0;
    for step in steps {
        let Step::Append(batch) = step else { continue };
        for append in batch {
            next += 1;
            append.at = Timestamp(1_000 + next);
            if append.client_id.0.is_nil() {
                append.client_id = ClientId(Uuid::from_u128(u128::from(next)));
            }
        }
    }
}
