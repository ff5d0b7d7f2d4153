//! Which commands there are: those that the hub sends, and those that tests look at it with. Each says
//! what the real server says (<https://redis.io/docs/latest/commands/>, version 7.0), errors included.

mod connection;
mod expiry;
mod generic;
mod pubsub;
mod sets;
mod strings;

use super::keyspace::{Key, Keyspace};
use super::resp::{Arg, Reply};
use super::server::{ConnId, Server};

/// What commands on keys work on.
pub(super) struct Data<'a> {
    pub(super) keys: &'a mut Keyspace,
    pub(super) db: u8,
    /// Unix time in milliseconds.
    pub(super) now: u64,
}

impl Data<'_> {
    fn key(&self, name: &[u8]) -> Key {
        (self.db, name.to_vec())
    }
}

/// What becomes of a command on keys; an error is a reply as well.
type Outcome = Result<Reply, Reply>;

/// How a command runs.
pub(super) enum Run {
    /// On keys.
    Data(fn(&mut Data<'_>, &[Arg]) -> Outcome),
    /// On the connection or the server; it may have said what is to be said itself.
    Conn(fn(&mut Server, ConnId, &[Arg]) -> Option<Reply>),
}

/// A command.
pub(super) struct Command {
    /// Its name, in lower case; that of a subcommand after its container's and a bar.
    pub(super) name: &'static str,
    /// How many words it has; at least so many if negative.
    pub(super) arity: i32,
    pub(super) run: Run,
    /// Whether a RESP2 connection may send it while it is subscribed.
    pub(super) is_for_subscribers: bool,
    /// Whether it may be sent before authentication.
    pub(super) is_open: bool,
}

const fn data(name: &'static str, arity: i32, run: fn(&mut Data<'_>, &[Arg]) -> Outcome) -> Command {
    Command { name, arity, run: Run::Data(run), is_for_subscribers: false, is_open: false }
}

type ConnRun = fn(&mut Server, ConnId, &[Arg]) -> Option<Reply>;

const fn conn(name: &'static str, arity: i32, run: ConnRun) -> Command {
    Command { name, arity, run: Run::Conn(run), is_for_subscribers: false, is_open: false }
}

const fn subscriber(name: &'static str, arity: i32, run: ConnRun) -> Command {
    Command { name, arity, run: Run::Conn(run), is_for_subscribers: true, is_open: false }
}

const fn open(name: &'static str, arity: i32, run: ConnRun) -> Command {
    Command { name, arity, run: Run::Conn(run), is_for_subscribers: false, is_open: true }
}

/// Commands that have subcommands.
const CONTAINERS: &[&str] = &["client", "pubsub"];

const COMMANDS: &[Command] = &[
    open("auth", -2, connection::auth),
    open("hello", -1, connection::hello),
    Command { is_for_subscribers: true, ..open("reset", 1, connection::reset) },
    subscriber("ping", -1, connection::ping),
    conn("echo", 2, connection::echo),
    conn("select", 2, connection::select),
    conn("role", 1, connection::role),
    conn("client|setname", 3, connection::set_name),
    conn("client|getname", 2, connection::get_name),
    conn("client|id", 2, connection::id),
    subscriber("subscribe", -2, pubsub::subscribe),
    subscriber("unsubscribe", -1, pubsub::unsubscribe),
    subscriber("psubscribe", -2, pubsub::psubscribe),
    subscriber("punsubscribe", -1, pubsub::punsubscribe),
    subscriber("ssubscribe", -2, pubsub::ssubscribe),
    subscriber("sunsubscribe", -1, pubsub::sunsubscribe),
    conn("publish", 3, pubsub::publish),
    conn("spublish", 3, pubsub::spublish),
    conn("pubsub|channels", -2, pubsub::channels),
    conn("pubsub|numsub", -2, pubsub::numsub),
    conn("pubsub|numpat", 2, pubsub::numpat),
    conn("pubsub|shardchannels", -2, pubsub::shard_channels),
    conn("pubsub|shardnumsub", -2, pubsub::shard_numsub),
    data("del", -2, generic::del),
    data("unlink", -2, generic::del),
    data("exists", -2, generic::exists),
    data("type", 2, generic::kind),
    data("keys", 2, generic::keys),
    data("dbsize", 1, generic::size),
    data("flushdb", -1, generic::flush),
    data("expire", -3, expiry::expire),
    data("pexpire", -3, expiry::pexpire),
    data("ttl", 2, expiry::ttl),
    data("pttl", 2, expiry::pttl),
    data("persist", 2, expiry::persist),
    data("get", 2, strings::get),
    data("mget", -2, strings::mget),
    data("set", -3, strings::set),
    data("setnx", 3, strings::setnx),
    data("setex", 4, strings::setex),
    data("psetex", 4, strings::psetex),
    data("incr", 2, strings::incr),
    data("incrby", 3, strings::incrby),
    data("decr", 2, strings::decr),
    data("sadd", -3, sets::add),
    data("srem", -3, sets::remove),
    data("smembers", 2, sets::members),
    data("sismember", 3, sets::is_member),
    data("smismember", -3, sets::are_members),
    data("scard", 2, sets::count),
];

/// The command of a request.
pub(super) fn find(args: &[Arg]) -> Option<&'static Command> {
    let mut name = args.first()?.to_ascii_lowercase();
    if name.contains(&b'|') {
        return None;
    }
    if is_container(&name) {
        name.push(b'|');
        name.extend(args.get(1)?.to_ascii_lowercase());
    }
    COMMANDS.iter().find(|command| command.name.as_bytes() == name)
}

/// Whether a command has subcommands.
pub(super) fn is_container(name: &[u8]) -> bool {
    CONTAINERS.iter().any(|container| name.eq_ignore_ascii_case(container.as_bytes()))
}

fn error(text: &str) -> Reply {
    Reply::Error(text.to_owned())
}

fn syntax() -> Reply {
    error("ERR syntax error")
}

fn no_integer() -> Reply {
    error("ERR value is not an integer or out of range")
}

/// Reads a whole number as `string2ll` does: no sign but a minus, no zeros before it.
fn integer(text: &[u8]) -> Result<i64, Reply> {
    let number: i64 = str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or_else(no_integer)?;
    if number.to_string().as_bytes() == text { Ok(number) } else { Err(no_integer()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case_and_subcommands_in_their_container() {
        let args = |words: &[&str]| words.iter().map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>();
        assert_eq!(find(&args(&["PiNg"])).unwrap().name, "ping");
        assert_eq!(find(&args(&["CLIENT", "Id"])).unwrap().name, "client|id");
        assert!(find(&args(&["CLIENT"])).is_none() && find(&args(&["client|id"])).is_none());
    }
}
