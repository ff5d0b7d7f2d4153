//! Random scripts: a few connections that send what the hub sends, and what is wrong, on few keys and
//! channels.

use proptest::prelude::*;
use proptest::sample::select;

/// Connections of a script.
pub const CONNECTIONS: usize = 3;

/// What every kind of script must reach.
pub const COMMANDS: &[&str] = &[
    "HELLO 2",
    "HELLO 3",
    "HELLO 9",
    "RESET",
    "PING",
    "ECHO",
    "SELECT",
    "ROLE",
    "CLIENT SETNAME",
    "CLIENT GETNAME",
    "CLIENT ID",
    "CLIENT SETINFO",
    "SUBSCRIBE",
    "UNSUBSCRIBE",
    "PSUBSCRIBE",
    "PUNSUBSCRIBE",
    "SSUBSCRIBE",
    "SUNSUBSCRIBE",
    "PUBLISH",
    "SPUBLISH",
    "PUBSUB CHANNELS",
    "PUBSUB NUMSUB",
    "PUBSUB NUMPAT",
    "PUBSUB SHARDCHANNELS",
    "PUBSUB SHARDNUMSUB",
    "DEL",
    "UNLINK",
    "EXISTS",
    "TYPE",
    "KEYS",
    "DBSIZE",
    "FLUSHDB",
    "EXPIRE",
    "PEXPIRE",
    "TTL",
    "PTTL",
    "PERSIST",
    "GET",
    "MGET",
    "SET",
    "SETNX",
    "SETEX",
    "PSETEX",
    "INCR",
    "INCRBY",
    "DECR",
    "SADD",
    "SREM",
    "SMEMBERS",
    "SISMEMBER",
    "SMISMEMBER",
    "SCARD",
];

/// A step of a script.
#[derive(Clone, Debug)]
pub enum Step {
    /// A connection sends a request.
    Ask(usize, Vec<String>),
    /// Time passes.
    Lapse,
}

/// A request on the wire.
pub fn encode<T: AsRef<str>>(words: &[T]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n{}\r\n", word.as_ref().len(), word.as_ref()).into_bytes());
    }
    bytes
}

type Words = BoxedStrategy<Vec<String>>;

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn key() -> impl Strategy<Value = String> {
    select(&["s", "t", "set", "{presence}:nodes", "n"][..]).prop_map(str::to_owned)
}

fn value() -> impl Strategy<Value = String> {
    let odd = ["", "a", "Grüße\r\n\0", "7", "-3", "007", "9223372036854775807", " 1", "1.5", "+1"];
    prop_oneof![4 => select(&["a", "b", "c", "1", "2"][..]), 2 => select(odd.to_vec())]
        .prop_map(str::to_owned)
}

fn channel() -> impl Strategy<Value = String> {
    select(&["room:1", "room:2", "user:1", "x"][..]).prop_map(str::to_owned)
}

fn pattern() -> impl Strategy<Value = String> {
    select(&["room:*", "*", "room:?", "[ru]*:1", "[^u]*", "x\\", "user\\:1"][..]).prop_map(str::to_owned)
}

/// A command with some words after it.
fn with(
    command: &'static str,
    rest: impl Strategy<Value = String> + 'static,
    counts: std::ops::Range<usize>,
) -> Words {
    prop::collection::vec(rest, counts)
        .prop_map(move |rest| words(command).into_iter().chain(rest).collect())
        .boxed()
}

/// A command on a key, with some words after that.
fn on_key(
    command: &'static str,
    rest: impl Strategy<Value = String> + 'static,
    counts: std::ops::Range<usize>,
) -> Words {
    (key(), prop::collection::vec(rest, counts))
        .prop_map(move |(key, rest)| words(command).into_iter().chain([key]).chain(rest).collect())
        .boxed()
}

fn fixed() -> Words {
    select(
        &[
            "HELLO",
            "HELLO 2",
            "HELLO 3",
            "HELLO 3",
            "HELLO 9",
            "HELLO x",
            "HELLO 3 SETNAME me",
            "HELLO 3 OTHER",
            "HELLO 3 SETNAME",
            "RESET",
            "PING",
            "PING a",
            "PING a b",
            "ECHO a",
            "ECHO",
            "SELECT 0",
            "SELECT 1",
            "SELECT 16",
            "SELECT x",
            "ROLE",
            "CLIENT",
            "CLIENT NOPE",
            "CLIENT SETNAME hubbub:hub-1:publish",
            "CLIENT SETNAME",
            "CLIENT GETNAME",
            "CLIENT ID",
            "CLIENT SETINFO LIB-NAME hubbub",
            "PUBSUB NUMPAT",
            "PUBSUB",
            "PUBSUB NOPE",
            "PUBSUB CHANNELS",
            "PUBSUB CHANNELS a b",
            "PUBSUB SHARDCHANNELS",
            "DBSIZE",
            "KEYS *",
            "FLUSHDB",
            "FLUSHDB ASYNC",
            "FLUSHDB NOPE",
            "NOPE a b",
            "nope",
            "GET",
            "SET a",
            "PUBLISH a",
            "client|id",
            "subscribe",
            "unsubscribe",
            "PuBlIsH room:1 a",
        ][..],
    )
    .prop_map(words)
    .boxed()
}

