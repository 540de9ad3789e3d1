use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use kernex_api::bundles::Bundle;

use super::BundleArg;
use crate::{
    confirm::confirm,
    context::Context,
    output::{say, text},
    progress,
    resolve::find_bundle,
};

/// Fetch a bundle from the control plane and check it
///
/// Prints the path of the file. A download that was interrupted goes on where it stopped; the file appears under its name
/// only when it is complete and has the right digest.
///
/// Example: kernex bundle pull detector@1.2.0 --to /tmp/
#[derive(Args, Debug)]
pub(crate) struct Pull {
    #[command(flatten)]
    bundle: BundleArg,
    /// File or folder to write to; the current folder when absent
    #[arg(long, value_name = "PATH", default_value = ".")]
    to: PathBuf,
}

impl Pull {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let bundle = find_bundle(&client, &self.bundle.bundle).await?;
        let path = destination(&self.to, &bundle);
        if path.exists() {
            let (digest, _) = kernex_bundle::sha256_file(&path)
                .with_context(|| format!("`{}` cannot be read", path.display()))?;
            if digest.to_string() == bundle.checksum_sha256 {
                say("The file is there already, and is right.");
                return finish(context, &bundle, &path);
            }
            confirm(context, &format!("Replace `{}`, which is another file?", path.display()))?;
        }
        let bar = progress::bytes_bar("Fetching", bundle.size_bytes);
        let result = client
            .download_bundle(bundle.bundle_id, &bundle.checksum_sha256, &path, |bytes| {
                bar.set_position(bytes);
            })
            .await;
        bar.finish_and_clear();
        let size = result.with_context(|| format!("`{}` could not be fetched", path.display()))?;
        say(&format!("Fetched {}; the digest is right.", text::size(size)));
        finish(context, &bundle, &path)
    }
}

fn finish(context: &Context, bundle: &Bundle, path: &Path) -> Result<()> {
    context.show(bundle, || text::printable(&path.display().to_string()))
}

fn destination(to: &Path, bundle: &Bundle) -> PathBuf {
    let names_folder = to.is_dir() || to.as_os_str().to_string_lossy().ends_with('/');
    if names_folder {
        to.join(format!("{}-{}.tar.{}", bundle.name, bundle.version, bundle.format))
    } else {
        to.to_owned()
    }
}
