//! Who may call what: one line for every operation of the API.
//!
//! A request is checked against its line before its handler runs (`auth/gate.rs`), the OpenAPI document carries the lines as
//! `x-kernex-permission`, and the tests walk through them with every kind of caller. An operation without a line is refused.

use std::{collections::HashMap, sync::LazyLock};

use http::Method;
use kernex_api::BASE_PATH;
use kernex_core::Permission;
use utoipa::openapi::{
    OpenApi,
    extensions::ExtensionsBuilder,
    path::{Operation, PathItem},
    security::SecurityRequirement,
};

/// Who may call an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nobody: the operation has no line.
    Nobody,
    /// Everybody.
    Public,
    /// Devices; the handler checks the signature.
    Device,
    /// Whoever has logged in, with whatever credentials.
    User,
    /// Whoever has logged in as a person: no API key reaches one's own account.
    Login,
    /// Users who hold this right in the organisation that the request is for.
    Holder(Permission),
    /// The same, or whoever brings another proof, which the handler checks.
    HolderOr(Permission, Other),
}

/// A proof beside a user's credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Other {
    /// The secret of the bootstrap link, in the body.
    Bootstrap,
    /// A device's signature, or a download address that names its own end.
    DeviceOrAddress,
}

impl Access {
    /// As the OpenAPI document says it.
    pub fn as_text(self) -> String {
        match self {
            Self::Nobody => "nobody".to_owned(),
            Self::Public => "public".to_owned(),
            Self::Device => "device".to_owned(),
            Self::User => "user".to_owned(),
            Self::Login => "login".to_owned(),
            Self::Holder(permission) => permission.to_string(),
            Self::HolderOr(permission, Other::Bootstrap) => format!("{permission} or bootstrap"),
            Self::HolderOr(permission, Other::DeviceOrAddress) => format!("{permission} or device"),
        }
    }
}

use Access::{Device, Holder, HolderOr, Login, Public, User};
use Permission as P;

