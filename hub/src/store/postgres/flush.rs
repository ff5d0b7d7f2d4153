//! Writing down what a batch changed: what nearly every batch changes (rooms, messages, the log) in
//! one statement, what is rare each in its own.

use super::error::Trouble;
use super::rows::{ids, pairs};
use crate::store::columns::{corrupt, kind_text, role_text};
use crate::store::op::Event;
use crate::store::state::{Changes, MemberRow, MessageRow, NewEvent, RoomRow, State, scrubbed};
use protocol::{MessageId, RoomId, UserId};
use sqlx::PgConnection;

/// Writes down what a batch changed.
pub(super) async fn flush(db: &mut PgConnection, state: &State, changes: &Changes) -> Result<(), Trouble> {
    write_names(db, changes).await?;
    write_new_rooms(db, state, changes).await?;
    write_log(db, state, changes).await?;
    write_messages(db, state, changes).await?;
    scrub(db, changes).await?;
    write_reactions(db, state, changes).await?;
    write_mentions(db, state, changes).await?;
    write_members(db, state, changes).await?;
    write_bans(db, state, changes).await?;
    if !changes.users.is_empty() {
        let sql = "update users set version = version + 1 where id = any($1)";
        sqlx::query(sql).bind(ids(&changes.users)).execute(db).await?;
    }
    Ok(())
}

/// Rooms may have handed their names around: first, nobody has one. No room can be called this.
async fn write_names(db: &mut PgConnection, changes: &Changes) -> Result<(), Trouble> {
    if changes.renamed.is_empty() {
        return Ok(());
    }
    let sql = "update rooms set name = '~' || id where id = any($1)";
    sqlx::query(sql).bind(ids(&changes.renamed)).execute(db).await?;
    Ok(())
}

async fn write_new_rooms(db: &mut PgConnection, state: &State, changes: &Changes) -> Result<(), Trouble> {
    let new = changes.new_rooms.iter().filter_map(|id| Some((*id, state.rooms.get(id)?)));
    let new = new.collect::<Vec<(RoomId, &RoomRow)>>();
    if new.is_empty() {
        return Ok(());
    }
    let sql = "insert into rooms (id, kind, name, topic, head_seq, last_message_no, member_count, created_by,
            client_id, created_at)
        select * from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[],
            $7::bigint[], $8::bigint[], $9::uuid[], $10::bigint[])";
    let rooms = || new.iter().map(|(_, room)| room);
    let query = sqlx::query(sql)
        .bind(new.iter().map(|(id, _)| id.as_i64()).collect::<Vec<_>>())
        .bind(rooms().map(|room| kind_text(room.kind)).collect::<Vec<_>>())
        .bind(rooms().map(|room| room.name.as_str()).collect::<Vec<_>>())
        .bind(rooms().map(|room| room.topic.as_str()).collect::<Vec<_>>())
        .bind(rooms().map(|room| room.head_seq.as_i64()).collect::<Vec<_>>())
        .bind(rooms().map(|room| room.last_message_no.as_i64()).collect::<Vec<_>>())
        .bind(rooms().map(|room| room.member_count.cast_signed()).collect::<Vec<_>>())
        .bind(rooms().map(|room| room.created_by.as_i64()).collect::<Vec<_>>())
        .bind(rooms().map(|room| room.client_id.0).collect::<Vec<_>>())
        .bind(rooms().map(|room| room.created_at.as_i64()).collect::<Vec<_>>());
    query.execute(db).await?;
    Ok(())
}

