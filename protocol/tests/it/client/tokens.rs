//! Access tokens: before the first connection, before they end, and after a node refused one.

use super::rig::*;
use protocol::client::TokenError;
use serde_json::json;

#[test]
fn without_a_token_one_is_asked_for_first() {
    rig().check(&[
        (In::StartWithoutToken, &["connecting 0", "refresh token"]),
        (In::Token(3600), &["connect 1"]),
        (In::Opened(1), &["1 < hello token2"]),
    ]);
}

#[test]
fn a_token_is_exchanged_before_it_ends_and_the_connection_stays() {
    // The welcome says that it is valid for an hour; the last two minutes are the margin.
    let mut rig = online();
    assert_eq!(asked_after(&mut rig), 3_480);
    rig.check(&[(In::Token(3600), &["1 < refresh token2"]), (In::Closed(1, 1006), &["offline 1"])]);
    rig.run(In::Wait(500));
    rig.check(&[(In::Opened(2), &["2 < hello token2 {1:5,2:1} 9"])]);
}

#[test]
fn the_node_knows_best_when_a_token_ends() {
    let mut rig = welcomed(36_000, welcome());
    assert_eq!(asked_after(&mut rig), 3_480);
}

#[test]
fn of_a_short_token_a_fifth_is_kept_in_reserve() {
    let mut rig = welcomed(3_600, with(welcome(), &json!({"token_expires_at": 101_000})));
    assert_eq!(asked_after(&mut rig), 80);
}

#[test]
fn what_the_node_says_of_an_older_token_is_not_of_the_new_one() {
    let mut rig = rig();
    rig.run(In::Start(3_600));
    rig.run(In::Opened(1));
    rig.run(In::Token(36_000));
    rig.run(In::Frame(1, welcome()));
    assert_eq!(asked_after(&mut rig), 0, "it lives for ten hours");
}

#[test]
fn a_node_that_says_nothing_of_the_end_is_not_asked_about_it() {
    let mut rig = welcomed(3_600, with(welcome(), &json!({"token_expires_at": 1_000})));
    assert_eq!(asked_after(&mut rig), 3_480);
}

#[test]
fn no_token_for_now_is_no_news_to_one_who_waits_to_connect() {
    let mut rig = online();
    asked_after(&mut rig);
    rig.check(&[
        (In::Closed(1, 1006), &["offline 1"]),
        (In::TokenError(TokenError::Transient), &[]),
        (In::Wait(500), &["connecting 1", "connect 2"]),
    ]);
}

/// A client with a token that it thinks lives so many seconds, and what its node says to that.
fn welcomed(life: u64, welcome: serde_json::Value) -> Rig {
    let mut rig = rig();
    rig.run(In::Start(life));
    rig.run(In::Opened(1));
    rig.run(In::Frame(1, welcome));
    rig
}

/// After how many seconds, within an hour, the next token is asked for; 0 if none is.
fn asked_after(rig: &mut Rig) -> u64 {
    (1..=3_600)
        .find(|_| {
            let said = rig.run(In::Wait(1_000));
            if said.iter().any(|line| line == "1 < ping") {
                rig.run(In::Frame(1, kind("pong")));
            }
            said.iter().any(|line| line == "refresh token")
        })
        .unwrap_or_default()
}

#[test]
fn a_token_that_ended_is_exchanged_before_the_next_connection() {
    online().check(&[
        (In::Closed(1, 4001), &["offline 1"]),
        (In::Wait(500), &["connecting 1", "refresh token"]),
        (In::Wait(5_000), &[]),
        (In::Token(3600), &["connect 2"]),
        (In::Opened(2), &["2 < hello token2 {1:5,2:1} 9"]),
    ]);
}

#[test]
fn nodes_that_find_every_token_ended_do_not_make_a_storm() {
    let mut rig = rig();
    rig.run(In::Start(3600));
    let start = rig.now.0;
    for conn in 1..=12 {
        rig.run(In::Closed(conn, 4001));
        while !rig.run(In::Wait(100)).iter().any(|line| line == "refresh token") {}
        rig.run(In::Token(3600));
    }
    assert!(rig.now.0 - start > 30_000, "twelve attempts within {} ms", rig.now.0 - start);
}

#[test]
fn a_login_that_ended_ends_the_client() {
    online().check(&[
        (In::Closed(1, 4001), &["offline 1"]),
        (In::Wait(500), &["connecting 1", "refresh token"]),
        (In::TokenError(TokenError::Ended), &["ended SignedOut"]),
        (In::Wait(60_000), &[]),
    ]);
}

#[test]
fn a_token_that_cannot_be_had_now_is_asked_for_again_with_backoff() {
    rig().check(&[
        (In::StartWithoutToken, &["connecting 0", "refresh token"]),
        (In::TokenError(TokenError::Transient), &["offline 1"]),
        (In::Wait(500), &["connecting 0", "refresh token"]),
        (In::TokenError(TokenError::Transient), &["offline 1"]),
        (In::Wait(1_000), &["connecting 0", "refresh token"]),
        (In::Token(3600), &["connect 1"]),
    ]);
}

#[test]
fn a_driver_that_never_answers_is_asked_again_after_a_minute() {
    rig().check(&[
        (In::StartWithoutToken, &["connecting 0", "refresh token"]),
        (In::Wait(59_999), &[]),
        (In::Wait(1), &["refresh token"]),
    ]);
}

#[test]
fn a_refused_token_gets_one_chance_with_a_new_one() {
    rig().check(&[
        (In::Start(3600), &["connecting 0", "connect 1"]),
        (In::Opened(1), &["1 < hello token"]),
        (In::Closed(1, 4501), &["offline 1"]),
        (In::Wait(500), &["connecting 1", "refresh token"]),
        (In::Token(3600), &["connect 2"]),
        (In::Closed(2, 4501), &["ended SignedOut"]),
    ]);
}

#[test]
fn a_token_that_came_while_saying_hello_is_brought_after_the_welcome() {
    let mut rig = rig();
    rig.run(In::Start(3600));
    rig.check(&[
        (In::Opened(1), &["1 < hello token"]),
        (In::Token(3600), &[]),
        (In::Frame(1, welcome()), &["online n1", "ready ann 1@5 2@1", "1 < refresh token2"]),
    ]);
}

#[test]
fn a_token_of_no_life_does_not_make_a_storm() {
    let mut rig = rig();
    rig.run(In::StartWithoutToken);
    rig.check(&[(In::Token(0), &["connect 1"]), (In::Wait(10_000), &[])]);
}
