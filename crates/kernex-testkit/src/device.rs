//! Devices that speak the protocol without an agent around it.

use std::sync::Arc;

use kernex_api::{
    deployments::ResultRequest,
    devices::RegisterDeviceRequest,
    heartbeat::{DeployCommand, HeartbeatRequest, HeartbeatResponse},
    signing::{KeyAlgorithm, SigningKey},
};
use kernex_client::{DeviceClient, Error, HttpOptions, build_http_client};
use kernex_core::{Clock, DeviceId, DeviceStatus, ResultStatus};

use crate::system_clock;

/// One device with an Ed25519 key.
#[derive(Debug)]
pub struct TestDevice {
    /// How it speaks.
    pub client: DeviceClient,
    /// Its key.
    pub key: Arc<SigningKey>,
}

impl TestDevice {
    /// A device that is not registered yet, with the machine's clock.
    pub fn new(url: &str) -> Self {
        Self::with_clock(url, system_clock())
    }

    /// A device that is not registered yet, with a clock of its own.
    pub fn with_clock(url: &str, clock: Arc<dyn Clock>) -> Self {
        let key = Arc::new(SigningKey::generate(KeyAlgorithm::Ed25519).expect("a key can be made"));
        let http = build_http_client(&HttpOptions::default()).expect("the options are valid");
        let client = DeviceClient::new(url, http, Arc::clone(&key), clock).expect("the address is valid");
        Self { client, key }
    }

    /// A registered device; let in when there is a token.
    pub async fn registered(url: &str, token: Option<&str>) -> Self {
        let device = Self::new(url);
        device.register(token).await.expect("the device registers");
        device
    }

    /// Registers.
    pub async fn register(&self, token: Option<&str>) -> Result<DeviceStatus, Error> {
        let request = RegisterDeviceRequest {
            public_key: self.key.public_key_pem()?,
            signature_algorithm: None,
            device_type: Some("test".to_owned()),
            hardware_metadata: None,
            tags: None,
            org_id: None,
            registration_token: token.map(ToOwned::to_owned),
        };
        Ok(self.client.register(&request).await?.status)
    }

    /// Its id.
    pub fn id(&self) -> DeviceId {
        self.client.device_id().expect("the device is registered")
    }

    /// A heartbeat that says nothing special.
    pub async fn heartbeat(&self) -> Result<HeartbeatResponse, Error> {
        self.client.heartbeat(&Self::heartbeat_request()).await
    }

    /// What [`Self::heartbeat`] sends.
    pub fn heartbeat_request() -> HeartbeatRequest {
        // As text, so that a new optional field does not concern every test.
        let text = r#"{"agent_version": "0.1.0", "memory_mb": 512.0, "cpu_pct": 12.5, "status": "healthy"}"#;
        serde_json::from_str(text).expect("it is a heartbeat")
    }

    /// Reports how a command ended.
    pub async fn report(&self, command: &DeployCommand, status: ResultStatus) -> Result<(), Error> {
        let result = ResultRequest {
            device_id: self.id(),
            attempt: Some(command.attempt),
            status,
            error_code: None,
            error_message: None,
            duration_secs: Some(0.5),
        };
        let key = format!("{}-{}", command.deployment_id, command.attempt);
        self.client.report_result(command.deployment_id, &result, &key).await
    }
}
