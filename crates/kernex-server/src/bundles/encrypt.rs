//! `kernex-server bundles encrypt`: what was stored before encryption was switched on.

use anyhow::Context as _;
use kernex_blobs::BlobStore;
use kernex_core::Clock as _;

use crate::{Settings, clock::SystemClock, config::Options, secrets::Secrets, serve};

/// Encrypt the stored bytes of bundles.
#[derive(Clone, Debug, clap::Args)]
pub struct Encrypt {
    /// Where the bytes and the keys are.
    #[command(flatten)]
    pub options: Options,
}

/// Encrypts every bundle that is not; one that fails does not stop the others.
pub async fn run(command: Encrypt) -> anyhow::Result<()> {
    let (settings, vault) = serve::with_vault(Settings::resolve(command.options)?).await?;
    let secrets = Secrets::load_or_create(&settings, vault, SystemClock.now())?;
    let blobs = BlobStore::attach(&settings.data_dir).with_encryption(serve::encryption(&settings, &secrets));
    let ids = blobs.list().context("listing bundle bytes")?;
    let (mut encrypted, mut failed) = (0_u64, 0_u64);
    for (number, id) in ids.iter().enumerate() {
        let place = format!("{}/{}", number + 1, ids.len());
        match blobs.encrypt(*id).await {
            Ok(Some(bytes)) => {
                encrypted += 1;
                eprintln!("{place} {id}: {bytes} bytes encrypted");
            }
            Ok(None) => eprintln!("{place} {id}: encrypted already"),
            Err(error) => {
                failed += 1;
                eprintln!("{place} {id}: {error}");
            }
        }
    }
    eprintln!("{encrypted} of {} bundles were encrypted now", ids.len());
    anyhow::ensure!(failed == 0, "{failed} bundles could not be encrypted");
    Ok(())
}
