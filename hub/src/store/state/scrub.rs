//! Taking the text of a deleted message out of an event of the log. Its numbers stay.

use crate::store::op::Event;
use protocol::event::RoomEvent;

/// The event without the text of its message; the same event if it carries none.
pub(crate) fn scrubbed(event: &Event) -> Event {
    match serde_json::from_str(&event.json) {
        Ok(RoomEvent::NewMessage(mut new)) => {
            new.content = String::new();
            new.mentions = Vec::new();
            new.deleted = true;
            Event::new(&new.into())
        }
        Ok(RoomEvent::MessageEdited(mut edited)) => {
            edited.content = String::new();
            edited.mentions = Vec::new();
            Event::new(&edited.into())
        }
        Ok(_) | Err(_) => event.clone(),
    }
}
