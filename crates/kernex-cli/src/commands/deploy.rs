use anyhow::Result;
use clap::Args;
use kernex_api::deployments::CreateDeploymentRequest;

use crate::{
    args::WaitArgs,
    context::Context,
    output::{say, text},
    resolve::{self, BundleRef},
    watch,
};

/// Deploy a bundle to devices
///
/// Prints the id of the new deployment. Each device installs the bundle at its next heartbeat. With --wait the command
/// shows how far the devices are and ends with exit code 0 only when all of them run the bundle.
///
/// Example: kernex deploy detector@1.2.0 --device cam-1 --device cam-2 --wait
#[derive(Args, Debug)]
pub(crate) struct Deploy {
    /// The bundle: VERSION (of the bundle `default`), NAME@VERSION or an id
    #[arg(value_name = "BUNDLE")]
    bundle: BundleRef,
    /// A device: id, unique beginning of an id, or display name; may be repeated
    #[arg(long = "device", short, value_name = "DEVICE", required = true, num_args = 1..)]
    devices: Vec<String>,
    /// Why, for people who read the list of deployments
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    #[command(flatten)]
    wait: WaitArgs,
}

impl Deploy {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let devices = resolve::devices(&client, &self.devices).await?;
        let request = request(&self.bundle, &devices, self.description);
        let created = client.create_deployment(&request).await?;
        say(&format!("Deploying {} to {}.", self.bundle, text::count(devices.len() as u64, "device")));
        if self.wait.wait {
            let id = created.deployment_id;
            return watch::until_success(context, &client, id, self.wait.timeout.limit()).await;
        }
        context.show(&created, || created.deployment_id.to_string())
    }
}

fn request(
    bundle: &BundleRef,
    devices: &[resolve::Found],
    description: Option<String>,
) -> CreateDeploymentRequest {
    let mut request = CreateDeploymentRequest {
        target_devices: devices.iter().map(|device| device.id.to_string()).collect(),
        description,
        ..CreateDeploymentRequest::default()
    };
    match bundle {
        BundleRef::Id(id) => request.bundle_id = Some(id.to_string()),
        BundleRef::Version { name, version } => {
            request.bundle_version = Some(version.to_string());
            request.bundle_name = name.as_ref().map(ToString::to_string);
        }
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_is_named_by_version_by_name_and_version_or_by_id() {
        let json = |text: &str| {
            let request = request(&text.parse().unwrap(), &[], None);
            serde_json::to_string(&request).unwrap()
        };
        assert_eq!(json("1.2.0"), r#"{"bundle_version":"1.2.0","target_devices":[]}"#);
        assert_eq!(
            json("detector@1.2.0"),
            r#"{"bundle_version":"1.2.0","bundle_name":"detector","target_devices":[]}"#
        );
        assert_eq!(
            json("0199aaaa-0000-7000-8000-000000000001"),
            r#"{"bundle_id":"0199aaaa-0000-7000-8000-000000000001","target_devices":[]}"#
        );
    }
}
