//! All points or cases, or an even sample of them, on devices of one control plane.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::Context as _;
use futures_util::{StreamExt as _, future::join_all, stream};
use kernex_api::registration_tokens::CreateRegistrationTokenRequest;
use kernex_client::OperatorClient;
use kernex_testkit::{Backend, TestServer};
use kernex_tracer::{Act, Fault};

use crate::{
    Case, Scenario,
    agent::Device,
    fault,
    plan::{Point, spread},
    point::{self, Verdict},
    scenario,
};

/// More devices than any sweep has points.
const TOKEN_USES: u32 = 100_000;

/// How much to try, and how fast.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// At most so many points over all rows, spread evenly; all of them when absent.
    pub sample: Option<usize>,
    /// Agents at the same time.
    pub jobs: usize,
}

/// What a row of the table showed.
#[derive(Clone, Debug)]
pub struct Report {
    /// The scenario, or the fault.
    pub name: String,
    /// Points that the undisturbed run has.
    pub points: usize,
    /// Points that were hit, and after which everything was right.
    pub survived: usize,
    /// Points that the agent did not come by.
    pub not_reached: usize,
    /// Points after which something was wrong, with what.
    pub failed: Vec<(String, String)>,
}

/// Kills; `progress` hears of every point that is done, with the number of points in all at first.
pub async fn kill_sweep(
    scenarios: &[Scenario],
    extent: Extent,
    progress: impl Fn(usize),
) -> anyhow::Result<Vec<Report>> {
    let ground = Ground::prepare().await?;
    let rows = scenarios.iter().map(|scenario| ground.row(scenario, *scenario, Act::ListWrites));
    let rows = join_all(rows).await.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    let tried = ground.try_all(rows, extent, progress, async |admin, device, scenario, point| {
        point::try_point(*scenario, admin, device, point).await
    });
    let reports = tried.await;
    ground.server.shutdown().await;
    Ok(reports)
}

/// Lets calls fail during an upgrade, each by itself and each with all that follow.
pub async fn fault_sweep(
    faults: &[Fault],
    extent: Extent,
    progress: impl Fn(usize),
) -> anyhow::Result<Vec<Report>> {
    let ground = Ground::prepare().await?;
    let kinds = faults.iter().flat_map(|fault| [(*fault, false), (*fault, true)]);
    // A short write that lasts is many short writes.
    let rows = kinds.map(|(fault, is_lasting)| {
        let name = format!("{}{}", fault.as_str(), if is_lasting { ", lasting" } else { "" });
        let ground = &ground;
        async move {
            let row = ground.row(&name, fault::SCENARIO, Act::ListFor(fault)).await?;
            anyhow::Ok(Row { key: (fault, is_lasting), name: row.name, points: row.points })
        }
    });
    let rows = join_all(rows).await.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    let tried = ground.try_all(rows, extent, progress, async |admin, device, (fault, is_lasting), point| {
        let case = Case { fault: *fault, is_lasting: *is_lasting, point: point.clone() };
        fault::try_case(admin, device, &case).await
    });
    let reports = tried.await;
    ground.server.shutdown().await;
    Ok(reports)
}

/// Where everything takes place.
struct Ground {
    server: TestServer,
    folder: tempfile::TempDir,
    token: String,
    numbers: AtomicU32,
}

/// What belongs together in the table, and its points.
struct Row<K> {
    key: K,
    name: String,
    points: Vec<Point>,
}

impl Ground {
    async fn prepare() -> anyhow::Result<Self> {
        let server = TestServer::start(Backend::Sqlite).await;
        let folder = tempfile::tempdir()?;
        scenario::upload_versions(server.admin(), folder.path()).await?;
        let request = CreateRegistrationTokenRequest {
            uses: Some(TOKEN_USES),
            ttl_secs: Some(86_400),
            ..Default::default()
        };
        let token = server.admin().create_registration_token(&request).await?.token;
        Ok(Self { server, folder, token, numbers: AtomicU32::new(0) })
    }

    fn device(&self) -> Device {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let data_dir: PathBuf = self.folder.path().join(format!("device-{number}"));
        Device {
            url: self.server.url.clone(),
            data_dir,
            token: self.token.clone(),
            tag: format!("sweep={number}"),
        }
    }

    /// The points of an undisturbed run.
    async fn row<K: Clone + ToString>(
        &self,
        key: &K,
        scenario: Scenario,
        list: Act,
    ) -> anyhow::Result<Row<K>> {
        let device = self.device();
        let points = point::trace(scenario, self.server.admin(), &device, list).await;
        let points =
            points.with_context(|| format!("the undisturbed run of {scenario}\n{}", device.log()))?;
        Ok(Row { key: key.clone(), name: key.to_string(), points })
    }

    async fn try_all<K: Clone>(
        &self,
        rows: Vec<Row<K>>,
        extent: Extent,
        progress: impl Fn(usize),
        try_one: impl AsyncFn(&OperatorClient, &Device, &K, &Point) -> anyhow::Result<Verdict>,
    ) -> Vec<Report> {
        let total: usize = rows.iter().map(|row| row.points.len()).sum();
        let wanted = extent.sample.unwrap_or(total).min(total);
        let chosen: Vec<(usize, Point)> = rows
            .iter()
            .enumerate()
            .flat_map(|(index, row)| {
                let share = (row.points.len() * wanted).div_ceil(total.max(1));
                spread(&row.points, share).into_iter().map(move |point| (index, point))
            })
            .collect();
        progress(chosen.len());
        let (rows, try_one, progress) = (&rows, &try_one, &progress);
        let tries = chosen.into_iter().map(|(index, point)| async move {
            let device = self.device();
            let verdict = try_one(self.server.admin(), &device, &rows[index].key, &point).await;
            if verdict.is_ok() {
                let _ = std::fs::remove_dir_all(&device.data_dir);
            }
            progress(0);
            (index, point, verdict.map_err(|error| format!("{error:#}\n{}", device.log())))
        });
        let tried: Vec<_> = stream::iter(tries).buffer_unordered(extent.jobs.max(1)).collect().await;
        rows.iter().enumerate().map(|(index, row)| report(index, row, &tried)).collect()
    }
}

fn report<K>(index: usize, row: &Row<K>, tried: &[(usize, Point, Result<Verdict, String>)]) -> Report {
    let mut report = Report {
        name: row.name.clone(),
        points: row.points.len(),
        survived: 0,
        not_reached: 0,
        failed: Vec::new(),
    };
    for (_, point, verdict) in tried.iter().filter(|(of, _, _)| *of == index) {
        match verdict {
            Ok(Verdict::Survived) => report.survived += 1,
            Ok(Verdict::NotReached) => report.not_reached += 1,
            Err(reason) => report.failed.push((point.to_string(), reason.clone())),
        }
    }
    report
}
