//! What is shown, step by step.

use std::{
    fs,
    io::Read as _,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tokio::process::Command;

use super::{
    cli::{Kernex, pass_line},
    inference::{READING, predict},
    processes::Processes,
    programs::Programs,
};
use crate::{style::heading, workspace};

/// The control plane's name among the processes.
pub(super) const SERVER: &str = "kernex-server";
/// The devices, with the kind of key that each makes.
const DEVICES: [(&str, &str); 3] = [("edge-1", "rsa-4096"), ("edge-2", "ed25519"), ("edge-3", "ed25519")];
/// Seconds between heartbeats: the default of 60 would make a slow show.
const POLLING_INTERVAL: &str = "1";
/// An unoptimised program makes an RSA key of 4,096 bits for a while on a slow machine.
const REGISTER_DEADLINE: Duration = Duration::from_secs(180);
const START_DEADLINE: Duration = Duration::from_secs(60);
const PASSWORD_CHARS: usize = 20;

/// What the tour needs.
pub(super) struct Tour<'a> {
    pub(super) programs: &'a Programs,
    pub(super) folder: &'a Path,
    pub(super) listen: Option<SocketAddr>,
}

/// What is there at the end of the tour.
pub(super) struct Fleet {
    pub(super) url: String,
    pub(super) password: String,
    pub(super) cli_config: PathBuf,
    /// A bundle that breaks on start, ready to be pushed.
    pub(super) broken: PathBuf,
}

impl Tour<'_> {
    pub(super) async fn run(&self, processes: &mut Processes) -> Result<Fleet> {
        heading("start the control plane on SQLite");
        let password = make_password()?;
        self.create_admin(&password).await?;
        let url = self.start_server(processes).await?;
        let kernex = Kernex { program: &self.programs.kernex, config: self.folder.join("operator") };
        kernex.login(&url, &password).await?;

        heading("start three agents");
        self.start_agents(processes, &kernex, &url).await?;
        name_devices(processes, &kernex).await?;

        heading("push version 1 and deploy it to all three");
        kernex.show(&["bundle", "push", text(&self.pack("v1")?)]).await?;
        kernex.show(&deploy("edge-model@1.0.0")).await?;
        let before = self.ask_model("edge-1").await?;

        heading("upgrade all three to version 2, which has other weights");
        kernex.show(&["bundle", "push", text(&self.pack("v2")?)]).await?;
        kernex.show(&deploy("edge-model@2.0.0")).await?;
        let after = self.ask_model("edge-1").await?;
        ensure!(before != after, "version 2 answers like version 1: {after}");

        heading("return edge-3 to version 1");
        kernex.show(&["rollback", "1.0.0", "--name", "edge-model", "--device", "edge-3", "--wait"]).await?;
        let returned = self.ask_model("edge-3").await?;
        ensure!(
            returned == before,
            "edge-3 answers {returned} after the rollback, version 1 answered {before}"
        );

        heading("the fleet");
        kernex.show(&["device", "list"]).await?;
        Ok(Fleet { url, password, cli_config: kernex.config, broken: self.pack("v3")? })
    }

    async fn create_admin(&self, password: &str) -> Result<()> {
        let mut command = Command::new(&self.programs.server);
        command.args(["admin", "create", "--username", "admin", "--password-stdin", "--data-dir"]);
        clean(command.arg(self.server_dir()));
        pass_line(&mut command, password).await.context("`kernex-server admin create` failed")
    }

    async fn start_server(&self, processes: &mut Processes) -> Result<String> {
        let mut command = Command::new(&self.programs.server);
        command.args(["serve", "--listen", &self.address().to_string(), "--data-dir"]).arg(self.server_dir());
        processes.start(SERVER, clean(&mut command))?;
        let url = processes.wait_for("the control plane", START_DEADLINE, async |processes: &Processes| {
            let log = processes.log_text(SERVER);
            Ok(log.lines().find_map(|line| Some(line.strip_prefix("listening on ")?.trim().to_owned())))
        });
        let url = url.await?;
        println!("listening on {url}");
        Ok(url)
    }

    /// Where to listen: a taken port is no reason to fail unless it was asked for.
    fn address(&self) -> SocketAddr {
        let usual = SocketAddr::from(([127, 0, 0, 1], 8000));
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        self.listen.unwrap_or_else(|| if TcpListener::bind(usual).is_ok() { usual } else { any })
    }

    async fn start_agents(&self, processes: &mut Processes, kernex: &Kernex<'_>, url: &str) -> Result<()> {
        let uses = DEVICES.len().to_string();
        let token = kernex.ask(&["registration-token", "create", "--uses", &uses]).await?;
        let token = token["token"].as_str().context("the registration token has no `token`")?;
        for (name, algorithm) in DEVICES {
            let mut command = Command::new(&self.programs.agent);
            command.args([
                "run",
                "--control-plane",
                url,
                "--key-algorithm",
                algorithm,
                "--device-type",
                "demo",
            ]);
            command.args([
                "--tag",
                &format!("demo={name}"),
                "--polling-interval",
                POLLING_INTERVAL,
                "--data-dir",
            ]);
            command.arg(self.device_dir(name));
            // The environment, because everybody on this machine can see command lines.
            processes.start(name, clean(&mut command).env("KERNEX_REGISTRATION_TOKEN", token))?;
            println!("{name}: {algorithm} key, data in {}", self.device_dir(name).display());
        }
        Ok(())
    }

    /// A folder with a version of the example, the program included.
    fn pack(&self, version: &str) -> Result<PathBuf> {
        let to = self.folder.join("bundles").join(version);
        let from = workspace::root().join("examples/edge-model").join(version);
        fs::create_dir_all(&to).with_context(|| format!("cannot make {}", to.display()))?;
        for entry in fs::read_dir(&from).with_context(|| format!("cannot read {}", from.display()))? {
            let entry = entry?;
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
        fs::copy(&self.programs.infer, to.join("infer")).context("cannot copy the example's program")?;
        Ok(to)
    }

    async fn ask_model(&self, device: &str) -> Result<Value> {
        let answer = predict(&self.device_dir(device)).await?;
        let label = answer.get("label").cloned().context("the model's answer has no `label`")?;
        println!("{device}: POST /predict {READING} -> {answer}");
        Ok(label)
    }

    fn server_dir(&self) -> PathBuf {
        self.folder.join("control-plane")
    }

    fn device_dir(&self, name: &str) -> PathBuf {
        self.folder.join("devices").join(name)
    }
}

