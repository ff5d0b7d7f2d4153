//! From text to typed settings. Finds everything that is wrong at once, and names the setting, the
//! value and what is allowed.

use super::settings::{Setting, Settings};
use super::{
    BrokerConfig, Config, DatabaseUrl, LogConfig, LogFormat, Secret, SecretSource, StoreConfig, duration,
};
use crate::auth::{AuthSettings, OutsideKey, PasswordParams, Registration};
use crate::broker::redis_url::RedisUrl;
use crate::limits::bounds::{POSTGRES_CONNECTIONS_MAX, POSTGRES_CONNECTIONS_MIN};
use crate::limits::{Rate, Rates};
use ipnet::IpNet;
use protocol::NodeId;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Shortest secret that signs tokens, in bytes.
const SECRET_BYTES_MIN: usize = 16;
/// Shorter than the hash it keys, a secret weakens it (RFC 7518, 3.2).
const SECRET_BYTES_WISE: usize = 32;
const SERVER_ID_BYTES_MAX: usize = 64;
/// A larger hash would let one login take the node's memory.
const PASSWORD_MEMORY_KIB_MAX: u32 = 1024 * 1024;

/// One wrong setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The setting's name in the environment.
    pub env: &'static str,
    /// Its name as a flag.
    pub flag: &'static str,
    /// The value, redacted.
    pub value: String,
    /// What is wrong and what is allowed.
    pub problem: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}) is \"{}\": {}", self.env, self.flag, self.value, self.problem)
    }
}

/// Settings that do not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError(pub Vec<Problem>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if at == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

#[derive(Default)]
struct Checker {
    problems: Vec<Problem>,
}

impl Checker {
    /// Reads a setting, or notes what is wrong with it.
    fn read<T>(&mut self, setting: Setting<'_>, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        match read(setting.text().trim()) {
            Ok(value) => Some(value),
            Err(problem) => {
                let Setting { env, flag, .. } = setting;
                self.problems.push(Problem { env, flag, value: setting.shown(), problem });
                None
            }
        }
    }

    /// Reads a setting that may be absent.
    fn read_given<T>(
        &mut self,
        setting: Setting<'_>,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<Option<T>> {
        if setting.given.is_none() {
            return Some(None);
        }
        self.read(setting, read).map(Some)
    }
}

impl Config {
    /// Checks the settings. Opens nothing but the public key's file.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn from_settings(settings: &Settings) -> Result<Self, ConfigError> {
        let mut checker = Checker::default();
        let config = read_config(&mut checker, settings);
        match config {
            Some(config) if checker.problems.is_empty() => Ok(config),
            Some(_) | None => Err(ConfigError(checker.problems)),
        }
    }

    /// What is allowed and yet unwise.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if let SecretSource::Given(secret) = &self.jwt_secret
            && secret.bytes().len() < SECRET_BYTES_WISE
        {
            warnings.push(format!(
                "JWT_SECRET is {} bytes; HS256 wants at least {SECRET_BYTES_WISE} random ones, such as \
                 `openssl rand -base64 48` makes",
                secret.bytes().len()
            ));
        }
        warnings
    }

    /// Logs what is unwise.
    pub fn tell_warnings(&self) {
        for warning in self.warnings() {
            tracing::warn!("{warning}");
        }
        #[cfg(feature = "planted-bugs")]
        super::planted::plant_from_environment();
    }

    /// The settings in effect, a line each, secrets redacted.
    #[must_use]
    pub fn report(&self, settings: &Settings) -> String {
        let mut report = String::new();
        for setting in settings.all() {
            let value = match setting.env {
                "SERVER_ID" => self.server_id.0.clone(),
                "DATABASE_URL" => match &self.store {
                    StoreConfig::Sqlite(path) => format!("sqlite:{}", path.display()),
                    StoreConfig::Postgres { .. } => setting.shown(),
                },
                "JWT_SECRET" => match &self.jwt_secret {
                    SecretSource::Given(_) => setting.shown(),
                    SecretSource::Kept(path) => format!("kept in {}", path.display()),
                },
                _ => setting.shown(),
            };
            let source = if setting.given.is_some() { "set" } else { "default" };
            report.push_str(&format!("{:<24}{value} ({source})\n", setting.env));
        }
        for warning in self.warnings() {
            report.push_str(&format!("warning: {warning}\n"));
        }
        report
    }
}

