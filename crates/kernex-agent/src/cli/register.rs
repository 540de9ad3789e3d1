//! `kernex-agent register`.

use std::io::Write as _;

use clap::Args;

use super::connect::connect;
use crate::{lock::Lock, log_queue::LogQueue, settings::SettingsArgs, state::StateFile, telemetry};

/// Arguments of `register`.
#[derive(Args, Debug)]
pub(super) struct RegisterArgs {
    #[command(flatten)]
    settings: SettingsArgs,
}

/// Registers once; again, it gives the same device.
pub(super) async fn register(args: RegisterArgs) -> anyhow::Result<()> {
    let settings = args.settings.resolve()?;
    telemetry::start(args.settings.log_format, settings.device_config.log_level, &LogQueue::default());
    settings.data.create()?;
    let _lock = Lock::take(&settings.data)?;
    let file = StateFile::new(settings.data.state());
    let mut state = file.load()?.unwrap_or_default();
    let connection = connect(&settings, &state).await?;
    let device = connection.register(&settings).await?;
    connection.remember(&settings, &device)?;
    state.last_timestamp_millis = connection.client.last_timestamp().as_millis();
    state.clock_offset_millis = connection.client.clock_offset_millis();
    file.save(&state)?;
    let mut out = std::io::stdout();
    writeln!(out, "device id        {}", device.device_id)?;
    writeln!(out, "status           {}", device.status)?;
    writeln!(out, "key fingerprint  {}", connection.fingerprint)?;
    Ok(())
}
