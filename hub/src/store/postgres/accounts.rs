//! Accounts and logins.

use super::Tx;
use super::error::Trouble;
use super::rows::ids;
use crate::store::columns::{self, corrupt};
use crate::store::login::{self, LoginRow};
use crate::store::user::RefreshHash;
use crate::store::{Account, AccountKey, LoginId, NewLogin, NewUser, Rotated, Rotation, StoreError};
use protocol::model::User;
use protocol::{Timestamp, UserId};
use sqlx::PgConnection;

/// The new user's id, unless the username or the subject is taken.
pub(super) async fn insert_user(tx: &mut Tx<'_>, new: &NewUser) -> Result<Option<UserId>, Trouble> {
    let sql = "insert into users (username, display_name, password_hash, external_sub, created_at)
        values ($1, $2, $3, $4, $5) on conflict do nothing returning id";
    let query = sqlx::query_scalar::<_, i64>(sql)
        .bind(&new.username)
        .bind(&new.display_name)
        .bind(&new.password_hash)
        .bind(&new.external_sub)
        .bind(new.at.as_i64());
    Ok(query.fetch_optional(&mut **tx).await?.map(UserId::from_i64))
}

pub(super) async fn read_account(
    db: &mut PgConnection,
    key: AccountKey<'_>,
) -> Result<Option<Account>, Trouble> {
    type Row = (i64, String, String, Option<String>, Option<i64>, i64);
    macro_rules! select {
        ($by:literal) => {
            sqlx::query_as::<_, Row>(concat!(
                "select id, username, display_name, password_hash, disabled_at, version from users where ",
                $by,
                " = $1"
            ))
        };
    }
    let query = match key {
        AccountKey::Id(id) => select!("id").bind(id.as_i64()),
        AccountKey::Username(name) => select!("username").bind(name.to_owned()),
        AccountKey::ExternalSub(sub) => select!("external_sub").bind(sub.to_owned()),
    };
    let row = query.fetch_optional(db).await?;
    Ok(row.map(|(id, username, display_name, password_hash, disabled_at, version)| Account {
        user: User { id: UserId::from_i64(id), username, display_name },
        password_hash,
        disabled: disabled_at.is_some(),
        version: columns::count(version),
    }))
}

pub(super) async fn read_versions(
    db: &mut PgConnection,
    users: &[UserId],
) -> Result<Vec<(UserId, u64)>, Trouble> {
    let sql = "select id, version from users where id = any($1) order by id";
    let rows = sqlx::query_as::<_, (i64, i64)>(sql).bind(ids(users)).fetch_all(db).await?;
    Ok(rows.into_iter().map(|(id, version)| (UserId::from_i64(id), columns::count(version))).collect())
}

/// Also forgets this user's logins that came to their end.
pub(super) async fn insert_login(tx: &mut Tx<'_>, new: &NewLogin) -> Result<(), Trouble> {
    let sql = "delete from logins where user_id = $1 and expires_at <= $2";
    let query = sqlx::query(sql).bind(new.user_id.as_i64()).bind(new.at.as_i64());
    query.execute(&mut **tx).await?;
    let sql = "insert into logins (id, user_id, refresh_hash, created_at, used_at, expires_at, user_agent)
        values ($1, $2, $3, $4, $4, $5, $6)";
    let query = sqlx::query(sql)
        .bind(new.id.0)
        .bind(new.user_id.as_i64())
        .bind(new.refresh_hash.as_slice())
        .bind(new.at.as_i64())
        .bind(new.expires_at.as_i64())
        .bind(login::cut_user_agent(&new.user_agent));
    query.execute(&mut **tx).await?;
    Ok(())
}

pub(super) async fn rotate(tx: &mut Tx<'_>, rotation: &Rotation) -> Result<Rotated, Trouble> {
    let Some(mut row) = lock_login(tx, rotation.id).await? else { return Ok(Rotated::Unknown) };
    let rotated = login::rotate(&mut row, rotation);
    match rotated {
        Rotated::Unknown => return Ok(rotated),
        Rotated::Reused { user_id } => bump(tx, user_id).await?,
        Rotated::Done { .. } => {}
    }
    write_login(tx, rotation.id, &row).await?;
    Ok(rotated)
}

pub(super) async fn revoke(tx: &mut Tx<'_>, id: LoginId, at: Timestamp) -> Result<Option<UserId>, Trouble> {
    let Some(mut row) = lock_login(tx, id).await?.filter(|row| row.is_valid(at)) else {
        return Ok(None);
    };
    row.revoked_at = Some(at);
    write_login(tx, id, &row).await?;
    bump(tx, row.user_id).await?;
    Ok(Some(row.user_id))
}

pub(super) async fn read_login_is_alive(db: &mut PgConnection, id: LoginId) -> Result<bool, Trouble> {
    let sql = "select 1 from logins where id = $1 and revoked_at is null";
    Ok(sqlx::query_scalar::<_, i32>(sql).bind(id.0).fetch_optional(db).await?.is_some())
}

/// Notes that something changed for a user; their version from now on.
pub(super) async fn bump(tx: &mut Tx<'_>, user_id: UserId) -> Result<(), sqlx::Error> {
    let query = sqlx::query("update users set version = version + 1 where id = $1").bind(user_id.as_i64());
    query.execute(&mut **tx).await.map(|_| ())
}

async fn lock_login(tx: &mut Tx<'_>, id: LoginId) -> Result<Option<LoginRow>, Trouble> {
    let sql = "select user_id, refresh_hash, previous_hash, replaced_at, used_at, expires_at, revoked_at
        from logins where id = $1 for update";
    type Row = (i64, Vec<u8>, Option<Vec<u8>>, Option<i64>, i64, i64, Option<i64>);
    let row = sqlx::query_as::<_, Row>(sql).bind(id.0).fetch_optional(&mut **tx).await?;
    let Some((user_id, refresh, previous, replaced_at, used_at, expires_at, revoked_at)) = row else {
        return Ok(None);
    };
    let previous = previous.as_deref().map(hash).transpose()?;
    Ok(Some(LoginRow {
        user_id: UserId::from_i64(user_id),
        refresh_hash: hash(&refresh)?,
        previous: previous.zip(columns::time(replaced_at)),
        used_at: Timestamp::from_i64(used_at),
        expires_at: Timestamp::from_i64(expires_at),
        revoked_at: columns::time(revoked_at),
    }))
}

async fn write_login(tx: &mut Tx<'_>, id: LoginId, row: &LoginRow) -> Result<(), Trouble> {
    let sql = "update logins set refresh_hash = $2, previous_hash = $3, replaced_at = $4, used_at = $5,
        expires_at = $6, revoked_at = $7 where id = $1";
    let query = sqlx::query(sql)
        .bind(id.0)
        .bind(row.refresh_hash.as_slice())
        .bind(row.previous.map(|(hash, _)| hash.to_vec()))
        .bind(row.previous.map(|(_, at)| at.as_i64()))
        .bind(row.used_at.as_i64())
        .bind(row.expires_at.as_i64())
        .bind(row.revoked_at.map(Timestamp::as_i64));
    query.execute(&mut **tx).await?;
    Ok(())
}

fn hash(bytes: &[u8]) -> Result<RefreshHash, StoreError> {
    bytes.try_into().map_err(|_| corrupt("refresh token's hash"))
}