/// Every setting is read before any is missed, so that one run tells all that is wrong.
fn read_config(checker: &mut Checker, settings: &Settings) -> Option<Config> {
    let listen = checker.read(settings.listen(), |text| {
        text.parse().map_err(|_| "expected an IP address and a port, such as 127.0.0.1:8080".to_owned())
    });
    let server_id = checker.read(settings.server_id(), server_id);
    let data = PathBuf::from(settings.data().text());
    let connections = checker.read(settings.database_connections(), |text| {
        number(text, POSTGRES_CONNECTIONS_MIN.into(), POSTGRES_CONNECTIONS_MAX.into()).map(|n| n as u32)
    });
    let store = checker.read(settings.database_url(), |text| store(text, &data, connections.unwrap_or(0)));
    let broker = checker.read_given(settings.redis_url(), RedisUrl::parse);
    let jwt_secret = checker.read_given(settings.jwt_secret(), secret);
    let outside_key = outside_key(checker, settings);
    let auth = auth(checker, settings);
    let password_params = password_params(checker, settings);
    let rates = rates(checker, settings);
    let trusted_proxies = checker.read(settings.trusted_proxies(), networks);
    let connections_max =
        checker.read(settings.connections_max(), |text| number(text, 1, 10_000_000).map(|n| n as usize));
    let drain_grace =
        checker.read(settings.drain_grace(), |text| span(text, Duration::ZERO, Duration::from_secs(600)));
    let log = log(checker, settings);
    Some(Config {
        listen: listen?,
        server_id: server_id?,
        store: connections.and(store)?,
        broker: broker?.map_or(BrokerConfig::Alone, BrokerConfig::Redis),
        jwt_secret: match jwt_secret? {
            Some(secret) => SecretSource::Given(secret),
            None => SecretSource::Kept(data.join("jwt-secret")),
        },
        data,
        outside_key: outside_key?,
        auth: auth?,
        password_params: password_params?,
        rates: rates?,
        trusted_proxies: trusted_proxies?,
        connections_max: connections_max?,
        drain_grace: drain_grace?,
        log: log?,
    })
}

fn server_id(text: &str) -> Result<NodeId, String> {
    let name = if text.is_empty() {
        rustix::system::uname().nodename().to_string_lossy().into_owned()
    } else {
        text.to_owned()
    };
    let fits = (1..=SERVER_ID_BYTES_MAX).contains(&name.len());
    if fits && name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(NodeId(name));
    }
    Err(format!("expected 1 to {SERVER_ID_BYTES_MAX} printable ASCII characters without spaces"))
}

fn store(text: &str, data: &Path, connections: u32) -> Result<StoreConfig, String> {
    if text.is_empty() {
        return Ok(StoreConfig::Sqlite(data.join("hubbub.db")));
    }
    if let Some(rest) = text.strip_prefix("sqlite:") {
        let path = rest.strip_prefix("//").unwrap_or(rest);
        if path.is_empty() || path.contains(['?', '\0']) || path == ":memory:" {
            return Err("expected the path of a file, such as sqlite:/var/lib/hubbub/hubbub.db".to_owned());
        }
        return Ok(StoreConfig::Sqlite(PathBuf::from(path)));
    }
    if text.starts_with("postgres:") || text.starts_with("postgresql:") {
        return DatabaseUrl::parse(text).map(|url| StoreConfig::Postgres { url, connections });
    }
    Err("expected sqlite:PATH or postgres://user:password@host/database".to_owned())
}

fn secret(text: &str) -> Result<Secret, String> {
    if text.len() < SECRET_BYTES_MIN {
        return Err(format!(
            "has {} bytes, expected at least {SECRET_BYTES_MIN}, such as `openssl rand -base64 48` makes",
            text.len()
        ));
    }
    Ok(Secret::new(text.as_bytes().to_vec()))
}

fn outside_key(checker: &mut Checker, settings: &Settings) -> Option<Option<OutsideKey>> {
    let issuer = settings.jwt_issuer().given;
    let audience = settings.jwt_audience().given;
    if settings.jwt_public_key_file().given.is_none() {
        for setting in [settings.jwt_issuer(), settings.jwt_audience()] {
            checker.read_given(setting, |_| Err::<(), _>("needs JWT_PUBLIC_KEY_FILE beside it".to_owned()));
        }
    }
    checker.read_given(settings.jwt_public_key_file(), |path| {
        let pem = std::fs::read(path).map_err(|error| format!("cannot be read: {error}"))?;
        OutsideKey::from_pem(&pem, issuer, audience)
            .map_err(|error| format!("{error}: expected a file that begins with -----BEGIN PUBLIC KEY-----"))
    })
}