/// The rooms' numbers, the new messages and the new events.
async fn write_log(db: &mut PgConnection, state: &State, changes: &Changes) -> Result<(), Trouble> {
    let rooms = changes.rooms.iter().filter_map(|id| Some((*id, state.rooms.get(id)?)));
    let rooms = rooms.collect::<Vec<(RoomId, &RoomRow)>>();
    let messages = changes.new_messages.iter().filter_map(|id| Some((*id, state.messages.get(id)?)));
    let messages = messages.collect::<Vec<(MessageId, &MessageRow)>>();
    let events = changes.events.iter().filter_map(|(at, new)| Some((*new, state.events.get(at)?)));
    let events = events.collect::<Vec<(NewEvent, &Event)>>();
    if events.is_empty() {
        return Ok(());
    }
    let sql = "with told as (
            update rooms set name = j.name, topic = j.topic, head_seq = j.head_seq,
                last_message_no = j.last_message_no, member_count = j.member_count
            from unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[])
                as j (id, name, topic, head_seq, last_message_no, member_count)
            where rooms.id = j.id
        ), said as (
            insert into messages (id, room_id, message_no, seq, latest_seq, user_id, client_id, content,
                reply_to, created_at, edited_at, deleted_at, pinned_at)
            select * from unnest($7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[],
                $12::bigint[], $13::uuid[], $14::text[], $15::bigint[], $16::bigint[], $17::bigint[],
                $18::bigint[], $19::bigint[])
        )
        insert into events (room_id, seq, kind, actor_id, client_id, edits, payload, created_at)
        select * from unnest($20::bigint[], $21::bigint[], $22::text[], $23::bigint[], $24::uuid[],
            $25::bigint[], $26::text[], $27::bigint[])";
    let query = sqlx::query(sql)
        .bind(rooms.iter().map(|(id, _)| id.as_i64()).collect::<Vec<_>>())
        .bind(rooms.iter().map(|(_, room)| room.name.as_str()).collect::<Vec<_>>())
        .bind(rooms.iter().map(|(_, room)| room.topic.as_str()).collect::<Vec<_>>())
        .bind(rooms.iter().map(|(_, room)| room.head_seq.as_i64()).collect::<Vec<_>>())
        .bind(rooms.iter().map(|(_, room)| room.last_message_no.as_i64()).collect::<Vec<_>>())
        .bind(rooms.iter().map(|(_, room)| room.member_count.cast_signed()).collect::<Vec<_>>())
        .bind(messages.iter().map(|(id, _)| id.as_i64()).collect::<Vec<_>>())
        .bind(messages.iter().map(|(_, row)| row.room_id.as_i64()).collect::<Vec<_>>())
        .bind(messages.iter().map(|(_, row)| row.message_no.as_i64()).collect::<Vec<_>>())
        .bind(messages.iter().map(|(_, row)| row.seq.as_i64()).collect::<Vec<_>>())
        .bind(messages.iter().map(|(_, row)| row.latest_seq.as_i64()).collect::<Vec<_>>())
        .bind(messages.iter().map(|(_, row)| row.user_id.as_i64()).collect::<Vec<_>>())
        .bind(messages.iter().map(|(_, row)| row.client_id.0).collect::<Vec<_>>())
        .bind(messages.iter().map(|(_, row)| row.content.as_str()).collect::<Vec<_>>())
        .bind(messages.iter().map(|(_, row)| row.reply_to.map(MessageId::as_i64)).collect::<Vec<_>>())
        .bind(messages.iter().map(|(_, row)| row.created_at.as_i64()).collect::<Vec<_>>())
        .bind(messages.iter().map(|(_, row)| row.edited_at.map(|at| at.as_i64())).collect::<Vec<_>>())
        .bind(messages.iter().map(|(_, row)| row.deleted_at.map(|at| at.as_i64())).collect::<Vec<_>>())
        .bind(messages.iter().map(|(_, row)| row.pinned_at.map(|at| at.as_i64())).collect::<Vec<_>>())
        .bind(events.iter().map(|(_, event)| event.room_id.as_i64()).collect::<Vec<_>>())
        .bind(events.iter().map(|(_, event)| event.seq.as_i64()).collect::<Vec<_>>())
        .bind(events.iter().map(|(new, _)| new.kind).collect::<Vec<_>>())
        .bind(events.iter().map(|(new, _)| new.actor.as_i64()).collect::<Vec<_>>())
        .bind(events.iter().map(|(new, _)| new.client_id.map(|id| id.0)).collect::<Vec<_>>())
        .bind(events.iter().map(|(new, _)| new.edits.map(MessageId::as_i64)).collect::<Vec<_>>())
        .bind(events.iter().map(|(_, event)| &*event.json).collect::<Vec<&str>>())
        .bind(events.iter().map(|(new, _)| new.at.as_i64()).collect::<Vec<_>>());
    query.execute(db).await?;
    Ok(())
}

