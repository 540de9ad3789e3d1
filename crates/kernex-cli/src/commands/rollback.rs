use anyhow::Result;
use clap::Args;
use kernex_api::deployments::RollbackDevicesRequest;
use kernex_core::{BundleName, BundleVersion};

use crate::{
    args::WaitArgs,
    context::Context,
    output::{say, text},
    resolve, watch,
};

/// Return devices to a version that each of them ran before
///
/// Prints the id of the new deployment. `kernex device history DEVICE` shows which versions a device ran. To take back
/// one deployment as a whole use `kernex deployment rollback`.
///
/// Example: kernex rollback 1.1.0 --name detector --device cam-1 --wait
#[derive(Args, Debug)]
pub(crate) struct Rollback {
    /// The version to return to
    #[arg(value_name = "VERSION")]
    bundle_version: BundleVersion,
    /// A device: id, unique beginning of an id, or display name; may be repeated
    #[arg(long = "device", short, value_name = "DEVICE", required = true, num_args = 1..)]
    devices: Vec<String>,
    /// The bundle's name; `default` when absent
    #[arg(long, value_name = "NAME")]
    name: Option<BundleName>,
    #[command(flatten)]
    wait: WaitArgs,
}

impl Rollback {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let devices = resolve::devices(&client, &self.devices).await?;
        let request = RollbackDevicesRequest {
            bundle_version: self.bundle_version.to_string(),
            bundle_name: self.name.map(|name| name.to_string()),
            target_device_ids: devices.iter().map(|device| device.id.to_string()).collect(),
        };
        let created = client.rollback_devices(&request).await?;
        let count = text::count(devices.len() as u64, "device");
        say(&format!("Rolling {count} back to {}.", created.bundle_version));
        if self.wait.wait {
            let id = created.deployment_id;
            return watch::until_success(context, &client, id, self.wait.timeout.limit()).await;
        }
        context.show(&created, || created.deployment_id.to_string())
    }
}
