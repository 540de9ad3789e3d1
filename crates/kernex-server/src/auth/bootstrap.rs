//! The one-time link for the first admin.

use kernex_store::Store;

use crate::secrets::{random_token, sha256_hex};

/// A link that makes the first admin, once. It is shown to whoever starts the program, and nowhere else.
pub struct BootstrapLink(String);

impl BootstrapLink {
    /// The link. Its secret stands behind `#`, which browsers do not send.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Makes a link while there are no users; an earlier one is void then.
pub async fn make_bootstrap_link(
    store: &Store,
    public_url: &str,
) -> kernex_store::Result<Option<BootstrapLink>> {
    let secret = random_token();
    if !store.set_bootstrap(&sha256_hex(&secret)).await? {
        return Ok(None);
    }
    Ok(Some(BootstrapLink(format!("{}/setup#{secret}", public_url.trim_end_matches('/')))))
}
