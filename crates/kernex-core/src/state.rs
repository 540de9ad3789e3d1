//! States and their legal transitions.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Declares a closed set of words with one spelling for JSON, the database and people.
macro_rules! words {
    ($($(#[doc = $doc:literal])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? })*) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant),+ }

        impl $name {
            /// Every word of the set, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word as JSON and the database spell it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        // By hand: the derive does not see through a word that a macro hands on, and would document the variants' names.
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                let words = $name::ALL.iter().map(|word| word.as_str());
                let schema = utoipa::openapi::ObjectBuilder::new().schema_type(utoipa::openapi::Type::String).enum_values(Some(words));
                schema.description(Some(concat!($($doc),*).trim())).build().into()
            }
        }

        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                std::borrow::Cow::Borrowed(stringify!($name))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::state::UnknownWord;
            fn from_str(text: &str) -> std::result::Result<Self, $crate::state::UnknownWord> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err($crate::state::UnknownWord {
                        text: text.chars().take(80).collect(),
                        expected: Self::ALL.iter().map(|word| word.as_str()).collect::<Vec<_>>().join(", "),
                    }),
                }
            }
        }
    )*};
}

pub(crate) use words;

/// A text that is none of a closed set of words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is none of: {expected}")]
pub struct UnknownWord {
    /// The text, cut to 80 characters.
    pub text: String,
    /// The words that are allowed.
    pub expected: String,
}

words! {
    /// Whether a device has been let in.
    Membership {
        /// Registered, waits for an operator; may send heartbeats, gets no command.
        PendingApproval = "pending_approval",
        /// Let in.
        Active = "active",
        /// Left for good, or rejected; its requests are refused.
        Decommissioned = "decommissioned",
    }

    /// How an operator sees a device: its membership, its last heartbeat's health, and whether heartbeats are missing.
    DeviceStatus {
        /// Heartbeats arrive and the device calls itself healthy.
        Online = "online",
        /// Heartbeats arrive and the device calls itself degraded.
        Degraded = "degraded",
        /// Heartbeats arrive and the device reports an error.
        Error = "error",
        /// Heartbeats are missing.
        Offline = "offline",
        /// Waits for an operator.
        PendingApproval = "pending_approval",
        /// Left for good, or rejected.
        Decommissioned = "decommissioned",
    }

    /// What a device says of itself in a heartbeat.
    DeviceHealth {
        /// All is well.
        Healthy = "healthy",
        /// It works, with a defect that somebody should look at.
        Degraded = "degraded",
        /// It does not do its work.
        Error = "error",
    }

    /// What a deployment asks for.
    DeploymentKind {
        /// Install a bundle.
        Deploy = "deploy",
        /// Return to a bundle that the device ran before.
        Rollback = "rollback",
    }

    /// How far a deployment is.
    DeploymentStatus {
        /// No device has been told yet.
        Pending = "pending",
        /// At least one device has been told.
        InProgress = "in_progress",
        /// Nothing more is handed out until it is resumed.
        Paused = "paused",
        /// Every target succeeded.
        Success = "success",
        /// At least one target failed or timed out.
        Failed = "failed",
        /// Targets returned to what they ran before, and none failed otherwise.
        RolledBack = "rolled_back",
        /// Cancelled before every target had ended.
        Cancelled = "cancelled",
    }

    /// How far one device is within one deployment.
    TargetState {
        /// Not told yet.
        Pending = "pending",
        /// The command was sent in an answer; the device has not spoken of it yet.
        Delivered = "delivered",
        /// The device fetches the bytes.
        Downloading = "downloading",
        /// The device checks digest and manifest.
        Verifying = "verifying",
        /// The device unpacks beside what runs.
        Staging = "staging",
        /// The device switches over.
        Activating = "activating",
        /// The device waits for its health check.
        Checking = "checking",
        /// The bundle runs.
        Success = "success",
        /// It did not work; `error_code` says why.
        Failed = "failed",
        /// The device returns to what it ran before.
        RollingBack = "rolling_back",
        /// The device runs what it ran before.
        RolledBack = "rolled_back",
        /// Every attempt's lease ran out without a result.
        TimedOut = "timed_out",
        /// Not wanted any more.
        Cancelled = "cancelled",
    }

    /// The outcome that a device reports.
    ResultStatus {
        /// The bundle runs.
        Success = "success",
        /// It did not work; the device runs what it ran before, or nothing.
        Failed = "failed",
        /// It was switched on, did not work, and the device returned to what it ran before.
        RolledBack = "rolled_back",
    }

    /// Why an attempt failed.
    FailureCode {
        /// The bytes could not be fetched.
        Download = "download",
        /// The bytes are not those that were promised.
        Checksum = "checksum",
        /// The signature is missing or wrong.
        Signature = "signature",
        /// The archive is broken or breaks the rules for archives.
        Unpack = "unpack",
        /// The manifest is missing, invalid, or of another bundle.
        Manifest = "manifest",
        /// The bundle is not for this device or this agent.
        Incompatible = "incompatible",
        /// Not enough space.
        DiskFull = "disk_full",
        /// A script ended with another exit code than 0.
        ScriptFailed = "script_failed",
        /// A script was killed at its deadline.
        ScriptTimeout = "script_timeout",
        /// The health check did not pass in time.
        HealthCheck = "health_check",
        /// The workload kept crashing.
        CrashLoop = "crash_loop",
        /// The attempt was interrupted too often by restarts.
        PowerLoss = "power_loss",
        /// The control plane withdrew the command.
        Cancelled = "cancelled",
        /// A fault of the agent.
        Internal = "internal",
    }

    /// What a user may do.
    Role {
        /// Everything.
        Admin = "admin",
        /// Everything but users and keys.
        Ops = "ops",
        /// Look.
        ReadOnly = "read_only",
    }

    /// The kind of who acted.
    ActorKind {
        /// A person, or a program of theirs.
        User = "user",
        /// A device.
        Device = "device",
        /// The control plane itself, or whoever works on its machine.
        System = "system",
        /// Nobody who is known.
        Anonymous = "anonymous",
    }

    /// How an action ended.
    AuditResult {
        /// It was done.
        Success = "success",
        /// It was not allowed.
        Denied = "denied",
        /// It was allowed, and not done.
        Failed = "failed",
    }
}

