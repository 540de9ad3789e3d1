//! `cargo xtask killsweep`: every point, with a table at the end.

use std::process::ExitCode;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use kernex_killsweep::{Report, Scenario, Settings, sweep};

/// Kill the real agent before every system call that writes, one after the other, and look whether it comes back right.
#[derive(Debug, Parser)]
struct Cli {
    /// Only this scenario: registration, deploy, upgrade, rollback, configure, scripted-upgrade, scripted-rollback or
    /// self-update; may be given several times.
    #[arg(long)]
    scenario: Vec<Scenario>,
    /// Only so many points, spread evenly.
    #[arg(long)]
    sample: Option<usize>,
    /// Agents at the same time.
    #[arg(long, default_value_t = 12)]
    jobs: usize,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    let scenarios = if cli.scenario.is_empty() { Scenario::ALL.to_vec() } else { cli.scenario };
    let bar = ProgressBar::new(0)
        .with_style(ProgressStyle::with_template("{bar:30} {pos}/{len} points, {elapsed}")?);
    let settings = Settings { scenarios, sample: cli.sample, jobs: cli.jobs.max(1) };
    let reports =
        sweep(&settings, |total| if total > 0 { bar.set_length(total as u64) } else { bar.inc(1) }).await?;
    bar.finish();
    print(&reports);
    let failed: usize = reports.iter().map(|report| report.failed.len()).sum();
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[expect(clippy::print_stdout, reason = "the table is the program's result")]
fn print(reports: &[Report]) {
    for (point, reason) in reports.iter().flat_map(|report| &report.failed) {
        println!("{point}: {reason}\n");
    }
    println!("| scenario | points | killed and right | not reached | wrong |\n|---|---|---|---|---|");
    for report in reports {
        let Report { scenario, points, survived, not_reached, failed } = report;
        println!("| {scenario} | {points} | {survived} | {not_reached} | {} |", failed.len());
    }
}
