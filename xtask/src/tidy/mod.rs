//! The project's own rules, checked on its tracked files: layers, file heads, documented wire
//! types, migrations, words that do not belong. Each rule has tests with planted violations.

mod heads;
mod layers;
mod migrations;
mod tokens;
mod wire;
mod words;

use crate::cmd::Cmd;
use crate::host;
use crate::report::{self, Outcome, Report};
use anyhow::{Result, bail};
use std::collections::BTreeMap;
use std::fmt;
use std::fs;

/// The text files of the project by their path.
pub(crate) struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    /// Reads every file that git tracks or would add. Files that are not text are left out.
    fn read() -> Result<Self> {
        let listed =
            Cmd::new("git").args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).read()?;
        let files = listed
            .split('\0')
            .filter_map(|path| Some((path.to_owned(), fs::read_to_string(host::root().join(path)).ok()?)))
            .collect();
        Ok(Self { files })
    }

    #[cfg(test)]
    fn of(files: &[(&str, &str)]) -> Self {
        Self { files: files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect() }
    }

    fn get(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The files below a folder whose names end in `end`.
    fn below<'a>(&'a self, folder: &'a str, end: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.iter().filter(move |(path, _)| path.starts_with(folder) && path.ends_with(end))
    }
}

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Violation {
    path: String,
    line: usize,
    text: String,
}

impl Violation {
    fn new(path: &str, line: usize, text: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, text: text.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.text)
    }
}

/// Checks every rule.
fn check(tree: &Tree) -> Vec<Violation> {
    let mut found = [
        layers::check(tree),
        heads::check(tree),
        wire::check(tree),
        migrations::check(tree),
        words::check(tree),
    ]
    .concat();
    found.sort();
    found
}

/// The step that checks the project's rules.
pub(crate) fn step(report: &Report) {
    report.step("tidy", "the project's own rules", || {
        let tree = Tree::read()?;
        for warning in heads::long_files(&tree) {
            report::line(&format!("  warning: {warning}"));
        }
        let found = check(&tree);
        for violation in &found {
            report::line(&format!("  {violation}"));
        }
        match found.len() {
            0 => Ok(Outcome::Told(format!("{} files", tree.files.len()))),
            1 => bail!("one violation of the project's rules"),
            count => bail!("{count} violations of the project's rules"),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_is_tidy() {
        let tree = Tree::read().unwrap();
        assert!(tree.get("Cargo.toml").is_some(), "the project's files were not found");
        let found: Vec<String> = check(&tree).iter().map(ToString::to_string).collect();
        assert!(found.is_empty(), "{}", found.join("\n"));
    }
}
