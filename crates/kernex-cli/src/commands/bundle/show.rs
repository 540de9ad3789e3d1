use anyhow::Result;
use clap::Args;
use kernex_api::bundles::Bundle;
use kernex_core::Timestamp;
use serde::Serialize;

use super::BundleArg;
use crate::{
    context::Context,
    output::{table::Fields, text},
    resolve::find_bundle,
};

/// Show one bundle and its manifest
///
/// Example: kernex bundle show detector@1.2.0
#[derive(Args, Debug)]
pub(crate) struct Show {
    #[command(flatten)]
    bundle: BundleArg,
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    bundle: Bundle,
    manifest: serde_json::Value,
}

impl Show {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let bundle = find_bundle(&client, &self.bundle.bundle).await?;
        let manifest = client.get_manifest(bundle.bundle_id).await?;
        let shown = Shown { bundle, manifest };
        context.show(&shown, || render(&shown, context.now()))
    }
}

fn render(shown: &Shown, now: Timestamp) -> String {
    let bundle = &shown.bundle;
    let mut fields = Fields::new();
    fields.add("bundle", bundle.bundle_id.to_string());
    fields.add("name", bundle.name.as_str()).add("version", bundle.version.as_str());
    fields.add("size", format!("{} ({} bytes)", text::size(bundle.size_bytes), bundle.size_bytes));
    fields.add("sha-256", bundle.checksum_sha256.as_str()).add("format", bundle.format.as_str());
    fields.add("description", text::or_none(bundle.description.as_ref()));
    fields.add("uploaded", format!("{} by {}", text::ago(bundle.created_at, now), bundle.uploaded_by));
    let manifest = serde_json::to_string_pretty(&shown.manifest).unwrap_or_default();
    format!("{}\n\n{}", fields.render(None), text::printable(&manifest))
}
