use anyhow::Result;
use clap::Args;
use kernex_api::system;
use kernex_core::{DeploymentStatus, DeviceStatus};

use crate::{
    context::Context,
    output::{table::Fields, tone::Tone},
};

/// Show how the fleet is doing: devices, bundles, deployments, heartbeats
///
/// Example: kernex stats
#[derive(Args, Debug)]
pub(crate) struct Stats {}

impl Stats {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let stats = context.client()?.stats().await?;
        context.show(&stats, || render(&stats))
    }
}

fn render(stats: &system::Stats) -> String {
    let mut fields = Fields::new();
    fields.add("devices", stats.total_devices.to_string());
    for (status, count) in &stats.devices_by_status {
        let tone = status.parse::<DeviceStatus>().map_or(Tone::Quiet, Tone::from);
        fields.add(&format!("  {status}"), toned(tone, *count));
    }
    if stats.lost_devices > 0 {
        fields.add("offline for a day", toned(Tone::from(DeviceStatus::Offline), stats.lost_devices));
    }
    if stats.sites_offline > 0 {
        fields.add("sites offline", toned(Tone::from(DeviceStatus::Error), stats.sites_offline));
    }
    fields.add("bundles", stats.bundles.to_string());
    fields.add("active deployments", stats.active_deployments.to_string());
    for (status, count) in &stats.deployments_by_status {
        let tone = status.parse::<DeploymentStatus>().map_or(Tone::Quiet, Tone::from);
        fields.add(&format!("  {status}"), toned(tone, *count));
    }
    fields.add("heartbeats per second", format!("{:.1}", stats.heartbeats_per_second));
    fields.render(None)
}

fn toned(tone: Tone, count: u64) -> comfy_table::Cell {
    if count == 0 { Tone::Quiet.cell(count) } else { tone.cell(count) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_read_as_a_list() {
        let stats = system::Stats {
            total_devices: 12,
            online_devices: 10,
            offline_devices: 2,
            lost_devices: 0,
            sites_offline: 0,
            pending_devices: 0,
            devices_by_status: [("online".to_owned(), 10), ("offline".to_owned(), 2)].into(),
            bundles: 3,
            active_deployments: 1,
            deployments_by_status: [("in_progress".to_owned(), 1)].into(),
            heartbeats_per_second: 0.2,
        };
        insta::assert_snapshot!(anstream::adapter::strip_str(&render(&stats)).to_string());
    }
}
