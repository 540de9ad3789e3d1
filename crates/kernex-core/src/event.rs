//! What can happen, as events name it.

use serde::{Deserialize, Serialize};

use crate::state::words;

words! {
    /// What happened. The part before the dot says to what.
    EventKind {
        /// A device registered; `data.membership` says whether it was let in.
        DeviceRegistered = "device.registered",
        /// A waiting device was let in.
        DeviceApproved = "device.approved",
        /// A waiting device was turned away.
        DeviceRejected = "device.rejected",
        /// A device left for good.
        DeviceDecommissioned = "device.decommissioned",
        /// A device's name or tags were changed.
        DeviceUpdated = "device.updated",
        /// Many devices' tags were changed at once; `data.devices` says how many.
        DevicesUpdated = "devices.updated",
        /// Heartbeats arrive and the device calls itself healthy, after it was offline, degraded or in error.
        DeviceOnline = "device.online",
        /// The device calls itself degraded.
        DeviceDegraded = "device.degraded",
        /// The device reports an error.
        DeviceError = "device.error",
        /// Heartbeats are missing.
        DeviceOffline = "device.offline",
        /// Heartbeats have been missing for more than a day.
        DeviceLost = "device.lost",
        /// Many devices of one site went offline together; `data` names the site and how many.
        SiteOffline = "site.offline",
        /// Most of a site's devices are back.
        SiteOnline = "site.online",
        /// A device delays or refuses an order, and says why.
        DeviceHeld = "device.held",
        /// A bundle was uploaded.
        BundleUploaded = "bundle.uploaded",
        /// A bundle was withdrawn.
        BundleWithdrawn = "bundle.withdrawn",
        /// A rollout of the bundle was stopped by its circuit breaker.
        BundleSuspect = "bundle.suspect",
        /// A deployment was made.
        DeploymentCreated = "deployment.created",
        /// A deployment waits for a second person.
        DeploymentApprovalNeeded = "deployment.approval_needed",
        /// A second person agreed.
        DeploymentApproved = "deployment.approved",
        /// The first device was told.
        DeploymentStarted = "deployment.started",
        /// A wave opened.
        DeploymentWaveStarted = "deployment.wave_started",
        /// A wave reached its threshold and has baked.
        DeploymentWaveCompleted = "deployment.wave_completed",
        /// A deployment was paused, by somebody or by its circuit breaker.
        DeploymentPaused = "deployment.paused",
        /// A paused deployment goes on.
        DeploymentResumed = "deployment.resumed",
        /// The circuit breaker tripped.
        DeploymentTripped = "deployment.tripped",
        /// The devices that have the version are taken back.
        DeploymentReversed = "deployment.reversed",
        /// The failed targets are tried again.
        DeploymentRetried = "deployment.retried",
        /// A deployment was cancelled.
        DeploymentCancelled = "deployment.cancelled",
        /// Another deployment took its place.
        DeploymentSuperseded = "deployment.superseded",
        /// A deployment ended; `data.status` says how.
        DeploymentEnded = "deployment.ended",
        /// A device has the bundle.
        TargetSucceeded = "target.succeeded",
        /// A device could not carry a deployment out.
        TargetFailed = "target.failed",
        /// A device returned to what it ran before.
        TargetRolledBack = "target.rolled_back",
        /// An attempt was given up.
        TargetTimedOut = "target.timed_out",
        /// A device gets no orders for a while, because it failed too often.
        TargetPenalized = "target.penalized",
        /// A device knows more than the control plane, which was restored from a backup.
        TargetConflict = "target.conflict",
        /// A device's wanted configuration changed.
        ConfigChanged = "config.changed",
        /// A device uses the wanted configuration.
        ConfigApplied = "config.applied",
        /// The configuration of a group, or of the organisation, changed.
        ConfigLayerChanged = "config.layer_changed",
        /// A group was made.
        GroupCreated = "group.created",
        /// A group was changed.
        GroupUpdated = "group.updated",
        /// A group was removed.
        GroupDeleted = "group.deleted",
        /// A version was promoted from one channel to the next.
        ChannelPromoted = "channel.promoted",
        /// A webhook was switched off because it failed for too long.
        WebhookDisabled = "webhook.disabled",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_back() {
        for kind in EventKind::ALL {
            assert_eq!(kind.as_str().parse::<EventKind>().as_ref(), Ok(kind));
        }
    }
}
