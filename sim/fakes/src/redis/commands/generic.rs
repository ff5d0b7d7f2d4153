//! Commands on keys of any type.

use super::{Data, Outcome, syntax};
use crate::redis::pubsub::matches;
use crate::redis::resp::{Arg, Reply};

pub(super) fn del(data: &mut Data<'_>, args: &[Arg]) -> Outcome {
    let mut deleted = 0;
    for name in &args[1..] {
        let key = data.key(name);
        if data.keys.get(&key).is_some() {
            data.keys.set(key, None);
            deleted += 1;
        }
    }
    Ok(Reply::Int(deleted))
}

pub(super) fn exists(data: &mut Data<'_>, args: &[Arg]) -> Outcome {
    Ok(Reply::count(args[1..].iter().filter(|name| data.keys.get(&data.key(name)).is_some()).count()))
}

pub(super) fn kind(data: &mut Data<'_>, args: &[Arg]) -> Outcome {
    let key = data.key(&args[1]);
    Ok(Reply::Simple(data.keys.get(&key).map_or("none", |entry| entry.value.kind())))
}

pub(super) fn keys(data: &mut Data<'_>, args: &[Arg]) -> Outcome {
    let names = data.keys.keys(data.db).filter(|name| matches(&args[1], name));
    Ok(Reply::Array(names.cloned().map(Reply::Bulk).collect()))
}

pub(super) fn size(data: &mut Data<'_>, _: &[Arg]) -> Outcome {
    Ok(Reply::count(data.keys.keys(data.db).count()))
}

pub(super) fn flush(data: &mut Data<'_>, args: &[Arg]) -> Outcome {
    let is_known = |mode: &Arg| mode.eq_ignore_ascii_case(b"async") || mode.eq_ignore_ascii_case(b"sync");
    if args.len() > 2 || !args[1..].iter().all(is_known) {
        return Err(syntax());
    }
    for name in data.keys.keys(data.db).cloned().collect::<Vec<_>>() {
        data.keys.set((data.db, name), None);
    }
    Ok(Reply::Simple("OK"))
}
