//! The Redis protocol on bytes: requests in, replies of both versions out
//! (<https://redis.io/docs/latest/develop/reference/protocol-spec/>). Pure.

/// Longest line that does not end, in bytes (`PROTO_INLINE_MAX_SIZE`).
const LINE_BYTES_MAX: usize = 64 * 1024;
/// Longest argument, in bytes (`proto-max-bulk-len`).
const ARGUMENT_BYTES_MAX: i64 = 512 * 1024 * 1024;

/// An argument of a request.
pub(super) type Arg = Vec<u8>;

/// The version of the protocol that a connection speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Version {
    /// RESP2: what every connection begins with.
    #[default]
    Two,
    /// RESP3, after `HELLO 3`.
    Three,
}

/// A reply, or something that the server says by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// A status.
    Simple(&'static str),
    /// An error, with its code.
    Error(String),
    /// A number.
    Int(i64),
    /// Bytes.
    Bulk(Vec<u8>),
    /// Nothing where there would be bytes.
    Null,
    /// Several.
    Array(Vec<Self>),
    /// Keys and values; a flat array in RESP2.
    Map(Vec<(Self, Self)>),
    /// Members without an order; an array in RESP2.
    Set(Vec<Self>),
    /// Out of band; an array in RESP2.
    Push(Vec<Self>),
}

impl Reply {
    /// Bytes of a text.
    pub(super) fn text(text: &str) -> Self {
        Self::Bulk(text.as_bytes().to_vec())
    }

    /// A count.
    pub(super) fn count(count: usize) -> Self {
        Self::Int(i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// 1 or 0.
    pub(super) fn bool(holds: bool) -> Self {
        Self::Int(i64::from(holds))
    }

    /// Writes it down.
    pub(super) fn encode(&self, version: Version, out: &mut Vec<u8>) {
        let is_three = version == Version::Three;
        match self {
            Self::Simple(text) => line(out, '+', text),
            Self::Error(text) => line(out, '-', text),
            Self::Int(number) => line(out, ':', &number.to_string()),
            Self::Bulk(bytes) => bulk(out, bytes),
            Self::Null if is_three => line(out, '_', ""),
            Self::Null => line(out, '$', "-1"),
            Self::Array(replies) => many(out, '*', replies, version),
            Self::Set(replies) => many(out, if is_three { '~' } else { '*' }, replies, version),
            Self::Push(replies) => many(out, if is_three { '>' } else { '*' }, replies, version),
            Self::Map(pairs) => {
                let (kind, length) = if is_three { ('%', pairs.len()) } else { ('*', pairs.len() * 2) };
                line(out, kind, &length.to_string());
                for (key, value) in pairs {
                    key.encode(version, out);
                    value.encode(version, out);
                }
            }
        }
    }
}

fn line(out: &mut Vec<u8>, kind: char, text: &str) {
    out.push(kind as u8);
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    line(out, '$', &bytes.len().to_string());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

fn many(out: &mut Vec<u8>, kind: char, replies: &[Reply], version: Version) {
    line(out, kind, &replies.len().to_string());
    for reply in replies {
        reply.encode(version, out);
    }
}

/// What was read off the bytes that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// Not all of a request is there yet.
    Partial,
    /// A request, which may be empty, and how many bytes it took.
    Request(Vec<Arg>, usize),
    /// No request: what the server says before it ends the connection.
    Wrong(String),
}

/// Reads the first request of what came in.
pub(super) fn parse(bytes: &[u8]) -> Parsed {
    match bytes.first() {
        None => Parsed::Partial,
        Some(b'*') => parse_array(bytes),
        Some(_) => parse_inline(bytes),
    }
}

fn wrong(why: &str) -> Parsed {
    Parsed::Wrong(format!("ERR Protocol error: {why}"))
}

/// A line from a position, and where the next one begins.
fn next_line(bytes: &[u8], from: usize) -> Option<(&[u8], usize)> {
    let at = bytes.get(from..)?.windows(2).position(|pair| pair == b"\r\n")? + from;
    Some((&bytes[from..at], at + 2))
}

fn number(text: &[u8]) -> Option<i64> {
    str::from_utf8(text).ok()?.parse().ok()
}

fn parse_array(bytes: &[u8]) -> Parsed {
    let Some((line, mut at)) = next_line(bytes, 0) else {
        return if bytes.len() > LINE_BYTES_MAX {
            wrong("too big mbulk count string")
        } else {
            Parsed::Partial
        };
    };
    let Some(count) = number(&line[1..]).filter(|count| *count <= i64::from(i32::MAX)) else {
        return wrong("invalid multibulk length");
    };
    let mut args = Vec::new();
    for _ in 0..count {
        let Some((line, start)) = next_line(bytes, at) else {
            let rest = bytes.len() - at;
            return if rest > LINE_BYTES_MAX { wrong("too big bulk count string") } else { Parsed::Partial };
        };
        let Some((b'$', length)) = line.split_first() else {
            let found = line.first().copied().unwrap_or(b'\r') as char;
            return wrong(&format!("expected '$', got '{found}'"));
        };
        let Some(length) = number(length).filter(|length| (0..=ARGUMENT_BYTES_MAX).contains(length)) else {
            return wrong("invalid bulk length");
        };
        let end = start + usize::try_from(length).expect("it is in range");
        if bytes.len() < end + 2 {
            return Parsed::Partial;
        }
        args.push(bytes[start..end].to_vec());
        at = end + 2;
    }
    Parsed::Request(args, at)
}

fn parse_inline(bytes: &[u8]) -> Parsed {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
        return if bytes.len() > LINE_BYTES_MAX { wrong("too big inline request") } else { Parsed::Partial };
    };
    let line = bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]);
    match words(line) {
        Some(args) => Parsed::Request(args, end + 1),
        None => wrong("unbalanced quotes in request"),
    }
}

