//! Bars: one line per device and one for all, or for all only.

use std::collections::BTreeMap;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use kernex_core::{DeviceId, TargetState};

use super::{Names, Snapshot, screen::label, stage};
use crate::output::tone::Tone;

const DEVICE_TEMPLATE: &str = "{prefix:36!}  {msg:12}  {bar:22} {percent:>3}%";
const TOTAL_TEMPLATE: &str = "{prefix:36!}  {pos:>4} of {len:4}  {bar:22} {percent:>3}%\n{msg}, {elapsed}";

/// What is drawn.
pub(super) struct Bars {
    all: MultiProgress,
    total: ProgressBar,
    devices: Option<BTreeMap<DeviceId, ProgressBar>>,
}

impl Bars {
    pub(super) fn new(is_small: bool) -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let total = all.add(ProgressBar::new(0).with_style(style(TOTAL_TEMPLATE)));
        total.enable_steady_tick(std::time::Duration::from_secs(1));
        Self { all, total, devices: is_small.then(BTreeMap::new) }
    }

    pub(super) fn update(&mut self, snapshot: &Snapshot, names: &Names) {
        let deployment = &snapshot.detail.deployment;
        for target in &snapshot.targets {
            let Some(devices) = &mut self.devices else { break };
            let bar = devices.entry(target.device_id).or_insert_with(|| {
                let bar = ProgressBar::new(100).with_style(style(DEVICE_TEMPLATE));
                let bar = self.all.insert_before(&self.total, bar);
                bar.set_prefix(label(names, target.device_id));
                bar
            });
            bar.set_message(painted(target.state));
            bar.set_position(stage::percent(target));
        }
        self.total.set_prefix(format!("{}@{}", deployment.bundle_name, deployment.bundle_version));
        self.total.set_length(deployment.progress.total);
        self.total.set_position(stage::ended(&deployment.progress));
        self.total.set_message(stage::totals(&deployment.progress));
    }

    /// Says something above the bars.
    pub(super) fn note(&self, text: &str) {
        // On a terminal that is gone there is nobody to tell.
        let _ = self.all.println(text);
    }
}

impl Drop for Bars {
    /// The table at the end takes the place of the bars.
    fn drop(&mut self) {
        for bar in self.devices.iter().flat_map(BTreeMap::values).chain([&self.total]) {
            bar.finish_and_clear();
        }
    }
}

fn painted(state: TargetState) -> String {
    use anstream::ColorChoice;
    let is_plain = matches!(anstream::AutoStream::choice(&std::io::stderr()), ColorChoice::Never);
    if is_plain { state.to_string() } else { Tone::from(state).paint(state) }
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("━╸─")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_valid() {
        for template in [DEVICE_TEMPLATE, TOTAL_TEMPLATE] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
