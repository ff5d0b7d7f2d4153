//! Commands on strings.

use super::expiry::end_after;
use super::{Data, Outcome, error, integer, syntax};
use crate::redis::keyspace::{Entry, Text, Value};
use crate::redis::resp::{Arg, Reply};

pub(super) fn get(data: &mut Data<'_>, args: &[Arg]) -> Outcome {
    let text = data.keys.read::<Text>(&data.key(&args[1]))?;
    Ok(text.cloned().map_or(Reply::Null, Reply::Bulk))
}

pub(super) fn mget(data: &mut Data<'_>, args: &[Arg]) -> Outcome {
    let values = args[1..].iter().map(|name| {
        let text = data.keys.read::<Text>(&data.key(name)).ok().flatten();
        text.cloned().map_or(Reply::Null, Reply::Bulk)
    });
    Ok(Reply::Array(values.collect()))
}

/// What `SET` is asked for beside the value.
#[derive(Default)]
struct Options<'a> {
    if_absent: bool,
    if_there: bool,
    wants_old: bool,
    keeps_end: bool,
    /// After so many units, and how many milliseconds a unit has.
    end: Option<(&'a [u8], i64)>,
}

impl<'a> Options<'a> {
    fn read(mut args: &'a [Arg]) -> Result<Self, Reply> {
        let mut options = Options::default();
        while let Some((option, rest)) = args.split_first() {
            args = rest;
            match option.to_ascii_lowercase().as_slice() {
                b"nx" if !options.if_there => options.if_absent = true,
                b"xx" if !options.if_absent => options.if_there = true,
                b"get" => options.wants_old = true,
                b"keepttl" if options.end.is_none() => options.keeps_end = true,
                name @ (b"ex" | b"px") if !options.keeps_end => {
                    let (units, rest) = args.split_first().ok_or_else(syntax)?;
                    args = rest;
                    let unit = if name == b"ex" { 1_000 } else { 1 };
                    // The same unit may be named again; the last counts.
                    if options.end.is_some_and(|(_, before)| before != unit) {
                        return Err(syntax());
                    }
                    options.end = Some((units, unit));
                }
                _ => return Err(syntax()),
            }
        }
        Ok(options)
    }
}

pub(super) fn set(data: &mut Data<'_>, args: &[Arg]) -> Outcome {
    let options = Options::read(&args[3..])?;
    let end = options.end.map(|(units, unit)| end_of(data, units, unit, "set")).transpose()?;
    let key = data.key(&args[1]);
    let old = if options.wants_old { data.keys.read::<Text>(&key)?.cloned() } else { None };
    let before = data.keys.get(&key);
    let is_refused = if before.is_some() { options.if_absent } else { options.if_there };
    let kept = before.and_then(|entry| entry.expires_at).filter(|_| options.keeps_end);
    if !is_refused {
        put(data, &args[1], &args[2], end.or(kept));
    }
    Ok(match (options.wants_old, is_refused) {
        (true, _) => old.map_or(Reply::Null, Reply::Bulk),
        (false, true) => Reply::Null,
        (false, false) => Reply::Simple("OK"),
    })
}

pub(super) fn setnx(data: &mut Data<'_>, args: &[Arg]) -> Outcome {
    let is_new = data.keys.get(&data.key(&args[1])).is_none();
    if is_new {
        put(data, &args[1], &args[2], None);
    }
    Ok(Reply::bool(is_new))
}

pub(super) fn setex(data: &mut Data<'_>, args: &[Arg]) -> Outcome {
    let end = end_of(data, &args[2], 1_000, "setex")?;
    put(data, &args[1], &args[3], Some(end));
    Ok(Reply::Simple("OK"))
}

pub(super) fn psetex(data: &mut Data<'_>, args: &[Arg]) -> Outcome {
    let end = end_of(data, &args[2], 1, "psetex")?;
    put(data, &args[1], &args[3], Some(end));
    Ok(Reply::Simple("OK"))
}

fn end_of(data: &Data<'_>, units: &[u8], unit: i64, command: &str) -> Result<u64, Reply> {
    let units = integer(units)?;
    // What is not in the future is no time here, unlike in `EXPIRE`.
    let end = if units > 0 { end_after(data, units, unit, command)? } else { -1 };
    u64::try_from(end).map_err(|_| Reply::Error(format!("ERR invalid expire time in '{command}' command")))
}

fn put(data: &mut Data<'_>, name: &[u8], text: &[u8], expires_at: Option<u64>) {
    let key = data.key(name);
    data.keys.set(key, Some(Entry { value: Value::Text(text.to_vec()), expires_at }));
}

pub(super) fn incr(data: &mut Data<'_>, args: &[Arg]) -> Outcome {
    add(data, &args[1], 1)
}

pub(super) fn decr(data: &mut Data<'_>, args: &[Arg]) -> Outcome {
    add(data, &args[1], -1)
}

pub(super) fn incrby(data: &mut Data<'_>, args: &[Arg]) -> Outcome {
    let by = integer(&args[2])?;
    add(data, &args[1], by)
}

fn add(data: &mut Data<'_>, name: &[u8], by: i64) -> Outcome {
    let key = data.key(name);
    let before = data.keys.read::<Text>(&key)?.map_or(Ok(0), |text| integer(text))?;
    let after = before.checked_add(by).ok_or_else(|| error("ERR increment or decrement would overflow"))?;
    data.keys.change(&key, |text: &mut Text| *text = after.to_string().into_bytes())?;
    Ok(Reply::Int(after))
}
