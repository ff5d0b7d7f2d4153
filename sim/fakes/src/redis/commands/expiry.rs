//! The end of keys.

use super::{Data, Outcome, error, integer};
use crate::redis::keyspace::Entry;
use crate::redis::resp::{Arg, Reply};

const SECOND: i64 = 1_000;

pub(super) fn expire(data: &mut Data<'_>, args: &[Arg]) -> Outcome {
    set_end(data, args, SECOND, "expire")
}

pub(super) fn pexpire(data: &mut Data<'_>, args: &[Arg]) -> Outcome {
    set_end(data, args, 1, "pexpire")
}

/// The time after so many units.
///
/// # Errors
/// What the command is told when there is no such time.
pub(super) fn end_after(data: &Data<'_>, units: i64, unit: i64, command: &str) -> Result<i64, Reply> {
    let millis = units.checked_mul(unit);
    let end = millis.and_then(|millis| millis.checked_add_unsigned(data.now));
    end.ok_or_else(|| Reply::Error(format!("ERR invalid expire time in '{command}' command")))
}

/// Under which conditions an end is set.
#[derive(Default)]
struct Conditions {
    if_none: bool,
    if_any: bool,
    if_later: bool,
    if_earlier: bool,
}

impl Conditions {
    fn read(args: &[Arg]) -> Result<Self, Reply> {
        let mut conditions = Self::default();
        for arg in args {
            match arg.to_ascii_lowercase().as_slice() {
                b"nx" => conditions.if_none = true,
                b"xx" => conditions.if_any = true,
                b"gt" => conditions.if_later = true,
                b"lt" => conditions.if_earlier = true,
                _ => {
                    let option = String::from_utf8_lossy(arg);
                    return Err(Reply::Error(format!("ERR Unsupported option {option}")));
                }
            }
        }
        if conditions.if_none && (conditions.if_any || conditions.if_later || conditions.if_earlier) {
            return Err(error("ERR NX and XX, GT or LT options at the same time are not compatible"));
        }
        if conditions.if_later && conditions.if_earlier {
            return Err(error("ERR GT and LT options at the same time are not compatible"));
        }
        Ok(conditions)
    }

    /// A key without an end ends after every time.
    fn hold(&self, before: Option<i64>, end: i64) -> bool {
        !((self.if_none && before.is_some())
            || (self.if_any && before.is_none())
            || (self.if_later && before.is_none_or(|before| end <= before))
            || (self.if_earlier && before.is_some_and(|before| end >= before)))
    }
}

fn set_end(data: &mut Data<'_>, args: &[Arg], unit: i64, command: &str) -> Outcome {
    let conditions = Conditions::read(&args[3..])?;
    let end = end_after(data, integer(&args[2])?, unit, command)?;
    let key = data.key(&args[1]);
    let Some(entry) = data.keys.get(&key).cloned() else { return Ok(Reply::Int(0)) };
    let before = entry.expires_at.and_then(|before| i64::try_from(before).ok());
    if !conditions.hold(before, end) {
        return Ok(Reply::Int(0));
    }
    let expires_at = u64::try_from(end).ok().filter(|end| *end > data.now);
    data.keys.set(key, expires_at.map(|end| Entry { expires_at: Some(end), ..entry }));
    Ok(Reply::Int(1))
}

pub(super) fn ttl(data: &mut Data<'_>, args: &[Arg]) -> Outcome {
    left(data, &args[1], |millis| (millis + SECOND / 2) / SECOND)
}

pub(super) fn pttl(data: &mut Data<'_>, args: &[Arg]) -> Outcome {
    left(data, &args[1], |millis| millis)
}

fn left(data: &Data<'_>, name: &[u8], shown: impl Fn(i64) -> i64) -> Outcome {
    let Some(entry) = data.keys.get(&data.key(name)) else { return Ok(Reply::Int(-2)) };
    let left = entry.expires_at.map(|end| i64::try_from(end.saturating_sub(data.now)).unwrap_or(i64::MAX));
    Ok(Reply::Int(left.map_or(-1, shown)))
}

pub(super) fn persist(data: &mut Data<'_>, args: &[Arg]) -> Outcome {
    let key = data.key(&args[1]);
    let ending = data.keys.get(&key).filter(|entry| entry.expires_at.is_some()).cloned();
    let Some(entry) = ending else { return Ok(Reply::Int(0)) };
    data.keys.set(key, Some(Entry { expires_at: None, ..entry }));
    Ok(Reply::Int(1))
}
