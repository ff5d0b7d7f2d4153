//! Writes the page's TypeScript types from `protocol`, or tells whether the committed ones differ.

use crate::cmd::Cmd;
use crate::host;
use crate::report::Outcome;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const FOLDER: &str = "web/src/lib/protocol";

/// Writes the types anew.
pub(crate) fn write() -> Result<Outcome> {
    let generated = generate()?;
    let folder = host::root().join(FOLDER);
    let committed = read(&folder)?;
    for name in committed.keys().filter(|name| !generated.contains_key(*name)) {
        fs::remove_file(folder.join(name))?;
    }
    fs::create_dir_all(&folder)?;
    for (name, text) in &generated {
        if committed.get(name) != Some(text) {
            fs::write(folder.join(name), text)?;
        }
    }
    Ok(match differing(&generated, &committed).len() {
        0 => Outcome::Told("nothing changed".to_owned()),
        changed => Outcome::Told(format!("{changed} files changed in {FOLDER}")),
    })
}

/// Fails when the committed types are not those of `protocol`.
pub(crate) fn check() -> Result<Outcome> {
    let (generated, committed) = (generate()?, read(&host::root().join(FOLDER))?);
    let differing = differing(&generated, &committed);
    if differing.is_empty() {
        return Ok(Outcome::Done);
    }
    bail!(
        "{FOLDER} is not what protocol says: run `cargo xtask codegen`; differing: {}",
        differing.join(", ")
    );
}

fn generate() -> Result<BTreeMap<String, String>> {
    let folder = host::state_dir().join("codegen");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    Cmd::cargo(&["run", "--locked", "--quiet", "-p", "xtask-codegen", "--features", "run", "--"])
        .arg(&folder)
        .quiet("codegen")?;
    read(&folder)
}

fn read(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    if !folder.exists() {
        return Ok(files);
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().context("a file has a name")?.to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))?;
        files.insert(name, text);
    }
    Ok(files)
}

/// The files that are not the same on both sides.
fn differing<'a>(left: &'a BTreeMap<String, String>, right: &'a BTreeMap<String, String>) -> Vec<&'a str> {
    let names: std::collections::BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    names.into_iter().filter(|name| left.get(*name) != right.get(*name)).map(String::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_missing_and_surplus_files_differ() {
        let files = |files: &[(&str, &str)]| {
            files
                .iter()
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
                .collect::<BTreeMap<_, _>>()
        };
        let generated = files(&[("Same.ts", "1"), ("Changed.ts", "2"), ("New.ts", "3")]);
        let committed = files(&[("Same.ts", "1"), ("Changed.ts", "1"), ("Gone.ts", "4")]);
        assert_eq!(differing(&generated, &committed), ["Changed.ts", "Gone.ts", "New.ts"]);
        assert!(differing(&generated, &generated).is_empty());
    }
}
