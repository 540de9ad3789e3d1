//! What is known of a request while it runs.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use kernex_core::{ActorKind, OrganizationId, Timestamp};

tokio::task_local! {
    static SCOPE: Arc<AuditScope>;
}

/// A request, or a job of the control plane.
#[derive(Clone, Debug)]
pub struct AuditRequest {
    /// When it arrived.
    pub at: Timestamp,
    /// As logs and error bodies name it.
    pub request_id: Option<String>,
    /// Where it came from.
    pub address: Option<String>,
    /// What is attempted, such as `device.approve`.
    pub action: String,
    /// The kind of thing that it is done to.
    pub object_kind: String,
    /// The thing's id, where the address names one.
    pub object_id: Option<String>,
    /// Whether every transaction that commits leaves a record, also one that noted nothing.
    pub demanded: bool,
}

/// Who is behind a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditCaller {
    /// The organisation whose chain the records belong to.
    pub org_id: OrganizationId,
    /// A person or a device.
    pub kind: ActorKind,
    /// Their id.
    pub id: Option<String>,
    /// Their name.
    pub name: Option<String>,
    /// `session:ID`, `api_key:ID`, `device_key:FINGERPRINT`.
    pub credential: Option<String>,
}

/// One request while it runs.
#[derive(Debug)]
pub struct AuditScope {
    request: AuditRequest,
    caller: Mutex<Option<AuditCaller>>,
    recorded: AtomicBool,
}

impl AuditScope {
    /// The scope of a request whose caller is not known yet.
    pub fn new(request: AuditRequest) -> Arc<Self> {
        Arc::new(Self { request, caller: Mutex::new(None), recorded: AtomicBool::new(false) })
    }

    /// The scope of something that the control plane does by itself, such as a job. What it notes is recorded.
    pub fn of_system(name: &str, action: &str, at: Timestamp) -> Arc<Self> {
        let scope = Self::new(AuditRequest {
            at,
            request_id: None,
            address: None,
            action: action.to_owned(),
            object_kind: "installation".to_owned(),
            object_id: None,
            demanded: false,
        });
        scope.set_caller(AuditCaller {
            org_id: OrganizationId::DEFAULT,
            kind: ActorKind::System,
            id: None,
            name: Some(name.to_owned()),
            credential: None,
        });
        scope
    }

    /// Does something within the scope.
    pub async fn around<F: Future>(self: &Arc<Self>, work: F) -> F::Output {
        SCOPE.scope(self.clone(), work).await
    }

    /// Work of the same request that is given to another task.
    pub fn carry<F: Future>(work: F) -> impl Future<Output = F::Output> {
        let scope = Self::current();
        async move {
            match scope {
                Some(scope) => scope.around(work).await,
                None => work.await,
            }
        }
    }

    /// The scope that this runs in.
    pub fn current() -> Option<Arc<Self>> {
        SCOPE.try_with(Clone::clone).ok()
    }

    /// Says who is behind the request that this runs in; nothing outside of one.
    pub fn identify(caller: AuditCaller) {
        if let Some(scope) = Self::current() {
            scope.set_caller(caller);
        }
    }

    /// The request.
    pub fn request(&self) -> &AuditRequest {
        &self.request
    }

    /// Who is behind it, as far as is known by now.
    pub fn caller(&self) -> Option<AuditCaller> {
        self.caller.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a record has been committed.
    pub fn is_recorded(&self) -> bool {
        self.recorded.load(Ordering::Relaxed)
    }

    pub(crate) fn set_recorded(&self) {
        self.recorded.store(true, Ordering::Relaxed);
    }

    fn set_caller(&self, caller: AuditCaller) {
        *self.caller.lock().unwrap_or_else(PoisonError::into_inner) = Some(caller);
    }
}
