//! `REDIS_URL` as typed settings. Parses text and opens nothing; never shows a password.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;
/// Databases are numbered from 0; a server's own setting says how many there are.
const DB_MAX: i64 = 65_535;

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// A host, by name or IP address, and a port.
    Tcp(Arc<str>, u16),
    /// A socket in the file system.
    Unix(Arc<str>),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
            Self::Unix(path) => f.write_str(path),
        }
    }
}

/// How servers stand together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topology {
    /// One server.
    Single(Address),
    /// One master, which sentinels name.
    Sentinel {
        /// The sentinels; one that answers is enough.
        sentinels: Vec<Address>,
        /// What the sentinels call the master.
        master: String,
    },
    /// A Redis Cluster, with sharded Pub/Sub.
    Cluster(
        /// Some of its servers; the others are learned from them.
        Vec<Address>,
    ),
}

/// Who the node is to a server.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The user of the access control list; the default user when none is named.
    pub username: Option<String>,
    /// The user's password.
    pub password: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let password = self.password.as_ref().map(|_| "<redacted>");
        f.debug_struct("Credentials").field("username", &self.username).field("password", &password).finish()
    }
}

/// TLS to the servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// A PEM file of authorities to trust instead of the system's.
    pub ca: Option<PathBuf>,
}

/// A `REDIS_URL`, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisUrl {
    /// How the servers stand together.
    pub topology: Topology,
    /// For the servers.
    pub credentials: Credentials,
    /// For the sentinels.
    pub sentinel_credentials: Credentials,
    /// The number of the database. Pub/Sub knows no databases; other uses do.
    pub db: i64,
    /// TLS, for `rediss`.
    pub tls: Option<Tls>,
}

/// What is allowed, as the text of an error.
pub const EXPECTED: &str = "expected redis://[user:password@]host[:port][/db], rediss://… for TLS, \
                            redis+unix:///path, redis+sentinel://host,host/master or redis+cluster://host,host";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Single,
    Unix,
    Sentinel,
    Cluster,
}

impl RedisUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong and what is allowed, without the URL's password.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").ok_or(EXPECTED)?;
        let (tls, kind) = match scheme {
            "redis" => (false, Kind::Single),
            "rediss" => (true, Kind::Single),
            "unix" | "redis+unix" => (false, Kind::Unix),
            "redis+sentinel" => (false, Kind::Sentinel),
            "rediss+sentinel" => (true, Kind::Sentinel),
            "redis+cluster" => (false, Kind::Cluster),
            "rediss+cluster" => (true, Kind::Cluster),
            _ => return Err(EXPECTED.to_owned()),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (userinfo, rest) = rest.rsplit_once('@').unwrap_or(("", rest));
        let (hosts, path) = match rest.find('/') {
            Some(at) => (&rest[..at], &rest[at..]),
            None => (rest, ""),
        };
        let mut query = Query::parse(query)?;
        let (username, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
        let mut url = Self {
            topology: Topology::Cluster(Vec::new()),
            credentials: Credentials { username: given(username)?, password: given(password)? },
            sentinel_credentials: Credentials::default(),
            db: 0,
            tls: tls.then(|| Tls { ca: query.take("ca").map(PathBuf::from) }),
        };
        if url.credentials.username.is_some() && url.credentials.password.is_none() {
            return Err("has a user without a password: expected user:password@ or :password@".to_owned());
        }
        url.topology = match kind {
            Kind::Single => {
                url.db = database(path.trim_start_matches('/'))?;
                Topology::Single(one(addresses(hosts, PORT)?)?)
            }
            Kind::Unix => {
                url.db = database(&query.take("db").unwrap_or_default())?;
                Topology::Single(socket(hosts, path)?)
            }
            Kind::Sentinel => {
                let (master, db) = path
                    .trim_start_matches('/')
                    .split_once('/')
                    .unwrap_or_else(|| (path.trim_start_matches('/'), ""));
                url.db = database(db)?;
                url.sentinel_credentials = Credentials {
                    username: query.take("sentinel_user"),
                    password: query.take("sentinel_password"),
                };
                let master = Some(decode(master)?).filter(|name| !name.is_empty());
                let master = master.or_else(|| query.take("sentinel_master_name"));
                let sentinels = addresses(hosts, SENTINEL_PORT)?;
                let master = master.ok_or("names no master: expected redis+sentinel://host,host/master")?;
                Topology::Sentinel { sentinels, master }
            }
            Kind::Cluster => {
                if database(path.trim_start_matches('/'))? != 0 {
                    return Err("names a database: a Redis Cluster has only number 0".to_owned());
                }
                Topology::Cluster(addresses(hosts, PORT)?)
            }
        };
        query.finish()?;
        Ok(url)
    }
}

fn socket(hosts: &str, path: &str) -> Result<Address, String> {
    if !hosts.is_empty() || path.len() < 2 {
        return Err("expected the path of a socket, such as redis+unix:///run/redis/redis.sock".to_owned());
    }
    Ok(Address::Unix(decode(path)?.into()))
}

/// The parameters after `?`, each of which must be known.
struct Query(Vec<(String, String)>);

