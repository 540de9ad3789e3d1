//! The control plane is killed in the middle of 200 deployments: nothing that it acknowledged is lost, no command is lost, and
//! none is carried out twice.

mod audit;
mod fleet;
mod operator;
mod plan;

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use kernex_testkit::{Backend, ServerProcess, ServerSetup, TestDevice, wait_for};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use sqlx::{Connection as _, SqliteConnection};
use tokio::time::Instant;

use audit::Audit;
use fleet::{Shared, run_device};
use operator::{change_configs, create_deployments};
use plan::Plan;

const DEVICES: usize = 40;
const DEPLOYMENTS: usize = 200;
const KILLS: u64 = 6;
const DEADLINE: Duration = Duration::from_secs(300);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_the_server_amid_200_deployments_loses_and_repeats_nothing_on_sqlite() {
    survive_kills(Backend::Sqlite, 7).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_the_server_amid_200_deployments_loses_and_repeats_nothing_on_postgres() {
    survive_kills(Backend::Postgres, 8).await;
}

async fn survive_kills(backend: Backend, seed: u64) {
    let began = Instant::now();
    let mut random = StdRng::seed_from_u64(seed);
    let setup = ServerSetup::new(backend).await;
    let mut server = setup.start().await;
    let admin = server.admin().await;
    let devices = register_fleet(&server, &admin).await;
    let plan =
        Plan::make(&mut random, &admin, setup.folder(), devices.iter().map(TestDevice::id).collect()).await;

    let shared = Arc::new(Shared::default());
    let fleet: Vec<_> =
        devices.into_iter().map(|device| tokio::spawn(run_device(device, shared.clone()))).collect();
    let deployments = tokio::spawn(create_deployments(admin.clone(), plan.clone()));
    let configs = tokio::spawn(change_configs(admin.clone(), plan.devices.clone()));
    kill_now_and_then(&mut server, &setup, &mut random, &shared, plan.targets()).await;

    let created = deployments.await.unwrap();
    let changed = configs.await.unwrap();
    wait_for("every result to be acknowledged", DEADLINE, async || {
        (shared.acknowledged() >= plan.targets()).then_some(())
    })
    .await;
    shared.stop();
    let logs = join_all(fleet).await.into_iter().map(Result::unwrap).collect();
    println!("{backend:?}: {} targets, {KILLS} kills, {:.1?}", plan.targets(), began.elapsed());

    Audit { admin, plan, created, changed, logs }.check().await;
    server.terminate();
    assert!(server.wait().await.success(), "{}", server.log_text());
    if backend == Backend::Sqlite {
        assert_intact(&setup.database_url()).await;
    }
}

async fn register_fleet(server: &ServerProcess, admin: &kernex_client::OperatorClient) -> Vec<TestDevice> {
    let token = ServerProcess::registration_token(admin, DEVICES as u32).await;
    join_all((0..DEVICES).map(|_| TestDevice::registered(&server.url, Some(&token)))).await
}

/// Kills the server at random moments between the first result and the last, and starts it again at once.
async fn kill_now_and_then(
    server: &mut ServerProcess,
    setup: &ServerSetup,
    random: &mut StdRng,
    shared: &Shared,
    targets: u64,
) {
    let step = targets / (KILLS + 1);
    for kill in 0..KILLS {
        let at = step * kill + random.random_range(step / 2..step + step / 2);
        wait_for("some results", DEADLINE, async || (shared.acknowledged() >= at).then_some(())).await;
        // Not always just after a result: at any point of what the server does.
        tokio::time::sleep(Duration::from_micros(random.random_range(0..30_000))).await;
        server.kill().await;
        server.restart(setup).await;
    }
    assert!(shared.acknowledged() < targets, "the last kill came too late to be in the middle");
}

async fn assert_intact(url: &str) {
    let mut database = SqliteConnection::connect(url).await.unwrap();
    let verdict: String =
        sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut database).await.unwrap();
    assert_eq!(verdict, "ok");
    let orphans = sqlx::query("PRAGMA foreign_key_check").fetch_all(&mut database).await.unwrap();
    assert!(orphans.is_empty());
}
