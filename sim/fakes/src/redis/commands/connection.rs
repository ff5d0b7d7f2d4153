//! Commands about the connection itself.

use super::{error, integer};
use crate::redis::resp::{Arg, Reply, Version};
use crate::redis::server::{ConnId, Server, wrong_arity};

/// How many databases there are.
const DBS: u8 = 16;
/// The version whose behaviour this is.
const SERVER_VERSION: &str = "7.0.15";

const OK: Option<Reply> = Some(Reply::Simple("OK"));

pub(super) fn ping(server: &mut Server, id: ConnId, args: &[Arg]) -> Option<Reply> {
    if args.len() > 2 {
        return Some(Reply::Error(wrong_arity("ping")));
    }
    let text = args.get(1).cloned();
    let is_two = server.conn(id).is_some_and(|conn| conn.version == Version::Two);
    if is_two && server.pubsub.is_subscriber(id) {
        return Some(Reply::Array(vec![Reply::text("pong"), Reply::Bulk(text.unwrap_or_default())]));
    }
    Some(text.map_or(Reply::Simple("PONG"), Reply::Bulk))
}

pub(super) fn echo(_: &mut Server, _: ConnId, args: &[Arg]) -> Option<Reply> {
    Some(Reply::Bulk(args[1].clone()))
}

pub(super) fn select(server: &mut Server, id: ConnId, args: &[Arg]) -> Option<Reply> {
    let db = match integer(&args[1]) {
        Ok(db) => db,
        Err(error) => return Some(error),
    };
    let Some(db) = u8::try_from(db).ok().filter(|db| *db < DBS) else {
        return Some(error("ERR DB index is out of range"));
    };
    server.conn_mut(id)?.db = db;
    OK
}

pub(super) fn role(_: &mut Server, _: ConnId, _: &[Arg]) -> Option<Reply> {
    Some(Reply::Array(vec![Reply::text("master"), Reply::Int(0), Reply::Array(Vec::new())]))
}

pub(super) fn set_name(server: &mut Server, id: ConnId, args: &[Arg]) -> Option<Reply> {
    if !args[2].iter().all(|byte| (b'!'..=b'~').contains(byte)) {
        return Some(error("ERR Client names cannot contain spaces, newlines or special characters."));
    }
    server.conn_mut(id)?.name.clone_from(&args[2]);
    OK
}

pub(super) fn get_name(server: &mut Server, id: ConnId, _: &[Arg]) -> Option<Reply> {
    let name = &server.conn(id)?.name;
    Some(if name.is_empty() { Reply::Null } else { Reply::Bulk(name.clone()) })
}

pub(super) fn id(_: &mut Server, id: ConnId, _: &[Arg]) -> Option<Reply> {
    Some(Reply::Int(i64::try_from(id).unwrap_or(i64::MAX)))
}

pub(super) fn reset(server: &mut Server, id: ConnId, _: &[Arg]) -> Option<Reply> {
    server.pubsub.leave(id);
    let is_authenticated = server.password.is_none();
    let conn = server.conn_mut(id)?;
    conn.version = Version::Two;
    conn.db = 0;
    conn.name.clear();
    conn.is_authenticated = is_authenticated;
    Some(Reply::Simple("RESET"))
}

pub(super) fn auth(server: &mut Server, id: ConnId, args: &[Arg]) -> Option<Reply> {
    let (user, password) = match args {
        [_, password] => (b"default".as_slice(), password),
        [_, user, password] => (user.as_slice(), password),
        _ => return Some(error("ERR syntax error")),
    };
    if args.len() == 2 && server.password.is_none() {
        return Some(error(
            "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
        ));
    }
    Some(sign_in(server, id, user, password).err().unwrap_or(Reply::Simple("OK")))
}

fn sign_in(server: &mut Server, id: ConnId, user: &[u8], password: &[u8]) -> Result<(), Reply> {
    let is_right = server.password.as_ref().is_none_or(|right| right.as_bytes() == password);
    if user != b"default" || !is_right {
        return Err(error("WRONGPASS invalid username-password pair or user is disabled."));
    }
    if let Some(conn) = server.conn_mut(id) {
        conn.is_authenticated = true;
    }
    Ok(())
}

pub(super) fn hello(server: &mut Server, id: ConnId, args: &[Arg]) -> Option<Reply> {
    Some(greet(server, id, args).unwrap_or_else(|error| error))
}

fn greet(server: &mut Server, id: ConnId, args: &[Arg]) -> Result<Reply, Reply> {
    let version = args.get(1).map(|text| match integer(text) {
        Ok(2) => Ok(Version::Two),
        Ok(3) => Ok(Version::Three),
        Ok(_) => Err(error("NOPROTO unsupported protocol version")),
        Err(_) => Err(error("ERR Protocol version is not an integer or out of range")),
    });
    let version = version.transpose()?;
    let (mut name, mut rest) = (None, args.get(2..).unwrap_or_default());
    while let Some((option, values)) = rest.split_first() {
        match (option.to_ascii_lowercase().as_slice(), values) {
            (b"auth", [user, password, others @ ..]) => {
                sign_in(server, id, user, password)?;
                rest = others;
            }
            (b"setname", [text, others @ ..]) => {
                name = Some(text);
                rest = others;
            }
            _ => {
                let option = String::from_utf8_lossy(option);
                return Err(Reply::Error(format!("ERR Syntax error in HELLO option '{option}'")));
            }
        }
    }
    if !server.conn(id).is_some_and(|conn| conn.is_authenticated) {
        return Err(error(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time",
        ));
    }
    if let Some(name) = name {
        let named = set_name(server, id, &[Arg::new(), Arg::new(), name.clone()]);
        if let Some(error @ Reply::Error(_)) = named {
            return Err(error);
        }
    }
    if let (Some(version), Some(conn)) = (version, server.conn_mut(id)) {
        conn.version = version;
    }
    let is_three = server.conn(id).is_some_and(|conn| conn.version == Version::Three);
    let pairs = [
        ("server", Reply::text("redis")),
        ("version", Reply::text(SERVER_VERSION)),
        ("proto", Reply::Int(if is_three { 3 } else { 2 })),
        ("id", Reply::Int(i64::try_from(id).unwrap_or(i64::MAX))),
        ("mode", Reply::text("standalone")),
        ("role", Reply::text("master")),
        ("modules", Reply::Array(Vec::new())),
    ];
    Ok(Reply::Map(pairs.map(|(key, value)| (Reply::text(key), value)).to_vec()))
}
