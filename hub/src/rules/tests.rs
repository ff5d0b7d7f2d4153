//! Who may do what, as tables.

use super::Rejection::{self as No, *};
use super::Verdict::{self, Already, Change};
use super::*;
use Role::{Admin, Member, Owner};
use RoomKind::{Private, Public};
use protocol::{MessageId, UserId};

type Answer = Result<Verdict, No>;

const MESSAGE_ID: MessageId = MessageId(1);
const USER_ID: UserId = UserId(2);

fn standing(role: Option<Role>) -> Standing {
    Standing { role, ..Standing::default() }
}

/// A room of two in which the actor has this role.
fn facts(kind: RoomKind, role: impl Into<Option<Role>>) -> Facts {
    Facts {
        room: Some(RoomFacts { kind, member_count: 2 }),
        actor: standing(role.into()),
        target: Some(standing(None)),
        message: Some(MessageFacts { is_own: false, deleted: false, other_emoji: 0 }),
        ..Facts::default()
    }
}

fn about(role: Role, message: MessageFacts, already: bool) -> Facts {
    Facts { message: Some(message), already, ..facts(Public, role) }
}

fn towards(role: Role, target: Option<Role>) -> Facts {
    Facts { target: Some(standing(target)), ..facts(Public, role) }
}

fn edit() -> RoomOp {
    RoomOp::Edit { message_id: MESSAGE_ID, content: "x".into() }
}

fn invite() -> RoomOp {
    RoomOp::Invite { username: "bob".into() }
}

fn set_role(role: Role) -> RoomOp {
    RoomOp::SetRole { user_id: USER_ID, role }
}

fn on_message() -> Vec<RoomOp> {
    vec![
        RoomOp::Send { content: "x".into(), reply_to: Some(MESSAGE_ID) },
        edit(),
        RoomOp::Delete { message_id: MESSAGE_ID },
        RoomOp::AddReaction { message_id: MESSAGE_ID, emoji: "👍".into() },
        RoomOp::RemoveReaction { message_id: MESSAGE_ID, emoji: "👍".into() },
        RoomOp::Pin { message_id: MESSAGE_ID },
        RoomOp::Unpin { message_id: MESSAGE_ID },
    ]
}

fn on_user() -> Vec<RoomOp> {
    vec![
        invite(),
        RoomOp::Kick { user_id: USER_ID },
        RoomOp::Ban { user_id: USER_ID },
        RoomOp::Unban { user_id: USER_ID },
        set_role(Admin),
    ]
}

fn other() -> Vec<RoomOp> {
    vec![
        RoomOp::Send { content: "x".into(), reply_to: None },
        RoomOp::Update { name: None, topic: Some("x".into()) },
        RoomOp::Leave,
    ]
}

fn every_op_but_join() -> Vec<RoomOp> {
    [on_message(), on_user(), other()].concat()
}

#[test]
fn one_who_is_no_member_learns_nothing_from_any_refusal() {
    for op in every_op_but_join() {
        let private = judge(&op, &facts(Private, None));
        let absent = judge(&op, &Facts { room: None, ..facts(Private, None) });
        let public = judge(&op, &facts(Public, None));
        assert_eq!([private, absent, public], [Err(NotMember); 3], "{op:?}");
    }
}

#[test]
fn joining_asks_for_a_public_room_no_ban_and_a_free_place() {
    let banned = Standing { banned: true, ..Standing::default() };
    let full = Standing { rooms: ROOMS_PER_USER_MAX as u64, ..Standing::default() };
    let almost = Standing { rooms: ROOMS_PER_USER_MAX as u64 - 1, ..Standing::default() };
    let member = Standing { role: Some(Member), ..full };
    for (kind, actor, answer) in [
        (Some(Public), Standing::default(), Ok(Change)),
        (Some(Public), banned, Err(Banned)),
        (Some(Public), full, Err(TooManyRooms)),
        (Some(Public), almost, Ok(Change)),
        (Some(Public), member, Ok(Already)),
        (Some(Private), Standing::default(), Err(NotMember)),
        (Some(Private), banned, Err(NotMember)),
        (Some(Private), member, Ok(Already)),
        (None, Standing::default(), Err(NotMember)),
        (None, banned, Err(NotMember)),
    ] {
        let room = kind.map(|kind| RoomFacts { kind, member_count: 1 });
        let facts = Facts { room, actor, ..Facts::default() };
        assert_eq!(judge(&RoomOp::Join, &facts), answer, "{kind:?} {actor:?}");
    }
}

