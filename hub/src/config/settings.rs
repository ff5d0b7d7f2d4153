//! The settings as text: their names, defaults and what they are for. The one place that reads the
//! environment.

use std::fmt;

/// Whether a value may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Show {
    Plain,
    /// Not at all.
    Secret,
    /// Without the password inside.
    Url,
}

/// One setting, as it is in effect.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting<'a> {
    pub(super) env: &'static str,
    pub(super) flag: &'static str,
    pub(super) show: Show,
    /// What was set, if anything.
    pub(super) given: Option<&'a str>,
    pub(super) default: &'static str,
}

impl<'a> Setting<'a> {
    pub(super) fn text(&self) -> &'a str {
        self.given.unwrap_or(self.default)
    }

    /// The value, fit for eyes and logs.
    pub(super) fn shown(&self) -> String {
        match (self.show, self.text()) {
            (_, "") => String::new(),
            (Show::Plain, text) => text.escape_debug().to_string(),
            (Show::Secret, _) => "<redacted>".to_owned(),
            (Show::Url, text) => without_password(text),
        }
    }
}

/// A URL less its passwords, before the host and among the parameters; also where it is no proper
/// URL.
fn without_password(url: &str) -> String {
    let url = url.escape_debug().to_string();
    let (url, query) = url.split_once('?').unwrap_or((&url, ""));
    let mut shown = without_userinfo(url);
    for (at, parameter) in query.split('&').filter(|parameter| !parameter.is_empty()).enumerate() {
        shown.push(if at == 0 { '?' } else { '&' });
        match parameter.split_once('=') {
            Some((name, _)) if name.contains("password") => shown.push_str(&format!("{name}=<redacted>")),
            Some(_) | None => shown.push_str(parameter),
        }
    }
    shown
}

fn without_userinfo(url: &str) -> String {
    let Some(at) = url.rfind('@') else { return url.to_owned() };
    let start = url.find("://").map_or(0, |found| found + 3).min(at);
    let user = url[start..at].split_once(':').map_or("", |(user, _)| user);
    format!("{}{user}:<redacted>{}", &url[..start], &url[at..])
}

macro_rules! settings {
    ($($name:ident $env:literal --$flag:literal = $default:literal, $show:ident, $help:literal;)*) => {
        /// The settings as they were given; an empty value is none.
        #[derive(Clone, Default, clap::Args)]
        pub struct Settings {
            $(
                #[arg(
                    long = $flag,
                    env = $env,
                    global = true,
                    hide_env_values = true,
                    value_name = "VALUE",
                    help = help($help, $default),
                )]
                $name: Option<String>,
            )*
        }

        impl Settings {
            $(
                pub(super) fn $name(&self) -> Setting<'_> {
                    Setting {
                        env: $env,
                        flag: concat!("--", $flag),
                        show: Show::$show,
                        given: self.$name.as_deref().filter(|value| !value.trim().is_empty()),
                        default: $default,
                    }
                }
            )*

            pub(super) fn all(&self) -> Vec<Setting<'_>> {
                vec![$(self.$name(),)*]
            }
        }
    };
}

fn help(text: &str, default: &str) -> String {
    if default.is_empty() { text.to_owned() } else { format!("{text} [default: {default}]") }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.all().into_iter().map(|setting| (setting.env, setting.shown()));
        f.debug_map().entries(shown).finish()
    }
}

