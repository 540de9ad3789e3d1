//! What every handler can reach.

use std::sync::Arc;

use kernex_blobs::BlobStore;
use kernex_core::{Clock, Timestamp};
use kernex_store::Store;
use tokio::sync::Semaphore;

use crate::{
    Settings, audit::StrangerBudget, auth::PasswordHasher, events::EventFeed, outbound::Outbound,
    secrets::Secrets, telemetry::Telemetry,
};

/// The control plane's parts. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AppState {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    settings: Settings,
    store: Store,
    blobs: BlobStore,
    clock: Arc<dyn Clock>,
    secrets: Secrets,
    passwords: PasswordHasher,
    telemetry: Telemetry,
    uploads: Arc<Semaphore>,
    outbound: Outbound,
    strangers: StrangerBudget,
    events: EventFeed,
}

impl AppState {
    /// Puts the parts together.
    pub fn new(
        settings: Settings,
        store: Store,
        blobs: BlobStore,
        secrets: Secrets,
        clock: Arc<dyn Clock>,
        telemetry: Telemetry,
        outbound: Outbound,
    ) -> Self {
        let uploads = Arc::new(Semaphore::new(settings.max_uploads as usize));
        let passwords = PasswordHasher::new();
        Self {
            inner: Arc::new(Inner {
                settings,
                store,
                blobs,
                clock,
                secrets,
                passwords,
                telemetry,
                uploads,
                outbound,
                strangers: StrangerBudget::default(),
                events: EventFeed::default(),
            }),
        }
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// The database.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// Bundle bytes.
    pub fn blobs(&self) -> &BlobStore {
        &self.inner.blobs
    }

    /// The present.
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// Keys.
    pub fn secrets(&self) -> &Secrets {
        &self.inner.secrets
    }

    /// Hashes passwords without starving the other requests.
    pub fn passwords(&self) -> &PasswordHasher {
        &self.inner.passwords
    }

    /// Counts.
    pub fn telemetry(&self) -> &Telemetry {
        &self.inner.telemetry
    }

    /// How many attempts of unknown callers the audit log may still take.
    pub fn strangers(&self) -> &StrangerBudget {
        &self.inner.strangers
    }

    /// Places for uploads.
    pub fn uploads(&self) -> &Arc<Semaphore> {
        &self.inner.uploads
    }

    /// For requests to addresses that others chose.
    pub fn outbound(&self) -> &Outbound {
        &self.inner.outbound
    }

    /// Those who watch events.
    pub fn events(&self) -> &EventFeed {
        &self.inner.events
    }
}
