//! The steps of a plan: what people do, and what breaks.

use super::plan::{CutKind, Op};
use super::world::{NODES, USERS, World};
use hub::store::memory::MemoryStore;
use protocol::client::{Now, Operation};
use protocol::model::RoomKind;
use protocol::view::Delivery;
use protocol::{MessageId, MessageNo, RoomId};

impl World {
    pub(super) fn act(&mut self, op: &Op) {
        let devices = self.devices.len();
        let at = Now(self.now);
        match op {
            Op::Wait => {}
            Op::Say { device, room } => self.say(device % devices, *room),
            Op::Edit { device, room } => {
                self.operate_on_own(device % devices, *room, |room_id, message_id| Operation::EditMessage {
                    room_id,
                    message_id,
                    content: "edited".into(),
                })
            }
            Op::Delete { device, room } => {
                self.operate_on_own(device % devices, *room, |room_id, message_id| Operation::DeleteMessage {
                    room_id,
                    message_id,
                })
            }
            Op::React { device, room } => {
                self.operate_on_own(device % devices, *room, |room_id, message_id| Operation::AddReaction {
                    room_id,
                    message_id,
                    emoji: "🎉".into(),
                })
            }
            Op::Join { device, room } => {
                self.operate(device % devices, Operation::JoinRoom { room_id: RoomId(room + 1) });
            }
            Op::Leave { device, room } => {
                self.in_room(device % devices, *room, |room_id| Operation::LeaveRoom { room_id });
            }
            Op::Invite { device, user, room } => {
                let username = format!("user{user}");
                self.in_room(device % devices, *room, |room_id| Operation::Invite { room_id, username });
            }
            Op::Kick { device, user, room } => {
                let user_id = self.users[usize::try_from(*user).unwrap()].id;
                self.in_room(device % devices, *room, |room_id| Operation::Kick { room_id, user_id });
            }
            Op::CreateRoom { device } => {
                let (name, topic) = (format!("new{}", self.next_random()), String::new());
                self.operate(device % devices, Operation::CreateRoom { name, kind: RoomKind::Public, topic });
            }
            Op::Rename { device, room } => {
                let topic = Some(format!("topic {}", self.now));
                self.in_room(device % devices, *room, |room_id| Operation::UpdateRoom {
                    room_id,
                    name: None,
                    topic,
                });
            }
            Op::MarkRead { device, room } => {
                if let Some(room_id) = self.room_of(device % devices, *room) {
                    let no = MessageNo(1 + self.random(20));
                    self.devices[device % devices].client.mark_read(room_id, no, at);
                }
            }
            Op::Discard { device } => self.discard(device % devices),
            Op::Retry { device } => {
                let device = &mut self.devices[device % devices];
                if let Some(client_id) = device.page.failed() {
                    device.said.push(client_id);
                    device.client.retry(client_id, at);
                }
            }
            Op::Reload { device } => self.reload(device % devices),
            Op::Cut { device, kind } => self.cut(device % devices, *kind),
            Op::Offline { device, millis } => {
                self.devices[device % devices].offline_until = self.now + millis;
                self.cut(device % devices, CutKind::HalfOpen);
            }
            Op::Kill { node, half_open } => self.kill(*node, *half_open),
            Op::Drain { node } => self.drain(*node),
            Op::Stall { millis } => self.stalled_until = self.now + millis,
            Op::FailCommits { batches } => self.fail_commits = *batches,
            Op::LoseReplies { batches } => self.lose_replies = *batches,
            Op::Restore { lost } => self.restore(*lost),
        }
        for device in 0..devices {
            self.drive(device);
        }
    }

    fn room_of(&self, device: usize, room: usize) -> Option<RoomId> {
        let rooms: Vec<RoomId> = self.devices[device].page.rooms.keys().copied().collect();
        rooms.get(room % rooms.len().max(1)).copied()
    }

    fn say(&mut self, device: usize, room: usize) {
        let Some(room_id) = self.room_of(device, room) else { return };
        let (at, written_at) = (Now(self.now), self.timestamp());
        let device = &mut self.devices[device];
        let content = format!("message {} @user2", device.said.len());
        if let Ok(client_id) = device.client.send_message(room_id, content, None, written_at, at) {
            device.said.push(client_id);
        }
    }

    fn in_room(&mut self, device: usize, room: usize, operation: impl FnOnce(RoomId) -> Operation) {
        if let Some(room_id) = self.room_of(device, room) {
            self.operate(device, operation(room_id));
        }
    }

    fn operate(&mut self, device: usize, operation: Operation) {
        let at = Now(self.now);
        // Too many at a time are refused, which is all right here.
        self.devices[device].client.operate(operation, at).ok();
    }

    fn operate_on_own(
        &mut self,
        device: usize,
        room: usize,
        operation: impl FnOnce(RoomId, MessageId) -> Operation,
    ) {
        let Some(room_id) = self.room_of(device, room) else { return };
        let user = self.devices[device].user;
        let messages = self.log_now().messages(room_id);
        if let Some(message) = messages.iter().rfind(|message| message.user_id == user) {
            self.operate(device, operation(room_id, message.message_id));
        }
    }

    fn discard(&mut self, device: usize) {
        let at = Now(self.now);
        let device = &mut self.devices[device];
        let waiting = device.page.pending.values().find(|m| !matches!(m.delivery, Delivery::Sending));
        if let Some(client_id) = waiting.map(|message| message.client_id) {
            device.said.retain(|said| *said != client_id);
            device.client.discard(client_id, at);
        }
    }

    fn reload(&mut self, device: usize) {
        self.cut(device, CutKind::Zombie);
        let (seed, at) = (self.next_random(), Now(self.now));
        self.devices[device].reload(seed);
        self.devices[device].client.start(None, at);
    }

    /// All nodes stop; the store comes back as it was some operations ago, under another epoch.
    fn restore(&mut self, lost: usize) {
        for node in 0..NODES {
            self.kill(node, false);
        }
        self.epoch = self.epoch.next();
        self.stores.insert(self.epoch, MemoryStore::new(self.epoch));
        self.make_users();
        let set_up = usize::try_from(self.plan.rooms * USERS).unwrap();
        let kept = self.log.len().saturating_sub(lost).max(set_up);
        let log = std::mem::take(&mut self.log);
        for append in log.into_iter().take(kept) {
            self.append(vec![append]).clear();
        }
    }
}
