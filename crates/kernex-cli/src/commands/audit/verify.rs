use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use clap::Args;
use kernex_api::{
    audit::{AuditCheckpoints, is_signed, sha256_hex},
    signing::PublicKey,
};
use kernex_client::{AuditQuery, OperatorClient};
use kernex_core::{
    OrganizationId,
    audit::{AuditCheckpoint, AuditRecord, ChainVerifier, Verified},
};
use serde::Serialize;

use super::checkpoints;
use crate::{
    context::Context,
    exit_code::ExitCode,
    failure::Failure,
    output::{say, text},
};

/// Longest line of an export: a record with two objects of 16 KiB, escaped.
const MAX_LINE_BYTES: usize = 1024 * 1024;

/// Check the chain of the audit log: every hash, every link, no gap, and the signed checkpoints
///
/// Without --file the records come from the control plane. With --file an export (JSON lines) is checked offline. Checkpoints
/// that you kept elsewhere (`kernex audit checkpoints --output json`) find what was cut off or made anew since; the public key
/// should be one that you kept, too. Exit code 0 only when everything fits.
///
/// Example: kernex audit verify --file audit.jsonl --checkpoints checkpoints.json --public-key audit.pem
#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// An export to check instead of the control plane's records
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Checkpoints that you kept
    #[arg(long, value_name = "FILE")]
    checkpoints: Option<PathBuf>,
    /// A key (PEM) that signs checkpoints; may be repeated. When absent, the one that stands beside the checkpoints is believed
    #[arg(long = "public-key", value_name = "FILE")]
    public_keys: Vec<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Report {
    valid: bool,
    records: u64,
    last_sequence: u64,
    last_hash: String,
    checkpoints: u64,
    faults: Vec<String>,
}

impl Verify {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let kept = self.checkpoints.as_deref().map(read_checkpoints).transpose()?;
        let (report, is_pinned) = match &self.file {
            Some(path) => (verify_file(path, kept, &self.keys()?)?, !self.public_keys.is_empty()),
            None => {
                (verify_server(&context.client()?, kept, &self.keys()?).await?, !self.public_keys.is_empty())
            }
        };
        if report.checkpoints > 0 && !is_pinned {
            say(
                "The checkpoints were checked with the key that came with them; --public-key takes one that you kept.",
            );
        }
        context.show(&report, || render(&report))?;
        if report.valid {
            return Ok(());
        }
        let faults = text::count(report.faults.len() as u64, "fault");
        Err(Failure::new(ExitCode::Failure, format!("the audit log does not verify: {faults}")).into())
    }

    fn keys(&self) -> Result<Vec<PublicKey>> {
        self.public_keys.iter().map(|path| read_key(path)).collect()
    }
}

fn render(report: &Report) -> String {
    let mut lines = vec![format!(
        "{}: {}, the last is no. {} with hash {}; {} fit",
        if report.valid { "The chain is whole" } else { "The chain is NOT whole" },
        text::count(report.records, "record"),
        report.last_sequence,
        report.last_hash,
        text::count(report.checkpoints, "checkpoint"),
    )];
    lines.extend(report.faults.iter().map(|fault| format!("- {fault}")));
    lines.join("\n")
}

fn read_key(path: &Path) -> Result<PublicKey> {
    let pem = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    PublicKey::from_pem(&pem, None).with_context(|| format!("{} is no public key", path.display()))
}

fn read_checkpoints(path: &Path) -> Result<AuditCheckpoints> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| {
        format!("{} is not what `kernex audit checkpoints --output json` writes", path.display())
    })
}

/// Adds the keys that came with checkpoints when none were given.
fn believed(given: &[PublicKey], published: &AuditCheckpoints) -> Vec<PublicKey> {
    if !given.is_empty() {
        return given.to_vec();
    }
    let keys = published.public_keys.iter();
    keys.filter_map(|key| PublicKey::from_pem(&key.public_key_pem, None).ok()).collect()
}

/// Checkpoints whose signature is good, and a sentence about each other one.
fn sort_out(checkpoints: Vec<AuditCheckpoint>, keys: &[PublicKey]) -> (Vec<AuditCheckpoint>, Vec<String>) {
    let (good, bad): (Vec<_>, Vec<_>) =
        checkpoints.into_iter().partition(|checkpoint| is_signed(checkpoint, keys));
    let faults = bad.iter().map(|checkpoint| {
        format!("the checkpoint over record {} is not signed by a key that is believed", checkpoint.sequence)
    });
    (good, faults.collect())
}

