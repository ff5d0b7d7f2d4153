//! Members: coming, going, roles and bans.

use super::contract;
use crate::store::world::{World, content, decode};
use hub::rules::Rejection;
use hub::store::{Membership, RoomOp};
use protocol::UserId;
use protocol::event::{LeaveReason, RoomEvent};
use protocol::model::Role;

contract! {
    joining_and_leaving_are_events_of_the_room
    the_owner_leaves_last
    whoever_enters_an_empty_room_owns_it
    any_member_invites_to_a_public_room_and_admins_to_a_private_one
    members_of_lesser_role_are_kicked
    one_who_is_banned_stays_out_until_the_ban_is_lifted
    one_who_is_no_member_can_be_banned
    only_the_owner_gives_roles
    giving_the_room_away_is_two_events
    versions_grow_with_what_concerns_a_user
    members_come_in_pages_by_name
}

fn invite(username: &str) -> RoomOp {
    RoomOp::Invite { username: username.into() }
}

async fn joining_and_leaving_are_events_of_the_room(w: World) {
    let [ann, bob] = w.users(["ann", "bob"]).await;
    let room = w.public_room(&[ann]).await;
    let joined = w.ok(bob, room, RoomOp::Join).await;
    assert_eq!(joined.events[0].membership, Some(Membership::Joined(bob)));
    let RoomEvent::MemberJoined(event) = decode(&joined.events[0]) else { panic!("not joined") };
    assert_eq!((event.user_id, event.actor_id, event.role), (bob, bob, Role::Member));
    assert_eq!((event.username.as_str(), event.display_name.as_str()), ("bob", "bob!"));
    let left = w.ok(bob, room, RoomOp::Leave).await;
    assert_eq!(left.events[0].membership, Some(Membership::Left(bob)));
    let RoomEvent::MemberLeft(event) = decode(&left.events[0]) else { panic!("not left") };
    assert_eq!((event.user_id, event.actor_id, event.reason), (bob, bob, LeaveReason::Left));
    assert_eq!(w.refused(bob, room, RoomOp::Leave).await, Rejection::NotMember);
    assert_eq!(w.room(ann, room).await.member_count, 1);
}

async fn the_owner_leaves_last(w: World) {
    let [ann, bob] = w.users(["ann", "bob"]).await;
    let room = w.public_room(&[ann, bob]).await;
    assert_eq!(w.refused(ann, room, RoomOp::Leave).await, Rejection::OwnerLeaves);
    w.ok(bob, room, RoomOp::Leave).await;
    w.ok(ann, room, RoomOp::Leave).await;
    assert!(w.store.rooms_of(ann).await.unwrap().is_empty());
}

async fn whoever_enters_an_empty_room_owns_it(w: World) {
    let [ann, bob, cyd] = w.users(["ann", "bob", "cyd"]).await;
    let room = w.public_room(&[ann]).await;
    w.say(ann, room, "old").await;
    w.ok(ann, room, RoomOp::Leave).await;
    let joined = w.ok(bob, room, RoomOp::Join).await;
    let RoomEvent::MemberJoined(event) = decode(&joined.events[0]) else { panic!("not joined") };
    assert_eq!((event.role, w.room(bob, room).await.role), (Role::Owner, Role::Owner));
    w.ok(cyd, room, RoomOp::Join).await;
    assert_eq!(w.room(cyd, room).await.role, Role::Member);
}

async fn any_member_invites_to_a_public_room_and_admins_to_a_private_one(w: World) {
    let [ann, bob, cyd, dan] = w.users(["ann", "bob", "cyd", "dan"]).await;
    let public = w.public_room(&[ann, bob]).await;
    let invited = w.ok(bob, public, invite("cyd")).await;
    let RoomEvent::MemberJoined(event) = decode(&invited.events[0]) else { panic!("not joined") };
    assert_eq!((event.user_id, event.actor_id), (cyd, bob));
    w.unchanged(bob, public, invite("cyd")).await;
    assert_eq!(w.refused(bob, public, invite("nobody")).await, Rejection::UserNotFound);

    let private = w.private_room(ann, &["bob"]).await;
    assert_eq!(w.refused(bob, private, invite("dan")).await, Rejection::RoleTooLow);
    w.set_role(ann, private, bob, Role::Admin).await;
    w.ok(bob, private, invite("dan")).await;
    assert_eq!(w.room(dan, private).await.role, Role::Member);
}

