//! Operations other than sends, judged when a client is told their end.

use super::judge::Judge;
use crate::marks::{Mark, sometimes};
use crate::oracle::effect::Asked;
use crate::oracle::{Check, hold};
use protocol::client::Operation;
use protocol::{ClientId, ErrorCode, RoomId, Seq};

impl Judge {
    /// A client is asked for something else.
    pub fn ask(&mut self, index: u32, client_id: ClientId, operation: Operation) {
        let room_id = room_of(&operation);
        if let Some(room_id) = room_id {
            self.look(room_id);
        }
        let head = room_id.map_or(Seq(0), |room_id| self.log.head(room_id));
        let asked = Asked { operation, user: self.client(index).user, head };
        self.log.ask(&asked);
        self.client(index).asked.insert(client_id, (room_id, asked));
    }

    /// It is told that something was done.
    pub(super) fn done(&mut self, index: u32, client_id: ClientId, room_id: RoomId) -> Check {
        let Some((room, asked)) = self.client(index).asked.remove(&client_id) else { return Ok(()) };
        self.look(room_id);
        hold!(
            room.is_none_or(|room| room == room_id),
            AckedIsDurable,
            "{:?} was done in room {room_id}",
            asked.operation
        );
        sometimes(Mark::Done);
        self.log.check_done(&asked, client_id, room_id)
    }

    /// It is told that something was refused.
    pub(super) fn refused(&mut self, index: u32, client_id: ClientId, code: ErrorCode) -> Check {
        let Some((Some(room_id), asked)) = self.client(index).asked.remove(&client_id) else { return Ok(()) };
        self.look(room_id);
        self.log.check_not_done(&asked, room_id, code)
    }
}

/// The room that an operation is for, if there is one by then.
const fn room_of(operation: &Operation) -> Option<RoomId> {
    match operation {
        Operation::CreateRoom { .. } => None,
        Operation::EditMessage { room_id, .. }
        | Operation::DeleteMessage { room_id, .. }
        | Operation::AddReaction { room_id, .. }
        | Operation::RemoveReaction { room_id, .. }
        | Operation::PinMessage { room_id, .. }
        | Operation::UnpinMessage { room_id, .. }
        | Operation::UpdateRoom { room_id, .. }
        | Operation::JoinRoom { room_id }
        | Operation::LeaveRoom { room_id }
        | Operation::Invite { room_id, .. }
        | Operation::Kick { room_id, .. }
        | Operation::Ban { room_id, .. }
        | Operation::Unban { room_id, .. }
        | Operation::SetRole { room_id, .. } => Some(*room_id),
    }
}
