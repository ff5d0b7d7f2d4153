//! The programs that a cluster is made of, where Debian keeps them, and how one is run to its end.

use crate::{host, postgres};
use anyhow::{Context, Result, bail};
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

/// How long a program may take that is asked something, or makes a database's files.
const ANSWER_DEADLINE: Duration = Duration::from_secs(60);
/// How often one is looked at that has closed its output.
const POLL: Duration = Duration::from_millis(1);

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
pub(crate) fn read(command: Command) -> Result<String> {
    let name = name(&command);
    let output = output(command, ANSWER_DEADLINE)?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!("{name} failed: {}", String::from_utf8_lossy(&said).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether a program runs and succeeds.
pub(crate) fn succeeds(command: Command) -> bool {
    output(command, ANSWER_DEADLINE).is_ok_and(|output| output.status.success())
}

/// Runs a program without standard input and gives how it ended and all that it printed.
///
/// # Errors
/// When it cannot be started. When it, or whoever has its output from it, takes longer than that; then it
/// is killed.
pub fn output(mut command: Command, within: Duration) -> Result<Output> {
    let name = name(&command);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("failed to start {name}"))?;
    let until = host::now() + within;
    let left = || until.saturating_duration_since(host::now());
    let (stdout, stderr) = (drain(child.stdout.take()), drain(child.stderr.take()));
    if let (Ok(stdout), Ok(stderr)) = (stdout.recv_timeout(left()), stderr.recv_timeout(left())) {
        while !left().is_zero() {
            if let Some(status) = child.try_wait()? {
                return Ok(Output { status, stdout, stderr });
            }
            thread::sleep(POLL);
        }
    }
    child.kill()?;
    child.wait()?;
    bail!("{name} was ended: it ran for more than {} s", within.as_secs())
}

/// Reads a pipe to its end in a thread, which ends with it: a full one would halt the program.
fn drain(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (tell, told) = mpsc::sync_channel(1);
    thread::spawn(move || {
        let mut said = Vec::new();
        // What was read until it broke is all that there is.
        pipe.map(|mut pipe| pipe.read_to_end(&mut said));
        // Whoever waited may have given up.
        tell.send(said).ok();
    });
    told
}

fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_program_that_hangs_is_ended_whatever_it_left_behind() {
        let began = host::now();
        for script in ["exec sleep 30", "sleep 30 & exit 0", "exec >&- 2>&-; exec sleep 30"] {
            let error = output(shell(script), Duration::from_millis(100)).unwrap_err().to_string();
            assert!(error.contains("sh was ended"), "{script}: {error}");
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    }

    #[test]
    fn all_that_a_program_prints_is_given_however_much_it_is() {
        let script = "head -c 300000 /dev/zero; head -c 200000 /dev/zero >&2; exit 3";
        let Output { status, stdout, stderr } = output(shell(script), ANSWER_DEADLINE).unwrap();
        assert_eq!((status.code(), stdout.len(), stderr.len()), (Some(3), 300_000, 200_000));
    }

    #[test]
    fn a_program_that_is_missing_or_fails_is_named() {
        let missing = read(Command::new("no-such-program")).unwrap_err().to_string();
        assert!(missing.contains("no-such-program"), "{missing}");
        let failed = read(shell("echo why >&2; false")).unwrap_err().to_string();
        assert_eq!(failed, "sh failed: why");
        assert!(succeeds(shell("true")) && !succeeds(shell("false")));
    }
}
