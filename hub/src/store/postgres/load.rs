//! Loading the rows that a batch names, each kind with one statement: the rooms first and under lock.

use super::error::Trouble;
use super::rows::{ids, pairs};
use crate::store::columns::{self, corrupt};
use crate::store::op::{Append, Event};
use crate::store::state::{MemberRow, MessageRow, Needs, ReactionRow, RequestName, RoomRow, State, UserRow};
use protocol::model::RoomKind;
use protocol::{ClientId, MessageId, MessageNo, RoomId, Seq, Timestamp, UserId};
use sqlx::PgConnection;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Loads everything that a batch names.
pub(super) async fn load(
    db: &mut PgConnection,
    batch: &[Append],
    needs: &mut Needs,
) -> Result<State, Trouble> {
    let mut state = State::default();
    if !needs.rooms.is_empty() {
        lock_rooms(db, &mut state, needs).await?;
    }
    if !needs.usernames.is_empty() {
        load_usernames(db, &mut state, needs).await?;
    }
    if !needs.moved.is_empty() {
        lock_users(db, needs).await?;
    }
    load_firsts(db, &mut state, batch).await?;
    if !needs.public_names.is_empty() {
        load_public_names(db, &mut state, needs).await?;
    }
    if !needs.messages.is_empty() {
        load_messages(db, &mut state, needs).await?;
    }
    load_users(db, &mut state, needs).await?;
    load_members(db, &mut state, needs).await?;
    if needs.lets_in {
        load_bans(db, &mut state, needs).await?;
    }
    Ok(state)
}

/// Locks the rooms in order of their id, against other writers and not against rows that refer to
/// them (<https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-ROWS>).
async fn lock_rooms(db: &mut PgConnection, state: &mut State, needs: &Needs) -> Result<(), Trouble> {
    let sql = "select id, kind, name, topic, head_seq, last_message_no, member_count, created_by, client_id,
            created_at
        from rooms where id = any($1) order by id for no key update";
    type Row = (i64, String, String, String, i64, i64, i64, i64, Uuid, i64);
    let query = sqlx::query_as::<_, Row>(sql).bind(ids(&needs.rooms));
    for row in query.fetch_all(db).await? {
        let (id, kind, name, topic, head_seq, last_message_no, member_count, created_by, client_id, at) = row;
        let (id, kind) = (RoomId::from_i64(id), columns::kind(&kind)?);
        if kind == RoomKind::Public {
            state.public_names.insert(name.clone(), id);
        }
        let room = RoomRow {
            name,
            kind,
            topic,
            head_seq: Seq::from_i64(head_seq),
            last_message_no: MessageNo::from_i64(last_message_no),
            member_count: columns::count(member_count),
            created_by: UserId::from_i64(created_by),
            client_id: ClientId(client_id),
            created_at: Timestamp::from_i64(at),
        };
        state.rooms.insert(id, room);
    }
    Ok(())
}

async fn load_usernames(db: &mut PgConnection, state: &mut State, needs: &mut Needs) -> Result<(), Trouble> {
    let sql = "select username, id from users where username = any($1)";
    let names = needs.usernames.iter().cloned().collect::<Vec<_>>();
    let query = sqlx::query_as::<_, (String, i64)>(sql).bind(names);
    for (username, id) in query.fetch_all(db).await? {
        state.usernames.insert(username, UserId::from_i64(id));
    }
    needs.resolve_usernames(&state.usernames);
    Ok(())
}

/// Locks the users whose memberships may change: the number of their rooms is then true until the
/// commit, and their read markers stand still.
async fn lock_users(db: &mut PgConnection, needs: &Needs) -> Result<(), Trouble> {
    let sql = "select id from users where id = any($1) order by id for no key update";
    sqlx::query(sql).bind(ids(&needs.moved)).execute(db).await?;
    Ok(())
}

