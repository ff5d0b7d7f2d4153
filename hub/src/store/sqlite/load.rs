//! Loading the rows that a batch names, each kind with one statement. They go in as JSON, and
//! `cross join` holds SQLite to looking each of them up by its key
//! (<https://www.sqlite.org/optoverview.html#crossjoin>).

use super::error::{before_commit, corrupt};
use super::rows::{self, json};
use crate::store::StoreError;
use crate::store::op::{Append, Event};
use crate::store::state::{MemberRow, MessageRow, Needs, ReactionRow, RequestName, RoomRow, State, UserRow};
use protocol::model::RoomKind;
use protocol::{MessageId, MessageNo, RoomId, Seq, Timestamp, UserId};
use sqlx::SqliteConnection;
use std::collections::BTreeSet;

/// Loads everything that a batch names.
pub(super) async fn load(db: &mut SqliteConnection, batch: &[Append]) -> Result<State, StoreError> {
    let mut needs = Needs::of(batch);
    let mut state = State::default();
    load_firsts(db, &mut state, batch).await?;
    load_rooms(db, &mut state, &needs).await?;
    if !needs.messages.is_empty() {
        load_messages(db, &mut state, &mut needs).await?;
    }
    if !needs.usernames.is_empty() {
        load_usernames(db, &mut state, &mut needs).await?;
    }
    load_users(db, &mut state, &needs).await?;
    load_members(db, &mut state, &needs).await?;
    if needs.lets_in {
        load_bans(db, &mut state, &needs).await?;
    }
    load_last_ids(db, &mut state, &needs).await?;
    Ok(state)
}

/// The events that earlier operations under these names became.
async fn load_firsts(
    db: &mut SqliteConnection,
    state: &mut State,
    batch: &[Append],
) -> Result<(), StoreError> {
    let names = batch.iter().map(Append::name);
    let (in_rooms, making): (Vec<_>, Vec<_>) = names.partition(|name| name.room_id.is_some());
    if !in_rooms.is_empty() {
        let sql = "select m.room_id, m.user_id, m.client_id, e.payload
            from json_each(?1) j
            cross join messages m on m.room_id = j.value ->> 0 and m.user_id = j.value ->> 1
                and m.client_id = unhex(j.value ->> 2)
            cross join events e on e.room_id = m.room_id and e.seq = m.seq
            union all
            select e.room_id, e.actor_id, e.client_id, e.payload
            from json_each(?1) j
            cross join events e on e.room_id = j.value ->> 0 and e.actor_id = j.value ->> 1
                and e.client_id = unhex(j.value ->> 2)";
        read_firsts(db, state, sql, &in_rooms).await?;
    }
    if !making.is_empty() {
        let sql = "select null, r.created_by, r.client_id, e.payload
            from json_each(?1) j
            cross join rooms r on r.created_by = j.value ->> 1 and r.client_id = unhex(j.value ->> 2)
            cross join events e on e.room_id = r.id and e.seq = 1";
        read_firsts(db, state, sql, &making).await?;
    }
    Ok(())
}

async fn read_firsts(
    db: &mut SqliteConnection,
    state: &mut State,
    sql: &'static str,
    names: &[RequestName],
) -> Result<(), StoreError> {
    let arg =
        json(names.iter().map(|name| (name.room_id, name.actor, name.client_id.0.simple().to_string())))?;
    let query = sqlx::query_as::<_, (Option<i64>, i64, Vec<u8>, String)>(sql).bind(arg);
    for (room_id, actor, client_id, payload) in query.fetch_all(db).await.map_err(before_commit)? {
        let name = RequestName {
            room_id: room_id.map(RoomId::from_i64),
            actor: UserId::from_i64(actor),
            client_id: rows::client_id(&client_id)?,
        };
        let event = Event::from_json(payload.into()).map_err(corrupt)?;
        state.firsts.insert(name, (event.room_id, event.seq));
        state.events.insert((event.room_id, event.seq), event);
    }
    Ok(())
}

