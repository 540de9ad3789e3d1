use std::collections::BTreeMap;

use anyhow::Result;
use clap::Args;
use kernex_api::devices::UpdateDeviceRequest;

use super::DeviceArg;
use crate::{context::Context, output::text, resolve};

/// Set or remove labels of a device, and print what it has
///
/// KEY=VALUE sets a label, KEY- removes it; other labels stay. Without changes the labels are printed.
///
/// Example: kernex device tag cam-1 site=berlin rack-
#[derive(Args, Debug)]
pub(crate) struct Tag {
    #[command(flatten)]
    device: DeviceArg,
    /// KEY=VALUE to set, KEY- to remove
    #[arg(value_name = "CHANGE", value_parser = parse_change)]
    changes: Vec<Change>,
}

/// A change of one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Set(String, String),
    Remove(String),
}

/// Reads `KEY=VALUE` or `KEY-`.
pub(crate) fn parse_change(text: &str) -> Result<Change, String> {
    match (text.split_once('='), text.strip_suffix('-')) {
        (Some((key, value)), _) if !key.is_empty() => Ok(Change::Set(key.to_owned(), value.to_owned())),
        (None, Some(key)) if !key.is_empty() => Ok(Change::Remove(key.to_owned())),
        _ => Err(format!("`{text}` is neither KEY=VALUE nor KEY-")),
    }
}

impl Tag {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let id = resolve::device(&client, &self.device.device).await?.id;
        let mut device = client.get_device(id).await?;
        if !self.changes.is_empty() {
            let tags = changed(device.tags, self.changes);
            device = client
                .update_device(id, &UpdateDeviceRequest { display_name: None, tags: Some(tags) })
                .await?;
        }
        context.show(&device, || text::printable(&text::labels(&device.tags)))
    }
}

fn changed(mut tags: BTreeMap<String, String>, changes: Vec<Change>) -> BTreeMap<String, String> {
    for change in changes {
        match change {
            Change::Set(key, value) => drop(tags.insert(key, value)),
            Change::Remove(key) => drop(tags.remove(&key)),
        }
    }
    tags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_set_and_removed_and_others_stay() {
        let before = BTreeMap::from([("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())]);
        let changes = ["b-", "c=3", "d=x-"].map(|text| parse_change(text).unwrap()).to_vec();
        assert_eq!(text::labels(&changed(before, changes)), "a=1, c=3, d=x-");
    }

    #[test]
    fn what_is_no_change_is_refused() {
        for text in ["", "-", "=x", "key"] {
            assert!(parse_change(text).is_err(), "{text}");
        }
    }
}
