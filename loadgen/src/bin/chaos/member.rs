//! What one client is told, kept as history, and as much of it as the run looks at while it goes on.

use loadgen::driver::Observer;
use loadgen::history::{At, Record, Said, What};
use parking_lot::Mutex;
use protocol::event::RoomEvent;
use protocol::view::{ClientEvent, Connection, Delivery};
use protocol::{ClientId, RoomId, Seq, UserId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::time::Instant;

/// A client's history so far.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) records: Vec<Record>,
    /// Sends without an answer.
    pub(crate) pending: BTreeSet<ClientId>,
    /// The newest event of each room that it follows.
    pub(crate) heads: BTreeMap<RoomId, Seq>,
    /// The node that it is connected to.
    pub(crate) node: Option<String>,
    /// Who is online in the rooms that it watches.
    pub(crate) online: BTreeMap<RoomId, Vec<UserId>>,
}

/// Writes a client's history.
#[derive(Debug)]
pub(crate) struct Recorder {
    began: Instant,
    log: Arc<Mutex<Log>>,
}

impl Recorder {
    pub(crate) const fn new(began: Instant, log: Arc<Mutex<Log>>) -> Self {
        Self { began, log }
    }
}

/// The moment that it is now.
pub(crate) fn at(began: Instant) -> At {
    At(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX))
}

impl Observer for Recorder {
    fn handle_event(&mut self, event: ClientEvent) {
        let at = at(self.began);
        let mut log = self.log.lock();
        let Log { records, pending, heads, node, online } = &mut *log;
        let mut keep = |what| records.push(Record { at, what });
        match event {
            ClientEvent::Connection { connection } => match connection {
                Connection::Online { node: name } => {
                    *node = Some(name.0.clone());
                    keep(What::Online { node: name.0 });
                }
                Connection::Ended { reason } => {
                    *node = None;
                    keep(What::Ended { reason: format!("{reason:?}") });
                }
                Connection::Connecting { .. } | Connection::Offline { .. } => {
                    if node.take().is_some() {
                        keep(What::Offline);
                    }
                }
            },
            ClientEvent::Ready { rooms, .. } => {
                for room in rooms {
                    heads.entry(room.id).or_insert_with(|| {
                        keep(What::Follows { room: room.id, head: room.head_seq });
                        room.head_seq
                    });
                }
            }
            ClientEvent::Event { event } => {
                let (room, seq) = (event.room_id(), event.seq());
                heads.insert(room, seq);
                keep(What::Delivered { room, seq, said: said(event) });
            }
            ClientEvent::RoomReset { room_id, head_seq } => {
                heads.insert(room_id, head_seq);
                keep(What::Reset { room: room_id, head: head_seq });
            }
            ClientEvent::MessagePending { message } => {
                let client_id = message.client_id;
                if let Delivery::Failed { message: reason, code } = message.delivery {
                    pending.remove(&client_id);
                    keep(What::Failed { client_id, reason: format!("{code:?}: {reason}") });
                } else if pending.insert(client_id) {
                    keep(What::Sent { room: message.room_id, client_id, content: message.content });
                }
            }
            ClientEvent::MessageSent { client_id, room_id, message_no, seq, .. } => {
                pending.remove(&client_id);
                keep(What::Acked { room: room_id, client_id, seq, message_no });
            }
            ClientEvent::Presence { room_id, online: now, .. } => {
                online.insert(room_id, now);
            }
            ClientEvent::RoomChanged { .. }
            | ClientEvent::RoomRemoved { .. }
            | ClientEvent::MessageDiscarded { .. }
            | ClientEvent::OperationDone { .. }
            | ClientEvent::OperationFailed { .. }
            | ClientEvent::HistoryPage { .. }
            | ClientEvent::MembersPage { .. }
            | ClientEvent::RoomsPage { .. }
            | ClientEvent::RequestFailed { .. }
            | ClientEvent::Typing { .. } => {}
        }
    }
}

fn said(event: RoomEvent) -> Option<Said> {
    let RoomEvent::NewMessage(message) = event else { return None };
    Some(Said {
        message_no: message.message_no,
        client_id: message.client_id,
        user_id: message.user_id,
        content: message.content,
    })
}
