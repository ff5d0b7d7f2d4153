//! What a run begins with: a fresh cluster, users, and rooms with their members.

use crate::args::{Args, Size};
use crate::rest::{Rest, SignedIn};
use anyhow::{Context, Result};
use cluster::{Cluster, Spec};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use protocol::{ClientId, RoomId};
use std::collections::BTreeMap;

/// Requests that are made at a time.
const AT_A_TIME: usize = 16;

/// Lays a fresh cluster out in its folder.
pub(crate) fn cluster(args: &Args, size: Size) -> Result<Cluster> {
    if let Some(cluster) = Cluster::open(&args.dir)? {
        // Of a run that was broken off.
        cluster.down().context("failed to end what runs in the folder")?;
        cluster.delete()?;
    }
    // All come from one address, register at once and are no people; tokens end while parts are down.
    let mut settings = vec![
        ("PASSWORD_MEMORY_KIB", "64"),
        ("PASSWORD_ITERATIONS", "1"),
        ("ACCESS_TOKEN_LIFETIME", "25s"),
        ("DRAIN_GRACE", size.drain_grace),
        ("LOG_FORMAT", "text"),
    ];
    for limit in [
        "RATE_LOGIN_ADDRESS",
        "RATE_LOGIN_NAME",
        "RATE_REGISTER_ADDRESS",
        "RATE_ANONYMOUS_ADDRESS",
        "RATE_REQUESTS_USER",
        "RATE_OPERATIONS_USER",
        "RATE_FRAMES_CONNECTION",
    ] {
        settings.push((limit, "off"));
    }
    if let Some(bug) = args.bug {
        settings.push(("HUB_PLANTED_BUG", bug.name()));
    }
    let settings = settings.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    Cluster::lay_out(Spec {
        dir: args.dir.clone(),
        hub: args.hub.clone(),
        nginx_conf: args.nginx_conf.clone(),
        nodes: size.nodes,
        port: None,
        usual_ports: false,
        hub_env: settings.collect::<BTreeMap<_, _>>(),
    })
}

/// The name of a user, counted from zero; the first ones make a room each.
pub(crate) fn username(number: usize) -> String {
    format!("user-{number}")
}

/// Who takes part.
pub(crate) struct People {
    /// Those who connect, each with the rooms that it is a member of.
    pub(crate) members: Vec<(SignedIn, Vec<RoomId>)>,
    /// All rooms.
    pub(crate) rooms: Vec<RoomId>,
    /// A member of all rooms, if someone is to talk by requests.
    pub(crate) poster: Option<SignedIn>,
}

/// Makes users and rooms.
pub(crate) async fn people(rest: &Rest, size: Size) -> Result<People> {
    let users: Vec<SignedIn> = stream::iter(0..size.clients)
        .map(|number| async move { rest.register(&username(number)).await })
        .buffered(AT_A_TIME)
        .try_collect()
        .await?;
    let mut rooms = Vec::new();
    for (number, owner) in users.iter().enumerate().take(size.rooms) {
        let client_id = ClientId(uuid::Uuid::from_u64_pair(0, number as u64));
        let room = rest.create_room(&owner.access_token, &format!("room-{number}"), client_id).await?;
        rooms.push(room.id);
    }
    let members: Vec<(SignedIn, Vec<RoomId>)> =
        users.into_iter().enumerate().map(|(number, user)| (user, rooms_of(number, &rooms, size))).collect();
    let joins = members.iter().enumerate().flat_map(|(number, (user, of_user))| {
        let own = rooms.get(number).copied();
        of_user.iter().filter(move |room| Some(**room) != own).map(move |room| (user, *room))
    });
    join(rest, joins).await?;
    let poster = if size.posts {
        let poster = rest.register("poster").await?;
        join(rest, rooms.iter().map(|room| (&poster, *room))).await?;
        Some(poster)
    } else {
        None
    };
    Ok(People { members, rooms, poster })
}

/// The rooms of a user.
fn rooms_of(number: usize, rooms: &[RoomId], size: Size) -> Vec<RoomId> {
    // The first is one's own, if one made it; the others differ from it and from each other.
    let nth = |at: usize| rooms[(number + at * (1 + number / size.rooms)) % size.rooms];
    let mut rooms: Vec<RoomId> = (0..size.rooms_each).map(nth).collect();
    rooms.sort_unstable();
    rooms.dedup();
    rooms
}

async fn join(rest: &Rest, joins: impl Iterator<Item = (&SignedIn, RoomId)>) -> Result<()> {
    stream::iter(joins)
        .map(|(user, room)| rest.join(&user.access_token, room))
        .buffer_unordered(AT_A_TIME)
        .try_collect::<Vec<()>>()
        .await
        .map(drop)
}