async fn verify_server(
    client: &OperatorClient,
    kept: Option<AuditCheckpoints>,
    keys: &[PublicKey],
) -> Result<Report> {
    let published = checkpoints::fetch(client).await?;
    let org_id = client.me().await?.org_id;
    let keys = believed(keys, kept.as_ref().unwrap_or(&published));
    let end = published.end.sequence;
    let after = (published.archived.sequence > 0)
        .then(|| (published.archived.sequence, published.archived.hash.clone()));
    let (mut good, mut faults) = sort_out(published.checkpoints, &keys);
    let (own, own_faults) = sort_out(kept.map(|kept| kept.checkpoints).unwrap_or_default(), &keys);
    if let Some((sequence, hash)) = &after
        && !good
            .iter()
            .chain(&own)
            .any(|checkpoint| checkpoint.sequence == *sequence && checkpoint.hash == *hash)
    {
        faults.push(format!(
            "records up to {sequence} were archived, but no checkpoint was signed over the last of them"
        ));
    }
    good.extend(own);
    faults.extend(own_faults);
    let mut chain = Chain::new(org_id, after, good);
    while chain.last < end {
        let before = chain.last;
        let query = AuditQuery { cursor: Some(chain.last.to_string()), ..AuditQuery::default() };
        let mut export = client.export_audit(&query, false).await?;
        let mut rest = Vec::new();
        while let Some(bytes) = export.chunk().await? {
            rest.extend_from_slice(&bytes);
            while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
                chain.push(&rest[..at])?;
                rest.drain(..=at);
            }
        }
        if chain.last == before {
            break;
        }
    }
    let cut = (chain.last < end).then(|| {
        format!("the control plane names record {end} as the last, but gives none after {}", chain.last)
    });
    faults.extend(cut);
    Ok(chain.report(faults))
}

fn verify_file(path: &Path, kept: Option<AuditCheckpoints>, keys: &[PublicKey]) -> Result<Report> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let (good, faults) = match kept {
        Some(kept) => {
            let keys = believed(keys, &kept);
            sort_out(kept.checkpoints, &keys)
        }
        None => (Vec::new(), Vec::new()),
    };
    let mut chain: Option<Chain> = None;
    for line in BufReader::new(file).split(b'\n') {
        let line = line.with_context(|| format!("cannot read {}", path.display()))?;
        if chain.is_none() {
            let first = parse(&line)?;
            // An export that begins later can only be checked from there.
            let after = (first.sequence > 1).then(|| (first.sequence - 1, first.previous_hash.clone()));
            if after.is_some() {
                say(&format!(
                    "The export begins with record {}; what was before it is not checked.",
                    first.sequence
                ));
            }
            chain = Some(Chain::new(first.org_id, after, good.clone()));
        }
        if let Some(chain) = &mut chain {
            chain.push(&line)?;
        }
    }
    match chain {
        Some(chain) => Ok(chain.report(faults)),
        None => Err(Failure::new(ExitCode::Failure, format!("{} holds no records", path.display())).into()),
    }
}

fn parse(line: &[u8]) -> Result<AuditRecord> {
    anyhow::ensure!(
        line.len() <= MAX_LINE_BYTES,
        "a line of the export has more than {MAX_LINE_BYTES} bytes"
    );
    serde_json::from_slice(line).context("a line of the export is no record; was the export cut off?")
}

struct Chain {
    verifier: ChainVerifier,
    records: u64,
    last: u64,
}

impl Chain {
    fn new(org_id: OrganizationId, after: Option<(u64, String)>, checkpoints: Vec<AuditCheckpoint>) -> Self {
        let last = after.as_ref().map_or(0, |(sequence, _)| *sequence);
        Self { verifier: ChainVerifier::new(org_id, after, checkpoints, sha256_hex), records: 0, last }
    }

    fn push(&mut self, line: &[u8]) -> Result<()> {
        let record = parse(line)?;
        self.verifier.push(&record);
        self.records += 1;
        self.last = self.last.max(record.sequence);
        Ok(())
    }

    fn report(self, mut faults: Vec<String>) -> Report {
        let Verified { sequence, hash, confirmed, faults: found } = self.verifier.finish(None);
        faults.extend(found.iter().map(ToString::to_string));
        Report {
            valid: faults.is_empty(),
            records: self.records,
            last_sequence: sequence,
            last_hash: hash,
            checkpoints: confirmed,
            faults,
        }
    }
}