async fn members_of_lesser_role_are_kicked(w: World) {
    let [ann, bob, cyd, dan] = w.users(["ann", "bob", "cyd", "dan"]).await;
    let room = w.public_room(&[ann, bob, cyd, dan]).await;
    w.set_role(ann, room, bob, Role::Admin).await;
    w.set_role(ann, room, cyd, Role::Admin).await;
    let kick = |user_id| RoomOp::Kick { user_id };
    for (actor, target) in [(dan, bob), (bob, cyd), (bob, ann), (bob, bob)] {
        assert_eq!(w.refused(actor, room, kick(target)).await, Rejection::RoleTooLow);
    }
    let kicked = w.ok(bob, room, kick(dan)).await;
    let RoomEvent::MemberLeft(event) = decode(&kicked.events[0]) else { panic!("not left") };
    assert_eq!((event.user_id, event.actor_id, event.reason), (dan, bob, LeaveReason::Kicked));
    assert_eq!(w.refused(dan, room, content("x")).await, Rejection::NotMember);
    assert_eq!(w.refused(bob, room, kick(dan)).await, Rejection::UserNotFound);
    assert_eq!(w.refused(bob, room, kick(UserId(999))).await, Rejection::UserNotFound);
    w.ok(ann, room, kick(bob)).await;
    w.ok(dan, room, RoomOp::Join).await;
}

async fn one_who_is_banned_stays_out_until_the_ban_is_lifted(w: World) {
    let [ann, bob] = w.users(["ann", "bob"]).await;
    let room = w.public_room(&[ann, bob]).await;
    let banned = w.ok(ann, room, RoomOp::Ban { user_id: bob }).await;
    let RoomEvent::MemberLeft(event) = decode(&banned.events[0]) else { panic!("not left") };
    assert_eq!((event.user_id, event.reason), (bob, LeaveReason::Banned));
    assert_eq!(w.refused(bob, room, RoomOp::Join).await, Rejection::Banned);
    assert_eq!(w.refused(ann, room, invite("bob")).await, Rejection::TargetBanned);
    w.unchanged(ann, room, RoomOp::Ban { user_id: bob }).await;
    w.unchanged(ann, room, RoomOp::Unban { user_id: bob }).await;
    w.unchanged(ann, room, RoomOp::Unban { user_id: bob }).await;
    w.ok(bob, room, RoomOp::Join).await;
    assert_eq!(w.refused(bob, room, RoomOp::Unban { user_id: bob }).await, Rejection::RoleTooLow);
}

async fn one_who_is_no_member_can_be_banned(w: World) {
    let [ann, bob, cyd] = w.users(["ann", "bob", "cyd"]).await;
    let room = w.public_room(&[ann, cyd]).await;
    w.unchanged(ann, room, RoomOp::Ban { user_id: bob }).await;
    assert_eq!(w.refused(bob, room, RoomOp::Join).await, Rejection::Banned);
    let nobody = RoomOp::Ban { user_id: UserId(999) };
    assert_eq!(w.refused(ann, room, nobody).await, Rejection::UserNotFound);
    assert_eq!(w.refused(cyd, room, RoomOp::Ban { user_id: bob }).await, Rejection::RoleTooLow);
    assert_eq!(w.refused(ann, room, RoomOp::Ban { user_id: ann }).await, Rejection::RoleTooLow);
}

