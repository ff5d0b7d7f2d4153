//! What people do: each act is asked of a client, as its front end would, and noted.

use super::World;
use super::intruder;
use super::judge::{Judge, Shared, now};
use crate::history::{Lane, Name, What};
use crate::oracle::{Invariant, end};
use crate::plan::{Act, Odd, Op, Way};
use futures_util::FutureExt;
use hub::store::{self, Append, RoomOp, Store};
use loadgen::driver::Handle;
use protocol::client::{Client, Kick, Now, Operation, Request};
use protocol::limits::CONTENT_BYTES_MAX;
use protocol::model::{Anchor, Role, RoomKind};
use protocol::{ClientId, MessageId, MessageNo, RoomId, Timestamp, UserId};
use uuid::Uuid;

/// A room of a plan, as the store names it.
#[must_use]
pub(super) fn room_id(room: u32) -> RoomId {
    RoomId(u64::from(room) + 1)
}

/// A user of a plan, as the store names it.
#[must_use]
pub(super) fn user_id(user: u32) -> UserId {
    UserId(u64::from(user) + 1)
}

/// Asks a client for something, without waiting until it is done.
fn ask(handle: &Handle, act: impl FnOnce(&mut Client, Now) + Send + 'static) {
    // What is asked for is in the client's queue after the first look.
    handle.with(act).now_or_never();
}

impl World<'_> {
    pub(super) fn act(&mut self, op: &Op) {
        let index = op.client;
        if op.act == Act::Storm {
            return self.storm();
        }
        if let Act::Intrude { room, how } = op.act {
            return intruder::send(self, index, room_id(room), how);
        }
        if let Act::Canary { room } = op.act {
            return self.sing(room);
        }
        if op.act == Act::Revoke {
            return self.revoke(index);
        }
        let Some(handle) = self.judge.lock().client(index).handle.clone() else { return };
        match op.act {
            Act::Say { room, padding } => say(&self.judge, &handle, index, room_id(room), padding as usize),
            Act::SayOdd { room, odd } => say_odd(&self.judge, &handle, index, room_id(room), odd),
            Act::Edit { room } => edit(&self.judge, &handle, index, room_id(room)),
            Act::Delete { room } => self.on_own(&handle, index, room, |room_id, message_id| {
                Operation::DeleteMessage { room_id, message_id }
            }),
            Act::React { room } => self.on_newest(&handle, index, room, |room_id, message_id| {
                Operation::AddReaction { room_id, message_id, emoji: "🎉".to_owned() }
            }),
            Act::Unreact { room } => self.on_newest(&handle, index, room, |room_id, message_id| {
                Operation::RemoveReaction { room_id, message_id, emoji: "🎉".to_owned() }
            }),
            Act::Unpin { room } => self.on_newest(&handle, index, room, |room_id, message_id| {
                Operation::UnpinMessage { room_id, message_id }
            }),
            Act::Pin { room } => self.on_newest(&handle, index, room, |room_id, message_id| {
                Operation::PinMessage { room_id, message_id }
            }),
            Act::Cut => {
                self.did(index, "loses its connections");
                handle.cut().now_or_never();
            }
            Act::Reload => {
                self.did(index, "is opened again");
                self.judge.lock().client(index).reopens = true;
                handle.close().now_or_never();
            }
            Act::Quit => {
                self.did(index, "is closed for good");
                self.judge.lock().client(index).quits = true;
                handle.close().now_or_never();
            }
            Act::Nudge => ask(&handle, |client, now| client.kick(Kick::Online, now)),
            Act::MarkRead { room, unread } => {
                let room_id = room_id(room);
                ask(&handle, move |client, now| mark_read(client, room_id, unread, now));
            }
            Act::Typing { room } => {
                let room_id = room_id(room);
                ask(&handle, move |client, now| client.typing(room_id, now));
            }
            Act::Watch { room } => {
                let room_id = room_id(room);
                self.judge.lock().client(index).page.watch(room_id);
                ask(&handle, move |client, now| client.watch_presence(room_id, now));
            }
            Act::History { room, back, limit, way } => {
                history(&self.judge, &handle, index, room_id(room), back, limit, way);
            }
            Act::Storm | Act::Intrude { .. } | Act::Revoke | Act::Canary { .. } => {}
            Act::Join { .. }
            | Act::Leave { .. }
            | Act::Invite { .. }
            | Act::Kick { .. }
            | Act::Ban { .. }
            | Act::Unban { .. }
            | Act::Promote { .. }
            | Act::CreateRoom { .. }
            | Act::Rename { .. } => self.operate(&handle, index, membership(op)),
        }
    }

    fn did(&self, index: u32, text: &str) {
        self.judge.lock().tell(Lane::Client(index), What::Did(text.to_owned()));
    }

    fn operate(&self, handle: &Handle, index: u32, operation: Option<Operation>) {
        let Some(operation) = operation else { return };
        self.did(index, &format!("asks for {operation:?}"));
        operate(&self.judge, handle, index, operation);
    }

    fn on_own(
        &self,
        handle: &Handle,
        index: u32,
        room: u32,
        make: impl FnOnce(RoomId, MessageId) -> Operation,
    ) {
        let newest = {
            let mut judge = self.judge.lock();
            let user = judge.client(index).user;
            judge.look(room_id(room));
            judge.log.newest(room_id(room), Some(user))
        };
        self.operate(handle, index, newest.map(|message_id| make(room_id(room), message_id)));
    }

    fn on_newest(
        &self,
        handle: &Handle,
        index: u32,
        room: u32,
        make: impl FnOnce(RoomId, MessageId) -> Operation,
    ) {
        let newest = {
            let mut judge = self.judge.lock();
            judge.look(room_id(room));
            judge.log.newest(room_id(room), None)
        };
        self.operate(handle, index, newest.map(|message_id| make(room_id(room), message_id)));
    }

    /// Everyone loses the connection at once.
    fn storm(&mut self) {
        let mut judge = self.judge.lock();
        judge.tell(Lane::World, What::Did("everyone loses the connection".to_owned()));
        for client in &judge.clients {
            if let Some(handle) = &client.handle {
                handle.cut().now_or_never();
            }
        }
    }

    /// A message that nobody said is in the store.
    fn sing(&mut self, room: u32) {
        let owner = self.plan.topology.rooms[room as usize].members[0];
        let (actor, room_id) = (user_id(owner), room_id(room));
        let op = RoomOp::Send { content: "tweet".to_owned(), reply_to: None };
        let client_id = ClientId(Uuid::from_u64_pair(1, 1));
        let append = Append { actor, client_id, at: Timestamp(now()), op: store::Op::InRoom { room_id, op } };
        end::now(self.truth.append(vec![append]));
    }

    /// A user signs out, on a device that is not simulated: the store knows, nobody rings.
    fn revoke(&mut self, index: u32) {
        let mut judge = self.judge.lock();
        let (user, login) = (judge.client(index).user, judge.client(index).login);
        self.truth.revoke_login(login, Timestamp(now())).now_or_never();
        judge.tell(Lane::Client(index), What::Did(format!("user {user} signs out")));
        let at = now();
        for client in judge.clients.iter_mut().filter(|client| client.user == user) {
            client.revoked_at.get_or_insert(at);
        }
    }
}