impl TargetState {
    /// Nothing more happens to the target.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Success | Self::Failed | Self::RolledBack | Self::TimedOut | Self::Cancelled)
    }

    /// The device has said that it works on it.
    pub const fn is_in_progress(self) -> bool {
        matches!(
            self,
            Self::Downloading
                | Self::Verifying
                | Self::Staging
                | Self::Activating
                | Self::Checking
                | Self::RollingBack
        )
    }

    /// Whether a target may go from `self` to `next`.
    ///
    /// Final states never change. A device may jump forward (reports are lost), and back among the states of its work (it
    /// restarted and begins again), but a device that returns to what it ran before does not go forward again within the
    /// attempt. An expired lease puts an open target back to `pending` for the next attempt.
    pub const fn can_become(self, next: Self) -> bool {
        match (self, next) {
            (from, _) if from.is_final() => false,
            (Self::Pending, Self::Delivered | Self::Cancelled) => true,
            (Self::Pending, next) => next.is_in_progress() || next.is_final(),
            (_, Self::Pending) => true,
            (_, Self::Delivered) => false,
            (Self::RollingBack, next) => next.is_final() || matches!(next, Self::RollingBack),
            (_, next) => next.is_in_progress() || next.is_final(),
        }
    }
}

impl DeviceStatus {
    /// The status at a point in time of a device whose heartbeats are missing from `overdue_at` on.
    pub fn at(
        membership: Membership,
        health: Option<DeviceHealth>,
        overdue_at: Timestamp,
        now: Timestamp,
    ) -> Self {
        match (membership, health) {
            (Membership::PendingApproval, _) => Self::PendingApproval,
            (Membership::Decommissioned, _) => Self::Decommissioned,
            (Membership::Active, None) => Self::Offline,
            (Membership::Active, Some(_)) if overdue_at <= now => Self::Offline,
            (Membership::Active, Some(DeviceHealth::Healthy)) => Self::Online,
            (Membership::Active, Some(DeviceHealth::Degraded)) => Self::Degraded,
            (Membership::Active, Some(DeviceHealth::Error)) => Self::Error,
        }
    }
}

impl DeploymentStatus {
    /// Nothing more happens to the deployment.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Success | Self::Failed | Self::RolledBack | Self::Cancelled)
    }
}

impl ResultStatus {
    /// The state in which a target with this result ends.
    pub const fn target_state(self) -> TargetState {
        match self {
            Self::Success => TargetState::Success,
            Self::Failed => TargetState::Failed,
            Self::RolledBack => TargetState::RolledBack,
        }
    }
}

#[cfg(test)]
mod tests {
    use utoipa::PartialSchema as _;

    use super::*;

    #[test]
    fn every_word_reads_back_as_itself_in_json_and_text() {
        for state in TargetState::ALL {
            assert_eq!(state.as_str().parse::<TargetState>().as_ref(), Ok(state));
            assert_eq!(serde_json::to_string(state).unwrap(), format!("\"{state}\""));
        }
        let error = "half".parse::<ResultStatus>().unwrap_err().to_string();
        assert_eq!(error, "`half` is none of: success, failed, rolled_back");
    }

    #[test]
    fn the_openapi_document_lists_the_words_of_the_wire() {
        let schema = serde_json::to_value(DeviceHealth::schema()).unwrap();
        assert_eq!(schema["enum"], serde_json::json!(["healthy", "degraded", "error"]));
        assert_eq!(schema["description"], "What a device says of itself in a heartbeat.");
    }

    #[test]
    fn final_target_states_never_change() {
        for from in TargetState::ALL.iter().filter(|state| state.is_final()) {
            for to in TargetState::ALL {
                assert!(!from.can_become(*to), "{from} must not become {to}");
            }
        }
    }

    #[test]
    fn every_open_target_can_end_and_can_be_tried_again() {
        for from in TargetState::ALL.iter().filter(|state| !state.is_final()) {
            for end in TargetState::ALL.iter().filter(|state| state.is_final()) {
                assert!(from.can_become(*end), "{from} must be able to end as {end}");
            }
            assert!(*from == TargetState::Pending || from.can_become(TargetState::Pending));
        }
    }

    #[test]
    fn a_device_that_rolls_back_does_not_go_forward_again() {
        assert!(!TargetState::RollingBack.can_become(TargetState::Downloading));
        assert!(TargetState::Checking.can_become(TargetState::RollingBack));
        assert!(
            TargetState::Activating.can_become(TargetState::Downloading),
            "after a restart it begins again"
        );
        assert!(!TargetState::Downloading.can_become(TargetState::Delivered));
    }
}
