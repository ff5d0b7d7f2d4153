//! A good history passes; each thing that can be wrong with it is seen and counted as what it is.

use super::{Counts, judge};
use crate::content::Content;
use crate::history::{At, ClientHistory, History, Logged, Record, RoomLog, Said, What};
use protocol::{ClientId, MessageNo, RoomId, Seq, UserId};

const ROOM: RoomId = RoomId(7);

fn name(client: usize, number: u64) -> ClientId {
    ClientId(uuid::Uuid::from_u128((client as u128) << 64 | u128::from(number)))
}

fn said(client: usize, number: u64, message_no: u64) -> Said {
    Said {
        message_no: MessageNo(message_no),
        client_id: Some(name(client, number)),
        user_id: UserId(client as u64 + 1),
        content: Content { client, number, room: ROOM }.to_string(),
    }
}

/// Two members; each sent two messages that both have, in the order 0, 1, 0, 1; events 1 to 3 were
/// their joining.
fn good() -> History {
    let order = [(0, 1), (1, 1), (0, 2), (1, 2)];
    let logged = order
        .iter()
        .zip(1..)
        .map(|((client, number), no)| Logged { seq: Seq(no + 3), said: said(*client, *number, no) });
    let messages: Vec<Logged> = logged.collect();
    let client = |client: usize| {
        let mut whats = vec![What::Follows { room: ROOM, head: Seq(3) }];
        for Logged { seq, said } in &messages {
            if said.user_id == UserId(client as u64 + 1) {
                let client_id = said.client_id.unwrap();
                whats.push(What::Sent { room: ROOM, client_id, content: said.content.clone() });
                whats.push(What::Acked { room: ROOM, client_id, seq: *seq, message_no: said.message_no });
            }
            whats.push(What::Delivered { room: ROOM, seq: *seq, said: Some(said.clone()) });
        }
        let records = whats.into_iter().map(|what| Record { at: At(0), what }).collect();
        ClientHistory { user_id: UserId(client as u64 + 1), rooms: vec![ROOM], stays: true, records }
    };
    let clients = vec![client(0), client(1)];
    History { clients, log: [(ROOM, RoomLog { head: Seq(7), messages })].into(), ..History::default() }
}

impl History {
    fn whats(&mut self, client: usize) -> Vec<&mut What> {
        self.clients[client].records.iter_mut().map(|record| &mut record.what).collect()
    }

    fn delivery_of(&self, client: usize, seq: u64) -> usize {
        let is_it =
            |record: &Record| matches!(record.what, What::Delivered { seq: given, .. } if given == Seq(seq));
        self.clients[client].records.iter().position(is_it).unwrap()
    }

    fn stored(&mut self) -> &mut Vec<Logged> {
        &mut self.log.get_mut(&ROOM).unwrap().messages
    }
}

#[track_caller]
fn finds(spoil: impl FnOnce(&mut History), count: impl Fn(Counts) -> usize, expected: usize) {
    let mut history = good();
    spoil(&mut history);
    let verdict = judge(&history);
    assert!(verdict.violations > 0, "nothing was seen");
    assert_eq!(count(verdict.counts), expected, "{verdict:#?}");
}

#[test]
fn a_good_history_passes() {
    let verdict = judge(&good());
    assert_eq!(verdict.told, Vec::<String>::new());
    assert_eq!(verdict.counts, Counts { sent: 4, acked: 4, delivered: 8, ..Counts::default() });
}

#[test]
fn one_who_left_need_not_have_the_end() {
    let mut history = good();
    history.clients[1].stays = false;
    let at = history.delivery_of(1, 7);
    history.clients[1].records.remove(at);
    assert_eq!(judge(&history).violations, 0);
}

#[test]
fn an_unacknowledged_message_may_be_there_or_not() {
    let mut history = good();
    history.clients[0].records.retain(|record| !matches!(record.what, What::Acked { .. }));
    assert_eq!(judge(&history).violations, 0);
    let content = Content { client: 0, number: 3, room: ROOM }.to_string();
    let what = What::Sent { room: ROOM, client_id: name(0, 3), content };
    history.clients[0].records.push(Record { at: At(0), what });
    assert_eq!(judge(&history).violations, 0);
}

