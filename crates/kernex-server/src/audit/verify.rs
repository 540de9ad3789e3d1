//! `kernex-server audit verify`: the chains as they are in the database, against the checkpoints in the database and in the file.

use std::path::PathBuf;

use anyhow::Context as _;
use kernex_api::{
    audit::{is_signed, sha256_hex},
    signing::PublicKey,
};
use kernex_core::{
    OrganizationId,
    audit::{AuditCheckpoint, ChainVerifier, Verified},
};
use kernex_store::{AuditFilter, ChainHead, Store};

use super::{AuditSigner, CHECKPOINTS_FILE, read_checkpoints};
use crate::{Settings, config::Options, secrets::private_file::make_private_dir, serve};

/// Records and checkpoints that are read at a time.
const CHUNK: u32 = 1_000;

/// Verify the audit log.
#[derive(Clone, Debug, clap::Args)]
pub struct Verify {
    /// A key (PEM) that signed checkpoints, beside this server's own; may be repeated.
    #[arg(long = "public-key", value_name = "FILE")]
    pub public_keys: Vec<PathBuf>,
    /// Checkpoints (JSON lines) that were kept elsewhere, beside those of the data folder; may be repeated.
    #[arg(long = "checkpoints", value_name = "FILE")]
    pub checkpoints: Vec<PathBuf>,
    /// Where the database is.
    #[command(flatten)]
    pub options: Options,
}

/// Verifies every chain; an error when one is not whole.
#[expect(clippy::print_stdout, reason = "the findings are the command's result")]
pub async fn run(command: Verify) -> anyhow::Result<()> {
    let (settings, _) = serve::with_vault(Settings::resolve(command.options)?).await?;
    make_private_dir(&settings.keys_dir())?;
    let mut keys = vec![AuditSigner::load_or_create(&settings.keys_dir())?.public_key().clone()];
    for path in &command.public_keys {
        let pem = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let key = PublicKey::from_pem(&pem, None);
        keys.push(key.with_context(|| format!("{} is no public key", path.display()))?);
    }
    let mut kept = read_checkpoints(&settings.data_dir.join(CHECKPOINTS_FILE))?;
    for path in &command.checkpoints {
        kept.extend(read_checkpoints(path)?);
    }
    let store = Store::open(&serve::store_options(&settings)).await.context("cannot open the database")?;
    let (mut chains, mut broken) = (0, 0_u64);
    for org in organisations(&store, &kept).await? {
        let (verified, faults) = verify(&store, org, &kept, &keys).await?;
        chains += 1;
        broken += u64::from(!faults.is_empty());
        let word = if faults.is_empty() { "whole" } else { "NOT whole" };
        println!("{org}: {word}, {} records, {} checkpoints fit", verified.sequence, verified.confirmed);
        faults.iter().for_each(|fault| println!("  - {fault}"));
    }
    store.close().await;
    anyhow::ensure!(broken == 0, "{broken} of {chains} chains are not whole");
    Ok(())
}

/// Those that have a chain, and those that had one when a checkpoint was signed.
async fn organisations(store: &Store, kept: &[AuditCheckpoint]) -> anyhow::Result<Vec<OrganizationId>> {
    let mut all: Vec<_> = store.audit_heads().await?.into_iter().map(|head| head.org_id).collect();
    all.extend(kept.iter().map(|checkpoint| checkpoint.org_id));
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

/// Verifies one chain: what walking it gave, and what is wrong.
pub async fn verify(
    store: &Store,
    org: OrganizationId,
    kept: &[AuditCheckpoint],
    keys: &[PublicKey],
) -> anyhow::Result<(Verified, Vec<String>)> {
    let head = store.find_audit_head(org).await?;
    let (good, mut faults) = checkpoints(store, org, kept, keys).await?;
    let archived = head.as_ref().filter(|head| head.archived_sequence > 0);
    if let Some(head) = archived.filter(|head| !is_anchored(head, &good)) {
        let sequence = head.archived_sequence;
        faults.push(format!(
            "records up to {sequence} are gone, and no checkpoint was signed over the last of them"
        ));
    }
    let begin = archived.map(|head| (head.archived_sequence, head.archived_hash.clone()));
    let mut sequence = begin.as_ref().map_or(0, |(sequence, _)| *sequence);
    // Up to the head that was read first: the server may be adding to the chain.
    let end = head.as_ref().map_or(0, |head| head.sequence);
    let within = good
        .into_iter()
        .filter(|checkpoint| head.is_none() || checkpoint.sequence <= end.max(newest(kept, org)));
    let mut verifier = ChainVerifier::new(org, begin, within.collect(), sha256_hex);
    while sequence < end {
        let page = store.scan_audit(org, &AuditFilter::default(), sequence, CHUNK).await?;
        let Some((last, _)) = page.last() else { break };
        sequence = last.sequence;
        let page = page.iter().filter(|(record, _)| record.sequence <= end);
        page.for_each(|(record, hash)| verifier.push_hashed(record, hash));
    }
    let verified = verifier.finish(head.as_ref().map(|head| (head.sequence, head.hash.as_str())));
    faults.extend(verified.faults.iter().map(ToString::to_string));
    Ok((verified, faults))
}

/// The newest record that a kept checkpoint names: it was there before this began.
fn newest(kept: &[AuditCheckpoint], org: OrganizationId) -> u64 {
    let own = kept.iter().filter(|checkpoint| checkpoint.org_id == org);
    own.map(|checkpoint| checkpoint.sequence).max().unwrap_or(0)
}

/// The checkpoints whose signature is good, and a sentence about each other one.
async fn checkpoints(
    store: &Store,
    org: OrganizationId,
    kept: &[AuditCheckpoint],
    keys: &[PublicKey],
) -> anyhow::Result<(Vec<AuditCheckpoint>, Vec<String>)> {
    let own = kept.iter().filter(|checkpoint| checkpoint.org_id == org);
    let mut all: Vec<_> = own.cloned().collect();
    let mut after = 0;
    loop {
        let page = store.list_audit_checkpoints(org, after, CHUNK).await?;
        let Some(last) = page.last() else { break };
        after = last.sequence;
        all.extend(page);
    }
    let (good, bad): (Vec<_>, Vec<_>) = all.into_iter().partition(|checkpoint| is_signed(checkpoint, keys));
    let faults = bad.iter().map(|bad| {
        format!("the checkpoint over record {} is not signed by a key that is believed", bad.sequence)
    });
    Ok((good, faults.collect()))
}

fn is_anchored(head: &ChainHead, checkpoints: &[AuditCheckpoint]) -> bool {
    let (sequence, hash) = (head.archived_sequence, &head.archived_hash);
    checkpoints.iter().any(|checkpoint| checkpoint.sequence == sequence && checkpoint.hash == *hash)
}
