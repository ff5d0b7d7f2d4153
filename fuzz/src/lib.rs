//! What must hold for any bytes that come from outside. cargo-fuzz runs these for as long as one
//! likes; the tests of this crate run them for a moment, on any toolchain, from the same seeds.

use hub::broker::Topic;
use hub::room::publication::{Ephemeral, PresencePublication, RoomPublication, UserPublication};
use protocol::codec::{Incoming, decode_server_compact};
use protocol::{decode_client, decode_server, encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::path::Path;
use std::{fs, io};

/// What is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// [`frame`].
    Frame,
    /// [`publication`].
    Publication,
}

impl Target {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Frame, Self::Publication];

    /// The target's name for cargo-fuzz, and of its folder of seeds.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Frame => "frame",
            Self::Publication => "publication",
        }
    }

    /// Tries these bytes.
    ///
    /// # Panics
    /// When what must hold does not.
    pub fn run(self, bytes: &[u8]) {
        match self {
            Self::Frame => frame(bytes),
            Self::Publication => publication(bytes),
        }
    }
}

/// A frame of a client, or of a node to a client: it is read or refused, and what is read comes back
/// from its own text.
///
/// # Panics
/// When that does not hold.
pub fn frame(bytes: &[u8]) {
    // What is not UTF-8 ends with the WebSocket layer.
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(message) = decode_client(text) {
        assert_eq!(decode_client(&encode(&message)), Ok(message));
    }
    let message = decode_server(text);
    // The browser's reader may refuse more of what is broken, never read it otherwise.
    if let Ok(compact) = decode_server_compact(text) {
        assert_eq!(message, Ok(compact), "{text}");
    }
    if let Ok(Incoming::Known(message)) = message {
        assert_eq!(decode_server(&encode(&*message)), Ok(Incoming::Known(message)));
    }
}

/// A publication as Redis hands it over, `topic payload`: it is read or not understood, what is read
/// is what was published, and every client can read it.
///
/// # Panics
/// When that does not hold.
pub fn publication(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (name, payload) = text.split_once(' ').unwrap_or((text, ""));
    if let Some(topic) = Topic::parse(name) {
        assert_eq!(Topic::parse(&topic.to_string()), Some(topic));
    }
    if let RoomPublication::Event(event) = RoomPublication::parse(payload.into()) {
        assert_eq!(*event.json, *payload, "an event is sent on as it was published");
        let place = match decode_server(payload) {
            Ok(Incoming::Known(message)) => {
                message.into_event().map(|known| (known.room_id(), known.seq())).ok()
            }
            Ok(Incoming::UnknownEvent { room_id, seq }) => Some((room_id, seq)),
            Ok(Incoming::UnknownFrame) | Err(_) => None,
        };
        assert_eq!(place, Some((event.room_id, event.seq)), "no client would take this event: {payload}");
    }
    comes_back::<Ephemeral>(payload);
    comes_back::<UserPublication>(payload);
    comes_back::<PresencePublication>(payload);
}

fn comes_back<T: DeserializeOwned + Serialize + PartialEq + Debug>(payload: &str) {
    if let Ok(read) = serde_json::from_str::<T>(payload) {
        let again = serde_json::from_str::<T>(&encode(&read));
        assert_eq!(again.expect("what was written can be read"), read);
    }
}

/// What to begin with: the protocol's golden frames, by target.
///
/// # Errors
/// When they cannot be read.
pub fn seeds(target: Target) -> io::Result<Vec<Vec<u8>>> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/tests/golden");
    let folders: &[&str] = match target {
        Target::Frame => &["client", "server"],
        Target::Publication => &["server"],
    };
    let mut seeds = Vec::new();
    for folder in folders {
        let mut files: Vec<_> = fs::read_dir(golden.join(folder))?.collect::<io::Result<_>>()?;
        files.sort_by_key(fs::DirEntry::path);
        for file in files {
            seeds.extend(fs::read_to_string(file.path())?.lines().map(|line| seed(target, line)));
        }
    }
    if target == Target::Publication {
        let others = [
            "room:7 {\"type\":\"of_a_later_version\",\"room_id\":7,\"seq\":9,\"more\":{\"of\":[2]}}",
            "room:7 {\"type\":\"typing\",\"node\":\"a\",\"typing\":{\"room_id\":7,\"user_id\":3,\"username\":\"mira\"}}",
            "user:3 {\"type\":\"user_changed\",\"node\":\"a\"}",
            "presence {\"type\":\"presence\",\"node\":\"6f1c0a0e-3a4e-4d6c-9a43-0f8c5b9f7a11\",\"came\":[3],\"went\":[4]}",
            "presence {\"type\":\"presence_rewritten\",\"node\":\"6f1c0a0e-3a4e-4d6c-9a43-0f8c5b9f7a11\"}",
        ];
        seeds.extend(others.map(|text| text.as_bytes().to_vec()));
    }
    Ok(seeds)
}

fn seed(target: Target, line: &str) -> Vec<u8> {
    match target {
        Target::Frame => line.as_bytes().to_vec(),
        Target::Publication => format!("room:7 {line}").into_bytes(),
    }
}