/// Words of a line, of which some may be quoted, as `sdssplitargs` reads them.
fn words(line: &[u8]) -> Option<Vec<Arg>> {
    let mut words = Vec::new();
    let mut rest = line.iter().copied().peekable();
    loop {
        while rest.next_if(u8::is_ascii_whitespace).is_some() {}
        if rest.peek().is_none() {
            return Some(words);
        }
        let mut word = Vec::new();
        while let Some(byte) = rest.next_if(|byte| !byte.is_ascii_whitespace()) {
            if byte != b'"' && byte != b'\'' {
                word.push(byte);
                continue;
            }
            quoted(byte, &mut rest, &mut word)?;
            if rest.peek().is_some_and(|next| !next.is_ascii_whitespace()) {
                return None;
            }
        }
        words.push(word);
    }
}

fn quoted(
    quote: u8,
    rest: &mut std::iter::Peekable<impl Iterator<Item = u8>>,
    word: &mut Vec<u8>,
) -> Option<()> {
    loop {
        match rest.next()? {
            byte if byte == quote => return Some(()),
            b'\\' if quote == b'"' => word.push(match rest.next()? {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'b' => 8,
                b'a' => 7,
                other => other,
            }),
            b'\\' if rest.next_if_eq(&b'\'').is_some() => word.push(b'\''),
            byte => word.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(args: &[&str], bytes: usize) -> Parsed {
        Parsed::Request(args.iter().map(|arg| arg.as_bytes().to_vec()).collect(), bytes)
    }

    #[test]
    fn a_request_is_read_once_all_of_it_is_there() {
        let bytes = b"*2\r\n$4\r\nECHO\r\n$3\r\na\r\n\r\nPING\r\n";
        for end in 0..23 {
            assert_eq!(parse(&bytes[..end]), Parsed::Partial, "{end}");
        }
        assert_eq!(parse(bytes), request(&["ECHO", "a\r\n"], 23));
        assert_eq!(parse(&bytes[23..]), request(&["PING"], 6));
        assert_eq!(parse(b"*0\r\n"), request(&[], 4));
    }

    #[test]
    fn words_of_a_line_may_be_quoted() {
        assert_eq!(parse(b"set  \"a b\\n\" 'c\\'d' \n"), request(&["set", "a b\n", "c'd"], 21));
        for line in ["set \"a\n", "set \"a\"b\n", "set 'a\n"] {
            assert!(matches!(parse(line.as_bytes()), Parsed::Wrong(why) if why.contains("unbalanced")));
        }
    }

    #[test]
    fn what_is_no_request_is_told() {
        for (bytes, why) in [
            ("*x\r\n", "ERR Protocol error: invalid multibulk length"),
            ("*1\r\n+a\r\n", "ERR Protocol error: expected '$', got '+'"),
            ("*1\r\n$-1\r\n", "ERR Protocol error: invalid bulk length"),
        ] {
            assert_eq!(parse(bytes.as_bytes()), Parsed::Wrong(why.to_owned()));
        }
    }

    #[test]
    fn replies_differ_between_the_versions() {
        let map = Reply::Map(vec![(Reply::text("k"), Reply::Null)]);
        for (reply, two, three) in [
            (map, "*2\r\n$1\r\nk\r\n$-1\r\n", "%1\r\n$1\r\nk\r\n_\r\n"),
            (Reply::Set(vec![Reply::Int(1)]), "*1\r\n:1\r\n", "~1\r\n:1\r\n"),
            (Reply::Push(vec![]), "*0\r\n", ">0\r\n"),
        ] {
            for (version, expected) in [(Version::Two, two), (Version::Three, three)] {
                let mut out = Vec::new();
                reply.encode(version, &mut out);
                assert_eq!(String::from_utf8(out).unwrap(), expected);
            }
        }
    }
}
