//! Writing down what a batch changed. Messages and events, which are many, go in by statements of
//! many rows; what is rare goes in as JSON.

use super::error::before_commit;
use super::rows::{json, kind_text, role_text};
use crate::store::StoreError;
use crate::store::state::{Changes, NewEvent, RoomRow, State};
use protocol::{MessageId, RoomId, Seq};
use sqlx::query_builder::Separated;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

/// Most rows of one statement. Longer runs are cut into powers of two, so that there are few
/// different statements and each is prepared once.
const ROWS_MAX: usize = 64;

/// Writes down what a batch changed.
pub(super) async fn flush(
    db: &mut SqliteConnection,
    state: &State,
    changes: &Changes,
) -> Result<(), StoreError> {
    write_rooms(db, state, changes).await?;
    write_new_messages(db, state, changes).await?;
    write_messages(db, state, changes).await?;
    write_events(db, state, changes).await?;
    scrub(db, state, changes).await?;
    write_reactions(db, state, changes).await?;
    write_mentions(db, state, changes).await?;
    write_members(db, state, changes).await?;
    write_bans(db, state, changes).await?;
    if !changes.users.is_empty() {
        let sql = "update users set version = version + 1 where id in (select value from json_each(?1))";
        run(db, sql, json(&changes.users)?).await?;
    }
    Ok(())
}

async fn run(db: &mut SqliteConnection, sql: &'static str, arg: String) -> Result<(), StoreError> {
    sqlx::query(sql).bind(arg).execute(db).await.map(|_| ()).map_err(before_commit)
}

async fn write_rooms(db: &mut SqliteConnection, state: &State, changes: &Changes) -> Result<(), StoreError> {
    if !changes.renamed.is_empty() {
        // Rooms may have handed their names around: first, nobody has one. No room can be called this.
        let sql = "update rooms set name = '~' || id where id in (select value from json_each(?1))";
        run(db, sql, json(&changes.renamed)?).await?;
    }
    for id in &changes.new_rooms {
        if let Some(room) = state.rooms.get(id) {
            insert_room(db, *id, room).await?;
        }
    }
    let changed = changes.rooms.iter().filter_map(|id| {
        let room = state.rooms.get(id)?;
        Some((id, &room.name, &room.topic, room.head_seq, room.last_message_no, room.member_count))
    });
    let changed = changed.collect::<Vec<_>>();
    if changed.is_empty() {
        return Ok(());
    }
    let sql = "update rooms set name = j.value ->> 1, topic = j.value ->> 2, head_seq = j.value ->> 3,
            last_message_no = j.value ->> 4, member_count = j.value ->> 5
        from json_each(?1) j where rooms.id = j.value ->> 0";
    run(db, sql, json(changed)?).await
}

async fn insert_room(db: &mut SqliteConnection, id: RoomId, room: &RoomRow) -> Result<(), StoreError> {
    let sql = "insert into rooms (id, kind, name, topic, head_seq, last_message_no, member_count, created_by,
        client_id, created_at) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    let query = sqlx::query(sql)
        .bind(id.as_i64())
        .bind(kind_text(room.kind))
        .bind(&room.name)
        .bind(&room.topic)
        .bind(room.head_seq.as_i64())
        .bind(room.last_message_no.as_i64())
        .bind(room.member_count.cast_signed())
        .bind(room.created_by.as_i64())
        .bind(room.client_id.0.as_bytes().as_slice())
        .bind(room.created_at.as_i64());
    query.execute(db).await.map(|_| ()).map_err(before_commit)
}

/// Inserts rows by statements of up to [`ROWS_MAX`] rows.
async fn insert_rows<T>(
    db: &mut SqliteConnection,
    head: &'static str,
    mut rows: &[T],
    mut columns: impl FnMut(&mut Separated<'_, Sqlite, &'static str>, &T),
) -> Result<(), StoreError> {
    while !rows.is_empty() {
        let take = (1 << rows.len().ilog2()).min(ROWS_MAX);
        let (now, later) = rows.split_at(take);
        let mut query = QueryBuilder::<Sqlite>::new(head);
        query.push_values(now, |mut row, item| columns(&mut row, item));
        query.build().execute(&mut *db).await.map_err(before_commit)?;
        rows = later;
    }
    Ok(())
}

