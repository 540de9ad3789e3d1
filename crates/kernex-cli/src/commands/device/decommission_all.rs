use anyhow::Result;
use clap::Args;
use kernex_api::tags::BulkMembershipRequest;

use crate::{confirm::confirm, context::Context, output::text, selector};

/// Take every device out of the fleet that a selector means
///
/// Says how many devices it is and asks first, unless --yes is given.
///
/// Example: kernex device decommission-all site=berlin --yes
#[derive(Args, Debug)]
pub(crate) struct DecommissionAll {
    /// Which devices
    #[arg(value_name = "SELECTOR", value_parser = selector::parse)]
    selector: String,
    /// Only say how many devices it would be
    #[arg(long)]
    dry_run: bool,
}

impl DecommissionAll {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let dry = BulkMembershipRequest { selector: self.selector, dry_run: true, confirm_devices: None };
        let mut changed = client.decommission_devices(&dry).await?;
        if !self.dry_run {
            confirm(
                context,
                &format!("Take out of the fleet, for good, {}?", text::count(changed.changed, "device")),
            )?;
            let request =
                BulkMembershipRequest { dry_run: false, confirm_devices: Some(changed.changed), ..dry };
            changed = client.decommission_devices(&request).await?;
        }
        let would = if changed.dry_run { "would be " } else { "" };
        context
            .show(&changed, || format!("{} {would}decommissioned.", text::count(changed.changed, "device")))
    }
}