fn auth(checker: &mut Checker, settings: &Settings) -> Option<AuthSettings> {
    let (second, minute, day) =
        (Duration::from_secs(1), Duration::from_secs(60), Duration::from_secs(86_400));
    let access_lifetime = checker.read(settings.access_token_lifetime(), |text| span(text, second * 10, day));
    let refresh_lifetime =
        checker.read(settings.refresh_token_lifetime(), |text| span(text, minute, day * 3650));
    let refresh_grace =
        checker.read(settings.refresh_token_grace(), |text| span(text, Duration::ZERO, minute * 10));
    let leeway = checker.read(settings.jwt_leeway(), |text| span(text, Duration::ZERO, minute * 5));
    let registration = checker.read(settings.registration(), |text| match text {
        "open" => Ok(Registration::Open),
        "closed" => Ok(Registration::Closed),
        _ => Err("expected open or closed".to_owned()),
    });
    let provision = checker.read(settings.provision_users(), |text| match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    });
    let auth = AuthSettings {
        access_lifetime: access_lifetime?,
        refresh_lifetime: refresh_lifetime?,
        refresh_grace: refresh_grace?,
        leeway: leeway?,
        registration: registration?,
        provision: provision?,
    };
    checker.read(settings.refresh_token_lifetime(), |_| {
        if auth.refresh_lifetime > auth.access_lifetime {
            return Ok(auth);
        }
        Err("expected longer than ACCESS_TOKEN_LIFETIME".to_owned())
    })
}

fn password_params(checker: &mut Checker, settings: &Settings) -> Option<PasswordParams> {
    let memory =
        checker.read(settings.password_memory_kib(), |text| number(text, 8, PASSWORD_MEMORY_KIB_MAX.into()));
    let iterations = checker.read(settings.password_iterations(), |text| number(text, 1, 100));
    let parallelism = checker.read(settings.password_parallelism(), |text| number(text, 1, 64));
    let params = PasswordParams {
        memory_kib: u32::try_from(memory?).ok()?,
        iterations: u32::try_from(iterations?).ok()?,
        parallelism: u32::try_from(parallelism?).ok()?,
    };
    checker.read(settings.password_memory_kib(), |_| params.check().map(|()| params))
}

fn rates(checker: &mut Checker, settings: &Settings) -> Option<Rates> {
    let mut read = |setting| {
        checker.read(setting, |text| if text == "off" { Ok(None) } else { text.parse::<Rate>().map(Some) })
    };
    let login_address = read(settings.rate_login_address());
    let login_name = read(settings.rate_login_name());
    let register_address = read(settings.rate_register_address());
    let anonymous_address = read(settings.rate_anonymous_address());
    let requests_user = read(settings.rate_requests_user());
    let operations_user = read(settings.rate_operations_user());
    let frames_connection = read(settings.rate_frames_connection());
    Some(Rates {
        login_address: login_address?,
        login_name: login_name?,
        register_address: register_address?,
        anonymous_address: anonymous_address?,
        requests_user: requests_user?,
        operations_user: operations_user?,
        frames_connection: frames_connection?,
    })
}

fn networks(text: &str) -> Result<Vec<IpNet>, String> {
    let network =
        |part: &str| part.parse::<IpNet>().ok().or_else(|| part.parse::<IpAddr>().ok().map(IpNet::from));
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| {
            network(part).ok_or_else(|| {
                format!("{part:?} is none of what is expected: addresses and networks, such as 127.0.0.1,10.0.0.0/8")
            })
        })
        .collect()
}

fn log(checker: &mut Checker, settings: &Settings) -> Option<LogConfig> {
    let format = checker.read(settings.log_format(), |text| match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("expected text or json".to_owned()),
    });
    let filter = checker.read(settings.log_filter(), |text| {
        tracing_subscriber::EnvFilter::try_new(text)
            .map(|_| text.to_owned())
            .map_err(|error| format!("{error}: expected directives such as info or hub=debug,warn"))
    });
    Some(LogConfig { format: format?, filter: filter? })
}

fn number(text: &str, least: u64, most: u64) -> Result<u64, String> {
    let value = text.parse().ok().filter(|value| (least..=most).contains(value));
    value.ok_or_else(|| format!("expected a whole number from {least} to {most}"))
}

fn span(text: &str, least: Duration, most: Duration) -> Result<Duration, String> {
    let value = duration::parse(text).map_err(|error| error.to_string())?;
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    Err(format!("expected {} to {}", duration::Text(least), duration::Text(most)))
}
