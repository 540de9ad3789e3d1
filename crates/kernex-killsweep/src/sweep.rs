//! All points of the scenarios, or an even sample of them.

use std::{
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::Context as _;
use futures_util::{StreamExt as _, future::join_all, stream};
use kernex_api::registration_tokens::CreateRegistrationTokenRequest;
use kernex_testkit::{Backend, TestServer};
use kernex_tracer::Act;

use crate::{
    Scenario,
    agent::Device,
    plan::{Point, spread},
    point::{self, Verdict},
    scenario,
};

/// More devices than any sweep has points.
const TOKEN_USES: u32 = 100_000;

/// What to sweep.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which scenarios.
    pub scenarios: Vec<Scenario>,
    /// At most so many points over all scenarios, spread evenly; all of them when absent.
    pub sample: Option<usize>,
    /// Agents at the same time.
    pub jobs: usize,
}

/// What a sweep of one scenario showed.
#[derive(Clone, Debug)]
pub struct Report {
    /// The scenario.
    pub scenario: Scenario,
    /// Points that the undisturbed run has.
    pub points: usize,
    /// Points at which the agent was killed and came back right.
    pub survived: usize,
    /// Points that the agent did not come by.
    pub not_reached: usize,
    /// Points after which something was wrong, with what.
    pub failed: Vec<(Point, String)>,
}

/// Sweeps; `progress` hears of every point that is done, with the number of points in all.
pub async fn sweep(settings: &Settings, progress: impl Fn(usize)) -> anyhow::Result<Vec<Report>> {
    let server = TestServer::start(Backend::Sqlite).await;
    let folder = tempfile::tempdir()?;
    scenario::upload_versions(server.admin(), folder.path()).await?;
    let request = CreateRegistrationTokenRequest {
        uses: Some(TOKEN_USES),
        ttl_secs: Some(86_400),
        ..Default::default()
    };
    let token = server.admin().create_registration_token(&request).await?.token;
    let numbers = AtomicU32::new(0);
    let device = || new_device(&server, folder.path(), &token, numbers.fetch_add(1, Ordering::Relaxed));

    let plan = join_all(settings.scenarios.iter().map(|scenario| {
        let device = device();
        let admin = server.admin();
        async move {
            let points = point::trace(*scenario, admin, &device, Act::ListWrites).await;
            let points =
                points.with_context(|| format!("the undisturbed run of {scenario}\n{}", device.log()));
            anyhow::Ok((*scenario, points?))
        }
    }));
    let plan = plan.await.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    let total: usize = plan.iter().map(|(_, points)| points.len()).sum();
    let wanted = settings.sample.unwrap_or(total).min(total);
    let chosen: Vec<(Scenario, Point)> = plan
        .iter()
        .flat_map(|(scenario, points)| {
            let share = (points.len() * wanted).div_ceil(total.max(1));
            spread(points, share).into_iter().map(|point| (*scenario, point))
        })
        .collect();
    progress(chosen.len());
    let tries = chosen.into_iter().map(|(scenario, point)| {
        let (device, admin, progress) = (device(), server.admin(), &progress);
        async move {
            let verdict = point::try_point(scenario, admin, &device, &point).await;
            if verdict.is_ok() {
                let _ = std::fs::remove_dir_all(&device.data_dir);
            }
            progress(0);
            (scenario, point, verdict.map_err(|error| format!("{error:#}\n{}", device.log())))
        }
    });
    let verdicts: Vec<_> = stream::iter(tries).buffer_unordered(settings.jobs).collect().await;
    let reports = plan.iter().map(|(scenario, points)| report(*scenario, points.len(), &verdicts)).collect();
    server.shutdown().await;
    Ok(reports)
}

type Tried = (Scenario, Point, Result<Verdict, String>);

fn report(scenario: Scenario, points: usize, verdicts: &[Tried]) -> Report {
    let mut report = Report { scenario, points, survived: 0, not_reached: 0, failed: Vec::new() };
    for (_, point, verdict) in verdicts.iter().filter(|(of, _, _)| *of == scenario) {
        match verdict {
            Ok(Verdict::Survived) => report.survived += 1,
            Ok(Verdict::NotReached) => report.not_reached += 1,
            Err(reason) => report.failed.push((point.clone(), reason.clone())),
        }
    }
    report
}

fn new_device(server: &TestServer, folder: &Path, token: &str, number: u32) -> Device {
    let data_dir = folder.join(format!("device-{number}"));
    Device { url: server.url.clone(), data_dir, token: token.to_owned(), tag: format!("sweep={number}") }
}
