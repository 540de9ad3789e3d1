use anyhow::Result;
use clap::Args;
use kernex_api::tags::BulkMembershipRequest;

use crate::{confirm::confirm, context::Context, output::text, selector};

/// Let every waiting device in that a selector means
///
/// Says how many devices it is and asks first, unless --yes is given.
///
/// Example: kernex device approve-all site=berlin --yes
#[derive(Args, Debug)]
pub(crate) struct ApproveAll {
    /// Which devices
    #[arg(value_name = "SELECTOR", value_parser = selector::parse)]
    selector: String,
    /// Only say how many devices it would be
    #[arg(long)]
    dry_run: bool,
}

impl ApproveAll {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let dry = BulkMembershipRequest { selector: self.selector, dry_run: true, confirm_devices: None };
        let mut changed = client.approve_devices(&dry).await?;
        if !self.dry_run {
            confirm(context, &format!("Let in {}?", text::count(changed.changed, "device")))?;
            let request =
                BulkMembershipRequest { dry_run: false, confirm_devices: Some(changed.changed), ..dry };
            changed = client.approve_devices(&request).await?;
        }
        let would = if changed.dry_run { "would be " } else { "" };
        context.show(&changed, || format!("{} {would}let in.", text::count(changed.changed, "device")))
    }
}