async fn write_messages(db: &mut PgConnection, state: &State, changes: &Changes) -> Result<(), Trouble> {
    let changed = changes.messages.iter().filter_map(|id| Some((*id, state.messages.get(id)?)));
    let changed = changed.collect::<Vec<(MessageId, &MessageRow)>>();
    if changed.is_empty() {
        return Ok(());
    }
    let sql = "update messages set latest_seq = j.latest_seq, content = j.content, edited_at = j.edited_at,
            deleted_at = j.deleted_at, pinned_at = j.pinned_at
        from unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[])
            as j (id, latest_seq, content, edited_at, deleted_at, pinned_at)
        where messages.id = j.id";
    let query = sqlx::query(sql)
        .bind(changed.iter().map(|(id, _)| id.as_i64()).collect::<Vec<_>>())
        .bind(changed.iter().map(|(_, row)| row.latest_seq.as_i64()).collect::<Vec<_>>())
        .bind(changed.iter().map(|(_, row)| row.content.as_str()).collect::<Vec<_>>())
        .bind(changed.iter().map(|(_, row)| row.edited_at.map(|at| at.as_i64())).collect::<Vec<_>>())
        .bind(changed.iter().map(|(_, row)| row.deleted_at.map(|at| at.as_i64())).collect::<Vec<_>>())
        .bind(changed.iter().map(|(_, row)| row.pinned_at.map(|at| at.as_i64())).collect::<Vec<_>>());
    query.execute(db).await?;
    Ok(())
}

/// Takes the text of deleted messages out of the log, and all that hung on them.
async fn scrub(db: &mut PgConnection, changes: &Changes) -> Result<(), Trouble> {
    if changes.scrubs.is_empty() {
        return Ok(());
    }
    let deleted = ids(&changes.scrubs);
    let sql = "select e.payload from messages m join events e on e.room_id = m.room_id and e.seq = m.seq
            where m.id = any($1)
        union all
        select e.payload from events e where e.edits = any($1)";
    let payloads = sqlx::query_scalar::<_, String>(sql).bind(&deleted).fetch_all(&mut *db).await?;
    let events = payloads.into_iter().map(|payload| Event::from_json(payload.into()));
    let events = events.collect::<Result<Vec<_>, _>>().map_err(corrupt)?;
    let events = events.iter().map(scrubbed).collect::<Vec<_>>();
    let sql = "update events set payload = j.payload
        from unnest($1::bigint[], $2::bigint[], $3::text[]) as j (room_id, seq, payload)
        where events.room_id = j.room_id and events.seq = j.seq";
    let query = sqlx::query(sql)
        .bind(events.iter().map(|event| event.room_id.as_i64()).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.seq.as_i64()).collect::<Vec<_>>())
        .bind(events.iter().map(|event| &*event.json).collect::<Vec<&str>>());
    query.execute(&mut *db).await?;
    sqlx::query("delete from reactions where message_id = any($1)").bind(deleted).execute(db).await?;
    Ok(())
}

async fn write_reactions(db: &mut PgConnection, state: &State, changes: &Changes) -> Result<(), Trouble> {
    if changes.reactions.is_empty() {
        return Ok(());
    }
    let (mut set, mut gone) = (Vec::new(), Vec::new());
    for (message_id, emoji, user_id) in &changes.reactions {
        let rows = state.messages.get(message_id).into_iter().flat_map(|message| &message.reactions);
        match rows.into_iter().find(|row| row.emoji == *emoji && row.user_id == *user_id) {
            Some(row) => set.push((*message_id, emoji.as_str(), *user_id, row.seq, row.emoji_seq)),
            None => gone.push((*message_id, emoji.as_str(), *user_id)),
        }
    }
    if !gone.is_empty() {
        let sql = "delete from reactions r
            using unnest($1::bigint[], $2::text[], $3::bigint[]) as j (message_id, emoji, user_id)
            where r.message_id = j.message_id and r.emoji = j.emoji and r.user_id = j.user_id";
        let query = sqlx::query(sql)
            .bind(gone.iter().map(|row| row.0.as_i64()).collect::<Vec<_>>())
            .bind(gone.iter().map(|row| row.1).collect::<Vec<_>>())
            .bind(gone.iter().map(|row| row.2.as_i64()).collect::<Vec<_>>());
        query.execute(&mut *db).await?;
    }
    if set.is_empty() {
        return Ok(());
    }
    let sql = "insert into reactions (message_id, emoji, user_id, seq, emoji_seq)
        select * from unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
        on conflict (message_id, emoji, user_id)
            do update set seq = excluded.seq, emoji_seq = excluded.emoji_seq";
    let query = sqlx::query(sql)
        .bind(set.iter().map(|row| row.0.as_i64()).collect::<Vec<_>>())
        .bind(set.iter().map(|row| row.1).collect::<Vec<_>>())
        .bind(set.iter().map(|row| row.2.as_i64()).collect::<Vec<_>>())
        .bind(set.iter().map(|row| row.3.as_i64()).collect::<Vec<_>>())
        .bind(set.iter().map(|row| row.4.as_i64()).collect::<Vec<_>>());
    query.execute(db).await?;
    Ok(())
}