/// The lines: method, path below the base path (or `root:` and a path at the root), who may.
const LINES: &[(&str, &str, Access)] = &[
    // One's own account and logins.
    ("POST", "/auth/login", Public),
    ("POST", "/auth/browser-login", Public),
    ("POST", "/auth/refresh", Public),
    ("POST", "/auth/register", HolderOr(P::UsersManage, Other::Bootstrap)),
    ("POST", "/auth/logout", Login),
    ("GET", "/auth/me", User),
    ("GET", "/auth/sessions", Login),
    ("DELETE", "/auth/sessions", Login),
    ("DELETE", "/auth/sessions/{session_id}", Login),
    // Devices.
    ("POST", "/devices/register", Device),
    ("POST", "/devices/{device_id}/heartbeat", Device),
    ("GET", "/devices", Holder(P::DevicesRead)),
    ("GET", "/devices/stats", Holder(P::DevicesRead)),
    ("GET", "/devices/{device_id}", Holder(P::DevicesRead)),
    ("PATCH", "/devices/{device_id}", Holder(P::DevicesWrite)),
    ("DELETE", "/devices/{device_id}", Holder(P::DevicesWrite)),
    ("POST", "/devices/{device_id}/approve", Holder(P::DevicesWrite)),
    ("POST", "/devices/{device_id}/reject", Holder(P::DevicesWrite)),
    ("POST", "/devices/{device_id}/decommission", Holder(P::DevicesWrite)),
    ("GET", "/devices/{device_id}/heartbeats", Holder(P::DevicesRead)),
    ("GET", "/devices/{device_id}/logs", Holder(P::LogsRead)),
    ("GET", "/devices/{device_id}/bundle-history", Holder(P::DevicesRead)),
    ("GET", "/devices/{device_id}/config", Holder(P::DevicesRead)),
    ("PUT", "/devices/{device_id}/config", Holder(P::DevicesWrite)),
    ("GET", "/devices/{device_id}/config/versions", Holder(P::DevicesRead)),
    ("POST", "/devices/{device_id}/config/rollback", Holder(P::DevicesWrite)),
    ("POST", "/devices/rollback", Holder(P::DeploymentsWrite)),
    ("GET", "/registration-tokens", Holder(P::RegistrationTokensRead)),
    ("POST", "/registration-tokens", Holder(P::RegistrationTokensWrite)),
    ("DELETE", "/registration-tokens/{token_id}", Holder(P::RegistrationTokensWrite)),
    ("POST", "/groups", Holder(P::GroupsWrite)),
    ("GET", "/groups", Holder(P::GroupsRead)),
    ("GET", "/groups/{group_id}", Holder(P::GroupsRead)),
    ("PATCH", "/groups/{group_id}", Holder(P::GroupsWrite)),
    ("DELETE", "/groups/{group_id}", Holder(P::GroupsWrite)),
    ("GET", "/groups/{group_id}/devices", Holder(P::GroupsRead)),
    ("POST", "/groups/{group_id}/devices", Holder(P::GroupsWrite)),
    ("POST", "/devices/tags", Holder(P::DevicesWrite)),
    ("POST", "/devices/tags/import", Holder(P::DevicesWrite)),
    ("POST", "/devices/approve", Holder(P::DevicesWrite)),
    ("POST", "/devices/decommission", Holder(P::DevicesWrite)),
    ("GET", "/devices/{device_id}/timeline", Holder(P::DevicesRead)),
    // What happens, and who is told.
    ("GET", "/events", Holder(P::DevicesRead)),
    ("GET", "/webhooks", Holder(P::OrganizationManage)),
    ("POST", "/webhooks", Holder(P::OrganizationManage)),
    ("GET", "/webhooks/{webhook_id}", Holder(P::OrganizationManage)),
    ("PATCH", "/webhooks/{webhook_id}", Holder(P::OrganizationManage)),
    ("DELETE", "/webhooks/{webhook_id}", Holder(P::OrganizationManage)),
    ("POST", "/webhooks/{webhook_id}/rotate-secret", Holder(P::OrganizationManage)),
    ("POST", "/webhooks/{webhook_id}/test", Holder(P::OrganizationManage)),
    ("GET", "/webhooks/{webhook_id}/deliveries", Holder(P::OrganizationManage)),
    ("POST", "/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver", Holder(P::OrganizationManage)),
    // Bundles.
    ("POST", "/bundles", Holder(P::BundlesWrite)),
    ("GET", "/bundles", Holder(P::BundlesRead)),
    ("GET", "/bundles/{bundle_id}", HolderOr(P::BundlesRead, Other::DeviceOrAddress)),
    ("DELETE", "/bundles/{bundle_id}", Holder(P::BundlesWrite)),
    ("GET", "/bundles/{bundle_id}/manifest", HolderOr(P::BundlesRead, Other::DeviceOrAddress)),
    ("POST", "/bundles/{bundle_id}/verify", Holder(P::BundlesRead)),
    // Deployments.
    ("POST", "/deployments", Holder(P::DeploymentsWrite)),
    ("GET", "/deployments", Holder(P::DeploymentsRead)),
    ("GET", "/deployments/{deployment_id}", Holder(P::DeploymentsRead)),
    ("GET", "/deployments/{deployment_id}/targets", Holder(P::DeploymentsRead)),
    ("POST", "/deployments/{deployment_id}/cancel", Holder(P::DeploymentsWrite)),
    ("POST", "/deployments/{deployment_id}/rollback", Holder(P::DeploymentsWrite)),
    ("GET", "/deployments/{deployment_id}/order", Device),
    ("POST", "/deployments/{deployment_id}/result", Device),
    // Logs of devices.
    ("POST", "/logs/batch", Device),
    ("GET", "/logs", Holder(P::LogsRead)),
    // The audit log.
    ("GET", "/audit", Holder(P::AuditRead)),
    ("GET", "/audit/export", Holder(P::AuditRead)),
    ("GET", "/audit/checkpoints", Holder(P::AuditRead)),
    // The system.
    ("GET", "/health", Public),
    ("GET", "/schemas/manifest.json", Public),
    ("GET", "root:/health", Public),
    ("GET", "root:/health/live", Public),
    ("GET", "root:/health/ready", Public),
    ("GET", "root:/metrics", Public),
];