/// The events that earlier operations under these names became.
async fn load_firsts(db: &mut PgConnection, state: &mut State, batch: &[Append]) -> Result<(), Trouble> {
    let names = batch.iter().map(Append::name).collect::<Vec<_>>();
    let (in_rooms, making): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| name.room_id.is_some());
    if !in_rooms.is_empty() {
        // The sums keep the planner from the indexes that begin with the room, which it may take for
        // as good while it knows nothing of the tables, and which hold a room's whole history.
        let sql = "select m.room_id, m.user_id, m.client_id, e.payload
            from unnest($1::bigint[], $2::bigint[], $3::uuid[]) as j (room_id, actor_id, client_id)
            join messages m on m.client_id = j.client_id
                and m.room_id + 0 = j.room_id and m.user_id + 0 = j.actor_id
            join events e on e.room_id = m.room_id and e.seq = m.seq
            union all
            select e.room_id, e.actor_id, e.client_id, e.payload
            from unnest($1::bigint[], $2::bigint[], $3::uuid[]) as j (room_id, actor_id, client_id)
            join events e on e.client_id = j.client_id
                and e.room_id + 0 = j.room_id and e.actor_id + 0 = j.actor_id
            where e.client_id is not null";
        read_firsts(db, state, sql, &in_rooms).await?;
    }
    if !making.is_empty() {
        let sql = "select null::bigint, r.created_by, r.client_id, e.payload
            from unnest($1::bigint[], $2::bigint[], $3::uuid[]) as j (room_id, actor_id, client_id)
            join rooms r on r.created_by = j.actor_id and r.client_id = j.client_id
            join events e on e.room_id = r.id and e.seq = 1";
        read_firsts(db, state, sql, &making).await?;
    }
    Ok(())
}

async fn read_firsts(
    db: &mut PgConnection,
    state: &mut State,
    sql: &'static str,
    names: &[RequestName],
) -> Result<(), Trouble> {
    let query = sqlx::query_as::<_, (Option<i64>, i64, Uuid, String)>(sql)
        .bind(names.iter().map(|name| name.room_id.map(RoomId::as_i64)).collect::<Vec<_>>())
        .bind(names.iter().map(|name| name.actor.as_i64()).collect::<Vec<_>>())
        .bind(names.iter().map(|name| name.client_id.0).collect::<Vec<_>>());
    for (room_id, actor, client_id, payload) in query.fetch_all(db).await? {
        let name = RequestName {
            room_id: room_id.map(RoomId::from_i64),
            actor: UserId::from_i64(actor),
            client_id: ClientId(client_id),
        };
        let event = Event::from_json(payload.into()).map_err(corrupt)?;
        state.firsts.insert(name, (event.room_id, event.seq));
        state.events.insert((event.room_id, event.seq), event);
    }
    Ok(())
}

async fn load_public_names(db: &mut PgConnection, state: &mut State, needs: &Needs) -> Result<(), Trouble> {
    let sql = "select name, id from rooms where name = any($1) and kind = 'public'";
    let names = needs.public_names.iter().cloned().collect::<Vec<_>>();
    for (name, id) in sqlx::query_as::<_, (String, i64)>(sql).bind(names).fetch_all(db).await? {
        state.public_names.insert(name, RoomId::from_i64(id));
    }
    Ok(())
}

