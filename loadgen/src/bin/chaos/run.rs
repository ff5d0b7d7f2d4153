//! One run from a fresh cluster to a judgement.

use crate::args::{Args, Schedule, Size};
use crate::crowd::{Crowd, eventually};
use crate::faults::Surgeon;
use crate::judge::{self, Ending, Seen};
use crate::plan::{self, Step};
use crate::poster::{Posted, Poster};
use crate::rest::Rest;
use crate::{setup, show, talk};
use anyhow::{Context, Result, ensure};
use cluster::{Cluster, Component};
use loadgen::history::{ClientHistory, FaultSpan, History, RoomLog};
use loadgen::oracle::Verdict;
use protocol::RoomId;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long everyone may take to be connected at first.
const CONNECT_WITHIN: Duration = Duration::from_secs(60);
/// How long the talk goes on after the last restart of a rolling one.
const AFTERWARDS: Duration = Duration::from_secs(2);
/// What a log that could not be read means.
const UNREAD: &str = "failed to read what the store holds, without which all counts as lost";

/// What came of a run.
pub(crate) struct Outcome {
    pub(crate) history: History,
    pub(crate) verdict: Verdict,
    /// Whether the cluster failed, so that not all was done that was to be.
    pub(crate) has_failed: bool,
}

/// Runs, shows what came of it, and keeps the history of a run that went wrong.
pub(crate) fn run(args: &Args) -> Result<Outcome> {
    let size = args.size();
    let plan = plan::draw(args.schedule, size, args.seed);
    show::plan(args, size, &plan);
    let cluster = Arc::new(setup::cluster(args, size)?);
    let runtime = tokio::runtime::Runtime::new()?;
    let result =
        cluster.up(|_| {}).and_then(|()| runtime.block_on(live(args, size, &plan, Arc::clone(&cluster))));
    // Whatever came of it, nothing stays running.
    let ended = cluster.down().context("failed to end the cluster");
    if let (Err(_), Err(error)) = (&result, &ended) {
        eprintln!("error: {error:#}");
    }
    let (history, mut ending) = result?;
    ending.done(ended);
    let verdict = judge::judge(args, &history, &ending);
    show::verdict(&history, &ending, &verdict);
    show::leave(&args.dir, &show::summary(&history, &ending, &verdict))?;
    let has_failed = !ending.failures.is_empty();
    if has_failed || (verdict.violations > 0 && args.bug.is_none()) {
        show::keep(&args.dir, &history)?;
    }
    Ok(Outcome { history, verdict, has_failed })
}

async fn live(args: &Args, size: Size, plan: &[Step], cluster: Arc<Cluster>) -> Result<(History, Ending)> {
    let rest = Rest::new(cluster.layout().port())?;
    let setup::People { members, rooms, poster } = setup::people(&rest, size).await?;
    let began = Instant::now();
    let clock = (args.seed, began);
    let address = format!("127.0.0.1:{}", cluster.layout().port());
    let poster = poster.map(|poster| Poster::new(&rest, poster, rooms.clone(), members.len(), clock));
    let crowd = Arc::new(Crowd::start(&rest, &address, members, rooms, size, clock)?);
    ensure!(crowd.all_online(CONNECT_WITHIN).await, "not everyone is connected");
    println!("everyone is connected: {}", show::spread(&crowd));

    let (talks, hears) = watch::channel(false);
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let talking =
        tasks.spawn(talk::run(Arc::clone(&crowd), size.rate, args.seed, hears.clone(), stop.clone()));
    let posting = poster.map(|poster| tasks.spawn(poster.run(hears, stop.clone())));
    let mut surgeon = Surgeon::new(Arc::clone(&cluster), Arc::clone(&crowd), talks, clock);
    // From here on a failure is the cluster's: it is judged with all else.
    let mut ending = Ending::default();
    let (faults, carried_out) = surgeon.run(plan, show::fault).await;
    ending.done(carried_out);
    if args.schedule == Schedule::Rolling {
        surgeon.leave_alone(AFTERWARDS).await;
    }
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    talking.await?;

    let (dead, all_run) = surgeon.dead().await;
    ending.done(all_run);
    (ending.dead, ending.refused) = (dead, crowd.refused());
    let posted = match posting {
        Some(posting) => Some(posting.await?),
        None => None,
    };
    settle(&rest, &crowd, size, &mut ending).await;
    presence(&crowd, size, &mut ending).await;
    let log = ending.done(logs(&rest, &crowd).await).unwrap_or_default();
    ending.panics = panics(&cluster)?;
    // Before all end: that is no part of it.
    let mut history = history(&crowd, log, faults);
    if let Some(Posted { history: of_poster, requests, failures }) = posted {
        history.clients.push(of_poster);
        (ending.requests, ending.requests_failed) = (requests, failures);
    }
    crowd.end().await;
    Ok((history, ending))
}

