//! Wishes that come true, change and are lost.

use super::*;
use protocol::RoomId;

fn server(port: u16) -> Address {
    Address::Tcp("h".into(), port)
}

fn topic(n: u64) -> Topic {
    Topic::Room(RoomId(n))
}

fn table(port: u16) -> Table {
    let mut table = Table::default();
    table.set_routes(Arc::new(Routes::One(server(port))));
    table
}

fn subscribe(table: &mut Table, port: u16, topics: &[Topic]) -> bool {
    assert_eq!(table.take(&server(port), 100).subscribe, topics);
    let settled = topics.iter().filter(|topic| table.answer(&server(port), **topic, Answer::Subscribed));
    settled.count() > 0
}

#[test]
fn one_who_wants_a_topic_waits_for_its_confirmation() {
    let mut table = table(1);
    let mut waiting = table.want(topic(1)).unwrap();
    assert!(table.take(&server(2), 100).is_empty());
    table.link_up(&server(1));
    assert!(waiting.try_recv().is_err());
    assert!(!subscribe(&mut table, 1, &[topic(1)]), "nothing was missed");
    assert_eq!(waiting.try_recv(), Ok(()));
    assert!(table.want(topic(1)).is_none() && table.is_whole());
    assert!(table.take(&server(1), 100).is_empty(), "nothing is left to do");
}

#[test]
fn while_the_link_is_down_nobody_waits_and_a_resync_is_owed() {
    let mut table = table(1);
    let mut waiting = table.want(topic(1)).unwrap();
    table.link_failed(&server(1));
    assert_eq!(waiting.try_recv(), Ok(()));
    assert!(table.want(topic(2)).is_none() && !table.is_whole());
    table.link_up(&server(1));
    assert!(subscribe(&mut table, 1, &[topic(1), topic(2)]), "the last debt is settled");
    assert!(table.is_whole());
}

#[test]
fn a_lost_link_loses_its_subscriptions_and_those_under_way() {
    let mut table = table(1);
    table.link_up(&server(1));
    for n in 1..=3 {
        table.want(topic(n));
    }
    subscribe(&mut table, 1, &[topic(1), topic(2), topic(3)]);
    let mut waiting = table.want(topic(4)).unwrap();
    table.unwant(topic(3));
    assert_eq!(table.take(&server(1), 100), Batch { subscribe: vec![topic(4)], unsubscribe: vec![topic(3)] });
    table.link_lost(&server(1));
    assert!(!table.is_whole() && waiting.try_recv().is_err());
    table.link_up(&server(1));
    assert!(subscribe(&mut table, 1, &[topic(1), topic(2), topic(4)]));
    assert_eq!((waiting.try_recv(), table.len()), (Ok(()), 3));
}

#[test]
fn a_wish_that_changes_while_its_command_is_under_way_is_fulfilled_afterwards() {
    let mut table = table(1);
    table.link_up(&server(1));
    table.want(topic(1));
    assert_eq!(table.take(&server(1), 100).subscribe, [topic(1)]);
    table.unwant(topic(1));
    assert!(table.take(&server(1), 100).is_empty());
    table.answer(&server(1), topic(1), Answer::Subscribed);
    assert_eq!(table.take(&server(1), 100).unsubscribe, [topic(1)]);
    let mut waiting = table.want(topic(1)).unwrap();
    assert!(!table.ended(&server(1), topic(1)), "it was asked for");
    assert!(waiting.try_recv().is_err(), "the old subscription ends first");
    table.answer(&server(1), topic(1), Answer::Unsubscribed);
    subscribe(&mut table, 1, &[topic(1)]);
    assert_eq!(waiting.try_recv(), Ok(()));
    table.unwant(topic(1));
    assert_eq!(table.take(&server(1), 100).unsubscribe, [topic(1)]);
    table.answer(&server(1), topic(1), Answer::Unsubscribed);
    assert_eq!(table.len(), 0);
}

#[test]
fn topics_follow_their_master() {
    let mut table = table(1);
    table.link_up(&server(1));
    table.want(topic(1));
    table.want(topic(2));
    subscribe(&mut table, 1, &[topic(1), topic(2)]);
    table.set_routes(Arc::new(Routes::One(server(2))));
    assert!(!table.is_whole());
    table.unwant(topic(2));
    assert!(!table.answer(&server(1), topic(1), Answer::Subscribed), "the old master has no say");
    table.link_up(&server(2));
    assert!(subscribe(&mut table, 2, &[topic(1)]));
    assert!(table.is_whole());
}

#[test]
fn a_slot_that_moves_takes_its_topics_along_and_leaves_the_others() {
    let mut table = Table::default();
    let halves = |first, second| {
        Arc::new(Routes::from_slots(vec![(0, 8_191, server(first)), (8_192, 16_383, server(second))]))
    };
    table.set_routes(halves(1, 2));
    let topics: Vec<_> = (1..=20).map(topic).collect();
    for topic in &topics {
        table.want(*topic);
    }
    for port in [1, 2] {
        table.link_up(&server(port));
        let batch = table.take(&server(port), 100);
        for topic in batch.subscribe {
            table.answer(&server(port), topic, Answer::Subscribed);
        }
    }
    assert!(table.is_whole());
    table.set_routes(halves(1, 3));
    table.link_up(&server(3));
    assert!(table.take(&server(1), 100).is_empty());
    let batch = table.take(&server(3), 100);
    assert!(!batch.subscribe.is_empty() && batch.subscribe.len() < topics.len());
    let settled = batch.subscribe.iter().filter(|t| table.answer(&server(3), **t, Answer::Subscribed));
    assert_eq!(settled.count(), 1, "one resync, after the last of them");
}

#[test]
fn a_subscription_that_the_server_ends_is_made_again_and_owes_a_resync() {
    let mut table = table(1);
    table.link_up(&server(1));
    table.want(topic(1));
    subscribe(&mut table, 1, &[topic(1)]);
    assert!(table.ended(&server(1), topic(1)) && !table.is_whole());
    assert!(subscribe(&mut table, 1, &[topic(1)]));
}

#[test]
fn what_is_refused_keeps_nobody_waiting_and_is_tried_again() {
    let mut table = table(1);
    table.link_up(&server(1));
    let mut waiting = table.want(topic(1)).unwrap();
    assert_eq!(table.take(&server(1), 100).subscribe, [topic(1)]);
    table.answer(&server(1), topic(1), Answer::Refused);
    assert_eq!(waiting.try_recv(), Ok(()));
    assert!(table.take(&server(1), 100).is_empty() && !table.is_whole());
    table.retry(&[topic(1)]);
    assert!(subscribe(&mut table, 1, &[topic(1)]));
}

#[test]
fn without_servers_one_waits_for_the_first_search_only() {
    let mut table = Table::default();
    let mut waiting = table.want(topic(1)).unwrap();
    table.search_failed();
    assert_eq!(waiting.try_recv(), Ok(()));
    assert!(table.want(topic(2)).is_none());
    table.set_routes(Arc::new(Routes::One(server(1))));
    table.link_up(&server(1));
    assert!(subscribe(&mut table, 1, &[topic(1), topic(2)]));
}
