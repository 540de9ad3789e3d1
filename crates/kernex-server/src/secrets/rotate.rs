//! `kernex-server secrets rotate`, `secrets list`: changing keys while the server runs.

use anyhow::Context as _;
use kernex_core::{AuditResult, Clock as _, OrganizationId, Timestamp};
use kernex_store::{AuditScope, Outcome, Store};

use super::{KeyRing, Purpose, Secrets, load_rings, private_file, root};
use crate::{Settings, clock::SystemClock, config::Options, serve};

/// Change a key. A running server takes the new one within seconds and honours the old one for its time.
#[derive(Clone, Debug, clap::Args)]
pub struct Rotate {
    /// Which key.
    #[arg(value_enum)]
    pub purpose: Purpose,
    /// Where the keys and the database are.
    #[command(flatten)]
    pub options: Options,
}

/// Show the keys: their ids and when they were retired.
#[derive(Clone, Debug, clap::Args)]
pub struct List {
    /// Where the keys are.
    #[command(flatten)]
    pub options: Options,
}

/// Changes a key, and says so in the audit log.
#[expect(clippy::print_stdout, reason = "what was done is the command's result")]
pub async fn run(command: Rotate) -> anyhow::Result<()> {
    let (settings, _) = serve::with_vault(Settings::resolve(command.options)?).await?;
    serve::create_data_dir(&settings)?;
    let (purpose, now) = (command.purpose, SystemClock.now());
    let ring = rotate(&settings, purpose, now)?;
    let store = Store::open(&serve::store_options(&settings)).await.context("cannot open the database")?;
    record(&store, purpose, &ring, now).await?;
    store.close().await;
    println!(
        "the {} key is now {}; a running server takes it within 5 seconds",
        purpose.word(),
        ring.current().id()
    );
    Ok(())
}

/// Puts a new key before the others.
pub fn rotate(settings: &Settings, purpose: Purpose, now: Timestamp) -> anyhow::Result<KeyRing> {
    let folder = settings.keys_dir();
    private_file::make_private_dir(&folder)?;
    let [token, download, storage] = load_rings(&root(settings)?, &folder)?;
    let ring = match purpose {
        Purpose::Token => token,
        Purpose::Download => download,
        Purpose::Storage => storage,
    };
    ring.rotate(&KeyRing::path(&folder, purpose.word()), now)
}

async fn record(store: &Store, purpose: Purpose, ring: &KeyRing, now: Timestamp) -> anyhow::Result<()> {
    let scope = AuditScope::of_system("kernex-server secrets rotate", "secret.rotate", now);
    let outcome = Outcome { result: AuditResult::Success, status: None, reason: None };
    let after = serde_json::json!({"purpose": purpose.word(), "key_id": ring.current().id(),
        "org_id": OrganizationId::DEFAULT});
    store.record_outcome(&scope, outcome, Some(after)).await.context("recording it in the audit log")
}

/// Prints the keys.
#[expect(clippy::print_stdout, reason = "the list is the command's result")]
pub async fn list(command: List) -> anyhow::Result<()> {
    let (settings, vault) = serve::with_vault(Settings::resolve(command.options)?).await?;
    let now = SystemClock.now();
    let secrets = Secrets::load_or_create(&settings, vault, now)?;
    for (purpose, ring) in Purpose::ALL.into_iter().zip(&secrets.keys().rings) {
        for key in ring.honoured(None, now) {
            let state = key.retired_at.map_or_else(|| "in use".to_owned(), |at| format!("retired {at}"));
            println!("{:9} {} {state}", purpose.word(), key.id());
        }
    }
    println!("{:9} {} in use", "audit", &secrets.audit_signer().public_key().fingerprint()[..16]);
    Ok(())
}
