use anyhow::Result;
use clap::Args;
use kernex_api::tags::ChangeTagsRequest;

use super::tag::{Change, parse_change};
use crate::{confirm::confirm, context::Context, output::text, selector};

/// Set or remove labels of every device that a selector means
///
/// KEY=VALUE sets a label, KEY- removes it; other labels stay. Says how many devices it is and asks first, unless --yes is given.
///
/// Example: kernex device tag-all site=berlin floor=3 old- --yes
#[derive(Args, Debug)]
pub(crate) struct TagAll {
    /// Which devices
    #[arg(value_name = "SELECTOR", value_parser = selector::parse)]
    selector: String,
    /// KEY=VALUE to set, KEY- to remove
    #[arg(value_name = "CHANGE", required = true, value_parser = parse_change)]
    changes: Vec<Change>,
    /// Only say how many devices would change
    #[arg(long)]
    dry_run: bool,
}

impl TagAll {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let mut request =
            ChangeTagsRequest { selector: self.selector, dry_run: true, ..ChangeTagsRequest::default() };
        for change in self.changes {
            match change {
                Change::Set(key, value) => drop(request.set.insert(key, value)),
                Change::Remove(key) => request.remove.push(key),
            }
        }
        let mut changed = client.change_tags(&request).await?;
        if !self.dry_run {
            confirm(context, &format!("Change the labels of {}?", text::count(changed.changed, "device")))?;
            request.dry_run = false;
            request.confirm_devices = Some(changed.matched);
            changed = client.change_tags(&request).await?;
        }
        let would = if changed.dry_run { "would change" } else { "changed" };
        context.show(&changed, || {
            format!("{} {would}, of {} meant.", text::count(changed.changed, "device"), changed.matched)
        })
    }
}
