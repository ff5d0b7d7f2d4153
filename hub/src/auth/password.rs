//! Passwords: argon2id, hashed beside the runtime and a few at a time, since each takes a core and
//! 19 MiB for some 20 ms.

use crate::limits::{PASSWORD_WAIT, PASSWORDS_WAITING_MAX};
use crate::random::Random;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use std::fmt;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// The cost of a password's hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordParams {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub iterations: u32,
    /// Lanes.
    pub parallelism: u32,
}

impl Default for PasswordParams {
    /// The OWASP Password Storage Cheat Sheet's first choice for argon2id with little memory.
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, iterations: 2, parallelism: 1 }
    }
}

impl PasswordParams {
    /// Whether argon2 takes them.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn check(self) -> Result<(), String> {
        self.argon2().map(drop).map_err(|error| error.to_string())
    }

    fn argon2(self) -> Result<Argon2<'static>, argon2::Error> {
        let params = Params::new(self.memory_kib, self.iterations, self.parallelism, None)?;
        Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
    }
}

/// Why a password was neither hashed nor compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PasswordError {
    /// Too many others are waiting.
    #[error("too many passwords are being checked")]
    Busy,
    /// A defect, or a stored hash that is none.
    #[error("password could not be hashed")]
    Failed,
}

/// Hashes and compares passwords.
pub struct Passwords {
    argon2: Argon2<'static>,
    /// What a login for nobody is compared with, so that it takes as long as any other.
    decoy: String,
    waiting: Semaphore,
    hashing: Arc<Semaphore>,
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords").field("hashing", &self.hashing).finish_non_exhaustive()
    }
}

impl Passwords {
    /// Hashes at these costs, `at_a_time` at once.
    ///
    /// # Errors
    /// When argon2 does not take the costs.
    pub fn new(params: PasswordParams, at_a_time: usize, random: &dyn Random) -> Result<Self, String> {
        let argon2 = params.argon2().map_err(|error| error.to_string())?;
        let decoy = hash(&argon2, b"", &salt(random)).map_err(|error| error.to_string())?;
        let at_a_time = at_a_time.clamp(1, Semaphore::MAX_PERMITS / PASSWORDS_WAITING_MAX);
        Ok(Self {
            argon2,
            decoy,
            waiting: Semaphore::new(at_a_time * PASSWORDS_WAITING_MAX),
            hashing: Arc::new(Semaphore::new(at_a_time)),
        })
    }

    /// The PHC string of a password under a fresh salt.
    pub(super) async fn hash(&self, password: String, random: &dyn Random) -> Result<String, PasswordError> {
        let salt = salt(random);
        let argon2 = self.argon2.clone();
        self.run(move || hash(&argon2, password.as_bytes(), &salt)).await?
    }

    /// Whether a password is the one behind this PHC string. Without one it is not, and that takes
    /// as long to find out.
    pub(super) async fn matches(&self, password: String, phc: Option<String>) -> Result<bool, PasswordError> {
        let known = phc.is_some();
        let phc = phc.unwrap_or_else(|| self.decoy.clone());
        let argon2 = self.argon2.clone();
        let same = move || {
            let parsed = PasswordHash::new(&phc).map_err(|_| PasswordError::Failed)?;
            Ok(argon2.verify_password(password.as_bytes(), &parsed).is_ok())
        };
        Ok(self.run(same).await?? && known)
    }

    /// Runs beside the runtime. One too many is refused at once; one that waits too long later. The
    /// turn ends with the work, even when the asker has gone.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PasswordError> {
        let _waiting = self.waiting.try_acquire().map_err(|_| PasswordError::Busy)?;
        let turn = Arc::clone(&self.hashing).acquire_owned();
        let turn = tokio::time::timeout(PASSWORD_WAIT, turn)
            .await
            .map_err(|_| PasswordError::Busy)?
            .map_err(|_| PasswordError::Failed)?;
        let work = move || {
            let _turn = turn;
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| PasswordError::Failed)
    }
}

fn hash(argon2: &Argon2<'_>, password: &[u8], salt: &SaltString) -> Result<String, PasswordError> {
    argon2.hash_password(password, salt).map(|phc| phc.to_string()).map_err(|_| PasswordError::Failed)
}

fn salt(random: &dyn Random) -> SaltString {
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    SaltString::encode_b64(&bytes).expect("sixteen bytes are a salt")
}
