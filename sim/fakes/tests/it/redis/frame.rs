//! Replies as they stand on the wire, without loss: their kind, their text and their parts.

/// One reply.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Frame {
    pub kind: u8,
    pub text: String,
    pub parts: Vec<Frame>,
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{:?}", self.kind as char, self.text)?;
        if self.parts.is_empty() { Ok(()) } else { f.debug_list().entries(&self.parts).finish() }
    }
}

impl Frame {
    /// Reads one from the front of some bytes, and tells how many it took; none if it is not whole.
    pub fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
        let (kind, mut at) = (bytes[0], end + 2);
        let mut frame =
            Self { kind, text: String::from_utf8_lossy(&bytes[1..end]).into_owned(), parts: Vec::new() };
        let length: i64 = frame.text.parse().unwrap_or(-1);
        if kind == b'$' && length >= 0 {
            let length = usize::try_from(length).unwrap();
            let text = bytes.get(at..at + length)?;
            frame.text = format!("{length}:{}", String::from_utf8_lossy(text));
            at += length;
            assert_eq!(bytes.get(at..at + 2)?, b"\r\n", "a text ends with its line");
            at += 2;
        }
        let parts = match kind {
            b'*' | b'~' | b'>' => length.max(0),
            b'%' => 2 * length,
            b'$' | b'+' | b'-' | b':' | b'_' | b',' => 0,
            other => panic!("no reply begins with {:?}", other as char),
        };
        for _ in 0..parts {
            let (part, length) = Self::read(&bytes[at..])?;
            frame.parts.push(part);
            at += length;
        }
        Some((frame, at))
    }

    fn says(&self, text: &str) -> bool {
        self.kind == b'$' && self.text == format!("{}:{text}", text.len())
    }

    pub fn is_message(&self) -> bool {
        self.parts
            .first()
            .is_some_and(|kind| ["message", "pmessage", "smessage"].iter().any(|k| kind.says(k)))
    }

    fn is(&self, what: &str) -> bool {
        self.parts.first().is_some_and(|kind| kind.says(what))
    }
}

/// All frames of some bytes; none if the last is not whole.
pub fn all(mut bytes: &[u8]) -> Option<Vec<Frame>> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let (frame, length) = Frame::read(bytes)?;
        frames.push(frame);
        bytes = &bytes[length..];
    }
    Some(frames)
}

/// All frames up to the answer to a `PING` with a marker, that one excluded; none if it is not there.
pub fn until(bytes: &[u8], marker: &str) -> Option<Vec<Frame>> {
    if !bytes.ends_with(format!("${}\r\n{marker}\r\n", marker.len()).as_bytes()) {
        return None;
    }
    let mut frames = all(bytes)?;
    let last = frames.pop()?;
    let is_pong = last.says(marker) || (last.is("pong") && last.parts.len() == 2);
    is_pong.then_some(frames)
}

/// Evens out what a real server leaves to chance.
pub fn even_out<T: AsRef<str>>(words: &[T], mut frames: Vec<Frame>) -> Vec<Frame> {
    let words: Vec<String> = words.iter().map(|word| word.as_ref().to_ascii_lowercase()).collect();
    let first = words[0].as_str();
    if let Some(reply) = frames.last_mut() {
        match (first, words.get(1).map(String::as_str)) {
            ("smembers" | "keys", _) | ("pubsub", Some("channels" | "shardchannels")) => reply.parts.sort(),
            ("client", Some("id")) => reply.text.clear(),
            ("hello", _) if reply.parts.len() == 14 => reply.parts[7].text.clear(),
            ("ttl", _) => round(reply, 60),
            ("pttl", _) => round(reply, 60_000),
            _ => {}
        }
    }
    sort_patterns(&mut frames);
    if words.len() == 1 {
        for what in ["unsubscribe", "punsubscribe", "sunsubscribe"] {
            sort_names(&mut frames, what);
        }
    }
    frames
}

/// What is left of a time, to the nearest unit: the milliseconds since differ.
fn round(reply: &mut Frame, unit: i64) {
    if let Some(left) = reply.text.parse::<i64>().ok().filter(|left| *left > 0) {
        reply.text = ((left + unit / 2) / unit).to_string();
    }
}

/// A publication reaches the patterns that match it in any order.
fn sort_patterns(frames: &mut [Frame]) {
    for run in
        frames.chunk_by_mut(|a, b| a.is("pmessage") && b.is("pmessage") && a.parts[2..] == b.parts[2..])
    {
        run.sort();
    }
}

/// Subscriptions that end together do so in any order; their counts fall one by one.
fn sort_names(frames: &mut [Frame], what: &str) {
    let mut names: Vec<_> =
        frames.iter().filter(|frame| frame.is(what)).map(|frame| frame.parts[1].clone()).collect();
    names.sort();
    for (frame, name) in frames.iter_mut().filter(|frame| frame.is(what)).zip(names) {
        frame.parts[1] = name;
    }
}
