//! `kernex-server` as a process that can be killed and started again.

use std::{
    path::{Path, PathBuf},
    process::{ExitStatus, Output},
    time::Duration,
};

use kernex_api::registration_tokens::CreateRegistrationTokenRequest;
use kernex_client::OperatorClient;
use rustix::process::Signal;
use tempfile::TempDir;

use super::{Spawned, clean_command, program};
use crate::{ADMIN_PASSWORD, Backend, Database, in_process::register_admin, wait_for};

/// A debug build on a busy machine.
const START_DEADLINE: Duration = Duration::from_secs(60);

/// Where a control plane keeps its data; the same over several processes.
#[derive(Debug)]
pub struct ServerSetup {
    folder: TempDir,
    database: Database,
    data_dir: PathBuf,
}

impl ServerSetup {
    /// An empty data folder and an empty database.
    pub async fn new(backend: Backend) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let data_dir = folder.path().join("data");
        Self { database: backend.database().await, data_dir, folder }
    }

    /// The same with another data folder.
    #[must_use]
    pub fn with_data_dir(mut self, data_dir: &Path) -> Self {
        self.data_dir = data_dir.to_owned();
        self
    }

    /// The data folder.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The database's address.
    pub fn database_url(&self) -> String {
        self.database.url(&self.data_dir)
    }

    /// A folder for what else a test needs.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the control plane on a free port.
    pub async fn start(&self) -> ServerProcess {
        ServerProcess::start(self, 0).await
    }

    /// Runs `kernex-server` with these arguments and the folders of this setup until it ends.
    pub async fn run_to_end(&self, arguments: &[&str]) -> Output {
        let mut command = clean_command(&program("kernex-server"));
        command.args(arguments).args(self.arguments());
        command.stdin(std::process::Stdio::null()).output().await.expect("the program starts")
    }

    fn arguments(&self) -> Vec<String> {
        let data_dir = self.data_dir.to_str().expect("the path is UTF-8").to_owned();
        vec!["--data-dir".to_owned(), data_dir, "--database-url".to_owned(), self.database_url()]
    }
}

/// A running control plane.
#[derive(Debug)]
pub struct ServerProcess {
    /// Its address.
    pub url: String,
    /// The one-time link, while there was no user.
    pub first_admin: Option<String>,
    port: u16,
    process: Spawned,
}

impl ServerProcess {
    async fn start(setup: &ServerSetup, port: u16) -> Self {
        let log = setup.folder.path().join("server.log");
        let before = std::fs::read(&log).map(|text| text.len()).unwrap_or(0);
        let mut command = clean_command(&program("kernex-server"));
        command.args(["serve", "--listen", &format!("127.0.0.1:{port}")]).args(setup.arguments());
        let mut process = Spawned::start(&mut command, log);
        let url = wait_for("the control plane's start", START_DEADLINE, async || {
            let text = process.log_text();
            let ended = process.child.try_wait().ok().flatten();
            assert!(ended.is_none(), "the control plane ended ({ended:?}); its log:\n{text}");
            line_after(&text[before..], "listening on ")
        });
        let url = url.await;
        let port =
            url.rsplit(':').next().and_then(|port| port.parse().ok()).expect("the address ends with a port");
        let first_admin = line_after(&process.log_text()[before..], "first admin: ");
        Self { url, first_admin, port, process }
    }

    /// Makes the first admin with the one-time link, and logs in.
    pub async fn admin(&self) -> OperatorClient {
        let what = "the one-time link for the first admin";
        let link =
            wait_for(what, START_DEADLINE, async || line_after(&self.log_text(), "first admin: ")).await;
        register_admin(&self.url, &link).await
    }

    /// A client of the admin that exists already.
    pub async fn login(&self) -> OperatorClient {
        let client = OperatorClient::new(&self.url, &kernex_client::HttpOptions::default());
        let client = client.expect("the address is valid").logged_in("admin", ADMIN_PASSWORD).await;
        client.expect("the admin can log in")
    }

    /// A token that lets this many devices in.
    pub async fn registration_token(admin: &OperatorClient, uses: u32) -> String {
        let request =
            CreateRegistrationTokenRequest { uses: Some(uses), ..CreateRegistrationTokenRequest::default() };
        admin.create_registration_token(&request).await.expect("a token can be made").token
    }

    /// Kills it as a power cut would, and waits until it is gone.
    pub async fn kill(&mut self) {
        self.process.signal(Signal::KILL);
        self.process.wait().await;
    }

    /// Starts it again after its end, on the same port.
    pub async fn restart(&mut self, setup: &ServerSetup) {
        *self = Self::start(setup, self.port).await;
    }

    /// Asks it to stop.
    pub fn terminate(&self) {
        self.process.signal(Signal::TERM);
    }

    /// Waits for its end.
    pub async fn wait(&mut self) -> ExitStatus {
        self.process.wait().await
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.process.pid()
    }

    /// What it wrote, earlier runs included.
    pub fn log_text(&self) -> String {
        self.process.log_text()
    }
}

fn line_after(text: &str, start: &str) -> Option<String> {
    // A line without its end may still be growing.
    let complete = text.rsplit_once('\n').map_or("", |(complete, _)| complete);
    complete.lines().find_map(|line| Some(line.strip_prefix(start)?.trim().to_owned()))
}
