//! The installation of a large bundle, against how fast this machine hashes and writes.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{Read as _, Write as _},
    path::Path,
    time::Duration,
};

use kernex_bundle::{ArchiveFormat, Hasher};
use kernex_client::OperatorClient;
use kernex_testkit::{AgentProcess, ServerProcess, ServerSetup, memory, reset_peak_memory};
use tokio::time::{Instant, sleep};

use super::{
    device::{registered, state},
    rollback::deploy,
};
use crate::{table::mib, transfer::make_archive};

const LOOK_EVERY: Duration = Duration::from_millis(5);
const BLOCK: usize = 1 << 20;

pub(super) async fn measure(
    setup: &ServerSetup,
    server: &ServerProcess,
    admin: &OperatorClient,
    size: u64,
) -> Vec<(String, String)> {
    let token = ServerProcess::registration_token(admin, 1).await;
    let agent = AgentProcess::start(&server.url, &setup.folder().join("installing"), Some(&token));
    let device = registered(admin, &agent).await;
    let archive = make_archive(setup.folder(), 1, ArchiveFormat::Zstd, size);
    let bytes = fs::metadata(&archive).unwrap().len();
    let uploaded = admin.upload_bundle(&archive, None, |_| {}).await.unwrap();
    fs::remove_file(&archive).unwrap();
    rustix::fs::sync();
    let disk_before = disk_speed(setup.folder(), size);
    reset_peak_memory(agent.pid());
    let (_, phases) = tokio::join!(deploy(admin, device, &uploaded), watch(&agent));
    let peak = memory(agent.pid()).peak;
    agent.stop().await;
    let (hash, disk_after) = (hash_speed(size), disk_speed(setup.folder(), size));
    let secs: f64 = phases.values().sum();
    let installed = bytes as f64 / f64::from(1 << 20) / secs;
    // The disk is shared with others on most machines, so that its better measurement is the one to be held against.
    let disk = disk_before.max(disk_after);
    let parts = phases.iter().map(|(phase, secs)| format!("{phase} {secs:.2} s")).collect::<Vec<_>>();
    vec![
        (format!("resident while {} are installed, at most", mib(size)), mib(peak)),
        ("hashing alone".to_owned(), format!("{hash:.0} MiB/s")),
        (
            "disk alone, written and synced, before and after".to_owned(),
            format!("{disk_before:.0} and {disk_after:.0} MiB/s"),
        ),
        (
            "installing, first byte to complete release".to_owned(),
            format!("{installed:.0} MiB/s ({})", parts.join(", ")),
        ),
        (
            "installing, of the slower of the two".to_owned(),
            format!("{:.0} %", installed / hash.min(disk) * 100.0),
        ),
    ]
}

/// Seconds in each phase until the release is complete.
async fn watch(agent: &AgentProcess) -> BTreeMap<String, f64> {
    let part = agent.data_dir().join("staging");
    // Waiting for a free moment to begin is not installing.
    while fs::read_dir(&part).map_or(0, Iterator::count) == 0 {
        sleep(LOOK_EVERY).await;
    }
    let mut phases = BTreeMap::new();
    let mut last = Instant::now();
    loop {
        let phase = state(agent).and_then(|state| state["attempt"]["phase"].as_str().map(ToOwned::to_owned));
        let passed = std::mem::replace(&mut last, Instant::now()).elapsed().as_secs_f64();
        match phase.as_deref() {
            Some(name @ ("downloading" | "verifying" | "staging")) => {
                *phases.entry(name.to_owned()).or_insert(0.0) += passed;
            }
            _ => return phases,
        }
        sleep(LOOK_EVERY).await;
    }
}

fn hash_speed(size: u64) -> f64 {
    let block = noise();
    let (began, mut hasher) = (Instant::now(), Hasher::new());
    for _ in 0..size / BLOCK as u64 {
        hasher.update(&block);
    }
    hasher.finish();
    size as f64 / f64::from(1 << 20) / began.elapsed().as_secs_f64()
}

fn disk_speed(folder: &Path, size: u64) -> f64 {
    let (block, path) = (noise(), folder.join("disk"));
    let began = Instant::now();
    let mut file = File::create(&path).unwrap();
    for _ in 0..size / BLOCK as u64 {
        file.write_all(&block).unwrap();
    }
    file.sync_all().unwrap();
    let secs = began.elapsed().as_secs_f64();
    fs::remove_file(&path).unwrap();
    size as f64 / f64::from(1 << 20) / secs
}

fn noise() -> Vec<u8> {
    let mut block = vec![0; BLOCK];
    File::open("/dev/urandom").unwrap().read_exact(&mut block).unwrap();
    block
}