#[test]
fn roles_decide_what_needs_one() {
    let pin = RoomOp::Pin { message_id: MESSAGE_ID };
    let unpin = RoomOp::Unpin { message_id: MESSAGE_ID };
    let delete = RoomOp::Delete { message_id: MESSAGE_ID };
    let update = RoomOp::Update { name: Some("x".into()), topic: None };
    let ban = RoomOp::Ban { user_id: USER_ID };
    for (kind, op, least) in [
        (Public, pin, Admin),
        (Public, unpin, Admin),
        (Public, delete, Admin),
        (Public, update, Admin),
        (Public, ban, Admin),
        (Public, invite(), Member),
        (Private, invite(), Admin),
    ] {
        for role in [Member, Admin, Owner] {
            let answer = if role >= least { Ok(Change) } else { Err(RoleTooLow) };
            assert_eq!(judge(&op, &facts(kind, role)), answer, "{role:?} {op:?} in {kind:?}");
        }
    }
}

#[test]
fn messages_are_changed_by_those_who_may_while_they_are_there() {
    let theirs = MessageFacts { is_own: false, deleted: false, other_emoji: 0 };
    let own = MessageFacts { is_own: true, ..theirs };
    let gone = MessageFacts { is_own: true, deleted: true, ..theirs };
    let their_gone = MessageFacts { deleted: true, ..theirs };
    let [reply, edit, delete, add, remove, pin, unpin] = on_message().try_into().unwrap();
    let table: [(&RoomOp, Role, MessageFacts, bool, Answer); 22] = [
        (&reply, Member, theirs, false, Ok(Change)),
        (&reply, Member, their_gone, false, Ok(Change)),
        (&edit, Member, own, false, Ok(Change)),
        (&edit, Member, own, true, Ok(Already)),
        (&edit, Owner, theirs, false, Err(NotWriter)),
        (&edit, Owner, their_gone, false, Err(NotWriter)),
        (&edit, Member, gone, false, Err(MessageDeleted)),
        (&delete, Member, own, false, Ok(Change)),
        (&delete, Member, theirs, false, Err(RoleTooLow)),
        (&delete, Member, gone, false, Ok(Already)),
        (&delete, Member, their_gone, false, Err(RoleTooLow)),
        (&delete, Admin, their_gone, false, Ok(Already)),
        (&add, Member, theirs, false, Ok(Change)),
        (&add, Member, theirs, true, Ok(Already)),
        (&add, Member, their_gone, false, Err(MessageDeleted)),
        (&remove, Member, theirs, false, Ok(Change)),
        (&remove, Member, their_gone, true, Ok(Already)),
        (&pin, Admin, theirs, true, Ok(Already)),
        (&pin, Admin, their_gone, false, Err(MessageDeleted)),
        (&unpin, Admin, theirs, false, Ok(Change)),
        (&unpin, Admin, theirs, true, Ok(Already)),
        (&unpin, Admin, their_gone, true, Ok(Already)),
    ];
    for (op, role, message, already, answer) in table {
        assert_eq!(judge(op, &about(role, message, already)), answer, "{role:?} {op:?} {message:?}");
    }
}

#[test]
fn what_is_named_must_exist() {
    for op in on_message() {
        let facts = Facts { message: None, ..facts(Public, Owner) };
        assert_eq!(judge(&op, &facts), Err(MessageNotFound), "{op:?}");
    }
    for op in on_user() {
        let facts = Facts { target: None, ..facts(Public, Owner) };
        assert_eq!(judge(&op, &facts), Err(UserNotFound), "{op:?}");
    }
}

#[test]
fn one_more_emoji_needs_a_place_and_one_more_of_the_same_does_not() {
    let add = RoomOp::AddReaction { message_id: MESSAGE_ID, emoji: "👍".into() };
    for (other_emoji, already, answer) in [
        (REACTIONS_PER_MESSAGE_MAX - 1, false, Ok(Change)),
        (REACTIONS_PER_MESSAGE_MAX, false, Err(TooManyReactions)),
        (REACTIONS_PER_MESSAGE_MAX, true, Ok(Already)),
    ] {
        let message = MessageFacts { is_own: false, deleted: false, other_emoji };
        assert_eq!(judge(&add, &about(Member, message, already)), answer, "{other_emoji} {already}");
    }
}

#[test]
fn only_lesser_roles_are_removed() {
    for (role, target, answer) in [
        (Owner, Owner, Err(RoleTooLow)),
        (Owner, Admin, Ok(Change)),
        (Owner, Member, Ok(Change)),
        (Admin, Owner, Err(RoleTooLow)),
        (Admin, Admin, Err(RoleTooLow)),
        (Admin, Member, Ok(Change)),
        (Member, Member, Err(RoleTooLow)),
    ] {
        for op in [RoomOp::Kick { user_id: USER_ID }, RoomOp::Ban { user_id: USER_ID }] {
            assert_eq!(judge(&op, &towards(role, Some(target))), answer, "{role:?} {op:?} {target:?}");
        }
    }
    let kick = RoomOp::Kick { user_id: USER_ID };
    assert_eq!(judge(&kick, &towards(Owner, None)), Err(UserNotFound));
}

