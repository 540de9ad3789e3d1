//! The name of what a request attempts, from its method and route: `POST /devices/{device_id}/approve` is `device.approve`. A new
//! route has a name without anybody giving it one; `docs/audit.md` lists them all, and a test compares the two.

use http::Method;
use kernex_api::BASE_PATH;

/// What a request attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// `device.approve`.
    pub name: String,
    /// The kind of thing that it is done to.
    pub object_kind: String,
    /// When it leaves a record.
    pub recorded: Recorded,
}

/// When a request leaves a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// Whatever comes of it.
    Always,
    /// When the store notes a change, or it is refused: what devices do by themselves, again and again.
    Changes,
    /// When a known caller is not allowed to: reading.
    Denials,
    /// Never: the mass of what devices send. The program's log has its refusals.
    Never,
}

/// Names that the rule would not give, and what devices send.
const EXCEPTIONS: &[(&str, &str, &str, Recorded)] = &[
    ("POST", "/auth/login", "auth.login", Recorded::Always),
    ("POST", "/auth/refresh", "auth.refresh", Recorded::Changes),
    ("POST", "/auth/register", "user.create", Recorded::Always),
    ("POST", "/bundles", "bundle.upload", Recorded::Always),
    ("POST", "/devices/register", "device.register", Recorded::Changes),
    ("POST", "/devices/rollback", "deployment.create_rollback", Recorded::Always),
    ("DELETE", "/devices/{device_id}", "device.decommission", Recorded::Always),
    ("PUT", "/devices/{device_id}/config", "device.configure", Recorded::Always),
    ("POST", "/devices/{device_id}/config/rollback", "device.configure_back", Recorded::Always),
    ("POST", "/devices/{device_id}/challenges", "device.challenge", Recorded::Changes),
    ("POST", "/devices/{device_id}/heartbeat", "device.heartbeat", Recorded::Never),
    ("POST", "/deployments/{deployment_id}/result", "deployment.result", Recorded::Changes),
    ("POST", "/deployments/{deployment_id}/rollback", "deployment.create_rollback", Recorded::Always),
    ("POST", "/logs/batch", "log.ingest", Recorded::Never),
];

/// What a request to a route attempts; `None` for what is not part of the API.
pub fn action_of(method: &Method, route: &str) -> Option<Action> {
    let path = route.strip_prefix(BASE_PATH)?;
    let known = EXCEPTIONS.iter().find(|(verb, known, ..)| *verb == method.as_str() && *known == path);
    let (name, recorded) = match known {
        Some((_, _, name, recorded)) => ((*name).to_owned(), *recorded),
        None => (name_of(method, path)?, if method.is_safe() { Recorded::Denials } else { Recorded::Always }),
    };
    let noun = name.split('.').next().unwrap_or_default();
    let object_kind = if noun == "auth" { "session" } else { noun }.to_owned();
    Some(Action { name, object_kind, recorded })
}

fn name_of(method: &Method, path: &str) -> Option<String> {
    let mut words = path.split('/').filter(|word| !word.is_empty() && !word.starts_with('{'));
    let noun = singular(words.next()?);
    let rest: Vec<String> = words.map(|word| word.replace('-', "_")).collect();
    let rest = rest.join("_");
    let verb = match method.as_str() {
        "POST" if rest.is_empty() => "create",
        "POST" => "",
        "PUT" | "PATCH" => "update",
        "DELETE" => "delete",
        _ => "read",
    };
    let separator = if rest.is_empty() || verb.is_empty() { "" } else { "_" };
    Some(format!("{noun}.{rest}{separator}{verb}"))
}

fn singular(word: &str) -> String {
    let word = word.replace('-', "_");
    match word.strip_suffix("ies") {
        Some(stem) => format!("{stem}y"),
        None => word.strip_suffix('s').map_or(word.clone(), str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_lists_every_action_of_the_api() {
        let documentation = include_str!("../../../../docs/audit.md");
        let document: serde_json::Value =
            serde_json::from_str(&crate::openapi::document_json().unwrap()).unwrap();
        for (route, methods) in document["paths"].as_object().unwrap() {
            for method in methods.as_object().unwrap().keys() {
                let method: Method = method.to_uppercase().parse().unwrap();
                let Some(action) = action_of(&method, route).filter(|_| !method.is_safe()) else { continue };
                let route = route.strip_prefix(BASE_PATH).unwrap();
                let line = format!("| `{}` | `{method} {route}` |", action.name);
                assert!(documentation.contains(&line), "docs/audit.md lacks the line: {line}");
            }
        }
    }

    #[test]
    fn a_route_gives_its_action_a_name() {
        let check = |method: &str, route: &str, name: &str, kind: &str, recorded| {
            let action = action_of(&method.parse().unwrap(), &format!("/api/v1{route}")).unwrap();
            assert_eq!(
                (action.name.as_str(), action.object_kind.as_str(), action.recorded),
                (name, kind, recorded)
            );
        };
        check("POST", "/devices/{device_id}/approve", "device.approve", "device", Recorded::Always);
        check("PATCH", "/devices/{device_id}", "device.update", "device", Recorded::Always);
        check("DELETE", "/devices/{device_id}", "device.decommission", "device", Recorded::Always);
        check(
            "POST",
            "/registration-tokens",
            "registration_token.create",
            "registration_token",
            Recorded::Always,
        );
        check("DELETE", "/api-keys/{key_id}", "api_key.delete", "api_key", Recorded::Always);
        check("PUT", "/policies/{id}/members", "policy.members_update", "policy", Recorded::Always);
        check("POST", "/auth/logout", "auth.logout", "session", Recorded::Always);
        check("GET", "/users", "user.read", "user", Recorded::Denials);
        check("POST", "/devices/{device_id}/heartbeat", "device.heartbeat", "device", Recorded::Never);
        assert_eq!(action_of(&Method::GET, "/docs"), None);
        assert_eq!(action_of(&Method::POST, "(none)"), None);
    }
}
