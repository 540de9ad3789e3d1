//! `cargo xtask demo`: a control plane and three devices on this machine, shown as an operator would work with them.

mod cli;
mod folder;
mod inference;
mod processes;
mod programs;
mod tour;

use std::{net::SocketAddr, path::PathBuf, time::Instant};

use anyhow::{Context as _, Result, bail};
use tokio::signal::unix::{SignalKind, signal};

use crate::style;
use folder::Folder;
use processes::Processes;
use programs::Programs;
use tour::{Fleet, Tour};

/// Show a control plane with three devices
///
/// Everything lives in one temporary folder and is gone at the end.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// End after the tour instead of staying up until Ctrl-C
    #[arg(long)]
    once: bool,
    /// Keep everything (database, bundles, the devices' folders, logs) in this folder, which must be empty or new
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Where the control plane listens [default: 127.0.0.1:8000, or another port when that is taken]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let began = Instant::now();
    let programs = Programs::build()?;
    println!("built in {}", style::duration(began.elapsed()));
    let folder = Folder::make(args.keep.as_deref())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(show(args, &programs, &folder))
}

async fn show(args: &Args, programs: &Programs, folder: &Folder) -> Result<()> {
    let began = Instant::now();
    let mut processes = Processes::new(folder.path().join("logs"))?;
    let outcome = tokio::select! {
        outcome = tour_and_stay(args, programs, folder, &mut processes, began) => outcome,
        interrupted = interruption() => interrupted.and_then(|()| interrupted_is_fine(args)),
    };
    if outcome.is_err() {
        processes.print_logs();
    }
    println!("\nstopping what was started");
    processes.stop().await;
    outcome
}

async fn tour_and_stay(
    args: &Args,
    programs: &Programs,
    folder: &Folder,
    processes: &mut Processes,
    began: Instant,
) -> Result<()> {
    let tour = Tour { programs, folder: folder.path(), listen: args.listen };
    let fleet = tour.run(processes).await?;
    println!("\nthe tour took {}", style::duration(began.elapsed()));
    if args.once {
        return Ok(());
    }
    invite(&fleet, programs, folder);
    let name = processes.first_that_ends().await;
    bail!("{name} ended by itself");
}

/// Ends with Ctrl-C, SIGTERM, or the terminal.
async fn interruption() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for signals")?;
    let mut hang_up = signal(SignalKind::hangup()).context("cannot listen for signals")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = hang_up.recv() => {}
    }
    Ok(())
}

fn interrupted_is_fine(args: &Args) -> Result<()> {
    if args.once { bail!("interrupted before the end") } else { Ok(()) }
}

fn invite(fleet: &Fleet, programs: &Programs, folder: &Folder) {
    let kernex = programs.kernex.display();
    let config = fleet.cli_config.display();
    style::heading("the control plane stays up until Ctrl-C");
    println!("  address    {}", style::bold(&fleet.url));
    println!("  reference  {}/docs", fleet.url);
    println!("  login      {} / {}", style::bold("admin"), style::bold(&fleet.password));
    println!("  folder     {}", folder.path().display());
    println!("\nTo try in another terminal:\n");
    println!("  export KERNEX_CONFIG_DIR={config}   # the demo's login");
    println!("  {kernex} device list");
    println!("  {kernex} device history edge-3");
    println!("  {kernex} rollback 1.0.0 --name edge-model --device edge-1 --wait");
    println!("  {kernex} deploy edge-model@2.0.0 --device edge-3 --wait");
    println!("  {kernex} bundle push {}   # version 3 breaks on start:", fleet.broken.display());
    println!("  {kernex} deploy edge-model@3.0.0 --device edge-2 --wait   # the device goes back by itself");
}
