use anyhow::Result;
use clap::Args;
use kernex_api::{MAX_PAGE_LIMIT, devices::DeviceList};
use kernex_client::DeviceQuery;
use kernex_core::{BundleVersion, DeviceStatus, Timestamp};

use crate::{
    args::LimitArg,
    context::Context,
    output::{
        say,
        table::{self, plain},
        text,
        tone::Tone,
    },
};

/// List devices, newest first
///
/// Example: kernex device list site=berlin --status degraded
#[derive(Args, Debug)]
pub(crate) struct List {
    /// Which devices, as in `site=berlin and bundle.version<1.4`; a word alone is looked for in name, type and tags, and as
    /// the beginning of an id or a key's fingerprint
    #[arg(value_name = "SELECTOR", value_parser = crate::selector::parse)]
    q: Option<String>,
    #[command(flatten)]
    limit: LimitArg,
    /// Only those that are: online, degraded, error, offline, pending_approval or decommissioned
    #[arg(long, value_name = "STATUS")]
    status: Option<DeviceStatus>,
    /// Only those with this label; of several, separated by commas, all must fit
    #[arg(long, value_name = "KEY=VALUE")]
    tag: Option<String>,
    /// Only those that run this version
    #[arg(long, value_name = "VERSION")]
    bundle_version: Option<BundleVersion>,
}

impl List {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let limit = self.limit.limit;
        let mut query = DeviceQuery {
            q: self.q,
            status: self.status.map(|status| status.to_string()),
            tag: self.tag,
            bundle_version: self.bundle_version.map(|version| version.to_string()),
            ..DeviceQuery::default()
        };
        let mut all = DeviceList { devices: Vec::new(), total: 0, next_cursor: None };
        while (all.devices.len() as u32) < limit {
            query.limit = Some((limit - all.devices.len() as u32).min(MAX_PAGE_LIMIT));
            query.cursor = all.next_cursor.take();
            let page = client.list_devices(&query).await?;
            let is_empty = page.devices.is_empty();
            all.devices.extend(page.devices);
            (all.total, all.next_cursor) = (page.total, page.next_cursor);
            if is_empty || all.next_cursor.is_none() {
                break;
            }
        }
        context.show(&all, || render(&all, context.now(), None))?;
        show_rest(&all);
        Ok(())
    }
}

/// Says that there is more, if there is.
pub(crate) fn show_rest(list: &DeviceList) {
    if list.next_cursor.is_some() {
        say(&format!("{} of {}; --limit shows more", list.devices.len(), list.total));
    }
}

/// Devices in a table.
pub(crate) fn render(list: &DeviceList, now: Timestamp, width: Option<u16>) -> String {
    if list.devices.is_empty() {
        return "No devices.".to_owned();
    }
    let mut table = table::List::new(&["ID", "NAME", "STATUS", "VERSION", "LAST SEEN", "TYPE", "TAGS"]);
    for device in &list.devices {
        table.row([
            plain(device.device_id),
            plain(text::or_none(device.display_name.as_ref())),
            Tone::from(device.status).cell(device.status),
            plain(text::or_none(device.current_bundle_version.as_ref())),
            plain(text::ago_or_never(device.last_seen_at, now)),
            plain(text::or_none(device.device_type.as_ref())),
            plain(text::labels(&device.tags)),
        ]);
    }
    table.render(width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::sample_device;

    #[test]
    fn devices_stand_in_a_table_that_fits_the_terminal() {
        let mut offline = sample_device("0199aaaa-0000-7000-8000-000000000002", None);
        offline.status = DeviceStatus::Offline;
        offline.last_seen_at = None;
        let online = sample_device("0199aaaa-0000-7000-8000-000000000001", Some("cam-1"));
        let list = DeviceList { devices: vec![online, offline], total: 2, next_cursor: None };
        let now = "2026-01-01T12:00:10Z".parse().unwrap();
        for width in [120, 80] {
            let text = anstream::adapter::strip_str(&render(&list, now, Some(width))).to_string();
            insta::assert_snapshot!(format!("devices_at_{width}_columns"), text);
        }
    }

    #[test]
    fn the_colour_tells_the_status() {
        let list = |status| {
            let mut device = sample_device("0199aaaa-0000-7000-8000-000000000001", None);
            device.status = status;
            let list = DeviceList { devices: vec![device], total: 1, next_cursor: None };
            render(&list, "2026-01-01T12:00:10Z".parse().unwrap(), Some(200))
        };
        let check = |status, code: &str| assert!(list(status).contains(code), "{status}: {:?}", list(status));
        check(DeviceStatus::Online, "\u{1b}[38;5;2m");
        check(DeviceStatus::Degraded, "\u{1b}[38;5;3m");
        check(DeviceStatus::Error, "\u{1b}[38;5;1m");
        check(DeviceStatus::Offline, "\u{1b}[38;5;8m");
    }
}