#[test]
fn bans_hold_until_they_are_lifted() {
    let banned =
        Facts { target: Some(Standing { banned: true, ..Standing::default() }), ..facts(Public, Admin) };
    let free = facts(Public, Admin);
    let (ban, unban) = (RoomOp::Ban { user_id: USER_ID }, RoomOp::Unban { user_id: USER_ID });
    for (op, facts, answer) in [
        (&ban, &free, Ok(Change)),
        (&ban, &banned, Ok(Already)),
        (&unban, &free, Ok(Already)),
        (&unban, &banned, Ok(Change)),
        (&invite(), &banned, Err(TargetBanned)),
    ] {
        assert_eq!(judge(op, facts), answer, "{op:?}");
    }
}

#[test]
fn an_invitation_asks_for_a_free_place() {
    let full = Standing { rooms: ROOMS_PER_USER_MAX as u64, ..Standing::default() };
    let member = Standing { role: Some(Member), ..full };
    for (target, answer) in [(full, Err(TooManyRooms)), (member, Ok(Already))] {
        let facts = Facts { target: Some(target), ..facts(Public, Member) };
        assert_eq!(judge(&invite(), &facts), answer, "{target:?}");
    }
}

#[test]
fn the_owner_gives_roles_and_is_never_missing() {
    for (role, target, wanted, answer) in [
        (Owner, Some(Member), Admin, Ok(Change)),
        (Owner, Some(Admin), Member, Ok(Change)),
        (Owner, Some(Member), Owner, Ok(Change)),
        (Owner, Some(Admin), Admin, Ok(Already)),
        (Owner, Some(Owner), Owner, Ok(Already)),
        (Owner, Some(Owner), Member, Err(OwnerLeaves)),
        (Owner, None, Admin, Err(UserNotFound)),
        (Admin, Some(Member), Admin, Err(RoleTooLow)),
        (Member, Some(Member), Owner, Err(RoleTooLow)),
    ] {
        let answered = judge(&set_role(wanted), &towards(role, target));
        assert_eq!(answered, answer, "{role:?} makes {target:?} {wanted:?}");
    }
    for (role, member_count, answer) in [
        (Owner, 2, Err(OwnerLeaves)),
        (Owner, 1, Ok(Change)),
        (Admin, 2, Ok(Change)),
        (Member, 2, Ok(Change)),
    ] {
        let room = Some(RoomFacts { kind: Private, member_count });
        let facts = Facts { room, ..facts(Private, role) };
        assert_eq!(judge(&RoomOp::Leave, &facts), answer, "{role:?} of {member_count}");
    }
    assert_eq!(role_on_joining(RoomFacts { kind: Public, member_count: 0 }), Owner);
    assert_eq!(role_on_joining(RoomFacts { kind: Public, member_count: 1 }), Member);
}

#[test]
fn public_names_are_taken_once() {
    let update = RoomOp::Update { name: Some("x".into()), topic: None };
    for (kind, name_taken, already, answer) in [
        (Public, true, false, Err(NameTaken)),
        (Public, false, false, Ok(Change)),
        (Public, false, true, Ok(Already)),
        (Private, true, false, Ok(Change)),
    ] {
        let facts = Facts { name_taken, already, ..facts(kind, Admin) };
        assert_eq!(judge(&update, &facts), answer, "{kind:?} {name_taken} {already}");
    }
    let full = Standing { rooms: ROOMS_PER_USER_MAX as u64, ..Standing::default() };
    for (kind, name_taken, maker, answer) in [
        (Public, true, Standing::default(), Err(NameTaken)),
        (Private, true, Standing::default(), Ok(())),
        (Public, false, Standing::default(), Ok(())),
        (Private, false, full, Err(TooManyRooms)),
    ] {
        assert_eq!(judge_create(kind, name_taken, maker), answer, "{kind:?} {name_taken}");
    }
}

#[test]
fn a_refusal_names_the_field_at_fault_by_its_name_in_the_protocol() {
    let fields = [
        (MessageNotFound, Some("message_id")),
        (TargetBanned, Some("user")),
        (NameTaken, Some("name")),
        (TooManyReactions, Some("emoji")),
        (ClientIdReused, Some("client_id")),
        (NotMember, Some("room_id")),
        (RoleTooLow, None),
    ];
    for (rejection, field) in fields {
        assert_eq!(rejection.field(), field, "{rejection:?}");
    }
}
