//! Users of another issuer: found by its subject, made on first sight where that is allowed.

use super::{Auth, AuthError, within};
use crate::store::{Account, AccountKey, CreateUserError, NewUser, StoreError};
use protocol::limits::{DISPLAY_NAME_CHARS_MAX, USERNAME_CHARS};
use protocol::validate;
use sha2::{Digest, Sha256};

impl Auth {
    /// The account behind another issuer's subject.
    pub(super) async fn outside_account(
        &self,
        sub: &str,
        name: Option<&str>,
    ) -> Result<Option<Account>, AuthError> {
        let found = within(self.store.account(AccountKey::ExternalSub(sub))).await?;
        if found.is_some() || !self.settings.provision {
            return Ok(found);
        }
        for username in usernames(sub, name) {
            let user = NewUser {
                display_name: display_name(name).unwrap_or_else(|| username.clone()),
                username,
                password_hash: None,
                external_sub: Some(sub.to_owned()),
                at: self.clock.now(),
            };
            if within(self.try_create(user)).await? {
                tracing::info!(sub, "user of another issuer is made");
            }
            // Another node may have made the user at the same time, under any of the names.
            let found = within(self.store.account(AccountKey::ExternalSub(sub))).await?;
            if found.is_some() {
                return Ok(found);
            }
        }
        tracing::warn!(sub, "no username is free for a user of another issuer");
        Err(AuthError::Unavailable)
    }

    /// Makes a user; false where the name or the subject is taken.
    async fn try_create(&self, user: NewUser) -> Result<bool, StoreError> {
        match self.store.create_user(user).await {
            Ok(_) => Ok(true),
            Err(CreateUserError::Taken) => Ok(false),
            Err(CreateUserError::Store(error)) => Err(error),
        }
    }
}

/// Usernames to try, best first; the later ones are as good as unique to the subject.
fn usernames(sub: &str, name: Option<&str>) -> Vec<String> {
    let digest = Sha256::digest(sub);
    let hex: String = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    let slug = name.map(slug).unwrap_or_default();
    let mut names = Vec::new();
    if slug.len() >= *USERNAME_CHARS.start() {
        names.push(slug.clone());
        names.push(format!("{slug}-{}", &hex[..6]));
    }
    names.push(format!("u-{hex}"));
    names.retain(|name| validate::username(name).is_ok());
    names
}

/// A person's name as the start of a username, with room left for a suffix.
fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.to_lowercase().chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('.') {
            slug.push('.');
        }
    }
    slug.truncate(USERNAME_CHARS.end() - 7);
    slug.trim_end_matches('.').to_owned()
}

fn display_name(name: Option<&str>) -> Option<String> {
    let cut: String = name?.trim().chars().take(DISPLAY_NAME_CHARS_MAX).collect();
    validate::display_name(&cut).ok()
}
