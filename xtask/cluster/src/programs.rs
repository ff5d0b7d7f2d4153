//! The programs that a cluster is made of, and where Debian keeps them.

use crate::{host, postgres};
use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A program that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Its name.
    pub program: &'static str,
    /// The Debian package that has it.
    pub package: &'static str,
}

/// What a cluster needs that is not installed.
#[must_use]
pub fn missing() -> Vec<Missing> {
    let needed = [
        ("redis-server", "redis-server", host::which("redis-server")),
        ("redis-cli", "redis-tools", host::which("redis-cli")),
        ("postgres", "postgresql", postgres::bin_dir()),
        ("psql", "postgresql-client", postgres::program("psql")),
        ("nginx", "nginx-light", nginx()),
    ];
    let missing = needed.into_iter().filter(|(_, _, found)| found.is_none());
    missing.map(|(program, package, _)| Missing { program, package }).collect()
}

/// Nginx, which Debian keeps where only root looks.
pub(crate) fn nginx() -> Option<PathBuf> {
    let debian = PathBuf::from("/usr/sbin/nginx");
    host::which("nginx").or_else(|| Some(debian).filter(|path| path.is_file()))
}

/// Runs a program and gives what it printed, without the white space around it.
pub(crate) fn read(mut command: Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("failed to start {name}"))?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!("{name} failed: {}", String::from_utf8_lossy(&said).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
