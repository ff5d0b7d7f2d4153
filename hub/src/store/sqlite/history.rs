//! Messages in their latest state.

use super::SqliteStore;
use super::error::before_commit;
use super::read::head_for;
use super::rows::{self, json};
use crate::store::StoreError;
use crate::store::page::Window;
use crate::store::rows::MessageRow;
use crate::store::state::group_reactions;
use protocol::model::{Anchor, Message, MessagePage};
use protocol::{MessageId, RoomId, UserId};
use sqlx::SqliteConnection;
use std::collections::BTreeMap;

macro_rules! select {
    ($tail:literal) => {
        sqlx::query_as::<_, MessageRow>(concat!(
            "select m.id, m.room_id, m.message_no, m.seq, m.latest_seq, m.user_id, u.username, u.display_name,
                m.client_id, m.content, m.reply_to, r.message_no as reply_no, r.user_id as reply_user_id,
                w.username as reply_username, w.display_name as reply_display_name, m.created_at,
                m.edited_at, m.deleted_at, m.pinned_at
            from messages m join users u on u.id = m.user_id
            left join messages r on r.id = m.reply_to left join users w on w.id = r.user_id ",
            $tail
        ))
    };
}

impl SqliteStore {
    pub(super) async fn read_history(
        &self,
        reader: UserId,
        room_id: RoomId,
        anchor: Anchor,
        pinned: bool,
        limit: u32,
    ) -> Result<Option<MessagePage>, StoreError> {
        let mut tx = self.begin_read().await?;
        let Some(as_of_seq) = head_for(&mut tx, reader, room_id).await? else { return Ok(None) };
        let window = Window::new(anchor, limit);
        let before = if pinned {
            select!(
                "where m.room_id = ?1 and m.message_no < ?2 and m.pinned_at is not null
                order by m.message_no desc limit ?3"
            )
        } else {
            select!("where m.room_id = ?1 and m.message_no < ?2 order by m.message_no desc limit ?3")
        };
        let after = if pinned {
            select!(
                "where m.room_id = ?1 and m.message_no >= ?2 and m.pinned_at is not null
                order by m.message_no limit ?3"
            )
        } else {
            select!("where m.room_id = ?1 and m.message_no >= ?2 order by m.message_no limit ?3")
        };
        let (room, split) = (room_id.as_i64(), window.split.as_i64());
        let before = before.bind(room).bind(split).bind(rows::limit(window.before_rows()));
        let before = before.fetch_all(&mut *tx).await.map_err(before_commit)?;
        let after = after.bind(room).bind(split).bind(rows::limit(window.after_rows()));
        let after = after.fetch_all(&mut *tx).await.map_err(before_commit)?;
        let cut = window.cut(before, after);
        let messages = messages(&mut tx, cut.rows).await?;
        let (more_before, more_after) = (cut.more_before, cut.more_after);
        Ok(Some(MessagePage { messages, more_before, more_after, as_of_seq }))
    }

    pub(super) async fn read_message(
        &self,
        reader: UserId,
        message_id: MessageId,
    ) -> Result<Option<Message>, StoreError> {
        let mut tx = self.begin_read().await?;
        let query = select!(
            "where m.id = ?1 and exists (select 1 from members me
            where me.room_id = m.room_id and me.user_id = ?2)"
        );
        let query = query.bind(message_id.as_i64()).bind(reader.as_i64());
        let row = query.fetch_all(&mut *tx).await.map_err(before_commit)?;
        Ok(messages(&mut tx, row).await?.pop())
    }
}

/// Rows with what hangs on them.
async fn messages(db: &mut SqliteConnection, rows: Vec<MessageRow>) -> Result<Vec<Message>, StoreError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ids = json(rows.iter().map(|row| row.id))?;
    let sql = "select m.id, n.user_id
        from json_each(?1) j cross join messages m on m.id = j.value
        cross join mentions n on n.room_id = m.room_id and n.message_no = m.message_no
        order by m.id, n.user_id";
    let found = sqlx::query_as::<_, (i64, i64)>(sql).bind(&ids).fetch_all(&mut *db).await;
    let mut mentions = BTreeMap::<i64, Vec<UserId>>::new();
    for (id, user_id) in found.map_err(before_commit)? {
        mentions.entry(id).or_default().push(UserId::from_i64(user_id));
    }
    let sql = "select r.message_id, r.emoji, r.user_id
        from json_each(?1) j cross join reactions r on r.message_id = j.value
        order by r.message_id, r.emoji_seq, r.seq";
    let found = sqlx::query_as::<_, (i64, String, i64)>(sql).bind(&ids).fetch_all(db).await;
    let mut reactions = BTreeMap::<i64, Vec<(String, UserId)>>::new();
    for (id, emoji, user_id) in found.map_err(before_commit)? {
        reactions.entry(id).or_default().push((emoji, UserId::from_i64(user_id)));
    }
    let message = |row: MessageRow| {
        let mut message = row.message();
        let id = message.message_id.as_i64();
        message.mentions = mentions.remove(&id).unwrap_or_default();
        let rows = reactions.remove(&id).unwrap_or_default();
        message.reactions = group_reactions(rows.iter().map(|(emoji, user_id)| (emoji.as_str(), *user_id)));
        Ok(message)
    };
    rows.into_iter().map(message).collect()
}
