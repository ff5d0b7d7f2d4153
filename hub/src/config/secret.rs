//! The secret that signs access tokens: given, or made once and kept in a file that only its owner
//! reads.

use crate::random::Random;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

const SECRET_BYTES: usize = 32;

/// A secret; never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Keeps a secret from eyes.
    #[must_use]
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The secret itself.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(<redacted>)")
    }
}

/// Where the secret comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// From a setting.
    Given(Secret),
    /// From this file, which is made at first start.
    Kept(PathBuf),
}

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file or its folder cannot be made, read or written.
    #[error("cannot keep a secret in {path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Others may read the file.
    #[error(
        "others may read {path} (mode {mode:o}): run `chmod 600 {path}`, or delete it to have a new one made, which signs everyone out"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The file holds something else.
    #[error(
        "{path} does not hold a secret of {SECRET_BYTES} bytes in base64url: delete it to have a new one made, which signs everyone out"
    )]
    Malformed {
        /// The file.
        path: PathBuf,
    },
}

impl SecretSource {
    /// The secret; makes and keeps one where there is none. However many nodes start at the same
    /// time in one folder, all get the same.
    ///
    /// # Errors
    /// [`SecretError`].
    pub fn load(&self, random: &dyn Random) -> Result<Secret, SecretError> {
        let path = match self {
            Self::Given(secret) => return Ok(secret.clone()),
            Self::Kept(path) => path,
        };
        let io_error = |error| SecretError::Io { path: path.clone(), error };
        if !fs::exists(path).map_err(io_error)? {
            create(path, random).map_err(io_error)?;
        }
        read(path)
    }
}

/// Makes a folder that only its owner enters, and the folders above it.
///
/// # Errors
/// What the system says.
pub(crate) fn create_private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn read(path: &Path) -> Result<Secret, SecretError> {
    let io_error = |error| SecretError::Io { path: path.to_owned(), error };
    let mode = fs::metadata(path).map_err(io_error)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(SecretError::Exposed { path: path.to_owned(), mode });
    }
    let text = fs::read(path).map_err(io_error)?;
    let bytes = URL_SAFE_NO_PAD.decode(text.trim_ascii()).unwrap_or_default();
    if bytes.len() != SECRET_BYTES {
        return Err(SecretError::Malformed { path: path.to_owned() });
    }
    Ok(Secret(bytes))
}

/// The file appears under its name whole or not at all, and never takes the place of another.
fn create(path: &Path, random: &dyn Random) -> io::Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    create_private_dir(dir)?;
    let draft = dir.join(format!(".jwt-secret.{}", random.uuid()));
    let made = write_draft(&draft, random).and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    let removed = fs::remove_file(&draft);
    made.and(removed)?;
    File::open(dir)?.sync_all()
}

fn write_draft(path: &Path, random: &dyn Random) -> io::Result<()> {
    let mut secret = [0; SECRET_BYTES];
    random.fill(&mut secret);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(format!("{}\n", URL_SAFE_NO_PAD.encode(secret)).as_bytes())?;
    file.sync_all()
}
