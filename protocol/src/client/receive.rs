//! What a node says, and what the client makes of it.

use super::Client;
use super::config::ConnId;
use super::presence::Presence;
use super::rooms::Place;
use super::time::Now;
use super::typing::Typing;
use crate::codec::Incoming;
use crate::event::RoomEvent;
use crate::frame::server::{
    Ack, Error, HistoryPage, MembersPage, ReadMarker, Reset, RoomsPage, ServerMessage, UserTyping, Welcome,
};
use crate::ids::RoomId;
use crate::view::{ClientEvent, TypingUser};

impl Client {
    /// A text frame came in.
    pub fn handle_frame(&mut self, conn: ConnId, text: &str, now: Now) {
        let dialing = self.is_dialing(conn);
        match &mut self.live {
            Some(live) if live.id == conn => live.heartbeat.handle_received(now),
            _ if dialing => {}
            _ => return,
        }
        match crate::decode_server(text) {
            Ok(Incoming::Known(message)) if dialing => {
                // Before the welcome there is nothing else to listen to; a close follows an error.
                if let ServerMessage::Welcome(welcome) = *message {
                    self.on_welcome(welcome, now);
                }
            }
            Ok(Incoming::Known(message)) => match message.into_event() {
                Ok(event) => self.on_event(conn, event, now),
                Err(message) => self.on_message(conn, *message, now),
            },
            Ok(Incoming::UnknownEvent { room_id, seq }) if !dialing => {
                let place = self.rooms.place(room_id, seq, None);
                self.on_placed(conn, place, None, now);
            }
            Ok(Incoming::UnknownEvent { .. } | Incoming::UnknownFrame) => {}
            Err(_) => self.fault(conn, "frame is not readable", now),
        }
        self.settle(now);
    }

    fn on_message(&mut self, conn: ConnId, message: ServerMessage, now: Now) {
        match message {
            ServerMessage::Ack(ack) => self.on_ack(conn, &ack, now),
            ServerMessage::Error(error) => self.on_error(error, now),
            ServerMessage::Reset(reset) => self.on_reset(&reset),
            ServerMessage::RoomAdded(added) => self.rooms.handle_added(added.room, &mut self.out),
            ServerMessage::RoomRemoved(removed) => self.on_removed(removed.room_id),
            ServerMessage::HistoryPage(answer) => {
                if self.requests.handle_answer(answer.request_id) {
                    let HistoryPage { request_id, room_id, page } = answer;
                    self.out.event(ClientEvent::HistoryPage { request_id, room_id, page });
                }
            }
            ServerMessage::MembersPage(answer) => {
                if self.requests.handle_answer(answer.request_id) {
                    let MembersPage { request_id, room_id, members, more } = answer;
                    self.out.event(ClientEvent::MembersPage { request_id, room_id, members, more });
                }
            }
            ServerMessage::RoomsPage(answer) => {
                if self.requests.handle_answer(answer.request_id) {
                    let RoomsPage { request_id, rooms, more } = answer;
                    self.out.event(ClientEvent::RoomsPage { request_id, rooms, more });
                }
            }
            ServerMessage::ReadMarker(marker) => self.on_read_marker(&marker),
            ServerMessage::Typing(typing) => self.on_typing(typing, now),
            ServerMessage::Presence(whole) => self.presence.handle_whole(whole, &mut self.out),
            ServerMessage::PresenceChanged(changed) => self.presence.handle_changed(&changed, &mut self.out),
            ServerMessage::Drain(drain) => self.on_drain(drain, now),
            ServerMessage::Pong => {
                if let Some(live) = &mut self.live {
                    live.heartbeat.handle_pong();
                }
            }
            // The life of a token is known from its answer; a second welcome says nothing new, and
            // events went another way.
            ServerMessage::Refreshed(_)
            | ServerMessage::Welcome(_)
            | ServerMessage::NewMessage(_)
            | ServerMessage::MessageEdited(_)
            | ServerMessage::MessageDeleted(_)
            | ServerMessage::ReactionAdded(_)
            | ServerMessage::ReactionRemoved(_)
            | ServerMessage::MessagePinned(_)
            | ServerMessage::MessageUnpinned(_)
            | ServerMessage::RoomCreated(_)
            | ServerMessage::RoomUpdated(_)
            | ServerMessage::MemberJoined(_)
            | ServerMessage::MemberLeft(_)
            | ServerMessage::RoleChanged(_) => {}
        }
    }

    fn on_event(&mut self, conn: ConnId, event: RoomEvent, now: Now) {
        let place = self.rooms.place(event.room_id(), event.seq(), Some(&event));
        if place != Place::Gap
            && let Some(me) = self.rooms.me()
        {
            self.outbox.handle_event(&event, me.id, &mut self.out);
        }
        self.on_placed(conn, place, Some(event), now);
    }

    fn on_placed(&mut self, conn: ConnId, place: Place, event: Option<RoomEvent>, now: Now) {
        match place {
            Place::Drop => {}
            Place::Gap => self.fault(conn, "an event is missing", now),
            Place::Deliver => {
                self.unkept = true;
                let Some(event) = event else { return };
                if let RoomEvent::NewMessage(message) = &event {
                    self.typing.stop(message.room_id, message.user_id, &mut self.out);
                } else if let RoomEvent::MemberLeft(left) = &event {
                    self.typing.stop(left.room_id, left.user_id, &mut self.out);
                }
                self.out.event(ClientEvent::Event { event });
            }
        }
    }

    fn on_ack(&mut self, conn: ConnId, ack: &Ack, now: Now) {
        if !self.outbox.handle_ack(ack, &mut self.out) {
            self.fault(conn, "ack does not name the message", now);
        }
    }

    fn on_error(&mut self, error: Error, now: Now) {
        let Self { config, rng, out, .. } = self;
        if let Some(client_id) = error.client_id {
            self.outbox.handle_error(client_id, error, config, rng, out, now);
        } else if let Some(request_id) = error.request_id {
            self.requests.handle_error(request_id, error, config, rng, out, now);
        }
    }

    fn on_reset(&mut self, reset: &Reset) {
        self.unkept = true;
        self.rooms.handle_reset(reset.room_id, reset.head_seq, &mut self.out);
    }

    fn on_removed(&mut self, room_id: RoomId) {
        self.unkept = true;
        self.typing.forget(room_id);
        self.marks.forget(room_id);
        self.presence.forget(room_id);
        self.rooms.handle_removed(room_id, &mut self.out);
    }

    fn on_read_marker(&mut self, marker: &ReadMarker) {
        self.marks.handle_marker(marker.room_id, marker.last_read_no);
        self.rooms.handle_read_marker(marker);
    }

    fn on_typing(&mut self, typing: UserTyping, now: Now) {
        let UserTyping { room_id, user_id, display_name } = typing;
        if !self.rooms.is_me(user_id) && self.rooms.room(room_id).is_some() {
            self.typing.handle_typing(room_id, TypingUser { user_id, display_name }, &mut self.out, now);
        }
    }

    /// What a user left behind on this device is not for the next one.
    pub(super) fn check_owner(&mut self, welcome: &Welcome) {
        let owner = self.owner.replace(welcome.user.id);
        if owner.is_some_and(|owner| owner != welcome.user.id) {
            self.rooms.clear();
            self.outbox.clear(&mut self.out);
            self.marks.clear();
            self.typing = Typing::default();
            self.presence = Presence::default();
        }
    }
}