settings! {
    listen "LISTEN" --"listen" = "127.0.0.1:8080", Plain,
        "IP address and port to listen on";
    server_id "SERVER_ID" --"server-id" = "", Plain,
        "The node's name [default: the host's name]";
    data "HUB_DATA" --"data" = "./hubbub-data", Plain,
        "Folder for what the node keeps by itself";
    database_url "DATABASE_URL" --"database-url" = "", Url,
        "Where messages are kept: sqlite:PATH or postgres://user:password@host/database \
         [default: hubbub.db in the data folder]";
    database_connections "DATABASE_CONNECTIONS" --"database-connections" = "16", Plain,
        "Most connections of this node to Postgres";
    redis_url "REDIS_URL" --"redis-url" = "", Url,
        "Joins nodes: redis://[user:password@]host[:port], rediss://, redis+sentinel://host,host/master or \
         redis+cluster://host,host [default: the node runs alone]";
    jwt_secret "JWT_SECRET" --"jwt-secret" = "", Secret,
        "Signs access tokens (HS256); at least 16 bytes [default: made at first start, kept in the data folder]";
    jwt_public_key_file "JWT_PUBLIC_KEY_FILE" --"jwt-public-key-file" = "", Plain,
        "PEM public key (RSA: RS256, Ed25519: EdDSA) of another issuer whose tokens are taken too";
    jwt_issuer "JWT_ISSUER" --"jwt-issuer" = "", Plain,
        "The `iss` that the other issuer's tokens must have";
    jwt_audience "JWT_AUDIENCE" --"jwt-audience" = "", Plain,
        "The `aud` that the other issuer's tokens must have";
    jwt_leeway "JWT_LEEWAY" --"jwt-leeway" = "30s", Plain,
        "How far the clocks of issuers and nodes may differ";
    provision_users "PROVISION_USERS" --"provision-users" = "false", Plain,
        "Make an unknown user whom a valid token without a login of ours names, on first sight";
    registration "REGISTRATION" --"registration" = "open", Plain,
        "Who may register: open (anyone) or closed (nobody)";
    access_token_lifetime "ACCESS_TOKEN_LIFETIME" --"access-token-lifetime" = "15m", Plain,
        "How long an access token lives";
    refresh_token_lifetime "REFRESH_TOKEN_LIFETIME" --"refresh-token-lifetime" = "30d", Plain,
        "How long a login lasts that is not used";
    refresh_token_grace "REFRESH_TOKEN_GRACE" --"refresh-token-grace" = "60s", Plain,
        "How long a refresh token is taken again after its exchange, whose answer may have been lost";
    password_memory_kib "PASSWORD_MEMORY_KIB" --"password-memory-kib" = "19456", Plain,
        "Memory of argon2id, in KiB";
    password_iterations "PASSWORD_ITERATIONS" --"password-iterations" = "2", Plain,
        "Passes of argon2id";
    password_parallelism "PASSWORD_PARALLELISM" --"password-parallelism" = "1", Plain,
        "Lanes of argon2id";
    rate_login_address "RATE_LOGIN_ADDRESS" --"rate-login-address" = "60/1m", Plain,
        "Logins of one address, or off";
    rate_login_name "RATE_LOGIN_NAME" --"rate-login-name" = "20/1m", Plain,
        "Logins to one username, or off";
    rate_register_address "RATE_REGISTER_ADDRESS" --"rate-register-address" = "100/1h", Plain,
        "Registrations of one address, or off";
    rate_anonymous_address "RATE_ANONYMOUS_ADDRESS" --"rate-anonymous-address" = "600/1m", Plain,
        "Token exchanges and logouts of one address, or off";
    rate_requests_user "RATE_REQUESTS_USER" --"rate-requests-user" = "600/1m", Plain,
        "REST requests of one user, or off";
    rate_operations_user "RATE_OPERATIONS_USER" --"rate-operations-user" = "300/30s", Plain,
        "Messages, edits, reactions and other durable operations of one user, or off";
    rate_frames_connection "RATE_FRAMES_CONNECTION" --"rate-frames-connection" = "600/30s", Plain,
        "Frames of one connection, or off";
    trusted_proxies "TRUSTED_PROXIES" --"trusted-proxies" = "", Plain,
        "Addresses and networks, with commas, of proxies whose X-Forwarded-For is believed";
    connections_max "CONNECTIONS_MAX" --"connections-max" = "15000", Plain,
        "Most WebSocket connections of this node";
    drain_grace "DRAIN_GRACE" --"drain-grace" = "20s", Plain,
        "How long connections have to move to other nodes when this one stops";
    log_format "LOG_FORMAT" --"log-format" = "text", Plain,
        "How the log looks: text or json";
    log_filter "RUST_LOG" --"log" = "info", Plain,
        "What is logged, such as info or hub=debug,warn";
}