async fn load_rooms(db: &mut SqliteConnection, state: &mut State, needs: &Needs) -> Result<(), StoreError> {
    let sql = "select r.id, r.kind, r.name, r.topic, r.head_seq, r.last_message_no, r.member_count,
            r.created_by, r.client_id, r.created_at
        from json_each(?1) j cross join rooms r on r.id = j.value
        union
        select r.id, r.kind, r.name, r.topic, r.head_seq, r.last_message_no, r.member_count,
            r.created_by, r.client_id, r.created_at
        from json_each(?2) j cross join rooms r on r.name = j.value and r.kind = 'public'";
    type Row = (i64, String, String, String, i64, i64, i64, i64, Vec<u8>, i64);
    let query = sqlx::query_as::<_, Row>(sql).bind(json(&needs.rooms)?).bind(json(&needs.public_names)?);
    for row in query.fetch_all(db).await.map_err(before_commit)? {
        let (id, kind, name, topic, head_seq, last_message_no, member_count, created_by, client_id, at) = row;
        let (id, kind) = (RoomId::from_i64(id), rows::kind(&kind)?);
        if kind == RoomKind::Public {
            state.public_names.insert(name.clone(), id);
        }
        let room = RoomRow {
            name,
            kind,
            topic,
            head_seq: Seq::from_i64(head_seq),
            last_message_no: MessageNo::from_i64(last_message_no),
            member_count: rows::count(member_count),
            created_by: UserId::from_i64(created_by),
            client_id: rows::client_id(&client_id)?,
            created_at: Timestamp::from_i64(at),
        };
        state.rooms.insert(id, room);
    }
    Ok(())
}

async fn load_messages(
    db: &mut SqliteConnection,
    state: &mut State,
    needs: &mut Needs,
) -> Result<(), StoreError> {
    let sql = "select m.id, m.room_id, m.message_no, m.seq, m.latest_seq, m.user_id, m.client_id, m.content,
            m.reply_to, m.created_at, m.edited_at, m.deleted_at, m.pinned_at
        from json_each(?1) j cross join messages m on m.id = j.value";
    type Row = (
        i64,
        i64,
        i64,
        i64,
        i64,
        i64,
        Vec<u8>,
        String,
        Option<i64>,
        i64,
        Option<i64>,
        Option<i64>,
        Option<i64>,
    );
    let query = sqlx::query_as::<_, Row>(sql).bind(json(&needs.messages)?);
    for row in query.fetch_all(&mut *db).await.map_err(before_commit)? {
        let writer = UserId::from_i64(row.5);
        needs.users.insert(writer);
        let message = MessageRow {
            room_id: RoomId::from_i64(row.1),
            message_no: MessageNo::from_i64(row.2),
            seq: Seq::from_i64(row.3),
            latest_seq: Seq::from_i64(row.4),
            user_id: writer,
            client_id: rows::client_id(&row.6)?,
            content: row.7,
            reply_to: row.8.map(MessageId::from_i64),
            mentions: Vec::new(),
            reactions: Vec::new(),
            created_at: Timestamp::from_i64(row.9),
            edited_at: rows::time(row.10),
            deleted_at: rows::time(row.11),
            pinned_at: rows::time(row.12),
            edits: Vec::new(),
        };
        state.messages.insert(MessageId::from_i64(row.0), message);
    }
    state.note_edits();
    if !needs.reacted.is_empty() {
        load_reactions(db, state, &needs.reacted).await?;
    }
    if !needs.mentioning.is_empty() {
        load_mentions(db, state, &needs.mentioning).await?;
    }
    Ok(())
}

async fn load_reactions(
    db: &mut SqliteConnection,
    state: &mut State,
    messages: &BTreeSet<MessageId>,
) -> Result<(), StoreError> {
    let sql = "select r.message_id, r.emoji, r.user_id, r.seq, r.emoji_seq
        from json_each(?1) j cross join reactions r on r.message_id = j.value";
    let query = sqlx::query_as::<_, (i64, String, i64, i64, i64)>(sql).bind(json(messages)?);
    for (message_id, emoji, user_id, seq, emoji_seq) in query.fetch_all(db).await.map_err(before_commit)? {
        if let Some(message) = state.messages.get_mut(&MessageId::from_i64(message_id)) {
            message.reactions.push(ReactionRow {
                emoji,
                user_id: UserId::from_i64(user_id),
                seq: Seq::from_i64(seq),
                emoji_seq: Seq::from_i64(emoji_seq),
            });
        }
    }
    Ok(())
}