async fn write_new_messages(
    db: &mut SqliteConnection,
    state: &State,
    changes: &Changes,
) -> Result<(), StoreError> {
    let new = changes.new_messages.iter().filter_map(|id| Some((*id, state.messages.get(id)?)));
    let new = new.collect::<Vec<_>>();
    let head = "insert into messages (id, room_id, message_no, seq, latest_seq, user_id, client_id, content,
        reply_to, created_at, edited_at, deleted_at, pinned_at) ";
    insert_rows(db, head, &new, |row, (id, message)| {
        row.push_bind(id.as_i64())
            .push_bind(message.room_id.as_i64())
            .push_bind(message.message_no.as_i64())
            .push_bind(message.seq.as_i64())
            .push_bind(message.latest_seq.as_i64())
            .push_bind(message.user_id.as_i64())
            .push_bind(message.client_id.0.as_bytes().to_vec())
            .push_bind(message.content.clone())
            .push_bind(message.reply_to.map(MessageId::as_i64))
            .push_bind(message.created_at.as_i64())
            .push_bind(message.edited_at.map(|at| at.as_i64()))
            .push_bind(message.deleted_at.map(|at| at.as_i64()))
            .push_bind(message.pinned_at.map(|at| at.as_i64()));
    })
    .await
}

async fn write_messages(
    db: &mut SqliteConnection,
    state: &State,
    changes: &Changes,
) -> Result<(), StoreError> {
    let changed = changes.messages.iter().filter_map(|id| {
        let message = state.messages.get(id)?;
        let times = (message.edited_at, message.deleted_at, message.pinned_at);
        Some((id, message.latest_seq, &message.content, times.0, times.1, times.2))
    });
    let changed = changed.collect::<Vec<_>>();
    if changed.is_empty() {
        return Ok(());
    }
    let sql = "update messages set latest_seq = j.value ->> 1, content = j.value ->> 2,
            edited_at = j.value ->> 3, deleted_at = j.value ->> 4, pinned_at = j.value ->> 5
        from json_each(?1) j where messages.id = j.value ->> 0";
    run(db, sql, json(changed)?).await
}

async fn write_events(db: &mut SqliteConnection, state: &State, changes: &Changes) -> Result<(), StoreError> {
    let new = changes.events.iter();
    let new = new.filter_map(|(at, new)| Some((*at, *new, &state.events.get(at)?.json)));
    let new = new.collect::<Vec<((RoomId, Seq), NewEvent, _)>>();
    let head = "insert into events (room_id, seq, kind, actor_id, client_id, edits, payload, created_at) ";
    insert_rows(db, head, &new, |row, ((room_id, seq), new, json)| {
        row.push_bind(room_id.as_i64())
            .push_bind(seq.as_i64())
            .push_bind(new.kind)
            .push_bind(new.actor.as_i64())
            .push_bind(new.client_id.map(|id| id.0.as_bytes().to_vec()))
            .push_bind(new.edits.map(MessageId::as_i64))
            .push_bind(json.to_string())
            .push_bind(new.at.as_i64());
    })
    .await
}

/// Takes the text of deleted messages out of the log, and all that hung on them. The events keep
/// the order of their fields, so that they read as `state::scrubbed` would write them.
async fn scrub(db: &mut SqliteConnection, state: &State, changes: &Changes) -> Result<(), StoreError> {
    if changes.scrubs.is_empty() {
        return Ok(());
    }
    let told = changes.scrubs.iter().filter_map(|id| {
        let message = state.messages.get(id)?;
        Some((message.room_id, message.seq))
    });
    let sql = "update events set payload =
            json_set(json_remove(payload, '$.mentions'), '$.content', '', '$.deleted', json('true'))
        where (room_id, seq) in (select j.value ->> 0, j.value ->> 1 from json_each(?1) j)";
    run(db, sql, json(told)?).await?;
    let sql = "update events set payload = json_set(json_remove(payload, '$.mentions'), '$.content', '')
        where edits in (select value from json_each(?1))";
    run(db, sql, json(&changes.scrubs)?).await?;
    let sql = "delete from reactions where message_id in (select value from json_each(?1))";
    run(db, sql, json(&changes.scrubs)?).await
}

