//! What was sent against what the store holds: each acknowledged message at the place that its
//! sender was told, each at most once, in its sender's order, and nothing else.

use super::Verdict;
use crate::content::Content;
use crate::history::{History, Logged, What};
use protocol::{ClientId, MessageNo, RoomId, Seq};
use std::collections::{BTreeMap, BTreeSet};

struct Sent<'a> {
    client: usize,
    room: RoomId,
    content: &'a str,
}

pub(super) fn judge(history: &History, verdict: &mut Verdict) {
    let (sent, acked) = collect(history, verdict);
    for (room, log) in &history.log {
        judge_log(history, *room, &log.messages, &sent, verdict);
    }
    for (client_id, (room, seq, message_no)) in acked {
        let messages = history.log.get(&room).map_or(&[][..], |log| &log.messages);
        let stored = messages.iter().find(|logged| logged.said.client_id == Some(client_id));
        match stored {
            Some(logged) if logged.seq == seq && logged.said.message_no == message_no => {}
            Some(logged) => {
                verdict.counts.reordered += 1;
                verdict.violation(|| {
                    format!(
                        "room {room}: {client_id} was acknowledged as {seq} and is stored as {}",
                        logged.seq
                    )
                });
            }
            None => {
                verdict.counts.lost += 1;
                verdict.violation(|| {
                    format!("room {room}: {client_id} was acknowledged as {seq} and is not in the store")
                });
            }
        }
    }
}

type Acked = BTreeMap<ClientId, (RoomId, Seq, MessageNo)>;

fn collect<'a>(history: &'a History, verdict: &mut Verdict) -> (BTreeMap<ClientId, Sent<'a>>, Acked) {
    let (mut sent, mut acked) = (BTreeMap::new(), Acked::new());
    for (client, of_client) in history.clients.iter().enumerate() {
        for record in &of_client.records {
            match &record.what {
                What::Sent { room, client_id, content } => {
                    verdict.counts.sent += 1;
                    sent.insert(*client_id, Sent { client, room: *room, content });
                }
                What::Acked { room, client_id, seq, message_no } => {
                    verdict.counts.acked += 1;
                    let ack = (*room, *seq, *message_no);
                    if acked.insert(*client_id, ack).is_some_and(|first| first != ack) {
                        verdict.counts.duplicated += 1;
                        verdict
                            .violation(|| format!("{client_id} was acknowledged twice, as different events"));
                    }
                }
                What::Failed { client_id, reason } => {
                    verdict.counts.failed += 1;
                    verdict.violation(|| format!("{client_id} of client {client} was refused: {reason}"));
                }
                What::Ended { reason } if of_client.stays => {
                    verdict.violation(|| format!("client {client} ended by itself: {reason}"));
                }
                What::Ended { .. }
                | What::Follows { .. }
                | What::Delivered { .. }
                | What::Reset { .. }
                | What::Online { .. }
                | What::Offline => {}
            }
        }
    }
    (sent, acked)
}

fn judge_log(
    history: &History,
    room: RoomId,
    messages: &[Logged],
    sent: &BTreeMap<ClientId, Sent<'_>>,
    verdict: &mut Verdict,
) {
    let (mut contents, mut names) = (BTreeSet::new(), BTreeSet::new());
    let mut last_numbers = BTreeMap::<usize, u64>::new();
    for pair in messages.windows(2) {
        if pair[1].seq <= pair[0].seq || pair[1].said.message_no != pair[0].said.message_no.next() {
            verdict.counts.reordered += 1;
            verdict.violation(|| {
                let numbers = pair.iter().map(|logged| (logged.seq.0, logged.said.message_no.0));
                format!("room {room}: the store's numbers are {:?}", numbers.collect::<Vec<_>>())
            });
        }
    }
    for Logged { seq, said } in messages {
        // In this order: a copy under a name that nobody gave is a duplicate before all else.
        let is_again = !contents.insert(said.content.as_str());
        if is_again || said.client_id.is_some_and(|name| !names.insert(name)) {
            verdict.counts.duplicated += 1;
            verdict.violation(|| format!("room {room}: {} is stored again as {seq}", said.content));
            continue;
        }
        let named = said.client_id.and_then(|name| sent.get(&name));
        let content = Content::parse(&said.content);
        let (Some(named), Some(content)) = (named, content) else {
            verdict.counts.foreign += 1;
            verdict.violation(|| format!("room {room}: event {seq} was sent by nobody: {said:?}"));
            continue;
        };
        let author = history.clients[named.client].user_id;
        let fits = named.content == said.content
            && (named.room, content.room) == (room, room)
            && (content.client, said.user_id) == (named.client, author);
        if !fits {
            verdict.counts.foreign += 1;
            verdict.violation(|| format!("room {room}: event {seq} belongs elsewhere: {said:?}"));
        }
        if last_numbers.insert(content.client, content.number).is_some_and(|last| last >= content.number) {
            verdict.counts.reordered += 1;
            verdict.violation(|| format!("room {room}: {} stands before an earlier one", said.content));
        }
    }
}