async fn load_mentions(
    db: &mut SqliteConnection,
    state: &mut State,
    messages: &BTreeSet<MessageId>,
) -> Result<(), StoreError> {
    let sql = "select m.id, n.user_id
        from json_each(?1) j cross join messages m on m.id = j.value
        cross join mentions n on n.room_id = m.room_id and n.message_no = m.message_no
        order by m.id, n.user_id";
    let query = sqlx::query_as::<_, (i64, i64)>(sql).bind(json(messages)?);
    for (message_id, user_id) in query.fetch_all(db).await.map_err(before_commit)? {
        if let Some(message) = state.messages.get_mut(&MessageId::from_i64(message_id)) {
            message.mentions.push(UserId::from_i64(user_id));
        }
    }
    Ok(())
}

async fn load_usernames(
    db: &mut SqliteConnection,
    state: &mut State,
    needs: &mut Needs,
) -> Result<(), StoreError> {
    let sql = "select u.username, u.id from json_each(?1) j cross join users u on u.username = j.value";
    let query = sqlx::query_as::<_, (String, i64)>(sql).bind(json(&needs.usernames)?);
    for (username, id) in query.fetch_all(db).await.map_err(before_commit)? {
        state.usernames.insert(username, UserId::from_i64(id));
    }
    needs.resolve_usernames(&state.usernames);
    Ok(())
}

async fn load_users(db: &mut SqliteConnection, state: &mut State, needs: &Needs) -> Result<(), StoreError> {
    let sql =
        "select u.id, u.username, u.display_name from json_each(?1) j cross join users u on u.id = j.value";
    let query = sqlx::query_as::<_, (i64, String, String)>(sql).bind(json(&needs.users)?);
    for (id, username, display_name) in query.fetch_all(db).await.map_err(before_commit)? {
        state.users.insert(UserId::from_i64(id), UserRow { username, display_name });
    }
    Ok(())
}

async fn load_members(db: &mut SqliteConnection, state: &mut State, needs: &Needs) -> Result<(), StoreError> {
    let sql = "select m.room_id, m.user_id, m.role, m.joined_seq, m.last_read_no
        from json_each(?1) j
        cross join members m on m.room_id = j.value ->> 0 and m.user_id = j.value ->> 1";
    let query = sqlx::query_as::<_, (i64, i64, String, i64, i64)>(sql).bind(json(&needs.members)?);
    for (room_id, user_id, role, joined_seq, last_read_no) in
        query.fetch_all(db).await.map_err(before_commit)?
    {
        let member = MemberRow {
            role: rows::role(&role)?,
            joined_seq: Seq::from_i64(joined_seq),
            last_read_no: MessageNo::from_i64(last_read_no),
        };
        state.members.insert((RoomId::from_i64(room_id), UserId::from_i64(user_id)), member);
    }
    Ok(())
}

async fn load_bans(db: &mut SqliteConnection, state: &mut State, needs: &Needs) -> Result<(), StoreError> {
    let sql = "select b.room_id, b.user_id from json_each(?1) j
        cross join bans b on b.room_id = j.value ->> 0 and b.user_id = j.value ->> 1";
    let query = sqlx::query_as::<_, (i64, i64)>(sql).bind(json(&needs.members)?);
    for (room_id, user_id) in query.fetch_all(&mut *db).await.map_err(before_commit)? {
        state.bans.insert((RoomId::from_i64(room_id), UserId::from_i64(user_id)));
    }
    let sql =
        "select j.value, (select count(*) from members m where m.user_id = j.value) from json_each(?1) j";
    let query = sqlx::query_as::<_, (i64, i64)>(sql).bind(json(&needs.users)?);
    for (user_id, rooms) in query.fetch_all(db).await.map_err(before_commit)? {
        state.room_counts.insert(UserId::from_i64(user_id), rows::count(rooms));
    }
    Ok(())
}

/// Ids are handed out here, under the write lock, so that events can name what they bring before
/// it is inserted; `autoincrement` keeps the last one even when its row is gone.
async fn load_last_ids(
    db: &mut SqliteConnection,
    state: &mut State,
    needs: &Needs,
) -> Result<(), StoreError> {
    if needs.sends == 0 && needs.makes_rooms == 0 {
        return Ok(());
    }
    let sql = "select name, seq from sqlite_sequence where name in ('messages', 'rooms')";
    let query = sqlx::query_as::<_, (String, i64)>(sql);
    for (name, last) in query.fetch_all(db).await.map_err(before_commit)? {
        if name == "rooms" {
            state.last_room_id = RoomId::from_i64(last);
        } else {
            state.last_message_id = MessageId::from_i64(last);
        }
    }
    Ok(())
}
