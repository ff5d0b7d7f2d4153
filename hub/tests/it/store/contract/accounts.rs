//! Accounts, logins and the rotation of refresh tokens.

use super::contract;
use crate::store::world::World;
use hub::store::{
    AccountKey, CreateUserError, LoginId, NewLogin, NewUser, RefreshHash, Rotated, Rotation, StoreError,
};
use protocol::{Timestamp, UserId};
use uuid::Uuid;

contract! {
    usernames_and_subjects_are_unique
    an_account_is_found_by_id_name_and_subject
    a_refresh_token_is_exchanged_for_the_next
    a_lost_answer_may_be_asked_for_again_within_the_grace
    a_token_that_was_replaced_before_ends_the_login
    an_ended_login_is_unknown
    a_login_ends_once_and_moves_the_users_version
    a_login_needs_a_user
}

const LOGIN: LoginId = LoginId(Uuid::from_u128(5));

const fn hash(n: u8) -> RefreshHash {
    [n; 32]
}

async fn login(w: &World, user_id: UserId) {
    let new = NewLogin {
        id: LOGIN,
        user_id,
        refresh_hash: hash(1),
        at: Timestamp(1_000),
        expires_at: Timestamp(100_000),
        user_agent: "é".repeat(1_000),
    };
    w.store.create_login(new).await.unwrap();
}

async fn rotate(w: &World, presented: u8, next: u8, at: u64) -> Rotated {
    let rotation = Rotation {
        id: LOGIN,
        presented: hash(presented),
        next: hash(next),
        at: Timestamp(at),
        expires_at: Timestamp(at + 100_000),
        grace_from: Timestamp(at - 500),
    };
    w.store.rotate_login(rotation).await.unwrap()
}

async fn usernames_and_subjects_are_unique(w: World) {
    let new = |username: &str, sub: Option<&str>| NewUser {
        username: username.into(),
        display_name: "x".into(),
        password_hash: None,
        external_sub: sub.map(str::to_owned),
        at: Timestamp(1),
    };
    let ann = w.store.create_user(new("ann", Some("sub-1"))).await.unwrap();
    for (username, sub) in [("ann", None), ("ann", Some("sub-2")), ("bob", Some("sub-1"))] {
        let taken = w.store.create_user(new(username, sub)).await;
        assert!(matches!(taken, Err(CreateUserError::Taken)), "{username} {sub:?}");
    }
    let bob = w.store.create_user(new("bob", None)).await.unwrap();
    let cyd = w.store.create_user(new("cyd", None)).await.unwrap();
    assert!(ann.id < bob.id && bob.id < cyd.id);
}

async fn an_account_is_found_by_id_name_and_subject(w: World) {
    let new = NewUser {
        username: "ann".into(),
        display_name: "Ann".into(),
        password_hash: Some("$argon2".into()),
        external_sub: Some("sub".into()),
        at: Timestamp(1),
    };
    let user = w.store.create_user(new).await.unwrap();
    for key in [AccountKey::Id(user.id), AccountKey::Username("ann"), AccountKey::ExternalSub("sub")] {
        let account = w.store.account(key).await.unwrap().unwrap();
        assert_eq!((&account.user, account.password_hash.as_deref()), (&user, Some("$argon2")));
        assert!(!account.disabled);
        assert_eq!(account.version, w.version(user.id).await);
    }
    for key in [AccountKey::Id(UserId(9)), AccountKey::Username("bob"), AccountKey::ExternalSub("ann")] {
        assert!(w.store.account(key).await.unwrap().is_none());
    }
}

async fn a_refresh_token_is_exchanged_for_the_next(w: World) {
    let ann = w.user("ann").await;
    login(&w, ann).await;
    let version = w.version(ann).await;
    for (presented, at) in [(1, 10_000), (2, 20_000), (3, 110_000)] {
        assert_eq!(rotate(&w, presented, presented + 1, at).await, Rotated::Done { user_id: ann });
    }
    assert!(w.store.login_is_alive(LOGIN).await.unwrap());
    assert_eq!(w.version(ann).await, version);
}

async fn a_lost_answer_may_be_asked_for_again_within_the_grace(w: World) {
    let ann = w.user("ann").await;
    login(&w, ann).await;
    let done = Rotated::Done { user_id: ann };
    assert_eq!(rotate(&w, 1, 2, 10_000).await, done);
    assert_eq!(rotate(&w, 1, 3, 10_200).await, done);
    assert_eq!(rotate(&w, 1, 4, 10_499).await, done);
    assert_eq!(rotate(&w, 4, 5, 20_000).await, done, "the last answer arrived");
    assert_eq!(rotate(&w, 4, 6, 20_500).await, Rotated::Reused { user_id: ann }, "the grace is over");
}

async fn a_token_that_was_replaced_before_ends_the_login(w: World) {
    let ann = w.user("ann").await;
    login(&w, ann).await;
    rotate(&w, 1, 2, 10_000).await;
    rotate(&w, 2, 3, 10_100).await;
    let version = w.version(ann).await;
    assert_eq!(rotate(&w, 1, 4, 10_200).await, Rotated::Reused { user_id: ann });
    assert!(!w.store.login_is_alive(LOGIN).await.unwrap());
    assert!(w.version(ann).await > version);
    assert_eq!(rotate(&w, 3, 5, 10_300).await, Rotated::Unknown, "the thief's token ends with it");
}

async fn an_ended_login_is_unknown(w: World) {
    assert_eq!(rotate(&w, 1, 2, 1_500).await, Rotated::Unknown);
    assert!(!w.store.login_is_alive(LOGIN).await.unwrap());
    let ann = w.user("ann").await;
    login(&w, ann).await;
    assert_eq!(rotate(&w, 1, 2, 100_000).await, Rotated::Unknown, "the token came to its end");
    assert_eq!(w.store.revoke_login(LOGIN, Timestamp(100_000)).await.unwrap(), None);
}

async fn a_login_ends_once_and_moves_the_users_version(w: World) {
    let ann = w.user("ann").await;
    login(&w, ann).await;
    let version = w.version(ann).await;
    assert!(w.store.login_is_alive(LOGIN).await.unwrap());
    assert_eq!(w.store.revoke_login(LOGIN, Timestamp(2_000)).await.unwrap(), Some(ann));
    assert_eq!(w.store.revoke_login(LOGIN, Timestamp(2_001)).await.unwrap(), None);
    assert!(!w.store.login_is_alive(LOGIN).await.unwrap());
    assert_eq!(w.version(ann).await, version + 1);
    assert_eq!(rotate(&w, 1, 2, 3_000).await, Rotated::Unknown);
}

async fn a_login_needs_a_user(w: World) {
    let new = NewLogin {
        id: LOGIN,
        user_id: UserId(99),
        refresh_hash: hash(1),
        at: Timestamp(1),
        expires_at: Timestamp(2),
        user_agent: String::new(),
    };
    assert!(matches!(w.store.create_login(new).await, Err(StoreError::Internal(_))));
}