#[test]
fn losses() {
    let lost = |counts: Counts| counts.lost;
    // A hole, the end, and an acknowledged message that the store has not.
    for seq in [5, 7] {
        let spoil = |history: &mut History| {
            let at = history.delivery_of(0, seq);
            history.clients[0].records.remove(at);
        };
        finds(spoil, lost, 1);
    }
    let forget = |history: &mut History| {
        history.stored().pop();
        history.log.get_mut(&ROOM).unwrap().head = Seq(6);
        for client in 0..2 {
            let at = history.delivery_of(client, 7);
            history.clients[client].records.remove(at);
        }
    };
    finds(forget, lost, 1);
    finds(|history| history.clients[0].records.clear(), |counts| counts.delivered, 4);
}

#[test]
fn duplicates() {
    let duplicated = |counts: Counts| counts.duplicated;
    let again = |history: &mut History| {
        let at = history.delivery_of(0, 5);
        let record = history.clients[0].records[at].clone();
        history.clients[0].records.push(record);
    };
    finds(again, duplicated, 1);
    // Stored again under a name that nobody gave, and given to all: as a retry that is none.
    let copied = |history: &mut History| {
        let mut copy = said(0, 2, 5);
        copy.client_id = Some(name(9, 9));
        history.stored().push(Logged { seq: Seq(8), said: copy.clone() });
        history.log.get_mut(&ROOM).unwrap().head = Seq(8);
        for client in &mut history.clients {
            let what = What::Delivered { room: ROOM, seq: Seq(8), said: Some(copy.clone()) };
            client.records.push(Record { at: At(0), what });
        }
    };
    finds(copied, duplicated, 1);
}

#[test]
fn disorder() {
    let reordered = |counts: Counts| counts.reordered;
    let swapped = |history: &mut History| {
        let (a, b) = (history.delivery_of(0, 5), history.delivery_of(0, 6));
        history.clients[0].records.swap(a, b);
    };
    finds(swapped, reordered, 1);
    let other = |history: &mut History| {
        let at = history.delivery_of(1, 5);
        let What::Delivered { said, .. } = &mut *history.whats(1)[at] else { panic!("no delivery") };
        said.as_mut().unwrap().content.push('!');
    };
    finds(other, reordered, 1);
    let told_elsewhere = |history: &mut History| {
        for what in history.whats(0) {
            if let What::Acked { seq: seq @ Seq(4), .. } = what {
                *seq = Seq(6);
            }
        }
    };
    finds(told_elsewhere, reordered, 1);
    // The sender's second message stands before its first one.
    let sender = |history: &mut History| {
        let (first, second) = (said(0, 2, 1), said(0, 1, 3));
        for client in &mut history.clients {
            for record in &mut client.records {
                if let What::Delivered { seq, said, .. } = &mut record.what {
                    match seq.0 {
                        4 => *said = Some(first.clone()),
                        6 => *said = Some(second.clone()),
                        _ => {}
                    }
                }
                if let What::Acked { client_id, seq, message_no, .. } = &mut record.what {
                    if *client_id == name(0, 1) {
                        (*seq, *message_no) = (Seq(6), MessageNo(3));
                    } else if *client_id == name(0, 2) {
                        (*seq, *message_no) = (Seq(4), MessageNo(1));
                    }
                }
            }
        }
        history.stored()[0].said = first;
        history.stored()[2].said = second;
    };
    finds(sender, reordered, 1);
}

#[test]
fn what_belongs_elsewhere() {
    let foreign = |counts: Counts| counts.foreign;
    let unsent = |history: &mut History| {
        history.clients[0].records.retain(|record| {
            !matches!(record.what, What::Sent { client_id, .. } | What::Acked { client_id, .. } if client_id == name(0, 1))
        });
    };
    finds(unsent, foreign, 1);
    let leaked = |history: &mut History| {
        let what = What::Delivered { room: RoomId(8), seq: Seq(1), said: None };
        history.clients[0].records.push(Record { at: At(0), what });
    };
    finds(leaked, foreign, 1);
    let of_another = |history: &mut History| history.clients[0].user_id = UserId(9);
    finds(of_another, foreign, 2);
}

#[test]
fn refusals_skips_and_clients_that_give_up_are_violations() {
    for what in [
        What::Failed { client_id: name(0, 1), reason: "no".into() },
        What::Reset { room: ROOM, head: Seq(7) },
        What::Ended { reason: "signed out".into() },
    ] {
        let mut history = good();
        history.clients[0].records.push(Record { at: At(0), what: what.clone() });
        assert_eq!(judge(&history).violations, 1, "{what:?}");
    }
}
