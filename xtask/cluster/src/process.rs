//! Processes that outlive whoever started them, named by a file that holds number and start time: a
//! number that the system gave to another process since is never taken for ours.

use anyhow::{Context, Result};
pub(crate) use rustix::process::Signal;
use rustix::process::{Pid, WaitOptions};
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// Starts a program apart from this one's terminal, its output appended to a log, and notes it.
pub(crate) fn start(mut command: Command, log: &Path, pid_file: &Path) -> Result<()> {
    let open = || File::options().create(true).append(true).open(log);
    let log = open().with_context(|| format!("failed to open {}", log.display()))?;
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
    // Of `cargo run`: it is not theirs.
    command.env_remove("LD_LIBRARY_PATH");
    let name = command.get_program().to_string_lossy().into_owned();
    let child = command.spawn().with_context(|| format!("failed to run {name}"))?;
    let started = stat(child.id()).map_or(0, |stat| stat.started);
    fs::write(pid_file, format!("{} {started}\n", child.id()))
        .with_context(|| format!("failed to write {}", pid_file.display()))
}

/// The noted process, if it still runs.
pub(crate) fn running(pid_file: &Path) -> Option<u32> {
    let text = fs::read_to_string(pid_file).ok()?;
    let (pid, started) = text.trim().split_once(' ')?;
    let (pid, started): (u32, u64) = (pid.parse().ok()?, started.parse().ok()?);
    let stat = stat(pid)?;
    (stat.started == started && !stat.has_ended()).then_some(pid)
}

/// Signals the noted process, if it still runs.
pub(crate) fn signal(pid_file: &Path, signal: Signal) -> Result<()> {
    let Some(pid) = running(pid_file).and_then(to_pid) else { return Ok(()) };
    match rustix::process::kill_process(pid, signal) {
        // It ended just now.
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Whether a process is halted.
pub(crate) fn is_halted(pid: u32) -> bool {
    stat(pid).is_some_and(|stat| stat.state == 'T')
}

fn to_pid(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}

/// What the system says of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    state: char,
    /// In ticks since the system started.
    started: u64,
}

impl Stat {
    /// Whether only its entry is left.
    const fn has_ended(self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }
}

fn stat(pid: u32) -> Option<Stat> {
    // A child of this process that ended keeps its entry until it is asked for.
    if let Some(pid) = to_pid(pid) {
        rustix::process::waitpid(Some(pid), WaitOptions::NOHANG).ok();
    }
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Reads `/proc/PID/stat` (proc(5)): its second field may hold anything, in parentheses.
fn parse_stat(text: &str) -> Option<Stat> {
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some(Stat { state, started: fields.nth(18)?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper(dir: &Path) -> std::path::PathBuf {
        let mut command = Command::new("sleep");
        command.arg("600");
        let pid_file = dir.join("pid");
        start(command, &dir.join("log"), &pid_file).unwrap();
        pid_file
    }

    fn wait_until(holds: impl Fn() -> bool) {
        for _ in 0..500 {
            if holds() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("it does not come about");
    }

    #[test]
    fn a_process_is_halted_goes_on_and_is_killed() {
        let dir = tempfile::tempdir().unwrap();
        let pid_file = sleeper(dir.path());
        let pid = running(&pid_file).unwrap();
        signal(&pid_file, Signal::STOP).unwrap();
        wait_until(|| is_halted(pid));
        signal(&pid_file, Signal::CONT).unwrap();
        wait_until(|| !is_halted(pid));
        signal(&pid_file, Signal::KILL).unwrap();
        wait_until(|| running(&pid_file).is_none());
        signal(&pid_file, Signal::KILL).unwrap();
    }

    #[test]
    fn a_number_that_another_process_has_by_now_is_not_signalled() {
        let dir = tempfile::tempdir().unwrap();
        let pid_file = sleeper(dir.path());
        let (noted, pid) = (fs::read_to_string(&pid_file).unwrap(), running(&pid_file).unwrap());
        fs::write(&pid_file, format!("{pid} 1\n")).unwrap();
        assert_eq!(running(&pid_file), None);
        signal(&pid_file, Signal::KILL).unwrap();
        fs::write(&pid_file, noted).unwrap();
        assert_eq!(running(&pid_file), Some(pid));
        signal(&pid_file, Signal::KILL).unwrap();
        wait_until(|| running(&pid_file).is_none());
    }

    #[test]
    fn the_name_of_a_program_may_hold_anything() {
        let text = "42 (a ) b) T 1 42 42 0 -1 4 1 0 0 0 1 2 0 0 20 0 1 0 987654 5 6";
        assert_eq!(parse_stat(text), Some(Stat { state: 'T', started: 987_654 }));
        assert_eq!(parse_stat("42 (a)"), None);
    }
}
