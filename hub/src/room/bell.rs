//! A connection's doorbell: who has something for it rings and goes on; nothing is queued but
//! marks, and a few frames that concern the user alone or may be lost.

use crate::limits::bounds::{EPHEMERAL_FRAMES_MAX, USER_FRAMES_MAX};
use crate::room::active::Room;
use crate::room::ring::RingRead;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering};
use bytes::Bytes;
use protocol::{CloseCode, RoomId, Seq, UserId};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::Notify;

/// What rang.
#[derive(Debug, Default)]
pub struct Rung {
    /// Rooms with events after the cursor, each once.
    pub rooms: Vec<RoomId>,
    /// Frames of the user's own stream.
    pub user_frames: VecDeque<Bytes>,
    /// Watched rooms whose presence changed, each once.
    pub presence: Vec<RoomId>,
    /// Frames that may be lost.
    pub ephemeral_frames: VecDeque<Bytes>,
    /// The user's rooms or logins may have changed: read them again.
    pub reload: bool,
    /// The connection must end.
    pub close: Option<CloseCode>,
}

/// The doorbell of one connection.
#[derive(Debug, Default)]
pub struct Bell {
    rung: Mutex<Rung>,
    notify: Notify,
}

impl Bell {
    /// Waits until something rang since the last [`Self::take`].
    pub async fn wait(&self) {
        self.notify.notified().await;
    }

    /// Takes all that rang.
    #[must_use]
    pub fn take(&self) -> Rung {
        std::mem::take(&mut *self.rung.lock())
    }

    /// The user's rooms or logins may have changed.
    pub fn ring_reload(&self) {
        self.rung.lock().reload = true;
        self.notify.notify_one();
    }

    /// The connection must end.
    pub fn ring_close(&self, code: CloseCode) {
        self.rung.lock().close.get_or_insert(code);
        self.notify.notify_one();
    }

    /// A frame for the user on all devices.
    pub fn ring_user_frame(&self, frame: Bytes) {
        let mut rung = self.rung.lock();
        if rung.user_frames.len() < USER_FRAMES_MAX {
            rung.user_frames.push_back(frame);
        } else {
            rung.user_frames.clear();
            rung.reload = true;
        }
        drop(rung);
        self.notify.notify_one();
    }

    fn ring_ephemeral(&self, frame: Bytes) {
        let mut rung = self.rung.lock();
        if rung.ephemeral_frames.len() == EPHEMERAL_FRAMES_MAX {
            rung.ephemeral_frames.pop_front();
        }
        rung.ephemeral_frames.push_back(frame);
        drop(rung);
        self.notify.notify_one();
    }

    /// A watched room's presence changed.
    pub(super) fn ring_presence(&self, room_id: RoomId) {
        self.rung.lock().presence.push(room_id);
        self.notify.notify_one();
    }

    fn ring_room(&self, room_id: RoomId) {
        self.rung.lock().rooms.push(room_id);
        self.notify.notify_one();
    }
}

/// A connection's place in a room.
#[derive(Debug)]
pub struct Subscriber {
    room_id: RoomId,
    user_id: UserId,
    /// Rung and not yet looked at: rings once however many events come.
    is_dirty: AtomicBool,
    bell: Arc<Bell>,
}

impl Subscriber {
    /// The place of a connection of this user.
    #[must_use]
    pub const fn new(room_id: RoomId, user_id: UserId, bell: Arc<Bell>) -> Self {
        Self { room_id, user_id, is_dirty: AtomicBool::new(false), bell }
    }

    /// The user at the other end.
    #[must_use]
    pub const fn user_id(&self) -> UserId {
        self.user_id
    }

    /// There are new events.
    pub fn ring(&self) {
        if !self.is_dirty.swap(true, Ordering::AcqRel) {
            self.bell.ring_room(self.room_id);
        }
    }

    /// A frame that may be lost.
    pub fn ring_ephemeral(&self, frame: Bytes) {
        self.bell.ring_ephemeral(frame);
    }
}

/// A connection's stay in a room; the place is given up with it.
#[derive(Debug)]
pub struct Subscription {
    subscriber: Arc<Subscriber>,
    room: Arc<Room>,
}

impl Subscription {
    pub(super) const fn new(subscriber: Arc<Subscriber>, room: Arc<Room>) -> Self {
        Self { subscriber, room }
    }

    /// The room.
    #[must_use]
    pub const fn room(&self) -> &Arc<Room> {
        &self.room
    }

    /// The events after a cursor, from the room's ring. What comes after this rings again: the mark
    /// goes before the look, for the other way round what came between would never be told.
    #[must_use]
    pub fn read(&self, after: Seq, events_max: usize, bytes_max: usize) -> RingRead {
        self.subscriber.is_dirty.store(false, Ordering::Release);
        self.room.read(after, events_max, bytes_max)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.room.remove(&self.subscriber);
    }
}
