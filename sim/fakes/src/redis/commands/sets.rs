//! Commands on sets.

use super::{Data, Outcome};
use crate::redis::keyspace::Members;
use crate::redis::resp::{Arg, Reply};

pub(super) fn add(data: &mut Data<'_>, args: &[Arg]) -> Outcome {
    let key = data.key(&args[1]);
    let added = data.keys.change(&key, |set: &mut Members| {
        args[2..].iter().filter(|member| set.insert((*member).clone())).count()
    })?;
    Ok(Reply::count(added))
}

pub(super) fn remove(data: &mut Data<'_>, args: &[Arg]) -> Outcome {
    let key = data.key(&args[1]);
    let removed = data
        .keys
        .change(&key, |set: &mut Members| args[2..].iter().filter(|member| set.remove(*member)).count())?;
    Ok(Reply::count(removed))
}

pub(super) fn members(data: &mut Data<'_>, args: &[Arg]) -> Outcome {
    let set = data.keys.read::<Members>(&data.key(&args[1]))?;
    Ok(Reply::Set(set.into_iter().flatten().cloned().map(Reply::Bulk).collect()))
}

pub(super) fn is_member(data: &mut Data<'_>, args: &[Arg]) -> Outcome {
    let set = data.keys.read::<Members>(&data.key(&args[1]))?;
    Ok(Reply::bool(set.is_some_and(|set| set.contains(&args[2]))))
}

pub(super) fn are_members(data: &mut Data<'_>, args: &[Arg]) -> Outcome {
    let set = data.keys.read::<Members>(&data.key(&args[1]))?;
    let are = args[2..].iter().map(|member| Reply::bool(set.is_some_and(|set| set.contains(member))));
    Ok(Reply::Array(are.collect()))
}

pub(super) fn count(data: &mut Data<'_>, args: &[Arg]) -> Outcome {
    let set = data.keys.read::<Members>(&data.key(&args[1]))?;
    Ok(Reply::count(set.map_or(0, Members::len)))
}
