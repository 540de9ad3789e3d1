use anyhow::Result;
use clap::Args;

use super::GroupArg;
use crate::{
    args::LimitArg,
    commands::device::list::{render, show_rest},
    context::Context,
    resolve,
};
use kernex_api::{MAX_PAGE_LIMIT, devices::DeviceList};
use kernex_client::PageQuery;

/// List the devices that are in a group now, newest first
///
/// Example: kernex group devices pilots
#[derive(Args, Debug)]
pub(crate) struct Devices {
    #[command(flatten)]
    group: GroupArg,
    #[command(flatten)]
    limit: LimitArg,
}

impl Devices {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let id = resolve::group(&client, &self.group.group).await?.id;
        let limit = self.limit.limit;
        let mut all = DeviceList { devices: Vec::new(), total: 0, next_cursor: None };
        while (all.devices.len() as u32) < limit {
            let rows = (limit - all.devices.len() as u32).min(MAX_PAGE_LIMIT);
            let query = PageQuery { limit: Some(rows), cursor: all.next_cursor.take() };
            let page = client.list_group_devices(id, &query).await?;
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
