//! Runs other programs: shown as they run, or into a log with a sign of life now and then.
//! Every run has a deadline, and a failure says which command failed and shows its output.

use crate::{host, report};
use ::cluster::{last_lines, output};
use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

/// How long a program may run unless it says otherwise.
const DEADLINE: Duration = Duration::from_secs(20 * 60);
/// How often a quiet program gives a sign of life.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
/// How often a running program is looked at.
const POLL: Duration = Duration::from_millis(50);
/// Most lines of a failed program's log that are shown.
const LOG_LINES_SHOWN: usize = 120;

/// A program to run in the project's folder, without standard input.
pub(crate) struct Cmd {
    command: Command,
    deadline: Duration,
}

impl Cmd {
    /// The program of this name or path.
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command.current_dir(host::root()).stdin(Stdio::null());
        // Of `cargo run`: programs of another toolchain would load this one's libraries.
        command.env_remove("LD_LIBRARY_PATH");
        Self { command, deadline: DEADLINE }
    }

    /// `cargo`, of the pinned toolchain.
    pub(crate) fn cargo(args: &[&str]) -> Self {
        Self::new("cargo").args(args)
    }

    /// A program of the page's, in its folder.
    pub(crate) fn npm(program: &str, args: &[&str]) -> Self {
        Self::new(program)
            .args(args)
            .dir(&host::root().join("web"))
            .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1")
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub(crate) fn args<I: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = I>) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn dir(mut self, dir: &Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Ends the program after this time instead of the usual one.
    pub(crate) fn within(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Runs it with its output shown.
    pub(crate) fn show(mut self) -> Result<()> {
        report::line(&format!("  $ {}", self.text()));
        let child = self.command.spawn().with_context(|| self.not_started())?;
        let status = self.wait(child, |_| ())?;
        if !status.success() {
            bail!("`{}` failed: {status}", self.text());
        }
        Ok(())
    }

    /// Runs it with its output in a log, which is shown if it fails.
    pub(crate) fn quiet(mut self, step: &str) -> Result<()> {
        let folder = host::state_dir().join("log");
        fs::create_dir_all(&folder)?;
        let path = folder.join(format!("{step}.log"));
        let log = File::create(&path).with_context(|| format!("failed to create {}", path.display()))?;
        self.command.stdout(log.try_clone()?).stderr(log);
        let child = self.command.spawn().with_context(|| self.not_started())?;
        let status = self.wait(child, |took| {
            let last = last_lines(&path, 1);
            report::line(&format!("  {step}: {} s … {}", took.as_secs(), last.trim()));
        })?;
        if !status.success() {
            bail!("`{}` failed: {status}\n{}", self.text(), last_lines(&path, LOG_LINES_SHOWN));
        }
        Ok(())
    }

    /// Runs it and gives what it printed, without the white space around it.
    pub(crate) fn read(self) -> Result<String> {
        let text = self.text();
        let output =
            output(self.command, self.deadline).with_context(|| format!("failed to run `{text}`"))?;
        if !output.status.success() {
            bail!("`{text}` failed: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Whether it runs and succeeds; its output is not shown.
    pub(crate) fn succeeds(self) -> bool {
        output(self.command, self.deadline).is_ok_and(|output| output.status.success())
    }

    /// Gives this process over to it, standard input included. Returns only if it cannot start.
    pub(crate) fn replace(mut self) -> anyhow::Error {
        use std::os::unix::process::CommandExt;
        let error = self.command.stdin(Stdio::inherit()).exec();
        anyhow::Error::new(error).context(self.not_started())
    }

    fn wait(&self, mut child: Child, mut alive: impl FnMut(Duration)) -> Result<ExitStatus> {
        let start = host::now();
        let mut told = Duration::ZERO;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            let took = start.elapsed();
            if took > self.deadline {
                child.kill()?;
                child.wait()?;
                bail!("`{}` was ended: it ran for more than {} s", self.text(), self.deadline.as_secs());
            }
            if took - told >= SIGN_OF_LIFE {
                told = took;
                alive(took);
            }
            thread::sleep(POLL);
        }
    }

    fn not_started(&self) -> String {
        format!("failed to start `{}`", self.text())
    }

    /// The command as one would type it.
    pub(crate) fn text(&self) -> String {
        let program = Path::new(self.command.get_program());
        let name = program.file_name().unwrap_or(program.as_os_str());
        std::iter::once(name)
            .chain(self.command.get_args())
            .map(OsStr::to_string_lossy)
            .collect::<Vec<_>>()
            .join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_program_is_named_with_its_output() {
        let error = Cmd::new("sh").args(["-c", "echo told; exit 3"]).quiet("test-failing").unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("sh -c") && text.contains("told") && text.contains('3'), "{text}");
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        let hang = || Cmd::new("sleep").arg("600").within(Duration::from_millis(100));
        for error in [hang().quiet("test-hanging").unwrap_err(), hang().read().unwrap_err()] {
            let error = format!("{error:#}");
            assert!(error.contains("sleep 600") && error.contains("was ended"), "{error}");
        }
        assert!(!hang().succeeds());
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = Cmd::new("no-such-program").read().unwrap_err().to_string();
        assert!(error.contains("no-such-program"), "{error}");
    }
}