async fn write_reactions(
    db: &mut SqliteConnection,
    state: &State,
    changes: &Changes,
) -> Result<(), StoreError> {
    if changes.reactions.is_empty() {
        return Ok(());
    }
    let (mut set, mut gone) = (Vec::new(), Vec::new());
    for (message_id, emoji, user_id) in &changes.reactions {
        let rows = state.messages.get(message_id).into_iter().flat_map(|message| &message.reactions);
        match rows.into_iter().find(|row| row.emoji == *emoji && row.user_id == *user_id) {
            Some(row) => set.push((message_id, emoji, user_id, row.seq, row.emoji_seq)),
            None => gone.push((message_id, emoji, user_id)),
        }
    }
    let sql = "delete from reactions where (message_id, emoji, user_id) in
        (select j.value ->> 0, j.value ->> 1, j.value ->> 2 from json_each(?1) j)";
    run(db, sql, json(gone)?).await?;
    let sql = "insert into reactions (message_id, emoji, user_id, seq, emoji_seq)
        select j.value ->> 0, j.value ->> 1, j.value ->> 2, j.value ->> 3, j.value ->> 4
        from json_each(?1) j where true
        on conflict do update set seq = excluded.seq, emoji_seq = excluded.emoji_seq";
    run(db, sql, json(set)?).await
}

async fn write_mentions(
    db: &mut SqliteConnection,
    state: &State,
    changes: &Changes,
) -> Result<(), StoreError> {
    let changed = changes.mentions.iter().filter_map(|id| state.messages.get(id)).collect::<Vec<_>>();
    if changed.is_empty() {
        return Ok(());
    }
    let sql = "delete from mentions where (room_id, message_no) in
        (select j.value ->> 0, j.value ->> 1 from json_each(?1) j)";
    run(db, sql, json(changed.iter().map(|message| (message.room_id, message.message_no)))?).await?;
    let mentions = changed.iter().flat_map(|message| {
        message.mentions.iter().map(|user_id| (user_id, message.room_id, message.message_no))
    });
    let sql = "insert into mentions (user_id, room_id, message_no)
        select j.value ->> 0, j.value ->> 1, j.value ->> 2 from json_each(?1) j";
    run(db, sql, json(mentions)?).await
}

async fn write_members(
    db: &mut SqliteConnection,
    state: &State,
    changes: &Changes,
) -> Result<(), StoreError> {
    if changes.members.is_empty() {
        return Ok(());
    }
    let gone = changes.members.iter().filter(|place| !state.members.contains_key(place));
    let sql = "delete from members where (room_id, user_id) in
        (select j.value ->> 0, j.value ->> 1 from json_each(?1) j)";
    run(db, sql, json(gone)?).await?;
    let set = changes.members.iter().filter_map(|place| {
        let member = state.members.get(place)?;
        Some((place.0, place.1, role_text(member.role), member.joined_seq, member.last_read_no))
    });
    let sql = "insert into members (room_id, user_id, role, joined_seq, last_read_no)
        select j.value ->> 0, j.value ->> 1, j.value ->> 2, j.value ->> 3, j.value ->> 4
        from json_each(?1) j where true
        on conflict do update set role = excluded.role, joined_seq = excluded.joined_seq,
            last_read_no = excluded.last_read_no";
    run(db, sql, json(set)?).await
}

async fn write_bans(db: &mut SqliteConnection, state: &State, changes: &Changes) -> Result<(), StoreError> {
    if changes.bans.is_empty() {
        return Ok(());
    }
    let (set, gone): (Vec<&_>, Vec<&_>) = changes.bans.iter().partition(|place| state.bans.contains(place));
    let sql = "delete from bans where (room_id, user_id) in
        (select j.value ->> 0, j.value ->> 1 from json_each(?1) j)";
    run(db, sql, json(gone)?).await?;
    let sql = "insert into bans (room_id, user_id)
        select j.value ->> 0, j.value ->> 1 from json_each(?1) j where true on conflict do nothing";
    run(db, sql, json(set)?).await
}
