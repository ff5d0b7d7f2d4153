//! How many operations are on their way at a time, of a room and together.

use super::outbox::{create, reconnect};
use super::rig::*;

#[test]
fn a_wider_window_sends_ahead_in_order_and_again_in_order() {
    let mut config = config();
    config.in_flight_per_room = 2;
    let mut rig = online_with(config);
    rig.run(In::Say(1, "a"));
    rig.run(In::Say(1, "b"));
    rig.check(&[(In::Say(1, "c"), &["keep c2 at 2 queued", "pending c2 queued"])]);
    assert_eq!(
        reconnect(&mut rig, 5)[2..],
        ["2 < send_message c0 1 a", "pending c0 sending", "2 < send_message c1 1 b", "pending c1 sending"]
    );
    rig.check(&[(
        In::Frame(2, ack("c0", 1, 6)),
        &["sent c0 1@6", "forget c0", "2 < send_message c2 1 c", "pending c2 sending"],
    )]);
}

#[test]
fn nothing_overtakes_one_that_waits_in_a_wide_window() {
    let mut config = config();
    config.in_flight_per_room = 3;
    let mut rig = online_with(config);
    rig.run(In::Say(1, "a"));
    rig.run(In::Say(1, "b"));
    rig.check(&[
        (In::Frame(1, error("c0", "unavailable")), &["pending c0 queued"]),
        (In::Frame(1, ack("c1", 1, 6)), &["sent c1 1@6", "forget c1"]),
        (In::Say(1, "c"), &["keep c2 at 2 queued", "pending c2 queued"]),
        (
            In::Wait(500),
            &[
                "1 < send_message c0 1 a",
                "pending c0 sending",
                "1 < send_message c2 1 c",
                "pending c2 sending",
            ],
        ),
    ]);
}

#[test]
fn so_many_go_out_at_once_and_no_more() {
    let mut config = config();
    config.in_flight = 2;
    let mut rig = rig_with(config, protocol::client::Persisted::default());
    rig.run(In::Say(1, "a"));
    rig.run(In::Say(2, "b"));
    rig.run(create());
    rig.run(In::Start(3600));
    rig.run(In::Opened(1));
    assert_eq!(
        rig.run(In::Frame(1, welcome()))[2..],
        ["1 < send_message c0 1 a", "pending c0 sending", "1 < send_message c1 2 b", "pending c1 sending"]
    );
}

#[test]
fn so_many_are_on_their_way_at_a_time_and_no_more() {
    let mut config = config();
    config.in_flight = 2;
    let mut rig = online_with(config);
    rig.run(In::Say(1, "a"));
    rig.run(In::Say(2, "b"));
    rig.check(&[
        (create(), &[]),
        (In::Frame(1, ack("c0", 1, 6)), &["sent c0 1@6", "forget c0", "1 < create_room c2"]),
    ]);
}

#[test]
fn one_that_may_go_out_again_but_has_no_room_waits_without_a_timer() {
    let mut config = config();
    config.in_flight = 1;
    let mut rig = online_with(config);
    rig.run(In::Say(2, "b"));
    rig.run(In::Frame(1, error("c0", "unavailable")));
    rig.run(In::Say(1, "a"));
    rig.check(&[
        (In::Wait(10_000), &[]),
        (
            In::Frame(1, ack("c1", 1, 6)),
            &["sent c1 1@6", "forget c1", "1 < send_message c0 2 b", "pending c0 sending"],
        ),
    ]);
}
