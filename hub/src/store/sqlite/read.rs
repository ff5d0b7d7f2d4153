//! Reads of rooms, members and the log, and the read marker.

use super::accounts::bump;
use super::error::{before_commit, corrupt};
use super::rows::{self, json};
use super::{SqliteStore, commit};
use crate::store::rows::{ListedRow, RoomRow};
use crate::store::{Event, MarkedRead, MemberPage, RoomPage, StoreError, page};
use protocol::frame::server::ReadMarker;
use protocol::model::{Member, Room};
use protocol::{MessageNo, RoomId, Seq, UserId};
use sqlx::SqliteConnection;

impl SqliteStore {
    pub(super) async fn read_heads(&self, rooms: &[RoomId]) -> Result<Vec<(RoomId, Seq)>, StoreError> {
        let sql = "select id, head_seq from rooms where id in (select value from json_each(?1)) order by id";
        let query = sqlx::query_as::<_, (i64, i64)>(sql).bind(json(rooms)?);
        let rows = query.fetch_all(&self.readers).await.map_err(before_commit)?;
        Ok(rows.into_iter().map(|(id, seq)| (RoomId::from_i64(id), Seq::from_i64(seq))).collect())
    }

    pub(super) async fn read_events(
        &self,
        room_id: RoomId,
        after: Seq,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError> {
        let sql = "select payload from events where room_id = ?1 and seq > ?2 order by seq limit ?3";
        let query = sqlx::query_scalar::<_, String>(sql);
        let query = query.bind(room_id.as_i64()).bind(after.as_i64()).bind(limit);
        let rows = query.fetch_all(&self.readers).await.map_err(before_commit)?;
        rows.into_iter().map(|payload| Event::from_json(payload.into()).map_err(corrupt)).collect()
    }

    pub(super) async fn read_rooms_of(&self, user_id: UserId) -> Result<Vec<Room>, StoreError> {
        let mut tx = self.begin_read().await?;
        rooms(&mut tx, user_id, None).await
    }

    pub(super) async fn read_room(
        &self,
        reader: UserId,
        room_id: RoomId,
    ) -> Result<Option<Room>, StoreError> {
        let mut tx = self.begin_read().await?;
        Ok(rooms(&mut tx, reader, Some(room_id)).await?.pop())
    }

    pub(super) async fn read_members(
        &self,
        reader: UserId,
        room_id: RoomId,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Option<MemberPage>, StoreError> {
        let mut tx = self.begin_read().await?;
        if head_for(&mut tx, reader, room_id).await?.is_none() {
            return Ok(None);
        }
        let sql = "select u.id, u.username, u.display_name, m.role
            from members m join users u on u.id = m.user_id
            where m.room_id = ?1 and u.username > ?2 order by u.username limit ?3";
        let query = sqlx::query_as::<_, (i64, String, String, String)>(sql);
        let query = query.bind(room_id.as_i64()).bind(after.unwrap_or("")).bind(i64::from(limit) + 1);
        let rows = query.fetch_all(&mut *tx).await.map_err(before_commit)?;
        let members = rows.into_iter().map(|(id, username, display_name, role)| {
            Ok(Member { user_id: UserId::from_i64(id), username, display_name, role: rows::role(&role)? })
        });
        let mut members = members.collect::<Result<Vec<_>, StoreError>>()?;
        let more = page::cut_more(&mut members, limit);
        Ok(Some(MemberPage { members, more }))
    }

    pub(super) async fn read_room_list(
        &self,
        reader: UserId,
        query: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<RoomPage, StoreError> {
        let (query, after) = (query.to_lowercase(), after.unwrap_or(""));
        let mut tx = self.begin_read().await?;
        // The page ends with the last room that shares the name of the one at the limit.
        let sql = "select r.name from rooms r
            where r.name > ?3 and instr(r.name, ?2) > 0 and (r.kind = 'public'
                or exists (select 1 from members m where m.room_id = r.id and m.user_id = ?1))
            order by r.name limit 1 offset ?4";
        let last = sqlx::query_scalar::<_, String>(sql)
            .bind(reader.as_i64())
            .bind(&query)
            .bind(after)
            .bind(i64::from(limit) - 1)
            .fetch_optional(&mut *tx)
            .await
            .map_err(before_commit)?;
        // One room after the last tells whether there are more.
        let sql = "select r.id, r.name, r.kind, r.topic, r.member_count, m.user_id is not null as is_member
            from rooms r left join members m on m.room_id = r.id and m.user_id = ?1
            where r.name > ?3 and instr(r.name, ?2) > 0 and (r.kind = 'public' or m.user_id is not null)
            order by r.name, r.id
            limit (select count(*) + 1 from rooms r where r.name > ?3 and r.name <= ?4
                and instr(r.name, ?2) > 0 and (r.kind = 'public'
                    or exists (select 1 from members m where m.room_id = r.id and m.user_id = ?1)))";
        let rows = sqlx::query_as::<_, ListedRow>(sql)
            .bind(reader.as_i64())
            .bind(&query)
            .bind(after)
            .bind(last.as_deref().unwrap_or("\u{10ffff}"))
            .fetch_all(&mut *tx)
            .await
            .map_err(before_commit)?;
        let mut rooms = rows.into_iter().map(ListedRow::listing).collect::<Result<Vec<_>, _>>()?;
        let end = last.map_or(rooms.len(), |last| rooms.partition_point(|room| room.name <= last));
        let more = end < rooms.len();
        rooms.truncate(end);
        Ok(RoomPage { rooms, more })
    }

    pub(super) async fn move_read_marker(
        &self,
        user_id: UserId,
        room_id: RoomId,
        message_no: MessageNo,
    ) -> Result<Option<MarkedRead>, StoreError> {
        let mut tx = self.begin_write().await?;
        let sql = "update members set last_read_no = min(?3, rooms.last_message_no) from rooms
            where rooms.id = members.room_id and members.room_id = ?1 and members.user_id = ?2
                and members.last_read_no < min(?3, rooms.last_message_no)";
        let query = sqlx::query(sql).bind(room_id.as_i64()).bind(user_id.as_i64()).bind(message_no.as_i64());
        let moved = query.execute(&mut *tx).await.map_err(before_commit)?.rows_affected() > 0;
        let Some(room) = rooms(&mut tx, user_id, Some(room_id)).await?.pop() else { return Ok(None) };
        if moved {
            bump(&mut tx, user_id).await?;
        }
        let query = sqlx::query_scalar::<_, i64>("select version from users where id = ?1");
        let version = query.bind(user_id.as_i64()).fetch_one(&mut *tx).await.map_err(before_commit)?;
        commit(tx).await?;
        let marker = ReadMarker::from(&room);
        Ok(Some(MarkedRead { marker, version: rows::count(version), moved }))
    }
}

/// The newest event of a room, if this is one of its members.
pub(super) async fn head_for(
    db: &mut SqliteConnection,
    reader: UserId,
    room_id: RoomId,
) -> Result<Option<Seq>, StoreError> {
    let sql = "select r.head_seq from members m join rooms r on r.id = m.room_id
        where m.room_id = ?1 and m.user_id = ?2";
    let query = sqlx::query_scalar::<_, i64>(sql).bind(room_id.as_i64()).bind(reader.as_i64());
    Ok(query.fetch_optional(db).await.map_err(before_commit)?.map(Seq::from_i64))
}

/// A user's rooms, or one of them. What is not unread is counted, off indexes that hold nothing
/// else; the unread ones are never walked.
async fn rooms(
    db: &mut SqliteConnection,
    user_id: UserId,
    room_id: Option<RoomId>,
) -> Result<Vec<Room>, StoreError> {
    let sql = "select r.id, r.name, r.kind, r.topic, m.role, r.head_seq, r.last_message_no, m.last_read_no,
            m.joined_seq, r.member_count, r.created_at,
            (select count(*) from messages o indexed by messages_own where o.room_id = m.room_id
                and o.user_id = m.user_id and o.message_no > m.last_read_no) as own,
            (select count(*) from messages d indexed by messages_deleted where d.room_id = m.room_id
                and d.deleted_at is not null and d.message_no > m.last_read_no
                and d.user_id <> m.user_id) as deleted,
            (select count(*) from mentions n where n.user_id = m.user_id and n.room_id = m.room_id
                and n.message_no > m.last_read_no) as mentioned
        from members m join rooms r on r.id = m.room_id
        where m.user_id = ?1 and m.room_id between ?2 and ?3 order by r.id";
    let (from, to) = room_id.map_or((0, i64::MAX), |id| (id.as_i64(), id.as_i64()));
    let query = sqlx::query_as::<_, RoomRow>(sql).bind(user_id.as_i64()).bind(from).bind(to);
    let rows = query.fetch_all(db).await.map_err(before_commit)?;
    rows.into_iter().map(RoomRow::room).collect()
}
