//! A control plane within the test's own process.

use std::{path::Path, sync::Arc};

use kernex_api::{auth::RegisterUserRequest, registration_tokens::CreateRegistrationTokenRequest};
use kernex_client::{HttpOptions, OperatorClient};
use kernex_core::Clock;
use kernex_server::{
    AppState, Settings,
    auth::make_bootstrap_link,
    config::Options,
    serve::{self, RunningServer},
};
use tempfile::TempDir;

use crate::{ADMIN_PASSWORD, Backend, Database, TestDevice, system_clock};

/// A control plane on a free port, with an admin; it and all its data are gone with this value.
#[derive(Debug)]
pub struct TestServer {
    /// Its address.
    pub url: String,
    admin: OperatorClient,
    running: RunningServer,
    data: TempDir,
    _database: Database,
}

impl TestServer {
    /// With the machine's clock and default settings.
    pub async fn start(backend: Backend) -> Self {
        Self::start_with(backend, system_clock(), |_| {}).await
    }

    /// With a clock and settings of one's own.
    pub async fn start_with(
        backend: Backend,
        clock: Arc<dyn Clock>,
        change: impl FnOnce(&mut Options),
    ) -> Self {
        let data = tempfile::tempdir().expect("a folder can be made");
        let database = backend.database().await;
        let mut options = Options {
            listen: Some(([127, 0, 0, 1], 0).into()),
            data_dir: Some(data.path().to_owned()),
            database_url: Some(database.url(data.path())),
            database_max_connections: Some(4),
            ..Options::default()
        };
        change(&mut options);
        let settings = Settings::resolve(options).expect("the settings are valid");
        let running = serve::start(settings, clock).await.expect("the control plane starts");
        let url = format!("http://{}", running.address);
        let admin = make_admin(&running.state, &url).await;
        Self { url, admin, running, data, _database: database }
    }

    /// A client with the admin's login.
    pub fn admin(&self) -> &OperatorClient {
        &self.admin
    }

    /// A client without a login.
    pub fn stranger(&self) -> OperatorClient {
        OperatorClient::new(&self.url, &HttpOptions::default()).expect("the address is valid")
    }

    /// The server's parts.
    pub fn state(&self) -> &AppState {
        &self.running.state
    }

    /// Its data folder.
    pub fn data_dir(&self) -> &Path {
        self.data.path()
    }

    /// A device that was let in.
    pub async fn device(&self) -> TestDevice {
        let request = CreateRegistrationTokenRequest::default();
        let token = self.admin.create_registration_token(&request).await.expect("a token can be made");
        TestDevice::registered(&self.url, Some(&token.token)).await
    }

    /// Stops it as SIGTERM would.
    pub async fn shutdown(self) {
        self.running.shutdown().await;
    }
}

async fn make_admin(state: &AppState, url: &str) -> OperatorClient {
    let link = make_bootstrap_link(state.store(), url)
        .await
        .expect("the database works")
        .expect("there is no user yet");
    register_admin(url, link.expose()).await
}

/// Makes the first admin with a one-time link, and logs in.
pub(crate) async fn register_admin(url: &str, link: &str) -> OperatorClient {
    let client = OperatorClient::new(url, &HttpOptions::default()).expect("the address is valid");
    let request = RegisterUserRequest {
        username: "admin".to_owned(),
        email: None,
        password: ADMIN_PASSWORD.to_owned(),
        role: None,
        bootstrap_token: link.split_once('#').map(|(_, secret)| secret.to_owned()),
    };
    client.register_user(&request).await.expect("the link makes the first admin");
    client.logged_in("admin", ADMIN_PASSWORD).await.expect("the admin can log in")
}

#[cfg(test)]
mod tests {
    use kernex_core::DeviceStatus;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_server_lets_a_device_in_on_every_backend_and_keeps_its_data_in_its_own_place() {
        for backend in Backend::all() {
            let (one, other) = (TestServer::start(backend).await, TestServer::start(backend).await);
            let device = one.device().await;
            device.heartbeat().await.unwrap();
            let devices = one.admin().list_devices(&Default::default()).await.unwrap().devices;
            let found: Vec<_> = devices.iter().map(|device| (device.device_id, device.status)).collect();
            assert_eq!(found, [(device.id(), DeviceStatus::Online)]);
            assert_eq!(other.admin().list_devices(&Default::default()).await.unwrap().total, 0);
            assert_eq!(other.stranger().me().await.unwrap_err().status(), Some(401));
            one.shutdown().await;
        }
    }
}
