use std::{
    fs::File,
    io::{self, Write},
    path::PathBuf,
};

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};

use super::filter::AuditFilterArgs;
use crate::{context::Context, output::say};

/// Write records, oldest first, as JSON lines or CSV
///
/// Without filters the JSON lines are a chain that `kernex audit verify --file` checks offline. The control plane gives at most
/// 1,000,000 records at once; --after goes on from the last one.
///
/// Example: kernex audit export --file audit.jsonl
#[derive(Args, Debug)]
pub(crate) struct Export {
    #[command(flatten)]
    filter: AuditFilterArgs,
    /// Where to write; standard output when absent
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// How records are written
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: Format,
    /// Only records after this number
    #[arg(long, value_name = "NO")]
    after: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A JSON object per line
    #[default]
    Jsonl,
    /// Comma-separated values, harmless in a spreadsheet
    Csv,
}

impl Export {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let mut query = self.filter.query();
        query.cursor = self.after.map(|after| after.to_string());
        let mut export = context.client()?.export_audit(&query, self.format == Format::Csv).await?;
        let mut to: Box<dyn Write> = match &self.file {
            Some(path) => {
                Box::new(File::create(path).with_context(|| format!("cannot write {}", path.display()))?)
            }
            None => Box::new(io::stdout().lock()),
        };
        while let Some(bytes) = export.chunk().await? {
            to.write_all(&bytes).context("cannot write the records")?;
        }
        to.flush().context("cannot write the records")?;
        if let Some(path) = &self.file {
            say(&format!("Wrote {}.", path.display()));
        }
        Ok(())
    }
}
