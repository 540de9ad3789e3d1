//! HashiCorp Vault: secrets from a KV store (version 2), and keys wrapped by the transit engine, so that the storage key never
//! leaves Vault.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use kernex_blobs::ContentKey;
use tokio::runtime::Handle;
use uuid::Uuid;
use vaultrs::{
    api::transit::responses::ReadKeyData,
    client::{Client as _, VaultClient, VaultClientSettingsBuilder},
};

/// What Vault's ciphertexts begin with.
pub(super) const PREFIX: &str = "vault:";
/// How long Vault may take for an answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// Where Vault is, and what of it is used.
#[derive(Clone, PartialEq, Eq)]
pub struct VaultSettings {
    /// Its address.
    pub address: url::Url,
    /// What the control plane logs in with.
    pub token: String,
    /// A PEM file of the authority that signed Vault's certificate.
    pub ca_file: Option<String>,
    /// `MOUNT/PATH` of a secret whose fields are used as settings.
    pub secrets: Option<(String, String)>,
    /// `MOUNT/NAME` of the transit key that wraps the keys of bundles.
    pub transit: Option<(String, String)>,
}

impl std::fmt::Debug for VaultSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("VaultSettings");
        shown.field("address", &self.address.as_str()).field("secrets", &self.secrets);
        shown.field("transit", &self.transit).finish_non_exhaustive()
    }
}

/// A connection to Vault. Cheap to clone.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    client: VaultClient,
    runtime: Handle,
    settings: VaultSettings,
    latest_version: AtomicU64,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.settings.fmt(f)
    }
}

impl Vault {
    /// Connects, and asks for the transit key, so that a wrong setting shows at the start.
    pub async fn connect(settings: VaultSettings) -> anyhow::Result<Self> {
        if !matches!(settings.address.scheme(), "http" | "https") {
            bail!("vault_address must be an http or https address");
        }
        let built = VaultClientSettingsBuilder::default()
            .address(settings.address.as_str())
            .token(settings.token.as_str())
            .ca_certs(settings.ca_file.iter().cloned().collect::<Vec<_>>())
            .identity(None)
            .verify(true)
            .timeout(Some(DEADLINE))
            .build()
            .context("the settings of Vault")?;
        let client = VaultClient::new(built).context("the settings of Vault")?;
        let vault = Self(Arc::new(Inner {
            client,
            runtime: Handle::current(),
            settings,
            latest_version: AtomicU64::new(0),
        }));
        vault.refresh().await?;
        Ok(vault)
    }

    /// The fields of the KV secret that the settings name.
    pub async fn secrets(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let Some((mount, path)) = &self.0.settings.secrets else { return Ok(BTreeMap::new()) };
        let read = vaultrs::kv2::read::<BTreeMap<String, String>>(&self.0.client, mount, path).await;
        read.with_context(|| format!("cannot read the secret {mount}/{path} from Vault"))
    }

    /// Learns which version of the transit key is the newest.
    pub async fn refresh(&self) -> anyhow::Result<()> {
        let Some((mount, name)) = &self.0.settings.transit else { return Ok(()) };
        let key = vaultrs::transit::key::read(&self.0.client, mount, name).await;
        let key = key.with_context(|| format!("cannot read the transit key {mount}/{name} of Vault"))?;
        let newest = match &key.keys {
            ReadKeyData::Symmetric(versions) => newest(versions.keys()),
            ReadKeyData::Asymmetric(_) => bail!("the transit key {mount}/{name} is none that encrypts"),
        };
        self.0.latest_version.store(newest, Ordering::Relaxed);
        Ok(())
    }

    /// Renews the token; one that cannot be renewed ends when it ends.
    pub async fn renew(&self) -> anyhow::Result<()> {
        self.0.client.renew(None).await.context("Vault does not renew the token")?;
        Ok(())
    }

    /// Blocks: called off the async threads.
    pub(super) fn wrap(&self, key: &ContentKey, blob: Uuid) -> Result<String, String> {
        let (mount, name) = self.transit()?;
        // The id is encrypted too, so that a key opens for its bundle only.
        let plain = STANDARD.encode([blob.as_bytes(), &key[..]].concat());
        let work = vaultrs::transit::data::encrypt(&self.0.client, mount, name, &plain, None);
        let answer = self.0.runtime.block_on(work);
        answer.map(|answer| answer.ciphertext).map_err(|error| format!("Vault does not wrap: {error}"))
    }

    pub(super) fn unwrap(&self, wrapped: &str, blob: Uuid) -> Result<ContentKey, String> {
        let (mount, name) = self.transit()?;
        let work = vaultrs::transit::data::decrypt(&self.0.client, mount, name, wrapped, None);
        let answer =
            self.0.runtime.block_on(work).map_err(|error| format!("Vault does not unwrap: {error}"))?;
        let plain = STANDARD.decode(answer.plaintext).map_err(|_| "Vault gave no base64".to_owned())?;
        match plain.split_at_checked(16) {
            Some((id, key)) if id == blob.as_bytes() => {
                key.try_into().map_err(|_| "what Vault gave is no key".to_owned())
            }
            _ => Err("the key belongs to another bundle".to_owned()),
        }
    }

    pub(super) fn is_current(&self, wrapped: &str) -> bool {
        wrapped.starts_with(&format!("{PREFIX}v{}:", self.0.latest_version.load(Ordering::Relaxed)))
    }

    /// Whether it wraps the keys of bundles.
    pub fn has_transit(&self) -> bool {
        self.0.settings.transit.is_some()
    }

    fn transit(&self) -> Result<(&str, &str), String> {
        let transit = self.0.settings.transit.as_ref();
        transit
            .map(|(mount, name)| (mount.as_str(), name.as_str()))
            .ok_or_else(|| "it was wrapped by Vault, and no transit key is configured".to_owned())
    }
}

fn newest<'a>(versions: impl Iterator<Item = &'a String>) -> u64 {
    versions.filter_map(|version| version.parse().ok()).max().unwrap_or(0)
}
