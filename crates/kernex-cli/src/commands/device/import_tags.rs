use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::{context::Context, output::text};

/// Set labels of many devices from a CSV file, all or none of them
///
/// The first line names the columns: `device_id` or `name` first, then keys of labels. An empty cell leaves the label as it is,
/// `-` removes it.
///
/// Example: kernex device import-tags labels.csv --dry-run
#[derive(Args, Debug)]
pub(crate) struct ImportTags {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Only say how many devices would change
    #[arg(long)]
    dry_run: bool,
}

impl ImportTags {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let csv = std::fs::read_to_string(&self.file)
            .with_context(|| format!("cannot read {}", self.file.display()))?;
        let changed = context.client()?.import_tags(csv, self.dry_run).await?;
        let would = if changed.dry_run { "would change" } else { "changed" };
        context.show(&changed, || {
            format!("{} {would}, of {} named.", text::count(changed.changed, "device"), changed.matched)
        })
    }
}