/// Every operation of the document with its line, by path and method.
static OPERATIONS: LazyLock<HashMap<String, HashMap<Method, Access>>> = LazyLock::new(|| {
    let mut document = crate::router::document();
    let lines = document.paths.paths.iter_mut().map(|(path, item)| {
        (path.clone(), operations(item).map(|(method, _)| (method.clone(), line(&method, path))).collect())
    });
    lines.collect()
});

/// Who may call an operation, by the path as the router knows it; `None` when there is no such operation. A `HEAD` is a `GET`
/// without its body.
pub fn access(method: &Method, path: &str) -> Option<Access> {
    let method = if method == Method::HEAD { &Method::GET } else { method };
    OPERATIONS.get(path)?.get(method).copied()
}

fn line(method: &Method, path: &str) -> Access {
    let fits = |known: &str| match known.strip_prefix("root:") {
        Some(known) => known == path,
        None => path.strip_prefix(BASE_PATH) == Some(known),
    };
    let line = LINES.iter().find(|(known, pattern, _)| *known == method.as_str() && fits(pattern));
    line.map_or(Access::Nobody, |(_, _, access)| *access)
}

/// Writes the lines into the document: `x-kernex-permission`, and which credentials an operation takes.
pub fn describe(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            let access = line(&method, path);
            let extension = ExtensionsBuilder::new().add("x-kernex-permission", access.as_text()).build();
            operation.extensions.get_or_insert_default().merge(extension);
            operation.security = Some(credentials(access));
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    [
        (Method::GET, &mut item.get),
        (Method::POST, &mut item.post),
        (Method::PUT, &mut item.put),
        (Method::PATCH, &mut item.patch),
        (Method::DELETE, &mut item.delete),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

fn credentials(access: Access) -> Vec<SecurityRequirement> {
    let scheme = |name: &str| SecurityRequirement::new(name, Vec::<String>::new());
    let user = [scheme("bearer"), scheme("browser_session")];
    match access {
        Access::Nobody | Access::Public => Vec::new(),
        Access::Device => vec![scheme("device")],
        Access::User | Access::Login | Access::Holder(_) => user.into(),
        Access::HolderOr(_, other) => {
            let mut all = vec![SecurityRequirement::default()];
            all.extend(user);
            if other == Other::DeviceOrAddress {
                all.push(scheme("device"));
            }
            all
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_of_the_document_has_a_line_and_every_line_an_operation() {
        let mut count = 0;
        for (path, methods) in OPERATIONS.iter() {
            for (method, access) in methods {
                assert_ne!(*access, Access::Nobody, "src/policy.rs has no line for {method} {path}");
                count += 1;
            }
        }
        for (method, path, _) in LINES {
            let full = path.strip_prefix("root:").map_or_else(|| format!("{BASE_PATH}{path}"), str::to_owned);
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            assert!(access(&method, &full).is_some(), "src/policy.rs: there is no {method} {path}");
        }
        assert_eq!(count, LINES.len(), "an operation has two lines");
    }

    #[test]
    fn what_is_read_by_head_needs_what_get_needs() {
        assert_eq!(access(&Method::HEAD, "/api/v1/devices"), Some(Holder(P::DevicesRead)));
        assert_eq!(access(&Method::OPTIONS, "/api/v1/devices"), None);
        assert_eq!(access(&Method::GET, "/api/v1/nothing"), None);
    }
}
