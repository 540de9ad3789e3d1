//! The steps.

use anyhow::{Context as _, Result};

use super::{components, dashboard, dependencies, hygiene, licences, tally::Tally};
use crate::{
    command::{run, run_and_watch},
    openapi, postgres, schemathesis,
    workspace::cargo,
};

/// One step: gives a note for the summary.
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) run: fn() -> Result<String>,
}

/// Quick ones first.
pub(super) const STEPS: &[Step] = &[
    Step { name: "fmt", about: "the code is formatted", run: format },
    Step { name: "hygiene", about: "nothing unfinished is committed", run: hygiene::check },
    Step { name: "dependencies", about: "crates use only what they may", run: dependencies::check },
    Step { name: "licences", about: "licences and advisories of dependencies", run: licences::check },
    Step { name: "clippy", about: "lints, warnings denied", run: clippy },
    Step { name: "build", about: "programs and tests", run: build },
    Step { name: "openapi", about: "the committed document is what the handlers say", run: check_openapi },
    Step { name: "dashboard", about: "its types, lints, tests, and a browser", run: check_dashboard },
    Step {
        name: "tests",
        about: "unit, endpoint, store and end-to-end tests, on SQLite and PostgreSQL",
        run: test,
    },
    Step {
        name: "schemathesis",
        about: "requests made from the document get answers that it names",
        run: check_answers,
    },
    Step { name: "docs", about: "the documentation of the code", run: document },
];

fn format() -> Result<String> {
    components::ensure("fmt", "rustfmt")?;
    run(&mut cargo(&["fmt", "--all", "--check"])).context("run `cargo fmt --all`")?;
    Ok(String::new())
}

fn clippy() -> Result<String> {
    components::ensure("clippy", "clippy")?;
    run(&mut cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    Ok(String::new())
}

/// All targets in one go, so that programs and tests share every crate: the end-to-end tests start the programs.
fn build() -> Result<String> {
    run(&mut cargo(&["build", "--workspace", "--all-targets"]))?;
    Ok(String::new())
}

fn check_openapi() -> Result<String> {
    build()?;
    openapi::check()?;
    Ok(String::new())
}

fn check_answers() -> Result<String> {
    build()?;
    schemathesis::check()
}

/// The browser talks to the programs, which hold the built files.
fn check_dashboard() -> Result<String> {
    build()?;
    dashboard::check()
}

fn test() -> Result<String> {
    build()?;
    let cluster = postgres::start_cluster()?;
    let mut tally = Tally::default();
    let mut tests = cargo(&["test", "--workspace", "--no-fail-fast"]);
    tests.env(kernex_testpg::URL_VARIABLE, cluster.url());
    // A snapshot that differs fails; it is not written beside the old one.
    tests.env("INSTA_UPDATE", "no");
    let outcome = run_and_watch(&mut tests, |line| tally.see(line));
    if !tally.failed.is_empty() {
        println!("\nfailed:\n  {}", tally.failed.join("\n  "));
    }
    outcome.map(|()| tally.to_string())
}

fn document() -> Result<String> {
    run(cargo(&["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))?;
    Ok(String::new())
}
