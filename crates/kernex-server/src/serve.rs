//! Running the control plane: open everything, accept connections, stop in order.

use std::{net::SocketAddr, os::unix::fs::PermissionsExt as _, sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::{Extension, Router, extract::ConnectInfo};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use kernex_blobs::{BlobStore, Encryption};
use kernex_core::Clock;
use kernex_store::{Options as StoreOptions, Store};
use tokio::{net::TcpListener, sync::Semaphore, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    AppState, Settings,
    auth::make_bootstrap_link,
    clock::SystemClock,
    jobs,
    outbound::{Outbound, Rules},
    router::router,
    secrets::{Secrets, Vault},
    telemetry::{self, Telemetry},
};

/// How long a client may take to send a request's headers.
const HEADER_DEADLINE: Duration = Duration::from_secs(30);
/// How long to pause when no connection can be accepted, for example because descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A control plane that is up.
#[derive(Debug)]
pub struct RunningServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its parts.
    pub state: AppState,
    stop: CancellationToken,
    accepting: JoinHandle<()>,
    jobs: JoinHandle<()>,
}

/// Runs until SIGTERM or SIGINT.
#[expect(
    clippy::print_stdout,
    reason = "the address and the one-time link are for whoever starts the program, not for the log"
)]
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    telemetry::init_logging(&settings)?;
    // Before anybody is told that it runs, so that a signal never ends it the hard way.
    let mut stop = std::pin::pin!(signals()?);
    let server = tokio::select! {
        server = start(settings, Arc::new(SystemClock)) => server?,
        () = &mut stop => return Ok(()),
    };
    println!("listening on http://{}", server.address);
    let public_url = server.public_url();
    if let Some(link) = make_bootstrap_link(server.state.store(), &public_url).await? {
        println!("first admin: {}", link.expose());
    }
    stop.await;
    tracing::info!("stopping: finishing what is under way");
    server.shutdown().await;
    tracing::info!("stopped");
    Ok(())
}

/// Opens the database and the storage, and begins to listen.
pub async fn start(settings: Settings, clock: Arc<dyn Clock>) -> anyhow::Result<RunningServer> {
    create_data_dir(&settings)?;
    let (settings, vault) = with_vault(settings).await?;
    let secrets = Secrets::load_or_create(&settings, vault, clock.now())?;
    let store = Store::open(&store_options(&settings))
        .await
        .with_context(|| format!("cannot open the database {:?}", settings.database_url))?;
    let blobs = BlobStore::open(&settings.data_dir)
        .with_context(|| format!("cannot open the storage in {}", settings.data_dir.display()))?
        .with_encryption(encryption(&settings, &secrets));
    let listener = TcpListener::bind(settings.listen)
        .await
        .with_context(|| format!("cannot listen on {}", settings.listen))?;
    let address = listener.local_addr().context("cannot tell the address listened on")?;
    let outbound = outbound(&settings)?;
    let state = AppState::new(settings, store, blobs, secrets, clock, Telemetry::new(), outbound);
    let stop = CancellationToken::new();
    let jobs = tokio::spawn(jobs::run(state.clone(), stop.clone()));
    let accepting = tokio::spawn(accept(listener, router(state.clone()), state.clone(), stop.clone()));
    Ok(RunningServer { address, state, stop, accepting, jobs })
}

impl RunningServer {
    /// The address that people use.
    pub fn public_url(&self) -> String {
        let settings = self.state.settings();
        settings.public_url.as_ref().map_or_else(|| format!("http://{}", self.address), ToString::to_string)
    }

    /// Stops accepting, finishes requests that are under way (up to the deadline of the settings), and closes the database.
    pub async fn shutdown(self) {
        self.stop.cancel();
        let _ = self.accepting.await;
        let _ = self.jobs.await;
        self.state.store().close().await;
    }
}

async fn accept(listener: TcpListener, router: Router, state: AppState, stop: CancellationToken) {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(state.settings().max_connections as usize));
    loop {
        let next = async {
            let place = places.clone().acquire_owned().await;
            (place, listener.accept().await)
        };
        let (Ok(place), accepted) = (tokio::select! {
            next = next => next,
            () = stop.cancelled() => break,
        }) else {
            break;
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(error = %error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone().layer(Extension(ConnectInfo(peer))));
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_DEADLINE);
        builder.http2().timer(TokioTimer::new()).keep_alive_interval(HEADER_DEADLINE);
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = %error, "connection ended");
            }
            drop(place);
        });
    }
    drop(listener);
    let deadline = Duration::from_secs(u64::from(state.settings().shutdown_secs));
    if tokio::time::timeout(deadline, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not end within {} s and were cut off", deadline.as_secs());
    }
}

/// Makes the data folder; only its owner may look into it.
pub fn create_data_dir(settings: &Settings) -> anyhow::Result<()> {
    let folder = &settings.data_dir;
    let make = || -> std::io::Result<()> {
        if !folder.is_dir() {
            std::fs::create_dir_all(folder)?;
            std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
        }
        Ok(())
    };
    make().with_context(|| format!("cannot make the data folder {}", folder.display()))
}

fn outbound(settings: &Settings) -> anyhow::Result<Outbound> {
    let roots = match &settings.outbound_ca_file {
        Some(path) => {
            std::fs::read(path).with_context(|| format!("cannot read outbound_ca_file {}", path.display()))?
        }
        None => Vec::new(),
    };
    Ok(Outbound::new(Rules::new(settings.outbound_allow.clone()), &roots)?)
}

/// Connects to Vault where one is configured, and takes the settings that are kept there.
pub async fn with_vault(mut settings: Settings) -> anyhow::Result<(Settings, Option<Vault>)> {
    let Some(vault) = settings.vault.clone() else { return Ok((settings, None)) };
    // Before anything speaks TLS.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let vault = Vault::connect(vault).await?;
    settings.take_secrets(vault.secrets().await?)?;
    Ok((settings, Some(vault)))
}

/// How bundle bytes are encrypted.
pub fn encryption(settings: &Settings, secrets: &Secrets) -> Encryption {
    Encryption { keys: Arc::new(secrets.storage().clone()), new_blobs: settings.encrypt_bundles }
}

/// How to open the database.
pub fn store_options(settings: &Settings) -> StoreOptions {
    let mut options = StoreOptions::new(settings.database_url.expose());
    options.max_connections = settings.database_max_connections;
    options
}

/// Listens for SIGTERM and SIGINT from now on; the future ends with the first.
fn signals() -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