/// Waits until every device has registered and gives each its name.
async fn name_devices(processes: &mut Processes, kernex: &Kernex<'_>) -> Result<()> {
    println!("waiting for the devices to make their keys and register");
    for (name, _) in DEVICES {
        let tag = format!("demo={name}");
        let what = format!("{name} to register");
        let id = processes.wait_for(&what, REGISTER_DEADLINE, async |_: &Processes| {
            let list = kernex.ask(&["device", "list", "--tag", &tag]).await?;
            let device = list["devices"].get(0).filter(|device| !device["last_seen_at"].is_null());
            Ok(device.and_then(|device| Some(device["device_id"].as_str()?.to_owned())))
        });
        let id = id.await?;
        kernex.ask(&["device", "rename", &id, name]).await?;
        let interval = format!("polling_interval={POLLING_INTERVAL}");
        kernex.ask(&["device", "config", "set", &id, &interval]).await?;
    }
    kernex.show(&["device", "list"]).await
}

fn deploy(bundle: &str) -> Vec<&str> {
    let devices = DEVICES.iter().flat_map(|(name, _)| ["--device", name]);
    ["deploy", bundle].into_iter().chain(devices).chain(["--wait", "--timeout", "5m"]).collect()
}

/// Settings of whoever starts the demo are not the demo's.
fn clean(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        let names =
            ["DATABASE_URL", "DATABASE_URL_FILE", "CONTROL_PLANE_URL", "POLLING_INTERVAL", "LOG_LEVEL"];
        if name.starts_with("KERNEX_") || names.contains(&name.as_str()) {
            command.env_remove(name);
        }
    }
    command
}

fn make_password() -> Result<String> {
    const ALPHABET: &[u8] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0; PASSWORD_CHARS];
    fs::File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .context("cannot make a password")?;
    Ok(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()])).collect())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}
