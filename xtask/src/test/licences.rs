//! Licences and advisories: cargo-deny where it is installed, and the part of it that needs nothing else where it is not.

use std::{collections::BTreeSet, fs, process::Command};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::spdx;
use crate::{command, workspace};

pub(super) fn check() -> Result<String> {
    let is_installed =
        Command::new("cargo-deny").arg("--version").output().is_ok_and(|output| output.status.success());
    if is_installed {
        command::run(&mut workspace::cargo(&["deny", "--offline", "check", "bans", "licenses", "sources"]))?;
        return Ok("cargo-deny; advisories need its database: `cargo deny check advisories`".to_owned());
    }
    let number = check_licences()?;
    println!("cargo-deny is not installed: bans and advisories (RustSec's database) were not checked");
    Ok(format!("{number} packages; advisories skipped: cargo-deny is not installed"))
}

/// The allow list of `deny.toml` against what packages say of themselves.
fn check_licences() -> Result<usize> {
    let policy = Policy::read()?;
    let metadata = workspace::metadata()?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    let wrong: Vec<String> = packages.iter().filter_map(|package| policy.objection(package)).collect();
    if !wrong.is_empty() {
        bail!("licences that deny.toml does not allow:\n  {}", wrong.join("\n  "));
    }
    Ok(packages.len())
}

struct Policy {
    allowed: BTreeSet<String>,
    /// Packages with what is allowed for them alone.
    exceptions: Vec<(String, BTreeSet<String>)>,
}

impl Policy {
    fn read() -> Result<Self> {
        let text =
            fs::read_to_string(workspace::root().join("deny.toml")).context("deny.toml cannot be read")?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self> {
        let table: toml::Table = text.parse().context("deny.toml is not valid")?;
        let licenses = table.get("licenses").context("deny.toml has no [licenses]")?;
        let exceptions = licenses.get("exceptions").and_then(toml::Value::as_array).into_iter().flatten();
        let exceptions = exceptions.filter_map(|one| {
            let package = one.get("crate").or_else(|| one.get("name"))?.as_str()?;
            Some((package.to_owned(), words(one.get("allow")?)))
        });
        let allowed = words(licenses.get("allow").context("deny.toml allows no licence")?);
        Ok(Self { allowed, exceptions: exceptions.collect() })
    }

    fn objection(&self, package: &Value) -> Option<String> {
        let name = package["name"].as_str().unwrap_or_default();
        let own = self.exceptions.iter().find(|(of, _)| of == name).map(|(_, allowed)| allowed);
        let allows =
            |licence: &str| self.allowed.contains(licence) || own.is_some_and(|own| own.contains(licence));
        let licence = package["license"].as_str().unwrap_or_default();
        if spdx::is_allowed(licence, &allows) {
            return None;
        }
        let licence = if licence.is_empty() { "no licence in its manifest" } else { licence };
        Some(format!("{name} {}: {licence}", package["version"].as_str().unwrap_or_default()))
    }
}

fn words(value: &toml::Value) -> BTreeSet<String> {
    let words = value.as_array().into_iter().flatten().filter_map(toml::Value::as_str);
    words.map(ToOwned::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_licence_is_allowed_for_all_or_for_one_package() {
        let text = "[licenses]\nallow = [\"MIT\"]\nexceptions = [{ crate = \"a\", allow = [\"OpenSSL\"] }]\n";
        let policy = Policy::parse(text).unwrap();
        let objection = |name: &str, licence: Option<&str>| {
            policy.objection(&serde_json::json!({"name": name, "version": "1.0.0", "license": licence}))
        };
        assert_eq!(objection("a", Some("MIT AND OpenSSL")), None);
        assert_eq!(objection("b", Some("MIT AND OpenSSL")).as_deref(), Some("b 1.0.0: MIT AND OpenSSL"));
        assert_eq!(objection("b", None).as_deref(), Some("b 1.0.0: no licence in its manifest"));
    }
}