fn membership(op: &Op) -> Option<Operation> {
    Some(match op.act {
        Act::Join { room } => Operation::JoinRoom { room_id: room_id(room) },
        Act::Leave { room } => Operation::LeaveRoom { room_id: room_id(room) },
        Act::Invite { room, user } => {
            Operation::Invite { room_id: room_id(room), username: format!("user{user}") }
        }
        Act::Kick { room, user } => Operation::Kick { room_id: room_id(room), user_id: user_id(user) },
        Act::Ban { room, user } => Operation::Ban { room_id: room_id(room), user_id: user_id(user) },
        Act::Unban { room, user } => Operation::Unban { room_id: room_id(room), user_id: user_id(user) },
        Act::Promote { room, user } => {
            Operation::SetRole { room_id: room_id(room), user_id: user_id(user), role: Role::Admin }
        }
        Act::CreateRoom { private } => {
            let kind = if private { RoomKind::Private } else { RoomKind::Public };
            Operation::CreateRoom {
                name: format!("made-at-{}-by-{}", op.at, op.client),
                kind,
                topic: String::new(),
            }
        }
        Act::Rename { room } => {
            let topic = Some(format!("topic at {}", op.at));
            Operation::UpdateRoom { room_id: room_id(room), name: None, topic }
        }
        Act::Say { .. }
        | Act::SayOdd { .. }
        | Act::Edit { .. }
        | Act::Delete { .. }
        | Act::React { .. }
        | Act::Unreact { .. }
        | Act::Pin { .. }
        | Act::Unpin { .. }
        | Act::MarkRead { .. }
        | Act::Typing { .. }
        | Act::History { .. }
        | Act::Watch { .. }
        | Act::Cut
        | Act::Storm
        | Act::Reload
        | Act::Quit
        | Act::Nudge
        | Act::Revoke
        | Act::Intrude { .. }
        | Act::Canary { .. } => return None,
    })
}

