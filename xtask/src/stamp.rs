//! Knows whether a step's inputs changed since it last succeeded: a fingerprint of their contents,
//! kept under `target/xtask`.

use crate::host;
use anyhow::{Context, Result};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

/// Folders whose contents are made from other inputs.
const SKIPPED: [&str; 6] = ["node_modules", "dist", "target", "test-results", "playwright-report", ".git"];

/// The fingerprint of a step's inputs.
pub(crate) struct Stamp {
    file: PathBuf,
    print: String,
}

impl Stamp {
    /// Reads the inputs of a step: files and folders of the project, and facts such as a tool's
    /// version. An input that does not exist counts as empty.
    pub(crate) fn of(step: &str, inputs: &[&str], facts: &[String]) -> Result<Self> {
        Self::within(host::root(), &host::state_dir().join("stamp"), step, inputs, facts)
    }

    fn within(root: &Path, stamps: &Path, step: &str, inputs: &[&str], facts: &[String]) -> Result<Self> {
        let mut hasher = DefaultHasher::new();
        facts.hash(&mut hasher);
        for input in inputs {
            hash_path(&root.join(input), &mut hasher)?;
        }
        Ok(Self { file: stamps.join(step), print: format!("{:016x}", hasher.finish()) })
    }

    /// The fingerprint itself.
    pub(crate) fn print(&self) -> &str {
        &self.print
    }

    /// Whether the step succeeded with these inputs and all its outputs are still there.
    pub(crate) fn is_fresh(&self, outputs: &[PathBuf]) -> bool {
        outputs.iter().all(|output| output.exists())
            && fs::read_to_string(&self.file).is_ok_and(|last| last == self.print)
    }

    /// Notes that the step succeeded with these inputs.
    pub(crate) fn keep(&self) -> Result<()> {
        fs::create_dir_all(self.file.parent().expect("stamps lie in a folder"))?;
        fs::write(&self.file, &self.print).with_context(|| format!("failed to write {}", self.file.display()))
    }
}

fn hash_path(path: &Path, hasher: &mut DefaultHasher) -> Result<()> {
    if path.is_dir() {
        let mut entries =
            fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<PathBuf>>>()?;
        entries.sort();
        for entry in entries {
            let name = entry.file_name().unwrap_or_default();
            if !SKIPPED.iter().any(|skipped| name == *skipped) {
                hash_path(&entry, hasher)?;
            }
        }
    } else if path.is_file() {
        path.hash(hasher);
        fs::read(path).with_context(|| format!("failed to read {}", path.display()))?.hash(hasher);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_input_a_changed_fact_and_a_missing_output_are_seen() {
        let root = host::state_dir().join("stamp-test");
        if root.exists() {
            fs::remove_dir_all(&root).unwrap();
        }
        fs::create_dir_all(root.join("src/node_modules")).unwrap();
        fs::write(root.join("src/a"), "1").unwrap();
        let stamp = |fact: &str| {
            Stamp::within(&root, &root.join("stamps"), "step", &["src"], &[fact.to_owned()]).unwrap()
        };
        let output = vec![root.join("out")];
        fs::write(&output[0], "").unwrap();

        assert!(!stamp("v1").is_fresh(&output));
        stamp("v1").keep().unwrap();
        assert!(stamp("v1").is_fresh(&output));
        fs::write(root.join("src/node_modules/b"), "ignored").unwrap();
        assert!(stamp("v1").is_fresh(&output));

        assert!(!stamp("v2").is_fresh(&output));
        fs::write(root.join("src/a"), "2").unwrap();
        assert!(!stamp("v1").is_fresh(&output));
        stamp("v1").keep().unwrap();
        fs::remove_file(&output[0]).unwrap();
        assert!(!stamp("v1").is_fresh(&output));
    }
}
