//! `cargo xtask test`: every check, the quick ones first; stops at the first that fails.

mod components;
mod dashboard;
mod dependencies;
mod hygiene;
mod licences;
mod spdx;
mod steps;
mod tally;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::style;
use steps::STEPS;

/// Check everything
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only this step; may be repeated
    #[arg(long, value_name = "STEP", value_parser = step_names(), conflicts_with = "skip")]
    only: Vec<String>,
    /// Leave this step out; may be repeated
    #[arg(long, value_name = "STEP", value_parser = step_names())]
    skip: Vec<String>,
}

fn step_names() -> clap::builder::PossibleValuesParser {
    STEPS
        .iter()
        .map(|step| clap::builder::PossibleValue::new(step.name).help(step.about))
        .collect::<Vec<_>>()
        .into()
}

struct Done {
    name: &'static str,
    took: Duration,
    /// What is worth knowing besides that it passed.
    note: String,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let began = Instant::now();
    let mut done = Vec::new();
    for step in STEPS {
        let is_asked = args.only.is_empty() || args.only.iter().any(|name| name == step.name);
        if !is_asked || args.skip.iter().any(|name| name == step.name) {
            continue;
        }
        style::heading(&format!("{}: {}", step.name, step.about));
        let step_began = Instant::now();
        let outcome = (step.run)();
        let took = step_began.elapsed();
        if outcome.is_err() {
            summarize(&done, began.elapsed());
            println!("  {:<13} {:>13}  FAILED", step.name, style::duration(took));
        }
        let note = outcome.with_context(|| format!("step `{}` failed", step.name))?;
        println!("{} passed in {}", step.name, style::duration(took));
        done.push(Done { name: step.name, took, note });
    }
    if done.is_empty() {
        bail!("nothing is left to do: every step was skipped");
    }
    summarize(&done, began.elapsed());
    if let Some(tests) = done.iter().find(|step| step.name == "tests") {
        println!("\n{}", tests.note);
    }
    Ok(())
}

fn summarize(done: &[Done], total: Duration) {
    style::heading(&format!("summary, {} in all", style::duration(total)));
    for step in done {
        println!("  {:<13} {:>13}  {}", step.name, style::duration(step.took), step.note);
    }
}
