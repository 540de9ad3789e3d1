//! Passwords: argon2id, off the async threads, a few at a time.

use std::sync::Arc;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use kernex_api::auth::{MAX_PASSWORD_BYTES, MIN_PASSWORD_CHARS};
use tokio::sync::Semaphore;

use crate::error::{ApiError, ApiResult};

/// A hash takes 19 MiB and 50 ms of a core: two at a time leave the rest of a small machine alone.
const AT_A_TIME: usize = 2;
/// More than this many waiting are turned away.
const MAX_WAITING: usize = 64;

/// Hashes and checks passwords.
#[derive(Clone, Debug)]
pub struct PasswordHasher {
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Default for PasswordHasher {
    fn default() -> Self {
        Self::new()
    }
}

impl PasswordHasher {
    /// A hasher of its own.
    pub fn new() -> Self {
        Self { running: Arc::new(Semaphore::new(AT_A_TIME)), waiting: Arc::new(Semaphore::new(MAX_WAITING)) }
    }

    /// The hash to store for a password.
    pub async fn hash(&self, password: &str) -> ApiResult<String> {
        let password = password.to_owned();
        self.run(move || {
            Argon2::default()
                .hash_password(password.as_bytes())
                .map(|hash| hash.to_string())
                .map_err(ApiError::internal)
        })
        .await?
    }

    /// Whether a password fits a stored hash. Without one it takes as long, and does not.
    pub async fn verify(&self, password: &str, stored: Option<&str>) -> ApiResult<bool> {
        // Of a random password that nobody knows.
        const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$1Yz8kHrzAA1bnkrGOT5ZfJRsKJwXqBkP0ZBVjhSyWQ0";
        let known = stored.is_some();
        let (password, stored) = (password.to_owned(), stored.unwrap_or(NOBODY).to_owned());
        let fits = self
            .run(move || {
                PasswordHash::new(&stored)
                    .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
            })
            .await?;
        Ok(known && fits)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> ApiResult<T> {
        let busy = || ApiError::rate_limited("too many logins at the same time", 1);
        let _waiting = self.waiting.try_acquire().map_err(|_| busy())?;
        let _running = self.running.acquire().await.map_err(ApiError::internal)?;
        tokio::task::spawn_blocking(work).await.map_err(ApiError::internal)
    }
}

/// Checks a password that is to be set.
pub fn check_new_password(password: &str) -> ApiResult<()> {
    if password.chars().count() < MIN_PASSWORD_CHARS {
        return Err(ApiError::invalid(format!(
            "password must have at least {MIN_PASSWORD_CHARS} characters"
        )));
    }
    if password.len() > MAX_PASSWORD_BYTES {
        return Err(ApiError::invalid(format!("password must have at most {MAX_PASSWORD_BYTES} bytes")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_fits_and_nobody_fits_no_hash() {
        let hasher = PasswordHasher::new();
        let hash = hasher.hash("correct horse battery").await.unwrap();
        assert!(hash.starts_with("$argon2id$"));
        assert!(hasher.verify("correct horse battery", Some(&hash)).await.unwrap());
        assert!(!hasher.verify("correct horse batterz", Some(&hash)).await.unwrap());
        assert!(!hasher.verify("correct horse battery", None).await.unwrap());
    }
}
