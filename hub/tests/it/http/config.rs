//! Settings: what is refused and how it is told, and the secret that a hub makes for itself.

use clap::Parser;
use hub::config::{Cli, Config, ConfigError, SecretError, SecretSource, StoreConfig};
use hub::random::SystemRandom;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Checks settings that are given as flags.
fn check(flags: &[&str]) -> Result<Config, ConfigError> {
    let cli = Cli::try_parse_from(["hub"].iter().chain(flags)).unwrap();
    Config::from_settings(&cli.settings)
}

#[test]
fn with_nothing_set_a_node_keeps_everything_in_one_folder() {
    let config = check(&[]).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.store, StoreConfig::Sqlite("./hubbub-data/hubbub.db".into()));
    assert_eq!(config.jwt_secret, SecretSource::Kept("./hubbub-data/jwt-secret".into()));
    assert!(!config.auth.provision);
    assert!(!config.server_id.0.is_empty());
    assert_eq!(config.warnings(), Vec::<String>::new());
    let config = check(&["--data", "/srv/chat"]).unwrap();
    assert_eq!(config.store, StoreConfig::Sqlite("/srv/chat/hubbub.db".into()));
}

#[test]
fn a_wrong_value_is_told_with_its_setting_and_what_is_allowed() {
    let cases = [
        (
            "--listen=8080",
            "LISTEN (--listen) is \"8080\": expected an IP address and a port, such as 127.0.0.1:8080",
        ),
        ("--listen=localhost:80", "expected an IP address and a port"),
        ("--server-id=a b", "SERVER_ID (--server-id) is \"a b\": expected 1 to 64 printable"),
        ("--database-url=mysql://x", "DATABASE_URL (--database-url) is \"mysql://x\": expected sqlite:PATH"),
        ("--database-url=sqlite:", "expected the path of a file"),
        ("--database-url=sqlite::memory:", "expected the path of a file"),
        ("--database-url=postgres://u@h", "names no database: expected postgres://user[:password]@host"),
        ("--database-url=postgres:u@h/d", "expected postgres://user"),
        ("--database-url=postgresql://u:p/w@h/d", "has a / too many"),
        ("--database-url=postgres://u@/d", "names no host"),
        ("--database-url=postgres://u@h:x/d", "has a port that is none"),
        ("--database-connections=3", "expected a whole number from 4 to 1000"),
        ("--redis-url=localhost:6379", "REDIS_URL (--redis-url) is \"localhost:6379\": expected redis://"),
        ("--redis-url=redis://h:0", "expected a port from 1 to 65535"),
        (
            "--jwt-secret=short",
            "JWT_SECRET (--jwt-secret) is \"<redacted>\": has 5 bytes, expected at least 16",
        ),
        (
            "--jwt-public-key-file=/nowhere.pem",
            "JWT_PUBLIC_KEY_FILE (--jwt-public-key-file) is \"/nowhere.pem\": cannot be read",
        ),
        ("--jwt-public-key-file=Cargo.toml", "not a PEM public key of RSA or Ed25519"),
        ("--jwt-issuer=x", "needs JWT_PUBLIC_KEY_FILE"),
        ("--jwt-audience=x", "needs JWT_PUBLIC_KEY_FILE"),
        ("--jwt-leeway=1h", "JWT_LEEWAY (--jwt-leeway) is \"1h\": expected 0ms to 5m"),
        ("--provision-users=yes", "expected true or false"),
        ("--registration=maybe", "expected open or closed"),
        ("--access-token-lifetime=15", "expected a number and a unit"),
        ("--access-token-lifetime=2d", "expected 10s to 1d"),
        ("--refresh-token-lifetime=1m", "expected longer than ACCESS_TOKEN_LIFETIME"),
        ("--refresh-token-grace=1h", "expected 0ms to 10m"),
        ("--password-memory-kib=1", "expected a whole number from 8 to 1048576"),
        ("--password-iterations=0", "expected a whole number from 1 to 100"),
        ("--password-parallelism=x", "expected a whole number from 1 to 64"),
        ("--rate-login-address=10", "expected a count and a time, such as 30/1m, or off"),
        ("--rate-login-name=0/1m", "expected a count and a time"),
        ("--rate-register-address=x/1m", "expected a count and a time"),
        ("--rate-anonymous-address=1/0s", "expected a count and a time"),
        ("--rate-requests-user=1/m", "expected a count and a time"),
        ("--rate-operations-user=none", "expected a count and a time"),
        ("--rate-frames-connection=-1/1s", "expected a count and a time"),
        ("--trusted-proxies=10.0.0.0/8,proxy", "\"proxy\" is none of what is expected"),
        ("--connections-max=0", "expected a whole number from 1 to 10000000"),
        ("--drain-grace=1h", "expected 0ms to 10m"),
        ("--log-format=xml", "expected text or json"),
        ("--log=hub=shout", "expected directives such as info"),
    ];
    for (flag, expected) in cases {
        let told = check(&[flag]).unwrap_err().to_string();
        assert!(told.contains(expected), "{flag} told {told:?}");
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let told = check(&["--listen=x", "--registration=x", "--log-format=x"]).unwrap_err();
    let names: Vec<&str> = told.0.iter().map(|problem| problem.env).collect();
    assert_eq!(names, ["LISTEN", "REGISTRATION", "LOG_FORMAT"]);
    assert_eq!(told.to_string().lines().count(), 3);
}

#[test]
fn secrets_are_never_told() {
    let wrong = [
        "--jwt-secret=hunter2",
        "--database-url=postgres://ada:hunter2@db:x/chat",
        "--redis-url=redis+sentinel://:hunter2@r/?sentinel_password=hunter2",
    ];
    let told = check(&wrong).unwrap_err().to_string();
    assert!(!told.contains("hunter2"), "{told}");
    assert!(told.contains("postgres://ada:<redacted>@db:x/chat"), "{told}");
    assert!(told.contains("redis+sentinel://:<redacted>@r/?sentinel_password=<redacted>"), "{told}");
    let flags = [
        "--jwt-secret=hunter2-hunter2-hunter2",
        "--redis-url=redis://:hunter2@r",
        "--database-url=postgres://ada:hunter2@db/chat",
    ];
    let cli = Cli::try_parse_from(["hub"].iter().chain(&flags)).unwrap();
    let config = Config::from_settings(&cli.settings).unwrap();
    let report = config.report(&cli.settings);
    for shown in [report.clone(), format!("{config:?}"), format!("{cli:?}")] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    assert!(report.contains("JWT_SECRET              <redacted> (set)"), "{report}");
    assert!(report.contains("DATABASE_URL            postgres://ada:<redacted>@db/chat (set)"), "{report}");
    assert!(report.contains("warning: JWT_SECRET is 23 bytes"), "{report}");
    assert!(report.contains("LISTEN                  127.0.0.1:8080 (default)"), "{report}");
}

#[test]
fn a_postgres_database_is_named_by_its_url() {
    for url in [
        "postgres://ada:s3cret@db:5433/chat?sslmode=require",
        "postgresql://db/chat",
        "postgres://[::1]:5432/chat",
        "postgres:///chat?host=/run/postgresql",
    ] {
        let flag = format!("--database-url={url}");
        let StoreConfig::Postgres { url: read, connections } = check(&[&flag]).unwrap().store else {
            panic!("{url} is Postgres")
        };
        assert_eq!((read.as_str(), connections), (url, 16));
    }
}

#[test]
fn an_empty_value_is_none() {
    let config = check(&["--database-url=", "--redis-url= ", "--listen="]).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn an_own_secret_is_made_once_and_only_its_owner_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new/data/jwt-secret");
    let kept = SecretSource::Kept(path.clone());
    let first = kept.load(&SystemRandom).unwrap();
    assert_eq!(first.bytes().len(), 32);
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    assert_eq!(kept.load(&SystemRandom).unwrap(), first);
    let files: Vec<_> =
        fs::read_dir(path.parent().unwrap()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files, ["jwt-secret"], "nothing else is left behind");
}

#[test]
fn nodes_that_start_at_once_in_one_folder_get_the_same_secret() {
    let dir = tempfile::tempdir().unwrap();
    let kept = SecretSource::Kept(dir.path().join("data/jwt-secret"));
    let secrets: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(|| kept.load(&SystemRandom).unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(secrets.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn a_secret_that_others_may_read_or_that_is_none_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jwt-secret");
    let kept = SecretSource::Kept(path.clone());
    kept.load(&SystemRandom).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let error = kept.load(&SystemRandom).unwrap_err();
    assert!(matches!(error, SecretError::Exposed { mode: 0o644, .. }), "{error}");
    assert!(error.to_string().contains("chmod 600"), "{error}");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&path, "short").unwrap();
    assert!(matches!(kept.load(&SystemRandom).unwrap_err(), SecretError::Malformed { .. }));
    let nowhere = SecretSource::Kept("/proc/nowhere/jwt-secret".into());
    assert!(matches!(nowhere.load(&SystemRandom).unwrap_err(), SecretError::Io { .. }));
}
