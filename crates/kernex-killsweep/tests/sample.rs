//! A part of the sweeps that every test run has time for.

use kernex_killsweep::{Extent, Fault, Report, Scenario, fault_sweep, kill_sweep};

/// Points of this run; `cargo xtask killsweep` takes all of them.
const KILLS: usize = 300;
/// And `cargo xtask faults`.
const FAULTS: usize = 60;

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_killed_before_any_write_comes_back_right() {
    let extent = Extent { sample: Some(KILLS), jobs: 16 };
    let reports = kill_sweep(&Scenario::ALL, extent, |_| {}).await.expect("the sweep runs");
    assert_all_right(&reports, KILLS);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_whose_calls_fail_keeps_the_old_version_says_why_and_goes_on_afterwards() {
    let extent = Extent { sample: Some(FAULTS), jobs: 16 };
    let reports = fault_sweep(&Fault::ALL, extent, |_| {}).await.expect("the sweep runs");
    assert_all_right(&reports, FAULTS);
}

fn assert_all_right(reports: &[Report], wanted: usize) {
    let failed: Vec<_> = reports.iter().flat_map(|report| &report.failed).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let tried: usize = reports.iter().map(|report| report.survived + report.not_reached).sum();
    let points: usize = reports.iter().map(|report| report.points).sum();
    assert!(tried >= wanted.min(points), "{tried} of {points} points were tried");
}
