//! The address of a Postgres database, whose password is never shown.

use std::fmt;

/// A URL of a Postgres database.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

const EXPECTED: &str = "expected postgres://user[:password]@host[:port]/database";

impl DatabaseUrl {
    /// Reads a URL; what cannot be told from it alone is told when the database is opened.
    ///
    /// # Errors
    /// What is wrong and what is allowed, without the password.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rest = ["postgres://", "postgresql://"].iter().find_map(|scheme| text.strip_prefix(scheme));
        let rest = rest.ok_or(EXPECTED)?;
        let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
        let names = |name: &str| query.split('&').any(|part| part.split('=').next() == Some(name));
        let (server, database) = address.split_once('/').unwrap_or((address, ""));
        if database.is_empty() && !names("dbname") {
            return Err(format!("names no database: {EXPECTED}"));
        }
        if database.contains('/') {
            return Err(format!("has a / too many, write one in a password as %2F: {EXPECTED}"));
        }
        let (_, host) = server.rsplit_once('@').unwrap_or(("", server));
        let port = host.rsplit_once(':').filter(|(_, port)| !port.contains(']'));
        if port.is_some_and(|(_, port)| port.parse::<u16>().is_err()) {
            return Err(format!("has a port that is none: {EXPECTED}"));
        }
        let host = port.map_or(host, |(host, _)| host);
        if host.is_empty() && !names("host") {
            return Err(format!("names no host: {EXPECTED}"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The URL itself, with its password.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrl(<redacted>)")
    }
}
