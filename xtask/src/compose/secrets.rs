//! The secrets of a cluster in containers: in `.env`, its owner's alone, drawn once.

use anyhow::{Context, Result, bail};
use cluster::draw_secret;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// What docker-compose.yml refuses to start without. Their values are digits and letters, since one
/// stands in a URL.
pub(super) const NAMES: [&str; 2] = ["JWT_SECRET", "POSTGRES_PASSWORD"];

/// Draws the secrets into a file, unless they are there; says which.
pub(super) fn keep(path: &Path) -> Result<String> {
    let shown = path.display();
    if path.exists() {
        let text = fs::read_to_string(path).with_context(|| format!("failed to read {shown}"))?;
        let missing: Vec<&str> = NAMES.into_iter().filter(|name| !has(&text, name)).collect();
        if missing.is_empty() {
            return Ok(format!("{shown} has its secrets, and keeps them"));
        }
        bail!("{shown} is there, and lacks {}: add it, or move the file away", missing.join(" and "));
    }
    let mut text = String::from(
        "# Keep it: the database keeps its password, and tokens are signed with the other one.\n",
    );
    for name in NAMES {
        text.push_str(&format!("{name}={}\n", draw_secret()?));
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("failed to write {shown}"))?;
    file.write_all(text.as_bytes())?;
    Ok(format!("wrote {shown}"))
}

fn has(text: &str, name: &str) -> bool {
    let values = text.lines().filter_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='));
    values.into_iter().any(|value| !value.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn secrets_are_drawn_once_and_are_their_owners_alone() {
        let folder = host::state_dir().join("secrets-test");
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(".env");
        fs::remove_file(&path).ok();
        keep(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(NAMES.iter().all(|name| has(&text, name)), "{text}");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        keep(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        fs::write(&path, "JWT_SECRET=x\nPOSTGRES_PASSWORD=\n").unwrap();
        let error = keep(&path).unwrap_err().to_string();
        assert!(error.contains("lacks POSTGRES_PASSWORD"), "{error}");
    }
}
