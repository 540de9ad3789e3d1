use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use kernex_api::bundles::UploadedBundle;
use kernex_bundle::{Manifest, PackOptions, pack_to_file};
use kernex_client::OperatorClient;

use super::inspection::{self, Checked, describe, read_manifest, show};
use crate::{
    context::Context,
    exit_code::ExitCode,
    failure::Failure,
    output::{say, table::Fields, text},
    progress,
};

/// Push a bundle to the control plane; a folder is packed first
///
/// The bundle is checked before it is sent, and the digest that the control plane computed is compared with the one
/// computed here.
///
/// Example: kernex bundle push ./detector
#[derive(Args, Debug)]
pub(crate) struct Push {
    /// A .tar.gz or .tar.zst archive, or a folder with a manifest.json
    #[arg(value_name = "FILE_OR_DIR")]
    path: PathBuf,
    /// The manifest, when it is not in the archive
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
}

impl Push {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let manifest = read_manifest(self.manifest.as_deref())?;
        if !self.path.is_dir() {
            let checked = inspection::check(&self.path, manifest.as_ref())?;
            return push(context, &client, &self.path, &checked, manifest.map(|(_, parsed)| parsed)).await;
        }
        let scratch = Scratch::create()?;
        let options = PackOptions {
            manifest: manifest.as_ref().map(|(bytes, _)| bytes.as_slice()),
            ..PackOptions::default()
        };
        let bar = progress::bytes_bar("Packing", 0);
        let packed = pack_to_file(&self.path, &scratch.dir, &options, &mut |done, all| show(&bar, done, all));
        bar.finish_and_clear();
        let packed = packed.with_context(|| format!("`{}` could not be packed", self.path.display()))?;
        let path = packed.path.clone().context("the archive was packed without a path")?;
        push(context, &client, &path, &describe(&packed, options.format.extension()), None).await
    }
}

async fn push(
    context: &Context,
    client: &OperatorClient,
    path: &Path,
    checked: &Checked,
    manifest: Option<Manifest>,
) -> Result<()> {
    let what = format!("{}@{}", checked.name, checked.version);
    say(&format!("Pushing {what}, {}.", text::size(checked.size_bytes)));
    let bar = progress::bytes_bar("Pushing", checked.size_bytes);
    let drawn = bar.clone();
    let manifest = manifest.as_ref().map(Manifest::json);
    let result = client.upload_bundle(path, manifest, move |bytes| drawn.set_position(bytes)).await;
    bar.finish_and_clear();
    let uploaded = match result {
        Err(error) if error.status() == Some(409) => {
            let message = format!("the control plane has {what} already: {error}");
            let hint = "bundles never change; raise the version in manifest.json";
            return Err(Failure::new(ExitCode::Conflict, message).hint(hint).into());
        }
        result => result.with_context(|| format!("{what} could not be pushed"))?,
    };
    if uploaded.checksum_sha256 != checked.checksum_sha256 {
        return Err(changed_on_the_way(&uploaded, checked).into());
    }
    context.show(&uploaded, || render(&uploaded))
}

fn changed_on_the_way(uploaded: &UploadedBundle, checked: &Checked) -> Failure {
    let message = format!(
        "the control plane stored bytes with the SHA-256 {}, but the file had {}",
        uploaded.checksum_sha256, checked.checksum_sha256
    );
    let hint =
        format!("the file changed meanwhile; `kernex bundle delete {}`, then push again", uploaded.bundle_id);
    Failure::new(ExitCode::Failure, message).hint(hint)
}

fn render(uploaded: &UploadedBundle) -> String {
    let mut fields = Fields::new();
    fields.add("bundle", uploaded.bundle_id.to_string());
    fields.add("name", uploaded.name.as_str()).add("version", uploaded.version.as_str());
    fields.add("size", text::size(uploaded.size_bytes)).add("sha-256", uploaded.checksum_sha256.as_str());
    fields.render(None)
}

/// A folder that goes away with the archive in it.
struct Scratch {
    dir: PathBuf,
}

impl Scratch {
    fn create() -> Result<Self> {
        let dir = std::env::temp_dir().join(format!("kernex-push-{}-{}", std::process::id(), random()));
        std::fs::create_dir(&dir).with_context(|| format!("`{}` cannot be made", dir.display()))?;
        Ok(Self { dir })
    }
}

/// Enough that two folders do not meet; the folder is made anew or not at all.
fn random() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(0)
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It lies in the folder for temporary files; there is nobody to tell.
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