async fn only_the_owner_gives_roles(w: World) {
    let [ann, bob, cyd] = w.users(["ann", "bob", "cyd"]).await;
    let room = w.public_room(&[ann, bob, cyd]).await;
    let set = |user_id, role| RoomOp::SetRole { user_id, role };
    let set_bob = w.ok(ann, room, set(bob, Role::Admin)).await;
    assert_eq!(set_bob.events[0].membership, Some(Membership::Changed(bob)));
    let RoomEvent::RoleChanged(event) = decode(&set_bob.events[0]) else { panic!("no role") };
    assert_eq!((event.user_id, event.role, event.actor_id), (bob, Role::Admin, ann));
    w.unchanged(ann, room, set(bob, Role::Admin)).await;
    assert_eq!(w.refused(bob, room, set(cyd, Role::Admin)).await, Rejection::RoleTooLow);
    assert_eq!(w.refused(ann, room, set(UserId(999), Role::Admin)).await, Rejection::UserNotFound);
    assert_eq!(w.refused(ann, room, set(ann, Role::Member)).await, Rejection::OwnerLeaves);
    w.unchanged(ann, room, set(ann, Role::Owner)).await;
    w.ok(ann, room, set(bob, Role::Member)).await;
    assert_eq!(w.room(bob, room).await.role, Role::Member);
}

async fn giving_the_room_away_is_two_events(w: World) {
    let [ann, bob] = w.users(["ann", "bob"]).await;
    let room = w.public_room(&[ann, bob]).await;
    let given = w.ok(ann, room, RoomOp::SetRole { user_id: bob, role: Role::Owner }).await;
    let roles = given.events.iter().map(|event| {
        let RoomEvent::RoleChanged(changed) = decode(event) else { panic!("no role") };
        (changed.user_id, changed.role, changed.seq)
    });
    let first = given.seq;
    assert_eq!(roles.collect::<Vec<_>>(), [(bob, Role::Owner, first), (ann, Role::Admin, first.next())]);
    assert_eq!(w.log(room).await[2..], given.events[..]);
    assert_eq!((w.room(ann, room).await.role, w.room(bob, room).await.role), (Role::Admin, Role::Owner));
    w.ok(ann, room, RoomOp::Leave).await;
}

async fn versions_grow_with_what_concerns_a_user(w: World) {
    let [ann, bob, cyd] = w.users(["ann", "bob", "cyd"]).await;
    let room = w.public_room(&[ann]).await;
    let mut versions = [w.version(ann).await, w.version(bob).await, w.version(cyd).await];
    for (actor, op, grows) in [
        (bob, RoomOp::Join, [false, true, false]),
        (bob, RoomOp::Join, [false, false, false]),
        (bob, invite("cyd"), [false, false, true]),
        (bob, content("@ann"), [false, false, false]),
        (ann, RoomOp::SetRole { user_id: bob, role: Role::Admin }, [false, true, false]),
        (bob, RoomOp::Kick { user_id: cyd }, [false, false, true]),
        (ann, RoomOp::Ban { user_id: cyd }, [false, false, false]),
        (ann, RoomOp::SetRole { user_id: bob, role: Role::Owner }, [true, true, false]),
        (ann, RoomOp::Leave, [true, false, false]),
    ] {
        w.ok(actor, room, op.clone()).await;
        let now = [w.version(ann).await, w.version(bob).await, w.version(cyd).await];
        let grew = [now[0] > versions[0], now[1] > versions[1], now[2] > versions[2]];
        assert_eq!(grew, grows, "{op:?}");
        versions = now;
    }
    let known = w.store.user_versions(&[cyd, UserId(999), ann]).await.unwrap();
    assert_eq!(known, [(ann, versions[0]), (cyd, versions[2])]);
}

async fn members_come_in_pages_by_name(w: World) {
    let [eve, bob, dan, ann] = w.users(["eve", "bob", "dan", "ann"]).await;
    w.user("cyd").await;
    let room = w.public_room(&[eve, bob, dan, ann]).await;
    let mut pages = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = w.store.members(ann, room, after.as_deref(), 2).await.unwrap().unwrap();
        after = page.members.last().map(|member| member.username.clone());
        pages.push(page.members.iter().map(|member| (member.user_id, member.role)).collect::<Vec<_>>());
        if !page.more {
            break;
        }
    }
    let (owner, member) = (Role::Owner, Role::Member);
    assert_eq!(pages, [[(ann, member), (bob, member)], [(dan, member), (eve, owner)]]);
    let none = w.store.members(ann, room, Some("eve"), 2).await.unwrap().unwrap();
    assert_eq!((none.members, none.more), (vec![], false));
}
