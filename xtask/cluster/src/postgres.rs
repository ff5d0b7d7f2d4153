//! Postgres: its programs, its files, and the user that it insists on.

use crate::layout::Layout;
use crate::{files, host, programs};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The user and the database of the hubs.
pub(crate) const NAME: &str = "hub";
/// The user of the system that runs it when this is root, which it refuses to run as.
const SYSTEM_USER: &str = "postgres";

/// The folder of the server's programs, which Debian keeps out of the path. The latest version wins.
pub(crate) fn bin_dir() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort();
    let in_path = host::which("initdb").and_then(|path| Some(path.parent()?.to_owned()));
    let has_server = |dir: &PathBuf| dir.join("initdb").is_file() && dir.join("postgres").is_file();
    versions.into_iter().rev().map(|(_, dir)| dir).chain(in_path).find(has_server)
}

/// One of the client's programs.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let beside = bin_dir().map(|dir| dir.join(name)).filter(|path| path.is_file());
    beside.or_else(|| host::which(name))
}

/// Makes the server's files, if there are none.
pub(crate) fn make(layout: &Layout) -> Result<()> {
    let folder = home(layout.dir())?;
    let data = folder.join("data");
    if data.join("PG_VERSION").is_file() {
        return Ok(());
    }
    let password_file = folder.join("password");
    fs::write(&password_file, layout.secret("postgres")?)?;
    own(&[&folder, &password_file])?;
    let mut initdb = as_user("initdb")?;
    initdb.args(["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]);
    initdb.arg(format!("--username={NAME}")).arg("--pwfile").arg(&password_file).arg("-D").arg(&data);
    let made = programs::read(initdb);
    fs::remove_file(&password_file)?;
    made.context("failed to make a database").map(drop)
}

/// The folder of the server's files. Where the system's user cannot reach the cluster's folder, it
/// lies among temporary files and the cluster's folder has a link to it.
fn home(dir: &Path) -> Result<PathBuf> {
    let folder = dir.join("postgres");
    files::make_dir(dir)?;
    if folder.exists() {
        return Ok(folder);
    }
    fs::remove_file(&folder).ok();
    let reaches = || {
        let mut test = unprivileged("test");
        test.arg("-x").arg(dir);
        programs::succeeds(test)
    };
    if !host::is_root() || reaches() {
        files::make_dir(&folder)?;
        return Ok(folder);
    }
    let mut make = unprivileged("mktemp");
    make.args(["-d", "-t", "hub-cluster-postgres-XXXXXXXX"]).current_dir("/");
    let elsewhere = PathBuf::from(programs::read(make)?);
    std::os::unix::fs::symlink(&elsewhere, &folder)?;
    Ok(folder)
}

/// Deletes the server's files, wherever they lie.
pub(crate) fn delete(layout: &Layout) -> Result<()> {
    let Ok(folder) = layout.dir().join("postgres").canonicalize() else { return Ok(()) };
    fs::remove_dir_all(&folder).with_context(|| format!("failed to delete {}", folder.display()))
}

fn own(paths: &[&Path]) -> Result<()> {
    if !host::is_root() {
        return Ok(());
    }
    let mut chown = Command::new("chown");
    chown.arg("-H").arg(SYSTEM_USER).args(paths);
    programs::read(chown).map(drop)
}

/// The command that serves.
pub(crate) fn server(layout: &Layout) -> Result<Command> {
    let mut command = as_user("postgres")?;
    command.arg("-D").arg(layout.dir().join("postgres/data"));
    command.args(["-p", &layout.postgres_port().to_string()]);
    let connections = (40 + 20 * layout.nodes()).to_string();
    for (name, value) in [
        ("listen_addresses", "127.0.0.1"),
        ("unix_socket_directories", ""),
        ("max_connections", &connections),
        ("log_checkpoints", "off"),
    ] {
        command.arg("-c").arg(format!("{name}={value}"));
    }
    Ok(command)
}

/// Whether it takes connections.
pub(crate) fn is_ready(layout: &Layout) -> bool {
    let Some(pg_isready) = program("pg_isready") else { return false };
    let mut command = Command::new(pg_isready);
    command.args(["-q", "-h", "127.0.0.1", "-p", &layout.postgres_port().to_string()]);
    programs::succeeds(command)
}

/// Runs a statement; rows as text, without a head.
pub(crate) fn sql(layout: &Layout, statement: &str) -> Result<String> {
    let Some(psql) = program("psql") else { bail!("psql is not installed") };
    let mut command = Command::new(psql);
    command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", NAME]);
    command.args(["-p", &layout.postgres_port().to_string(), "-d", "postgres", "-c", statement]);
    command.env("PGPASSWORD", layout.secret("postgres")?);
    programs::read(command)
}

/// One of the server's programs, as a user that it agrees to run as.
fn as_user(name: &str) -> Result<Command> {
    let Some(path) = bin_dir().map(|dir| dir.join(name)) else { bail!("postgres is not installed") };
    let mut command = if host::is_root() { unprivileged(path) } else { Command::new(path) };
    // The user may not be let into the folder that this runs in.
    command.current_dir("/");
    Ok(command)
}

fn unprivileged(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    let (user, group) = (format!("--reuid={SYSTEM_USER}"), format!("--regid={SYSTEM_USER}"));
    command.args([&user, &group, "--init-groups", "--"]).arg(program);
    command
}
