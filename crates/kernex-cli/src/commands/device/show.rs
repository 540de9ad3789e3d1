use anyhow::Result;
use clap::Args;
use kernex_api::devices::{Device, HeartbeatRecord};
use kernex_core::Timestamp;

use super::DeviceArg;
use crate::{
    context::Context,
    output::{table::Fields, text, tone::Tone},
    resolve,
};

/// Show one device: status, what it runs, its last heartbeat, its key
///
/// Example: kernex device show cam-1
#[derive(Args, Debug)]
pub(crate) struct Show {
    #[command(flatten)]
    device: DeviceArg,
}

impl Show {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let id = resolve::device(&client, &self.device.device).await?.id;
        let device = client.get_device(id).await?;
        context.show(&device, || render(&device, context.now(), None))
    }
}

pub(super) fn render(device: &Device, now: Timestamp, width: Option<u16>) -> String {
    let mut fields = Fields::new();
    fields.add("device", device.device_id.to_string());
    fields.add("name", text::or_none(device.display_name.as_ref()));
    fields.add("status", Tone::from(device.status).cell(device.status));
    fields.add("last seen", text::ago_or_never(device.last_seen_at, now));
    fields.add("type", text::or_none(device.device_type.as_ref()));
    fields.add("tags", text::labels(&device.tags));
    let bundles: Vec<_> =
        device.bundles.iter().map(|bundle| format!("{}@{}", bundle.name, bundle.version)).collect();
    fields.add("bundles", if bundles.is_empty() { text::NONE.to_owned() } else { bundles.join(", ") });
    fields.add("agent", text::or_none(device.agent_version.as_ref()));
    fields.add("configuration", configuration(device));
    if let Some(heartbeat) = &device.last_heartbeat {
        add_heartbeat(&mut fields, heartbeat);
    }
    for (key, value) in &device.hardware_metadata {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        fields.add(&text::printable(key), value);
    }
    fields.add("registered", text::ago(device.registered_at, now));
    fields.add("key", format!("{} ({})", device.key_fingerprint, algorithm(device)));
    fields.render(width)
}

fn configuration(device: &Device) -> comfy_table::Cell {
    if device.config_version == device.reported_config_version {
        return crate::output::table::plain(format!("version {}", device.config_version));
    }
    let (wanted, reported) = (device.config_version, device.reported_config_version);
    Tone::Warning.cell(format!("version {wanted} is wanted, the device has {reported}"))
}

fn add_heartbeat(fields: &mut Fields, heartbeat: &HeartbeatRecord) {
    fields.add("health", Tone::from(heartbeat.status).cell(heartbeat.status));
    fields.add("cpu", format!("{:.0} %", heartbeat.cpu_pct));
    fields.add("memory", part_of(Some(heartbeat.memory_mb), heartbeat.memory_total_mb));
    if heartbeat.disk_free_mb.is_some() {
        fields.add("disk free", part_of(heartbeat.disk_free_mb, heartbeat.disk_total_mb));
    }
    if let Some(uptime) = heartbeat.uptime_secs {
        fields.add("up for", text::duration(uptime));
    }
    for (name, value) in &heartbeat.metrics {
        fields.add(&text::printable(name), value.to_string());
    }
}

fn part_of(part: Option<f64>, all: Option<f64>) -> String {
    let size = |mib: f64| text::size((mib.max(0.0) * 1_048_576.0) as u64);
    match (part, all) {
        (Some(part), Some(all)) => format!("{} of {}", size(part), size(all)),
        (Some(part), None) => size(part),
        _ => text::NONE.to_owned(),
    }
}

fn algorithm(device: &Device) -> String {
    let json = serde_json::to_value(device.signature_algorithm).unwrap_or_default();
    json.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::sample_device;

    #[test]
    fn a_device_is_shown_with_all_that_is_known() {
        let mut device = sample_device("0199aaaa-0000-7000-8000-000000000001", Some("cam-1"));
        device.hardware_metadata.insert("hostname".to_owned(), "cam\u{1b}[31m".into());
        device.last_heartbeat = serde_json::from_str(
            r#"{"received_at":"2026-01-01T11:59:57Z","status":"healthy","cpu_pct":12.4,"memory_mb":512,
                "memory_total_mb":2048,"disk_free_mb":10240,"disk_total_mb":30720,"uptime_secs":93784,
                "agent_version":"0.1.0","metrics":{"fps":24.5}}"#,
        )
        .unwrap();
        let text = render(&device, "2026-01-01T12:00:10Z".parse().unwrap(), Some(110));
        insta::assert_snapshot!(anstream::adapter::strip_str(&text).to_string());
    }
}
