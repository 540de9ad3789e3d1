//! A large bundle up and down.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
    time::Duration,
};

use kernex_api::auth::LoginRequest;
use kernex_bundle::{ArchiveFormat, PackOptions, pack_to_file};
use kernex_client::{HttpOptions, OperatorClient, build_http_client};
use kernex_testkit::{
    ADMIN_PASSWORD, Backend, ServerProcess, ServerSetup, cpu_time, memory, reset_peak_memory,
};
use tokio::time::Instant;

use crate::{
    Size,
    table::{mib, table},
};

pub(crate) async fn measure(size: &Size) -> String {
    let setup = ServerSetup::new(Backend::Sqlite).await;
    let server = setup.start().await;
    let admin = server.admin().await;
    let mut rows = Vec::new();
    for (number, format) in [ArchiveFormat::Gzip, ArchiveFormat::Zstd].into_iter().enumerate() {
        let archive = make_archive(setup.folder(), number, format, size.bundle_bytes);
        let bytes = fs::metadata(&archive).unwrap().len();
        let meter = Meter::start(&server);
        let uploaded = admin.upload_bundle(&archive, None, |_| {}).await.unwrap();
        rows.push(meter.row(&format!("upload, {}", format.extension()), bytes));
        fs::remove_file(&archive).unwrap();
        if format == ArchiveFormat::Zstd {
            let meter = Meter::start(&server);
            let read = download(&server.url, &format!("bundles/{}", uploaded.bundle_id)).await;
            assert_eq!(read, bytes);
            rows.push(meter.row("download", bytes));
        }
        admin.delete_bundle(uploaded.bundle_id).await.unwrap();
    }
    let title = format!("A bundle of {}, which no compression makes smaller", mib(size.bundle_bytes));
    table(&title, &["Transfer", "throughput", "server CPU per GiB", "memory above rest"], &rows)
}

struct Meter {
    pid: i32,
    began: Instant,
    cpu: Duration,
    resident: u64,
}

impl Meter {
    fn start(server: &ServerProcess) -> Self {
        let pid = server.pid();
        reset_peak_memory(pid);
        Self { pid, began: Instant::now(), cpu: cpu_time(pid), resident: memory(pid).resident }
    }

    fn row(&self, what: &str, bytes: u64) -> Vec<String> {
        let (secs, cpu) = (self.began.elapsed().as_secs_f64(), cpu_time(self.pid) - self.cpu);
        let (mebibytes, gibibytes) = (bytes as f64 / f64::from(1 << 20), bytes as f64 / f64::from(1 << 30));
        vec![
            what.to_owned(),
            format!("{:.0} MiB/s", mebibytes / secs),
            format!("{:.2} s", cpu.as_secs_f64() / gibibytes),
            mib(memory(self.pid).peak.saturating_sub(self.resident)),
        ]
    }
}

pub(crate) fn make_archive(folder: &Path, number: usize, format: ArchiveFormat, bytes: u64) -> PathBuf {
    let content = tempfile::tempdir_in(folder).unwrap();
    fs::write(
        content.path().join("manifest.json"),
        format!(r#"{{"name":"large","version":"{number}.0.0"}}"#),
    )
    .unwrap();
    let mut random = File::open("/dev/urandom").unwrap().take(bytes);
    io::copy(&mut random, &mut File::create(content.path().join("random.bin")).unwrap()).unwrap();
    let options = PackOptions { format, ..PackOptions::default() };
    pack_to_file(content.path(), folder, &options, &mut |_, _| {}).unwrap().path.unwrap()
}

/// Reads and throws away, so that only the server's work counts.
async fn download(url: &str, path: &str) -> u64 {
    let login = LoginRequest { username: "admin".to_owned(), password: ADMIN_PASSWORD.to_owned() };
    let client = OperatorClient::new(url, &HttpOptions::default()).unwrap();
    let token = client.login(&login).await.unwrap().access_token;
    let http = build_http_client(&HttpOptions::default()).unwrap();
    let mut response = http.get(format!("{url}/api/v1/{path}")).bearer_auth(token).send().await.unwrap();
    let mut bytes = 0;
    while let Some(chunk) = response.chunk().await.unwrap() {
        bytes += chunk.len() as u64;
    }
    bytes
}