impl Query {
    fn parse(text: &str) -> Result<Self, String> {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let read = |pair: &str| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(key)?, decode(value)?))
        };
        pairs.map(read).collect::<Result<_, String>>().map(Self)
    }

    fn take(&mut self, key: &str) -> Option<String> {
        let at = self.0.iter().position(|(name, _)| name == key)?;
        Some(self.0.swap_remove(at).1).filter(|value| !value.is_empty())
    }

    fn finish(self) -> Result<(), String> {
        self.0
            .first()
            .map_or(Ok(()), |(name, _)| Err(format!("has a parameter {name:?} that means nothing here")))
    }
}

fn given(text: &str) -> Result<Option<String>, String> {
    Ok(Some(decode(text)?).filter(|text| !text.is_empty()))
}

fn database(text: &str) -> Result<i64, String> {
    if text.is_empty() {
        return Ok(0);
    }
    let db = text.parse().ok().filter(|db| (0..=DB_MAX).contains(db));
    db.ok_or_else(|| format!("expected a database from 0 to {DB_MAX} after the host, such as redis://host/0"))
}

fn one(addresses: Vec<Address>) -> Result<Address, String> {
    match <[Address; 1]>::try_from(addresses) {
        Ok([address]) => Ok(address),
        Err(_several) => {
            Err("names several hosts: expected one, or redis+cluster:// or redis+sentinel://".to_owned())
        }
    }
}

fn addresses(hosts: &str, default_port: u16) -> Result<Vec<Address>, String> {
    hosts.split(',').map(|host| address(host.trim(), default_port)).collect()
}

fn address(text: &str, default_port: u16) -> Result<Address, String> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or("has an IPv6 address without its ]")?;
            (host, rest.strip_prefix(':'))
        }
        None => text.rsplit_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let port = match port {
        Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or("expected a port from 1 to 65535")?,
        None => default_port,
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:%".contains(&byte);
    if host.is_empty() || !host.bytes().all(plain) {
        return Err(EXPECTED.to_owned());
    }
    Ok(Address::Tcp(host.into(), port))
}

/// Undoes percent-encoding (RFC 3986, 2.1).
fn decode(text: &str) -> Result<String, String> {
    const WRONG: &str = "has a % that no two hexadecimal digits follow: write % itself as %25";
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next().ok_or(WRONG)?, rest.next().ok_or(WRONG)?];
        let digits = str::from_utf8(&digits).map_err(|_| WRONG)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| WRONG)?);
    }
    String::from_utf8(bytes).map_err(|_| "is no UTF-8 once decoded".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp(host.into(), port)
    }

    fn parse(text: &str) -> RedisUrl {
        RedisUrl::parse(text).unwrap()
    }

    #[test]
    fn one_server_with_everything() {
        let url = parse("rediss://hub:p%40ss:w%2Ford@redis.internal:6380/3?ca=/etc/ca.pem");
        assert_eq!(url.topology, Topology::Single(tcp("redis.internal", 6380)));
        assert_eq!(url.credentials.username.as_deref(), Some("hub"));
        assert_eq!(url.credentials.password.as_deref(), Some("p@ss:w/ord"));
        assert_eq!((url.db, url.tls), (3, Some(Tls { ca: Some("/etc/ca.pem".into()) })));
    }

    #[test]
    fn what_is_not_said_has_its_default() {
        assert_eq!(parse("redis://localhost").topology, Topology::Single(tcp("localhost", 6379)));
        assert_eq!(parse("redis://[::1]:7000/").topology, Topology::Single(tcp("::1", 7000)));
        assert_eq!(parse("redis://:secret@h").credentials.password.as_deref(), Some("secret"));
        let socket = parse("redis+unix:///run/redis.sock?db=2");
        assert_eq!(
            (socket.topology, socket.db),
            (Topology::Single(Address::Unix("/run/redis.sock".into())), 2)
        );
    }

    #[test]
    fn sentinels_and_clusters_name_several_hosts() {
        let url = parse("redis+sentinel://:pw@a,b:7/chat/1?sentinel_password=spw");
        let sentinels = vec![tcp("a", 26379), tcp("b", 7)];
        assert_eq!(url.topology, Topology::Sentinel { sentinels, master: "chat".to_owned() });
        assert_eq!((url.db, url.sentinel_credentials.password.as_deref()), (1, Some("spw")));
        let url = parse("redis+sentinel://a?sentinel_master_name=chat");
        assert!(matches!(url.topology, Topology::Sentinel { master, .. } if master == "chat"));
        assert_eq!(
            parse("rediss+cluster://a,b:1").topology,
            Topology::Cluster(vec![tcp("a", 6379), tcp("b", 1)])
        );
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for text in [
            "localhost:6379",
            "http://:secret@h",
            "redis://:secret@",
            "redis://:secret@h:0",
            "redis://:secret@h:99999",
            "redis://:secret@h/x",
            "redis://:secret@h,i",
            "redis://:secret@h?colour=red",
            "redis://:secret@h/?ca=x",
            "redis://:secret%4@h",
            "redis://user@h",
            "redis+sentinel://:secret@h",
            "redis+cluster://:secret@h/1",
            "redis+unix://h",
        ] {
            let error = RedisUrl::parse(text).unwrap_err();
            assert!(!error.is_empty() && !error.contains("secret"), "{text}: {error}");
        }
        assert!(!format!("{:?}", parse("redis://:secret@h")).contains("secret"));
    }
}
