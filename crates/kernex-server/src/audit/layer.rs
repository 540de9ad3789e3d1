//! What stands around a request: the scope that the store records in, and the record of an attempt that changed nothing.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    extract::{ConnectInfo, Request},
    response::Response,
};
use http::{StatusCode, Uri};
use kernex_core::{ActorKind, AuditResult};
use kernex_store::{AuditRequest, AuditScope, Outcome};
use serde_json::json;

use super::{Recorded, action_of};
use crate::{AppState, error::ApiError};

/// Longest part of an address that a record takes as an id.
const MAX_ID_CHARS: usize = 80;

/// A request, as far as the audit log is concerned.
#[derive(Debug)]
pub struct Audited {
    scope: Option<(Arc<AuditScope>, Recorded)>,
}

impl Audited {
    /// What a request attempts.
    pub fn of(state: &AppState, request: &Request, request_id: &str, route: &str) -> Self {
        let action = action_of(request.method(), route).filter(|action| action.recorded != Recorded::Never);
        let scope = action.map(|action| {
            let scope = AuditScope::new(AuditRequest {
                at: state.now(),
                request_id: Some(request_id.to_owned()),
                address: client_address(request),
                action: action.name,
                object_kind: action.object_kind,
                object_id: last_parameter(request.uri(), route),
                demanded: action.recorded == Recorded::Always,
            });
            (scope, action.recorded)
        });
        Self { scope }
    }

    /// Runs the request.
    pub async fn around<F: Future>(&self, work: F) -> F::Output {
        match &self.scope {
            Some((scope, _)) => scope.around(work).await,
            None => work.await,
        }
    }

    /// How the request ended, if that is still to be recorded.
    pub fn outcome(&self, response: &Response) -> Option<Outcome> {
        let (scope, recorded) = self.scope.as_ref()?;
        outcome(scope, *recorded, response)
    }

    /// Records an attempt that left no record by itself. The answer is not held back when that fails: the log has it then.
    pub async fn settle(&self, state: &AppState, outcome: Option<Outcome>) {
        let (Some((scope, _)), Some(outcome)) = (&self.scope, outcome) else { return };
        let is_stranger = scope.caller().is_none_or(|caller| caller.kind == ActorKind::Anonymous);
        let after = if is_stranger || outcome.status == Some(429) {
            match state.strangers().take(state.now()) {
                None => return,
                Some(0) => None,
                Some(unrecorded) => Some(json!({"attempts_not_recorded_before": unrecorded})),
            }
        } else {
            None
        };
        if let Err(error) = state.store().record_outcome(scope, outcome, after).await {
            let request = scope.request();
            tracing::error!(error = %error, audit.action = request.action, audit.caller = ?scope.caller(),
                audit.object_id = request.object_id,
                "an attempt could not be recorded in the audit log");
        }
    }
}

fn outcome(scope: &AuditScope, recorded: Recorded, response: &Response) -> Option<Outcome> {
    let status = response.status();
    let result = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => {
            AuditResult::Denied
        }
        status if status.is_client_error() || status.is_server_error() => AuditResult::Failed,
        _ => AuditResult::Success,
    };
    let wanted = match (recorded, result) {
        (Recorded::Always, AuditResult::Success) => !scope.is_recorded(),
        (Recorded::Always, _) => true,
        (Recorded::Changes, result) => result != AuditResult::Success,
        (Recorded::Denials, _) => status == StatusCode::FORBIDDEN,
        (Recorded::Never, _) => false,
    };
    let reason = response.extensions().get::<ApiError>().map(|error| error.code().word());
    wanted.then(|| Outcome { result, status: Some(status.as_u16()), reason })
}

/// Where a request came from.
fn client_address(request: &Request) -> Option<String> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>()?;
    Some(peer.0.ip().to_canonical().to_string())
}

/// The last `{…}` of a route, as the address has it.
fn last_parameter(uri: &Uri, route: &str) -> Option<String> {
    let pairs = route.split('/').zip(uri.path().split('/'));
    let (_, value) = pairs.filter(|(name, _)| name.starts_with('{')).last()?;
    let value = percent_encoding::percent_decode_str(value).decode_utf8_lossy();
    Some(value.chars().filter(|c| !c.is_control()).take(MAX_ID_CHARS).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_is_the_last_parameter_of_the_route() {
        let of = |path: &'static str, route| last_parameter(&Uri::from_static(path), route);
        assert_eq!(
            of("/api/v1/devices/a%2Fb/approve", "/api/v1/devices/{device_id}/approve").unwrap(),
            "a/b"
        );
        assert_eq!(of("/api/v1/users/u/keys/k", "/api/v1/users/{user_id}/keys/{key_id}").unwrap(), "k");
        assert_eq!(of("/api/v1/users", "/api/v1/users"), None);
    }
}