/// The name of the next thing that a client says.
fn next_name(judge: &mut Judge, index: u32) -> Name {
    let client = judge.client(index);
    let name = Name { client: index, number: client.number };
    client.number += 1;
    name
}

fn say(judge: &Shared, handle: &Handle, index: u32, room: RoomId, padding: usize) {
    let shared = judge.clone();
    ask(handle, move |client, at| {
        let mut judge = shared.lock();
        let name = next_name(&mut judge, index);
        let content = name.text(room, padding);
        let written_at = Timestamp(now());
        drop(judge);
        let Ok(client_id) = client.send_message(room, content.clone(), None, written_at, at) else { return };
        let mut judge = shared.lock();
        judge.say(index, client_id, name, room, content);
    });
}

fn say_odd(judge: &Shared, handle: &Handle, index: u32, room: RoomId, odd: Odd) {
    let content = match odd {
        Odd::Empty => String::new(),
        Odd::Largest => format!("odd {}", "x".repeat(CONTENT_BYTES_MAX - 4)),
        Odd::TooLarge => format!("odd {}", "x".repeat(CONTENT_BYTES_MAX)),
        Odd::Nul => "odd \0".to_owned(),
        Odd::Emoji => "odd 👩🏽‍🚀👨‍👩‍👧‍👦🇩🇪é\u{202e}".to_owned(),
    };
    let shared = judge.clone();
    let is_allowed = matches!(odd, Odd::Largest | Odd::Emoji);
    ask(handle, move |client, at| {
        let result = client.send_message(room, content.clone(), None, Timestamp(now()), at);
        let mut judge = shared.lock();
        let name = next_name(&mut judge, index);
        match result {
            Ok(_) if !is_allowed => {
                judge.fail(Invariant::Readable, format!("client{index} may say something that is {odd:?}"));
            }
            Ok(client_id) => {
                judge.say(index, client_id, name, room, content);
            }
            Err(refused) => {
                let text = format!("may not say something odd: {refused}");
                judge.tell(Lane::Client(index), What::Did(text));
            }
        }
    });
}

fn edit(judge: &Shared, handle: &Handle, index: u32, room: RoomId) {
    let (content, newest) = {
        let mut judge = judge.lock();
        let user = judge.client(index).user;
        judge.look(room);
        let Some(newest) = judge.log.newest(room, Some(user)) else { return };
        let name = next_name(&mut judge, index);
        judge.tell(Lane::Client(index), What::Did(format!("changes message {newest} to {name}")));
        (name.text(room, 0), newest)
    };
    let operation = Operation::EditMessage { room_id: room, message_id: newest, content };
    operate(judge, handle, index, operation);
}

fn operate(judge: &Shared, handle: &Handle, index: u32, operation: Operation) {
    let shared = judge.clone();
    ask(handle, move |client, now| {
        // Too many at a time are refused, which is all right here.
        if let Ok(client_id) = client.operate(operation.clone(), now) {
            shared.lock().ask(index, client_id, operation);
        }
    });
}

fn mark_read(client: &mut Client, room_id: RoomId, unread: u64, now: Now) {
    let snapshot = client.snapshot(now);
    let rooms = snapshot.iter().find_map(|event| {
        if let protocol::view::ClientEvent::Ready { rooms, .. } = event { Some(rooms) } else { None }
    });
    let room = rooms.and_then(|rooms| rooms.iter().find(|room| room.id == room_id));
    if let Some(room) = room {
        let message_no = MessageNo(room.last_message_no.0.saturating_sub(unread));
        client.mark_read(room_id, message_no, now);
    }
}

fn history(judge: &Shared, handle: &Handle, index: u32, room: RoomId, back: u64, limit: u32, way: Way) {
    let shared = judge.clone();
    let number = {
        let mut judge = judge.lock();
        judge.look(room);
        MessageNo(judge.log.messages(room).saturating_sub(back))
    };
    ask(handle, move |client, now| {
        let anchor = match way {
            Way::Latest => Anchor::Latest,
            Way::Before => Anchor::Before(number),
            Way::After => Anchor::After(number),
            Way::Around => Anchor::Around(number),
        };
        let request = Request::History { room_id: room, anchor, limit: Some(limit), pinned: false };
        if let Ok(id) = client.request(request, now) {
            shared.lock().client(index).page.ask(id, anchor, limit);
        }
    });
}
