//! The arrows between crates (ARCHITECTURE.md), and what must not get into a program or a library.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{command, workspace};

/// Crates of the workspace with those that each may use, apart from tests.
const ARROWS: &[(&str, &[&str])] = &[
    ("kernex-core", &[]),
    ("kernex-bundle", &["kernex-core"]),
    ("kernex-api", &["kernex-core"]),
    ("kernex-store", &["kernex-core"]),
    ("kernex-blobs", &["kernex-core"]),
    ("kernex-client", &["kernex-core", "kernex-api"]),
    ("kernex-server", &["kernex-core", "kernex-api", "kernex-store", "kernex-blobs", "kernex-bundle"]),
    ("kernex-agent", &["kernex-core", "kernex-api", "kernex-client", "kernex-bundle"]),
    ("kernex-cli", &["kernex-core", "kernex-api", "kernex-client", "kernex-bundle"]),
    ("kernex-sim", &["kernex-core", "kernex-api", "kernex-client"]),
    ("kernex-testpg", &[]),
    (
        "kernex-testkit",
        &[
            "kernex-core",
            "kernex-api",
            "kernex-client",
            "kernex-server",
            "kernex-store",
            "kernex-blobs",
            "kernex-bundle",
            "kernex-testpg",
            "kernex-tracer",
        ],
    ),
    ("kernex-e2e", &[]),
    ("kernex-fuzz-targets", &["kernex-core", "kernex-api", "kernex-bundle", "kernex-agent"]),
    ("kernex-tracer", &[]),
    ("kernex-killsweep", &["kernex-core", "kernex-api", "kernex-client", "kernex-testkit", "kernex-tracer"]),
    ("edge-model-infer", &[]),
    ("xtask", &["kernex-testpg"]),
];

/// What must not be in a crate's tree, with the reason.
const FORBIDDEN: &[(&str, &[&str], &str)] = &[
    (
        "kernex-agent",
        &["axum", "sqlx", "sqlx-core", "libsqlite3-sys", "kernex-server", "kernex-store"],
        "an agent is no server and has no database",
    ),
    (
        "kernex-store",
        &["kernex-api", "http", "axum", "hyper", "reqwest"],
        "the store knows no wire type and no HTTP",
    ),
    ("kernex-api", &["sqlx", "sqlx-core", "libsqlite3-sys", "tokio"], "the wire types know no database"),
    ("kernex-core", &["tokio", "reqwest", "mio", "rustix", "tempfile"], "the vocabulary does no I/O"),
    (
        "kernex-cli",
        &["axum", "sqlx", "sqlx-core", "kernex-server", "kernex-store"],
        "the CLI uses the published API only",
    ),
    ("kernex-client", &["axum", "sqlx", "sqlx-core"], "the client is no server"),
];

pub(super) fn check() -> Result<String> {
    let metadata = workspace::metadata()?;
    let mut wrong = wrong_arrows(&metadata)?;
    for (package, forbidden, reason) in FORBIDDEN {
        let tree = tree(package)?;
        let found: Vec<_> = forbidden.iter().filter(|name| tree.contains(**name)).copied().collect();
        if !found.is_empty() {
            wrong.push(format!("{package} pulls in {}: {reason}", found.join(", ")));
        }
    }
    let lock =
        std::fs::read_to_string(workspace::root().join("Cargo.lock")).context("Cargo.lock cannot be read")?;
    wrong.extend(wrong_sources(&lock));
    if !wrong.is_empty() {
        bail!("dependencies are not as they should be:\n  {}", wrong.join("\n  "));
    }
    Ok(String::new())
}

/// Names of everything that ends up in a crate, tests and build scripts apart.
fn tree(package: &str) -> Result<BTreeSet<String>> {
    let arguments =
        ["tree", "--package", package, "--edges", "normal", "--prefix", "none", "--format", "{p}"];
    let text = command::output(&mut workspace::cargo(&arguments))?;
    Ok(text.lines().filter_map(|line| line.split(' ').next()).map(ToOwned::to_owned).collect())
}

fn wrong_arrows(metadata: &Value) -> Result<Vec<String>> {
    let members: BTreeSet<&str> = strings(&metadata["workspace_members"]).collect();
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    let mut wrong = Vec::new();
    for package in
        packages.iter().filter(|package| members.contains(package["id"].as_str().unwrap_or_default()))
    {
        let name = package["name"].as_str().unwrap_or_default();
        let Some((_, allowed)) = ARROWS.iter().find(|(known, _)| *known == name) else {
            wrong.push(format!(
                "{name} has no line in xtask/src/test/dependencies.rs that says what it may use"
            ));
            continue;
        };
        let normal =
            package["dependencies"].as_array().into_iter().flatten().filter(|one| one["kind"].is_null());
        let used = normal.filter_map(|one| one["name"].as_str()).filter(|used| used.starts_with("kernex-"));
        wrong.extend(
            used.filter(|used| !allowed.contains(used)).map(|used| format!("{name} must not use {used}")),
        );
    }
    Ok(wrong)
}

fn strings(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// Packages of the lock file that come from anywhere but the registry that everybody uses.
fn wrong_sources(lock: &str) -> Vec<String> {
    let sources = lock.lines().filter_map(|line| line.strip_prefix("source = "));
    let sources: BTreeSet<&str> = sources.map(|source| source.trim_matches('"')).collect();
    let is_wrong = |source: &&str| !source.starts_with("registry+https://github.com/rust-lang/");
    sources
        .into_iter()
        .filter(is_wrong)
        .map(|source| format!("Cargo.lock holds a package from {source}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arrow_that_is_not_allowed_is_named_and_dev_dependencies_are_free() {
        let metadata = serde_json::json!({
            "workspace_members": ["c", "n"],
            "packages": [
                {"id": "c", "name": "kernex-core", "dependencies": [
                    {"name": "kernex-api", "kind": null}, {"name": "kernex-store", "kind": "dev"}, {"name": "serde", "kind": null},
                ]},
                {"id": "n", "name": "kernex-new", "dependencies": []},
                {"id": "x", "name": "serde", "dependencies": []},
            ],
        });
        let wrong = wrong_arrows(&metadata).unwrap();
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        assert_eq!(wrong[0], "kernex-core must not use kernex-api");
    }

    #[test]
    fn a_package_from_a_mirror_or_a_repository_is_named() {
        let lock =
            "source = \"registry+https://github.com/rust-lang/index\"\nsource = \"sparse+https://mirror/\"\n";
        assert_eq!(wrong_sources(lock), ["Cargo.lock holds a package from sparse+https://mirror/"]);
    }
}
