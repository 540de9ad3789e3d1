//! Which records: the same options for every command that reads the log.

use clap::Args;
use kernex_client::AuditQuery;
use kernex_core::{ActorKind, AuditResult, Timestamp};

/// Which records.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct AuditFilterArgs {
    /// Id or name of who did it
    #[arg(long, value_name = "WHO")]
    actor: Option<String>,
    /// Kind of who did it: user, device, system or anonymous
    #[arg(long, value_name = "KIND")]
    actor_kind: Option<ActorKind>,
    /// What was attempted, such as device.approve, or 'device.*' for all of a noun
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Kind of what it was done to, such as device
    #[arg(long, value_name = "KIND")]
    object_kind: Option<String>,
    /// Id of what it was done to
    #[arg(long, value_name = "ID")]
    object_id: Option<String>,
    /// How it ended: success, denied or failed
    #[arg(long, value_name = "RESULT")]
    result: Option<AuditResult>,
    /// The request, as logs and error messages name it
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// The address that it came from
    #[arg(long, value_name = "ADDRESS")]
    address: Option<String>,
    /// Not before this time, such as 2026-01-31T00:00:00Z
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
}

impl AuditFilterArgs {
    pub(crate) fn query(self) -> AuditQuery {
        AuditQuery {
            actor: self.actor,
            actor_kind: self.actor_kind.map(|kind| kind.to_string()),
            action: self.action,
            object_kind: self.object_kind,
            object_id: self.object_id,
            result: self.result.map(|result| result.to_string()),
            request_id: self.request_id,
            address: self.address,
            from: self.from,
            to: self.to,
            ..AuditQuery::default()
        }
    }
}
