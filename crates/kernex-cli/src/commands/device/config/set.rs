use anyhow::Result;
use clap::Args;
use kernex_client::OperatorClient;
use kernex_core::{ConfigPatch, DeviceConfig, DeviceId};
use serde_json::Value;

use crate::{
    args::parse_pair, commands::device::DeviceArg, context::Context, exit_code::ExitCode, failure::Failure,
    output::say, resolve,
};

/// Change the configuration of a device
///
/// The fields are polling_interval, heartbeat_timeout and deploy_timeout in seconds, log_level,
/// max_download_kib_per_sec, and metadata.KEY with a JSON value or a text. An empty value removes the limit of
/// max_download_kib_per_sec, or a metadata key. What is not named keeps its value. The device takes the change on with its
/// next heartbeat.
///
/// Example: kernex device config set cam-1 polling_interval=30 log_level=DEBUG metadata.floor=3
#[derive(Args, Debug)]
pub(crate) struct Set {
    #[command(flatten)]
    device: DeviceArg,
    /// A field and its new value
    #[arg(value_name = "FIELD=VALUE", required = true, value_parser = parse_pair)]
    changes: Vec<(String, String)>,
}

impl Set {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let found = resolve::device(&client, &self.device.device).await?;
        let patch = self.checked_patch(&client, found.id).await?;
        let config = client.put_config(found.id, &patch).await?;
        say(&format!("{found} gets version {} with its next heartbeat.", config.version));
        context.show(&config, || super::render(&config))
    }

    /// The change, checked against what is there: metadata is replaced as a whole by the control plane.
    async fn checked_patch(&self, client: &OperatorClient, id: DeviceId) -> Result<ConfigPatch> {
        let before = client.get_config(id).await?.config;
        let patch = patch(&before, &self.changes)?;
        before.patched(&patch).map_err(|error| Failure::new(ExitCode::Usage, error.to_string()))?;
        Ok(patch)
    }
}

fn patch(before: &DeviceConfig, changes: &[(String, String)]) -> Result<ConfigPatch, Failure> {
    let mut patch = ConfigPatch::default();
    for (field, value) in changes {
        match field.as_str() {
            "polling_interval" => patch.polling_interval = Some(seconds(field, value)?),
            "heartbeat_timeout" => patch.heartbeat_timeout = Some(seconds(field, value)?),
            "deploy_timeout" => patch.deploy_timeout = Some(seconds(field, value)?),
            "max_download_kib_per_sec" => {
                patch.max_download_kib_per_sec = Some(limit(field, value)?);
            }
            "log_level" => {
                let level = value.parse().map_err(|error| wrong(format!("{error}")))?;
                patch.log_level = Some(level);
            }
            _ => set_metadata(patch.metadata.get_or_insert_with(|| before.metadata.clone()), field, value)?,
        }
    }
    Ok(patch)
}

fn set_metadata(
    metadata: &mut serde_json::Map<String, Value>,
    field: &str,
    value: &str,
) -> Result<(), Failure> {
    let key = field.strip_prefix("metadata.").filter(|key| !key.is_empty()).ok_or_else(|| {
        wrong(format!("`{field}` is not a field of the configuration")).hint(
            "the fields are polling_interval, heartbeat_timeout, deploy_timeout, log_level, max_download_kib_per_sec and metadata.KEY",
        )
    })?;
    if value.is_empty() {
        metadata.remove(key);
    } else {
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        metadata.insert(key.to_owned(), value);
    }
    Ok(())
}

fn seconds(field: &str, value: &str) -> Result<u32, Failure> {
    let digits = value.strip_suffix('s').unwrap_or(value);
    digits.parse().map_err(|_| wrong(format!("{field} is a number of seconds, and `{value}` is none")))
}

/// Empty for none.
fn limit(field: &str, value: &str) -> Result<Option<u32>, Failure> {
    let number =
        || value.parse().map_err(|_| wrong(format!("{field} is a number of KiB per second, or empty")));
    if value.is_empty() { Ok(None) } else { number().map(Some) }
}

fn wrong(message: String) -> Failure {
    Failure::new(ExitCode::Usage, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patched(changes: &[&str]) -> Result<String, String> {
        let mut before = DeviceConfig::default();
        before.metadata.insert("old".to_owned(), 1.into());
        let changes: Vec<_> = changes.iter().map(|text| parse_pair(text).unwrap()).collect();
        let patch = patch(&before, &changes).map_err(|failure| failure.to_string())?;
        Ok(serde_json::to_string(&patch).unwrap())
    }

    #[test]
    fn only_what_is_named_is_sent() {
        let json = patched(&["polling_interval=30", "log_level=debug"]).unwrap();
        assert_eq!(json, r#"{"polling_interval":30,"log_level":"DEBUG"}"#);
    }

    #[test]
    fn metadata_keeps_its_other_keys_and_takes_json_or_text() {
        let json = patched(&["metadata.floor=3", "metadata.note=second floor", "metadata.on=true"]).unwrap();
        assert_eq!(json, r#"{"metadata":{"floor":3,"note":"second floor","old":1,"on":true}}"#);
        assert_eq!(patched(&["metadata.old="]).unwrap(), r#"{"metadata":{}}"#);
    }

    #[test]
    fn a_limit_is_set_and_removed() {
        let limit = |value| patched(&[&format!("max_download_kib_per_sec={value}")]);
        assert_eq!(limit("500").unwrap(), r#"{"max_download_kib_per_sec":500}"#);
        assert_eq!(limit("").unwrap(), r#"{"max_download_kib_per_sec":null}"#);
        assert!(limit("none").is_err());
    }

    #[test]
    fn a_field_that_does_not_exist_and_a_value_that_does_not_fit_are_refused() {
        for change in
            ["interval=3", "metadata.=1", "polling_interval=soon", "polling_interval=-1", "log_level=loud"]
        {
            assert!(patched(&[change]).is_err(), "{change}");
        }
    }
}
