//! `cargo xtask schemathesis`: requests made from the OpenAPI document, right ones and wrong ones, against a running control plane;
//! every answer must be one that the document names, and none a fault of the server.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use crate::{command, workspace};

/// The release of schemathesis from PyPI; a newer one may know checks that this API was not looked at for.
const RELEASE: &str = "schemathesis==4.32.5";
/// What would end the login that the requests are made with, and what is no JSON over HTTP.
const LEFT_OUT: &str = "(/auth/logout|/auth/sessions|/events$|/docs)";
/// The document does not say which ids exist, nor every rule that spans fields: what fits its schema may be refused with 400.
const CHECKS_LEFT_OUT: &str = "positive_data_acceptance";
const PASSWORD: &str = "requests from the document";
/// Logs in and prints the token.
const LOGIN: &str = "import json, sys, urllib.request as web\n\
    body = json.dumps({'username': 'admin', 'password': sys.argv[2]}).encode()\n\
    request = web.Request(sys.argv[1] + '/api/v1/auth/login', body, {'Content-Type': 'application/json'})\n\
    print(json.load(web.urlopen(request, timeout=30))['access_token'])";

/// Send requests made from the OpenAPI document to a running control plane
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Requests per operation and kind
    #[arg(long, value_name = "N", default_value_t = 100)]
    max_examples: u32,
    /// Which requests; the same number gives the same ones
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Stop after so many seconds
    #[arg(long, value_name = "SECS", default_value_t = 3_600)]
    max_secs: u32,
}

/// The short run of `cargo xtask test`.
pub(crate) fn check() -> Result<String> {
    let args = Args { max_examples: 5, seed: 1, max_secs: 150 };
    run(&args)?;
    Ok(format!("{RELEASE}, seed {}, {} examples", args.seed, args.max_examples))
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let folder = workspace::target().join("schemathesis");
    let tool = install(&folder)?;
    let data = tempfile::tempdir_in(&folder).context("cannot make a folder for the control plane")?;
    let server = Server::start(data.path())?;
    let token =
        command::output(Command::new(tool.join("python")).args(["-c", LOGIN, &server.address, PASSWORD]))?;
    let mut requests = Command::new(tool.join("schemathesis"));
    requests
        .current_dir(data.path())
        .arg("run")
        .arg(format!("{}/api/v1/openapi.json", server.address))
        .args(["--checks", "all", "--exclude-checks", CHECKS_LEFT_OUT])
        .args(["--phases", "examples,coverage,fuzzing", "--continue-on-failure", "--no-color"])
        .args(["--exclude-path-regex", LEFT_OUT, "--generation-database", "none"])
        .args(["--max-examples", &args.max_examples.to_string(), "--seed", &args.seed.to_string()])
        .args(["--max-time", &args.max_secs.to_string()])
        .args(["--header", &format!("Authorization: Bearer {}", token.trim())]);
    println!("$ schemathesis run {}/api/v1/openapi.json", server.address);
    let status = requests.status().context("cannot start schemathesis")?;
    ensure!(
        status.success(),
        "the control plane does not answer as its document says; the findings stand above"
    );
    Ok(())
}

/// A virtual environment of Python with the pinned release; it is made once.
fn install(folder: &Path) -> Result<PathBuf> {
    let environment = folder.join(RELEASE.replace("==", "-"));
    let programs = environment.join("bin");
    if programs.join("schemathesis").is_file() {
        return Ok(programs);
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    command::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))
        .context("schemathesis needs python3 with its module venv (Debian: python3-venv)")?;
    command::run(Command::new(programs.join("pip")).args(["install", "--quiet", RELEASE]))?;
    Ok(programs)
}

/// A control plane with an admin; it ends with this value.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(data: &Path) -> Result<Self> {
        let program = workspace::program("kernex-server", "debug")?;
        let mut create = Command::new(&program)
            .args(["admin", "create", "--username", "admin", "--password-stdin", "--data-dir"])
            .arg(data)
            .stdin(Stdio::piped())
            .spawn()
            .context("cannot start kernex-server")?;
        let mut stdin = create.stdin.take().context("a pipe is missing")?;
        writeln!(stdin, "{PASSWORD}").context("cannot give the password")?;
        drop(stdin);
        ensure!(create.wait()?.success(), "kernex-server admin create failed");
        // The login has to last as long as the run.
        let mut child = Command::new(&program)
            .args(["serve", "--listen", "127.0.0.1:0", "--token-ttl-secs", "14400", "--data-dir"])
            .arg(data)
            .stdout(Stdio::piped())
            .stderr(fs::File::create(data.join("server.log"))?)
            .spawn()
            .context("cannot start kernex-server")?;
        let lines = BufReader::new(child.stdout.take().context("a pipe is missing")?).lines();
        let mut server = Self { child, address: String::new() };
        for line in lines {
            if let Some(address) = line?.strip_prefix("listening on ") {
                server.address = address.trim().to_owned();
                return Ok(server);
            }
        }
        anyhow::bail!(
            "kernex-server ended before it listened: {}",
            fs::read_to_string(data.join("server.log"))?
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill(); // its data goes with its folder
        let _ = self.child.wait();
    }
}
