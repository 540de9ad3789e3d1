use anyhow::Result;
use clap::Args;
use kernex_api::bundles::VerifyBundleRequest;

use super::BundleArg;
use crate::{context::Context, exit_code::ExitCode, failure::Failure, resolve::find_bundle};

/// Let the control plane read a bundle's stored bytes again and check them
///
/// Prints the digest of the bytes. The exit code is 0 only when they are those that were uploaded.
///
/// Example: kernex bundle verify detector@1.2.0
#[derive(Args, Debug)]
pub(crate) struct Verify {
    #[command(flatten)]
    bundle: BundleArg,
    /// A SHA-256, in hex, that the bytes must have too
    #[arg(long, value_name = "DIGEST")]
    sha256: Option<String>,
}

impl Verify {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let bundle = find_bundle(&client, &self.bundle.bundle).await?;
        let request =
            VerifyBundleRequest { checksum_sha256: self.sha256.map(|digest| digest.to_ascii_lowercase()) };
        let answer = client.verify_bundle(bundle.bundle_id, &request).await?;
        context.show(&answer, || answer.checksum_sha256.clone())?;
        if answer.valid {
            return Ok(());
        }
        let expected = request.checksum_sha256.unwrap_or(bundle.checksum_sha256);
        let message = format!(
            "bundle {}@{} is damaged: its bytes should have the SHA-256 {expected}",
            bundle.name, bundle.version
        );
        Err(Failure::new(ExitCode::Failure, message)
            .hint(
                "do not deploy it; restore the storage from a backup, or push it again under another version",
            )
            .into())
    }
}
