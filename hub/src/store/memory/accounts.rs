//! Accounts and logins in memory.

use super::Inner;
use crate::store::login::{self, LoginRow};
use crate::store::state::UserRow;
use crate::store::{
    Account, AccountKey, CreateUserError, LoginId, NewLogin, NewUser, Rotated, Rotation, StoreError,
};
use protocol::model::User;
use protocol::{Timestamp, UserId};
use std::collections::BTreeMap;

#[derive(Default)]
pub(super) struct Accounts {
    accounts: BTreeMap<UserId, AccountRow>,
    by_sub: BTreeMap<String, UserId>,
    logins: BTreeMap<LoginId, LoginRow>,
}

struct AccountRow {
    password_hash: Option<String>,
    version: u64,
}

impl Inner {
    pub(super) fn create_user(&mut self, new: NewUser) -> Result<User, CreateUserError> {
        let accounts = &mut self.accounts;
        let sub_is_taken = new.external_sub.as_ref().is_some_and(|sub| accounts.by_sub.contains_key(sub));
        if sub_is_taken || self.state.usernames.contains_key(&new.username) {
            return Err(CreateUserError::Taken);
        }
        let id = accounts.accounts.last_key_value().map_or(UserId(1), |(id, _)| id.next());
        accounts.accounts.insert(id, AccountRow { password_hash: new.password_hash, version: 1 });
        if let Some(sub) = new.external_sub {
            accounts.by_sub.insert(sub, id);
        }
        let row = UserRow { username: new.username.clone(), display_name: new.display_name.clone() };
        self.state.users.insert(id, row);
        self.state.usernames.insert(new.username.clone(), id);
        Ok(User { id, username: new.username, display_name: new.display_name })
    }

    pub(super) fn account(&self, key: AccountKey<'_>) -> Option<Account> {
        let id = match key {
            AccountKey::Id(id) => id,
            AccountKey::Username(name) => *self.state.usernames.get(name)?,
            AccountKey::ExternalSub(sub) => *self.accounts.by_sub.get(sub)?,
        };
        let (row, account) = (self.state.users.get(&id)?, self.accounts.accounts.get(&id)?);
        let user = User { id, username: row.username.clone(), display_name: row.display_name.clone() };
        let password_hash = account.password_hash.clone();
        Some(Account { user, password_hash, disabled: false, version: account.version })
    }
}

impl Accounts {
    pub(super) fn bump(&mut self, users: impl IntoIterator<Item = UserId>) {
        for user in users {
            if let Some(account) = self.accounts.get_mut(&user) {
                account.version += 1;
            }
        }
    }

    pub(super) fn version(&self, user_id: UserId) -> Option<u64> {
        self.accounts.get(&user_id).map(|account| account.version)
    }

    pub(super) fn versions(&self, users: &[UserId]) -> Vec<(UserId, u64)> {
        let mut users = users.to_vec();
        users.sort_unstable();
        users.dedup();
        users.iter().filter_map(|id| Some((*id, self.version(*id)?))).collect()
    }

    pub(super) fn create_login(&mut self, new: NewLogin) -> Result<(), StoreError> {
        if !self.accounts.contains_key(&new.user_id) || self.logins.contains_key(&new.id) {
            return Err(StoreError::Internal("login has no user, or exists".into()));
        }
        self.logins.retain(|_, login| login.user_id != new.user_id || login.expires_at > new.at);
        self.logins.insert(new.id, LoginRow::new(&new));
        Ok(())
    }

    pub(super) fn rotate(&mut self, rotation: &Rotation) -> Rotated {
        let Some(row) = self.logins.get_mut(&rotation.id) else { return Rotated::Unknown };
        let rotated = login::rotate(row, rotation);
        if let Rotated::Reused { user_id } = rotated {
            self.bump([user_id]);
        }
        rotated
    }

    pub(super) fn revoke(&mut self, id: LoginId, at: Timestamp) -> Option<UserId> {
        let login = self.logins.get_mut(&id)?;
        if !login.is_valid(at) {
            return None;
        }
        login.revoked_at = Some(at);
        let user_id = login.user_id;
        self.bump([user_id]);
        Some(user_id)
    }

    pub(super) fn is_alive(&self, id: LoginId) -> bool {
        self.logins.get(&id).is_some_and(|login| login.revoked_at.is_none())
    }
}