/// Waits until everyone has an answer to all that it said, and then everything that is in the store.
async fn settle(rest: &Rest, crowd: &Crowd, size: Size, ending: &mut Ending) {
    let began = Instant::now();
    eventually(size.settles_within, || crowd.behind(&BTreeMap::new()) == 0).await;
    let log = ending.done(logs(rest, crowd).await).unwrap_or_default();
    let heads = log.into_iter().map(|(room, log)| (room, log.head)).collect();
    let left = size.settles_within.saturating_sub(began.elapsed()).max(Duration::from_secs(1));
    eventually(left, || crowd.behind(&heads) == 0).await;
    ending.behind = crowd.behind(&heads);
    ending.settled_in = began.elapsed();
}

/// All rooms as the store holds them, each read by who made it.
async fn logs(rest: &Rest, crowd: &Crowd) -> Result<BTreeMap<RoomId, RoomLog>> {
    let mut logs = BTreeMap::new();
    for (number, room) in crowd.rooms.iter().enumerate() {
        let token = rest.login(&setup::username(number)).await.context(UNREAD)?.access_token;
        logs.insert(*room, rest.log(&token, *room).await.context(UNREAD)?);
    }
    Ok(logs)
}

/// Has one member of each room watch who is there, until all see exactly those who are.
async fn presence(crowd: &Crowd, size: Size, ending: &mut Ending) {
    let began = Instant::now();
    let mut watched = Vec::new();
    for room in &crowd.rooms {
        let mut expected: Vec<_> = crowd
            .members
            .iter()
            .filter(|member| !member.has_left() && member.rooms.contains(room))
            .map(|member| member.user_id)
            .collect();
        expected.sort_unstable();
        let Some(watcher) = crowd.staying().find(|member| member.rooms.contains(room)) else { continue };
        let room = *room;
        watcher.handle.with(move |client, now| client.watch_presence(room, now)).await;
        watched.push((room, watcher, expected));
    }
    let wrong = || {
        let seen = watched.iter().map(|(room, watcher, expected)| {
            let seen = watcher.log.lock().online.get(room).cloned().unwrap_or_default();
            let ghosts = seen.iter().filter(|user| !expected.contains(user)).count();
            let missing = expected.iter().filter(|user| !seen.contains(user)).count();
            Seen { room: *room, ghosts, missing }
        });
        seen.filter(|seen| seen.ghosts + seen.missing > 0).collect::<Vec<_>>()
    };
    eventually(size.presence_within, || wrong().is_empty()).await;
    ending.presence_wrong = wrong();
    ending.presence_in = began.elapsed();
}

/// What panicked, and with which errors hubs ended, from their logs.
fn panics(cluster: &Cluster) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for component in cluster.components().filter(|component| matches!(component, Component::Hub(_))) {
        let log = std::fs::read(cluster.layout().log(component))?;
        let log = String::from_utf8_lossy(&log);
        found.extend(
            log.lines()
                .filter(|line| line.contains("panicked") || line.starts_with("Error:"))
                .map(|line| format!("{component}: {line}")),
        );
    }
    Ok(found)
}

fn history(crowd: &Crowd, log: BTreeMap<RoomId, RoomLog>, faults: Vec<FaultSpan>) -> History {
    let clients = crowd.members.iter().map(|member| {
        let records = std::mem::take(&mut member.log.lock().records);
        let (user_id, rooms, stays) = (member.user_id, member.rooms.clone(), member.stays);
        ClientHistory { user_id, rooms, stays, records }
    });
    History { clients: clients.collect(), log, faults }
}