fn talk() -> Words {
    prop_oneof![
        3 => with("SUBSCRIBE", channel(), 1..4),
        2 => with("UNSUBSCRIBE", channel(), 0..3),
        2 => with("PSUBSCRIBE", pattern(), 1..3),
        1 => with("PUNSUBSCRIBE", pattern(), 0..3),
        2 => with("SSUBSCRIBE", channel(), 1..3),
        1 => with("SUNSUBSCRIBE", channel(), 0..3),
        8 => (channel(), value()).prop_map(|(channel, value)| vec!["PUBLISH".into(), channel, value]),
        3 => (channel(), value()).prop_map(|(channel, value)| vec!["SPUBLISH".into(), channel, value]),
        1 => with("PUBSUB NUMSUB", channel(), 0..3),
        1 => with("PUBSUB SHARDNUMSUB", channel(), 0..3),
        1 => with("PUBSUB CHANNELS", pattern(), 1..2),
    ]
    .boxed()
}

fn data() -> Words {
    let flags = || select(&["NX", "XX", "GT", "LT", "nope"][..]).prop_map(str::to_owned);
    // What is left is compared to the minute, and no two ends are the same, so that `GT` and `LT` know.
    let span = || prop_oneof![8 => Just("@"), 1 => Just("0"), 1 => Just("-5"), 1 => Just("x"), 1 => Just("9223372036854775807")];
    let options =
        select(&["NX", "XX", "GET", "KEEPTTL", "EX @", "PX @000", "EX 0", "PX", "EX x", "nope"][..]);
    prop_oneof![
        2 => with("DEL", key(), 1..3),
        1 => with("UNLINK", key(), 1..3),
        1 => with("EXISTS", key(), 1..4),
        1 => on_key("TYPE", value(), 0..1),
        2 => (key(), span(), prop::collection::vec(flags(), 0..3)).prop_map(|(key, span, flags)| {
            ["EXPIRE".to_owned(), key, span.to_owned()].into_iter().chain(flags).collect()
        }),
        1 => (key(), span(), prop::collection::vec(flags(), 0..2)).prop_map(|(key, span, flags)| {
            let span = span.replace('@', "@000");
            ["PEXPIRE".to_owned(), key, span].into_iter().chain(flags).collect()
        }),
        2 => on_key("TTL", value(), 0..1),
        2 => on_key("PTTL", value(), 0..1),
        1 => on_key("PERSIST", value(), 0..1),
        2 => on_key("GET", value(), 0..1),
        1 => with("MGET", key(), 1..4),
        4 => (key(), value(), prop::collection::vec(options, 0..3)).prop_map(|(key, value, options)| {
            let options = options.into_iter().flat_map(words);
            ["SET".to_owned(), key, value].into_iter().chain(options).collect()
        }),
        1 => on_key("SETNX", value(), 1..2),
        1 => (key(), span(), value()).prop_map(|(key, span, value)| vec!["SETEX".into(), key, span.into(), value]),
        1 => (key(), span(), value()).prop_map(|(key, span, value)| {
            vec!["PSETEX".into(), key, span.replace('@', "@000"), value]
        }),
        1 => on_key("INCR", value(), 0..1),
        1 => on_key("INCRBY", value(), 1..2),
        1 => on_key("DECR", value(), 0..1),
        4 => on_key("SADD", value(), 1..4),
        2 => on_key("SREM", value(), 1..3),
        2 => on_key("SMEMBERS", value(), 0..1),
        1 => on_key("SISMEMBER", value(), 1..2),
        2 => on_key("SMISMEMBER", value(), 1..4),
        1 => on_key("SCARD", value(), 0..1),
    ]
    .boxed()
}

/// Something that ends within a millisecond, the time in which it does, and a look at it: a real server
/// counts what has ended among its keys until someone looks.
fn short() -> impl Strategy<Value = Vec<Vec<String>>> {
    let ends = select(&["PEXPIRE {} 1", "SET {} a PX 1", "PSETEX {} 1 a"][..]);
    (key(), ends).prop_map(|(key, text)| {
        vec![words(&text.replace("{}", &key)), Vec::new(), vec!["EXISTS".to_owned(), key]]
    })
}

/// A script.
pub fn script() -> impl Strategy<Value = Vec<Step>> {
    let one = |words: Words| words.prop_map(|words| vec![words]);
    let asked = prop_oneof![5 => one(fixed()), 8 => one(talk()), 9 => one(data()), 1 => short()];
    prop::collection::vec((0..CONNECTIONS, asked), 5..60).prop_map(|asked| {
        let mut steps = Vec::new();
        for (n, (connection, requests)) in asked.into_iter().enumerate() {
            for mut request in requests {
                for word in &mut request {
                    *word = word.replace('@', &(600 * (n + 1)).to_string());
                }
                steps.push(if request.is_empty() { Step::Lapse } else { Step::Ask(connection, request) });
            }
        }
        steps
    })
}