async fn write_mentions(db: &mut PgConnection, state: &State, changes: &Changes) -> Result<(), Trouble> {
    let changed = changes.mentions.iter().filter_map(|id| state.messages.get(id)).collect::<Vec<_>>();
    if changed.is_empty() {
        return Ok(());
    }
    let sql = "delete from mentions n
        using unnest($1::bigint[], $2::bigint[]) as j (room_id, message_no)
        where n.room_id = j.room_id and n.message_no = j.message_no";
    let query = sqlx::query(sql)
        .bind(changed.iter().map(|row| row.room_id.as_i64()).collect::<Vec<_>>())
        .bind(changed.iter().map(|row| row.message_no.as_i64()).collect::<Vec<_>>());
    query.execute(&mut *db).await?;
    let mentions = changed.iter().flat_map(|row| row.mentions.iter().map(|user_id| (*user_id, *row)));
    let mentions = mentions.collect::<Vec<(UserId, &MessageRow)>>();
    let sql = "insert into mentions (user_id, room_id, message_no)
        select * from unnest($1::bigint[], $2::bigint[], $3::bigint[])";
    let query = sqlx::query(sql)
        .bind(mentions.iter().map(|(user_id, _)| user_id.as_i64()).collect::<Vec<_>>())
        .bind(mentions.iter().map(|(_, row)| row.room_id.as_i64()).collect::<Vec<_>>())
        .bind(mentions.iter().map(|(_, row)| row.message_no.as_i64()).collect::<Vec<_>>());
    query.execute(db).await?;
    Ok(())
}

async fn write_members(db: &mut PgConnection, state: &State, changes: &Changes) -> Result<(), Trouble> {
    let gone = changes.members.iter().filter(|place| !state.members.contains_key(place)).copied();
    let (rooms, users) = pairs(gone);
    if !rooms.is_empty() {
        let sql = "delete from members m using unnest($1::bigint[], $2::bigint[]) as j (room_id, user_id)
            where m.room_id = j.room_id and m.user_id = j.user_id";
        sqlx::query(sql).bind(rooms).bind(users).execute(&mut *db).await?;
    }
    let set = changes.members.iter().filter_map(|place| Some((*place, state.members.get(place)?)));
    let set = set.collect::<Vec<((RoomId, UserId), &MemberRow)>>();
    if set.is_empty() {
        return Ok(());
    }
    let sql = "insert into members (room_id, user_id, role, joined_seq, last_read_no)
        select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[])
        on conflict (room_id, user_id) do update set role = excluded.role,
            joined_seq = excluded.joined_seq, last_read_no = excluded.last_read_no";
    let (rooms, users) = pairs(set.iter().map(|(place, _)| *place));
    let query = sqlx::query(sql)
        .bind(rooms)
        .bind(users)
        .bind(set.iter().map(|(_, member)| role_text(member.role)).collect::<Vec<_>>())
        .bind(set.iter().map(|(_, member)| member.joined_seq.as_i64()).collect::<Vec<_>>())
        .bind(set.iter().map(|(_, member)| member.last_read_no.as_i64()).collect::<Vec<_>>());
    query.execute(db).await?;
    Ok(())
}

async fn write_bans(db: &mut PgConnection, state: &State, changes: &Changes) -> Result<(), Trouble> {
    if changes.bans.is_empty() {
        return Ok(());
    }
    let (set, gone): (Vec<_>, Vec<_>) =
        changes.bans.iter().copied().partition(|place| state.bans.contains(place));
    let sql = "delete from bans b using unnest($1::bigint[], $2::bigint[]) as j (room_id, user_id)
        where b.room_id = j.room_id and b.user_id = j.user_id";
    let (rooms, users) = pairs(gone);
    sqlx::query(sql).bind(rooms).bind(users).execute(&mut *db).await?;
    let sql = "insert into bans (room_id, user_id) select * from unnest($1::bigint[], $2::bigint[])
        on conflict do nothing";
    let (rooms, users) = pairs(set);
    sqlx::query(sql).bind(rooms).bind(users).execute(db).await?;
    Ok(())
}
