//! What is said when a deployment has ended; also the body of `deployment show`.

use kernex_api::deployments::{DeploymentDetail, Target};

use super::{Names, screen::label, stage};
use crate::output::{
    table::{List, plain},
    text,
    tone::Tone,
};

/// How the deployment ended, and a line per device.
pub(crate) fn render(
    detail: &DeploymentDetail,
    targets: &[Target],
    names: &Names,
    width: Option<u16>,
) -> String {
    let deployment = &detail.deployment;
    let bundle = format!("{}@{}", deployment.bundle_name, deployment.bundle_version);
    let status = Tone::from(deployment.status).paint(deployment.status);
    let mut page = format!("{} of {bundle}: {status}", deployment.kind);
    if let Some(completed_at) = deployment.completed_at {
        let secs = completed_at.millis_since(deployment.created_at) as f64 / 1_000.0;
        page.push_str(&format!(" after {}", text::duration(secs)));
    }
    page.push_str(&format!(" ({})", stage::totals(&deployment.progress)));
    if !targets.is_empty() {
        page.push_str("\n\n");
        page.push_str(&table(targets, names, width));
    }
    page
}

/// A line per device, and below what devices said about their failures: there is no room for that in a column.
pub(crate) fn table(targets: &[Target], names: &Names, width: Option<u16>) -> String {
    let mut list = List::new(&["DEVICE", "STATE", "DURATION", "REASON"]);
    for target in targets {
        list.row([
            plain(label(names, target.device_id)),
            Tone::from(target.state).cell(state(target)),
            plain(target.duration_secs.map_or_else(|| text::NONE.to_owned(), text::duration)),
            plain(target.error_code.map(|code| code.to_string()).unwrap_or_default()),
        ]);
    }
    let mut page = list.render(width);
    let told = targets.iter().filter_map(|target| Some((target.device_id, first_line(target)?)));
    for (index, (id, message)) in told.enumerate() {
        let gap = if index == 0 { "\n\n" } else { "\n" };
        page.push_str(&format!("{gap}{}: {message}", label(names, id)));
    }
    page
}

fn state(target: &Target) -> String {
    let mut state = target.state.to_string();
    if let Some(pct) = target.progress_pct.filter(|_| target.state.is_in_progress()) {
        state.push_str(&format!(" {pct:.0} %"));
    }
    if target.attempt > 1 {
        state.push_str(&format!(" (attempt {})", target.attempt));
    }
    state
}

/// Why a target did not succeed: the code, and the first line of what the device said.
pub(super) fn reason(target: &Target) -> Option<String> {
    match (target.error_code, first_line(target)) {
        (Some(code), Some(message)) => Some(format!("{code}: {message}")),
        (Some(code), None) => Some(code.to_string()),
        (None, message) => message,
    }
}

fn first_line(target: &Target) -> Option<String> {
    let message = target.error_message.as_deref()?;
    message.lines().find(|line| !line.trim().is_empty()).map(text::printable)
}

#[cfg(test)]
mod tests {
    use kernex_core::FailureCode;

    use super::*;
    use crate::watch::samples::{DEVICE, detail, target};

    #[test]
    fn the_end_is_told_per_device_with_duration_and_reason() {
        let mut failed = target(2, "failed", None);
        failed.error_code = Some(FailureCode::ScriptFailed);
        failed.error_message = Some("\ndeploy.sh ended with 3\nmore".to_owned());
        failed.attempt = 2;
        let mut detail = detail("failed", 2, 1, 1);
        detail.deployment.completed_at = Some(detail.deployment.created_at.plus_secs(75));
        let names = Names::from([(format!("{DEVICE}1").parse().unwrap(), "cam-1".to_owned())]);
        let text = render(&detail, &[target(1, "success", None), failed], &names, Some(80));
        insta::assert_snapshot!(anstream::adapter::strip_str(&text).to_string());
    }
}
