//! `cargo xtask killsweep` and `cargo xtask faults`: every point, with a table at the end.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use kernex_killsweep::{Extent, Fault, Report, Scenario, fault_sweep, kill_sweep};

/// Disturb the real agent at every system call that writes, one after the other, and look whether it comes out right.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    what: What,
    /// Only so many points, spread evenly.
    #[arg(long, global = true)]
    sample: Option<usize>,
    /// Agents at the same time.
    #[arg(long, global = true, default_value_t = 12)]
    jobs: usize,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Kill the agent before each call, and start it again.
    Kill {
        /// Only this scenario: registration, deploy, upgrade, rollback, configure, scripted-upgrade, scripted-rollback or
        /// self-update; may be given several times.
        #[arg(long)]
        scenario: Vec<Scenario>,
    },
    /// Let each call fail during an upgrade, by itself and with all that follow until the fault ends.
    Fault {
        /// Only this fault: ENOSPC, EIO, EROFS, EMFILE or short-write; may be given several times.
        #[arg(long)]
        fault: Vec<Fault>,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let Cli { what, sample, jobs } = Cli::parse();
    let bar = ProgressBar::new(0)
        .with_style(ProgressStyle::with_template("{bar:30} {pos}/{len} points, {elapsed}")?);
    let progress = |total| if total > 0 { bar.set_length(total as u64) } else { bar.inc(1) };
    let extent = Extent { sample, jobs };
    let reports = match what {
        What::Kill { scenario } => kill_sweep(&or_all(scenario, &Scenario::ALL), extent, progress).await?,
        What::Fault { fault } => fault_sweep(&or_all(fault, &Fault::ALL), extent, progress).await?,
    };
    bar.finish();
    print(&reports);
    let failed: usize = reports.iter().map(|report| report.failed.len()).sum();
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn or_all<T: Clone>(chosen: Vec<T>, all: &[T]) -> Vec<T> {
    if chosen.is_empty() { all.to_vec() } else { chosen }
}

#[expect(clippy::print_stdout, reason = "the table is the program's result")]
fn print(reports: &[Report]) {
    for report in reports {
        for (point, reason) in &report.failed {
            println!("{}, {point}: {reason}\n", report.name);
        }
    }
    println!("| | points | hit and right | not reached | wrong |\n|---|---|---|---|---|");
    for Report { name, points, survived, not_reached, failed } in reports {
        println!("| {name} | {points} | {survived} | {not_reached} | {} |", failed.len());
    }
}
