//! The operator's side: creates and changes, and keeps what was acknowledged.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use kernex_api::deployments::CreateDeploymentRequest;
use kernex_client::{Error, OperatorClient};
use kernex_core::{ConfigPatch, DeploymentId, DeviceId};

use super::plan::Plan;

/// Deployments that are created at the same time.
const AT_ONCE: usize = 3;
const CONFIG_CHANGES: usize = 120;
/// Between two tries while the server is away, and between two changes.
const PAUSE: Duration = Duration::from_millis(50);

/// A change of a device's configuration that was acknowledged.
pub(super) struct ConfigChange {
    pub(super) device: DeviceId,
    pub(super) version: u64,
    /// Marks the change.
    pub(super) number: usize,
}

/// Creates every deployment of the plan, in order as far as that goes; gives their ids in the plan's order.
pub(super) async fn create_deployments(admin: OperatorClient, plan: Plan) -> Vec<DeploymentId> {
    let one = |(number, (bundle, targets)): (usize, &(_, std::collections::BTreeSet<DeviceId>))| {
        let request = CreateDeploymentRequest {
            bundle_id: Some(kernex_core::BundleId::to_string(bundle)),
            target_devices: targets.iter().map(DeviceId::to_string).collect(),
            ..CreateDeploymentRequest::default()
        };
        let admin = admin.clone();
        async move { create(&admin, &format!("crash-{number}"), &request).await }
    };
    stream::iter(plan.deployments.iter().enumerate().map(one)).buffered(AT_ONCE).collect().await
}

/// Tries until there is an answer: the key makes sure that it becomes one deployment.
async fn create(admin: &OperatorClient, key: &str, request: &CreateDeploymentRequest) -> DeploymentId {
    loop {
        match admin.create_deployment_once(key, request).await {
            Ok(created) => return created.deployment_id,
            Err(error) if is_away(&error) => tokio::time::sleep(PAUSE).await,
            Err(error) => panic!("creating a deployment was refused: {error}"),
        }
    }
}

/// Changes configurations one after another; a change without an answer may or may not have happened, and is not repeated.
pub(super) async fn change_configs(admin: OperatorClient, devices: Vec<DeviceId>) -> Vec<ConfigChange> {
    let mut acknowledged = Vec::new();
    for number in 0..CONFIG_CHANGES {
        let device = devices[number % devices.len()];
        let metadata = serde_json::Map::from_iter([("number".to_owned(), number.into())]);
        let patch = ConfigPatch { metadata: Some(metadata), ..ConfigPatch::default() };
        match admin.put_config(device, &patch).await {
            Ok(answer) => acknowledged.push(ConfigChange { device, version: answer.version, number }),
            Err(error) if is_away(&error) => {}
            Err(error) => panic!("a configuration was refused: {error}"),
        }
        tokio::time::sleep(PAUSE).await;
    }
    acknowledged
}

/// Whether an error means no more than that the server was killed, or is just starting.
pub(super) fn is_away(error: &Error) -> bool {
    matches!(error, Error::Unreachable { .. } | Error::TimedOut { .. } | Error::Busy { .. })
}
