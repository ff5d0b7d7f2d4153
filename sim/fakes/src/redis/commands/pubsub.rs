//! Commands of Pub/Sub.

use crate::redis::pubsub::{Family, matches};
use crate::redis::resp::{Arg, Reply};
use crate::redis::server::{ConnId, Server};

fn subscribe_to(server: &mut Server, id: ConnId, family: Family, names: &[Arg]) -> Option<Reply> {
    for name in names {
        let told = server.pubsub.subscribe(id, family, name);
        server.say(id, &told);
    }
    None
}

fn unsubscribe_from(server: &mut Server, id: ConnId, family: Family, names: &[Arg]) -> Option<Reply> {
    let told = if names.is_empty() {
        server.pubsub.unsubscribe_all(id, family)
    } else {
        names.iter().map(|name| server.pubsub.unsubscribe(id, family, name)).collect()
    };
    for told in told {
        server.say(id, &told);
    }
    None
}

pub(super) fn subscribe(server: &mut Server, id: ConnId, args: &[Arg]) -> Option<Reply> {
    subscribe_to(server, id, Family::Channel, &args[1..])
}

pub(super) fn psubscribe(server: &mut Server, id: ConnId, args: &[Arg]) -> Option<Reply> {
    subscribe_to(server, id, Family::Pattern, &args[1..])
}

pub(super) fn ssubscribe(server: &mut Server, id: ConnId, args: &[Arg]) -> Option<Reply> {
    subscribe_to(server, id, Family::Shard, &args[1..])
}

pub(super) fn unsubscribe(server: &mut Server, id: ConnId, args: &[Arg]) -> Option<Reply> {
    unsubscribe_from(server, id, Family::Channel, &args[1..])
}

pub(super) fn punsubscribe(server: &mut Server, id: ConnId, args: &[Arg]) -> Option<Reply> {
    unsubscribe_from(server, id, Family::Pattern, &args[1..])
}

pub(super) fn sunsubscribe(server: &mut Server, id: ConnId, args: &[Arg]) -> Option<Reply> {
    unsubscribe_from(server, id, Family::Shard, &args[1..])
}

pub(super) fn publish(server: &mut Server, id: ConnId, args: &[Arg]) -> Option<Reply> {
    Some(Reply::count(server.publish(id, Family::Channel, &args[1], &args[2])))
}

pub(super) fn spublish(server: &mut Server, id: ConnId, args: &[Arg]) -> Option<Reply> {
    Some(Reply::count(server.publish(id, Family::Shard, &args[1], &args[2])))
}

pub(super) fn channels(server: &mut Server, _: ConnId, args: &[Arg]) -> Option<Reply> {
    list(server, Family::Channel, args)
}

pub(super) fn shard_channels(server: &mut Server, _: ConnId, args: &[Arg]) -> Option<Reply> {
    list(server, Family::Shard, args)
}

fn list(server: &Server, family: Family, args: &[Arg]) -> Option<Reply> {
    if args.len() > 3 {
        let sub = String::from_utf8_lossy(&args[1]);
        return Some(Reply::Error(format!(
            "ERR unknown subcommand or wrong number of arguments for '{sub}'. Try PUBSUB HELP."
        )));
    }
    let pattern = args.get(2);
    let names = server.pubsub.names(family);
    let names = names.filter(|name| pattern.is_none_or(|pattern| matches(pattern, name)));
    Some(Reply::Array(names.cloned().map(Reply::Bulk).collect()))
}

pub(super) fn numsub(server: &mut Server, _: ConnId, args: &[Arg]) -> Option<Reply> {
    count(server, Family::Channel, args)
}

pub(super) fn shard_numsub(server: &mut Server, _: ConnId, args: &[Arg]) -> Option<Reply> {
    count(server, Family::Shard, args)
}

fn count(server: &Server, family: Family, args: &[Arg]) -> Option<Reply> {
    let counts = args[2..]
        .iter()
        .flat_map(|name| [Reply::Bulk(name.clone()), Reply::count(server.pubsub.subscribers(family, name))]);
    Some(Reply::Array(counts.collect()))
}

pub(super) fn numpat(server: &mut Server, _: ConnId, _: &[Arg]) -> Option<Reply> {
    Some(Reply::count(server.pubsub.names(Family::Pattern).count()))
}