async fn load_messages(db: &mut PgConnection, state: &mut State, needs: &mut Needs) -> Result<(), Trouble> {
    let sql = "select id, room_id, message_no, seq, latest_seq, user_id, client_id, content, reply_to,
            created_at, edited_at, deleted_at, pinned_at
        from messages where id = any($1)";
    type Time = Option<i64>;
    type Row = (i64, i64, i64, i64, i64, i64, Uuid, String, Option<i64>, i64, Time, Time, Time);
    let query = sqlx::query_as::<_, Row>(sql).bind(ids(&needs.messages));
    for row in query.fetch_all(&mut *db).await? {
        let (id, room_id, message_no, seq, latest_seq, user_id, client_id, content, reply_to, ..) = row;
        let writer = UserId::from_i64(user_id);
        needs.users.insert(writer);
        let message = MessageRow {
            room_id: RoomId::from_i64(room_id),
            message_no: MessageNo::from_i64(message_no),
            seq: Seq::from_i64(seq),
            latest_seq: Seq::from_i64(latest_seq),
            user_id: writer,
            client_id: ClientId(client_id),
            content,
            reply_to: reply_to.map(MessageId::from_i64),
            mentions: Vec::new(),
            reactions: Vec::new(),
            created_at: Timestamp::from_i64(row.9),
            edited_at: columns::time(row.10),
            deleted_at: columns::time(row.11),
            pinned_at: columns::time(row.12),
            edits: Vec::new(),
        };
        state.messages.insert(MessageId::from_i64(id), message);
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
    db: &mut PgConnection,
    state: &mut State,
    messages: &BTreeSet<MessageId>,
) -> Result<(), Trouble> {
    let sql = "select message_id, emoji, user_id, seq, emoji_seq from reactions where message_id = any($1)
        order by message_id, emoji_seq, seq";
    let query = sqlx::query_as::<_, (i64, String, i64, i64, i64)>(sql).bind(ids(messages));
    for (message_id, emoji, user_id, seq, emoji_seq) in query.fetch_all(db).await? {
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
    db: &mut PgConnection,
    state: &mut State,
    messages: &BTreeSet<MessageId>,
) -> Result<(), Trouble> {
    let sql = "select m.id, n.user_id
        from messages m join mentions n on n.room_id = m.room_id and n.message_no = m.message_no
        where m.id = any($1) order by m.id, n.user_id";
    let query = sqlx::query_as::<_, (i64, i64)>(sql).bind(ids(messages));
    for (message_id, user_id) in query.fetch_all(db).await? {
        if let Some(message) = state.messages.get_mut(&MessageId::from_i64(message_id)) {
            message.mentions.push(UserId::from_i64(user_id));
        }
    }
    Ok(())
}

async fn load_users(db: &mut PgConnection, state: &mut State, needs: &Needs) -> Result<(), Trouble> {
    let sql = "select id, username, display_name from users where id = any($1)";
    let query = sqlx::query_as::<_, (i64, String, String)>(sql).bind(ids(&needs.users));
    for (id, username, display_name) in query.fetch_all(db).await? {
        state.users.insert(UserId::from_i64(id), UserRow { username, display_name });
    }
    Ok(())
}

async fn load_members(db: &mut PgConnection, state: &mut State, needs: &Needs) -> Result<(), Trouble> {
    let sql = "select m.room_id, m.user_id, m.role, m.joined_seq, m.last_read_no
        from unnest($1::bigint[], $2::bigint[]) as j (room_id, user_id)
        join members m on m.room_id = j.room_id and m.user_id = j.user_id";
    let (rooms, users) = pairs(needs.members.iter().copied());
    let query = sqlx::query_as::<_, (i64, i64, String, i64, i64)>(sql).bind(rooms).bind(users);
    for (room_id, user_id, role, joined_seq, last_read_no) in query.fetch_all(db).await? {
        let member = MemberRow {
            role: columns::role(&role)?,
            joined_seq: Seq::from_i64(joined_seq),
            last_read_no: MessageNo::from_i64(last_read_no),
        };
        state.members.insert((RoomId::from_i64(room_id), UserId::from_i64(user_id)), member);
    }
    Ok(())
}

async fn load_bans(db: &mut PgConnection, state: &mut State, needs: &Needs) -> Result<(), Trouble> {
    let sql = "select b.room_id, b.user_id from unnest($1::bigint[], $2::bigint[]) as j (room_id, user_id)
        join bans b on b.room_id = j.room_id and b.user_id = j.user_id";
    let (rooms, users) = pairs(needs.members.iter().copied());
    let query = sqlx::query_as::<_, (i64, i64)>(sql).bind(rooms).bind(users);
    for (room_id, user_id) in query.fetch_all(&mut *db).await? {
        state.bans.insert((RoomId::from_i64(room_id), UserId::from_i64(user_id)));
    }
    let sql = "select user_id, count(*) from members where user_id = any($1) group by user_id";
    let query = sqlx::query_as::<_, (i64, i64)>(sql).bind(ids(&needs.users));
    for (user_id, rooms) in query.fetch_all(db).await? {
        state.room_counts.insert(UserId::from_i64(user_id), columns::count(rooms));
    }
    Ok(())
}
