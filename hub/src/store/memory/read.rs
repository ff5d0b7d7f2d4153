//! Reads of the store in memory.

use super::Inner;
use crate::store::page::{self, Window};
use crate::store::state::{MessageRow, RoomRow};
use crate::store::{Event, MemberPage, RoomPage};
use protocol::frame::server::ReadMarker;
use protocol::model::{Anchor, Member, Message, MessagePage, Room, RoomKind, RoomListing};
use protocol::{MessageId, MessageNo, RoomId, Seq, UserId};
use std::ops::Bound::{Excluded, Unbounded};

impl Inner {
    pub(super) fn heads(&self, rooms: &[RoomId]) -> Vec<(RoomId, Seq)> {
        let mut rooms = rooms.to_vec();
        rooms.sort_unstable();
        rooms.dedup();
        rooms.iter().filter_map(|id| Some((*id, self.state.rooms.get(id)?.head_seq))).collect()
    }

    pub(super) fn events(&self, room_id: RoomId, after: Seq, limit: u32) -> Vec<Event> {
        let range = (Excluded((room_id, after)), Excluded((room_id.next(), Seq(0))));
        self.state.events.range(range).take(limit as usize).map(|(_, event)| event.clone()).collect()
    }

    pub(super) fn rooms_of(&self, user_id: UserId) -> Vec<Room> {
        self.state.rooms.keys().filter_map(|id| self.room(user_id, *id)).collect()
    }

    pub(super) fn room(&self, reader: UserId, room_id: RoomId) -> Option<Room> {
        let (room, member) = (self.state.rooms.get(&room_id)?, self.state.members.get(&(room_id, reader))?);
        let marker = self.read_marker(reader, room_id)?;
        Some(Room {
            id: room_id,
            name: room.name.clone(),
            kind: room.kind,
            topic: room.topic.clone(),
            role: member.role,
            head_seq: room.head_seq,
            last_message_no: room.last_message_no,
            last_read_no: member.last_read_no,
            joined_seq: member.joined_seq,
            unread_count: marker.unread_count,
            mention_count: marker.mention_count,
            member_count: room.member_count,
            created_at: room.created_at,
        })
    }

    pub(super) fn read_marker(&self, user_id: UserId, room_id: RoomId) -> Option<ReadMarker> {
        let (room, member) = (self.state.rooms.get(&room_id)?, self.state.members.get(&(room_id, user_id))?);
        let after = (Excluded((room_id, member.last_read_no)), Excluded((room_id.next(), MessageNo(0))));
        let messages = self.by_no.range(after).filter_map(|(_, id)| self.state.messages.get(id));
        let (mut unread_count, mut mention_count) = (0, 0);
        for message in messages.filter(|m| m.user_id != user_id && m.deleted_at.is_none()) {
            unread_count += 1;
            mention_count += u64::from(message.mentions.contains(&user_id));
        }
        Some(ReadMarker {
            room_id,
            last_read_no: member.last_read_no,
            last_message_no: room.last_message_no,
            head_seq: room.head_seq,
            unread_count,
            mention_count,
        })
    }

    pub(super) fn history(
        &self,
        reader: UserId,
        room_id: RoomId,
        anchor: Anchor,
        pinned: bool,
        limit: u32,
    ) -> Option<MessagePage> {
        let head = self.room_row(reader, room_id)?.head_seq;
        let window = Window::new(anchor, limit);
        let shown =
            |id: &&MessageId| self.state.messages.get(*id).is_some_and(|m| !pinned || m.pinned_at.is_some());
        let at = (room_id, window.split);
        let before = self.by_no.range((room_id, MessageNo(0))..at).rev().map(|(_, id)| id).filter(shown);
        let before: Vec<MessageId> = before.take(window.before_rows()).copied().collect();
        let after = self.by_no.range(at..(room_id.next(), MessageNo(0))).map(|(_, id)| id).filter(shown);
        let after: Vec<MessageId> = after.take(window.after_rows()).copied().collect();
        let page = window.cut(before, after);
        let messages = page.rows.iter().filter_map(|id| self.shown(*id)).collect();
        Some(MessagePage {
            messages,
            more_before: page.more_before,
            more_after: page.more_after,
            as_of_seq: head,
        })
    }

    pub(super) fn message(&self, reader: UserId, message_id: MessageId) -> Option<Message> {
        self.room_row(reader, self.state.messages.get(&message_id)?.room_id)?;
        self.shown(message_id)
    }

    pub(super) fn members(
        &self,
        reader: UserId,
        room_id: RoomId,
        after: Option<&str>,
        limit: u32,
    ) -> Option<MemberPage> {
        self.room_row(reader, room_id)?;
        let from = after.map_or(Unbounded, Excluded);
        let users = self.state.usernames.range::<str, _>((from, Unbounded));
        let members = users.filter_map(|(username, user_id)| {
            let member = self.state.members.get(&(room_id, *user_id))?;
            let display_name = self.state.users.get(user_id)?.display_name.clone();
            Some(Member { user_id: *user_id, username: username.clone(), display_name, role: member.role })
        });
        let mut members: Vec<Member> = members.take(limit as usize + 1).collect();
        let more = page::cut_more(&mut members, limit);
        Some(MemberPage { members, more })
    }

    pub(super) fn list_rooms(
        &self,
        reader: UserId,
        query: &str,
        after: Option<&str>,
        limit: u32,
    ) -> RoomPage {
        let query = query.to_lowercase();
        let is_member = |id: RoomId| self.state.members.contains_key(&(id, reader));
        let rooms = self.state.rooms.iter().filter(|(id, room)| {
            (room.kind == RoomKind::Public || is_member(**id))
                && room.name.contains(&query)
                && after.is_none_or(|after| room.name.as_str() > after)
        });
        let mut rooms: Vec<RoomListing> = rooms
            .map(|(id, room)| RoomListing {
                id: *id,
                name: room.name.clone(),
                kind: room.kind,
                topic: room.topic.clone(),
                member_count: room.member_count,
                is_member: is_member(*id),
            })
            .collect();
        rooms.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        let last = rooms.get((limit as usize).saturating_sub(1)).map(|room| room.name.clone());
        let end = last.map_or(rooms.len(), |last| rooms.partition_point(|room| room.name <= last));
        let more = end < rooms.len();
        rooms.truncate(end);
        RoomPage { rooms, more }
    }

    fn room_row(&self, reader: UserId, room_id: RoomId) -> Option<&RoomRow> {
        self.state.members.get(&(room_id, reader))?;
        self.state.rooms.get(&room_id)
    }

    fn shown(&self, message_id: MessageId) -> Option<Message> {
        let row: &MessageRow = self.state.messages.get(&message_id)?;
        let writer = self.state.users.get(&row.user_id)?;
        Some(Message {
            room_id: row.room_id,
            message_id,
            message_no: row.message_no,
            seq: row.seq,
            latest_seq: row.latest_seq,
            user_id: row.user_id,
            username: writer.username.clone(),
            display_name: writer.display_name.clone(),
            client_id: Some(row.client_id),
            content: row.content.clone(),
            reply_to: row.reply_to.and_then(|id| self.state.reply_to(id)),
            mentions: row.mentions.clone(),
            reactions: row.shown_reactions(),
            created_at: row.created_at,
            edited_at: row.edited_at,
            deleted_at: row.deleted_at,
            pinned_at: row.pinned_at,
        })
    }
}
