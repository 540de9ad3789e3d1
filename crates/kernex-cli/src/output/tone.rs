//! What a colour means.

use anstyle::{AnsiColor, Style};
use comfy_table::{Cell, Color};
use kernex_core::{DeploymentStatus, DeviceHealth, DeviceStatus, LogLevel, TargetState};

use super::text::printable;

/// The meaning of a word, which decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As it should be: green.
    Good,
    /// At work: blue.
    Active,
    /// Somebody should look: yellow.
    Warning,
    /// It does not work: red.
    Bad,
    /// Of no concern now: grey.
    Quiet,
}

impl Tone {
    /// A table's cell in this tone.
    pub(crate) fn cell(self, text: impl ToString) -> Cell {
        let color = match self {
            Self::Good => Color::DarkGreen,
            Self::Active => Color::DarkBlue,
            Self::Warning => Color::DarkYellow,
            Self::Bad => Color::DarkRed,
            Self::Quiet => Color::DarkGrey,
        };
        Cell::new(printable(&text.to_string())).fg(color)
    }

    /// Text in this tone; the stream takes the colour off where it is not wanted.
    pub(crate) fn paint(self, text: impl ToString) -> String {
        let style: Style = match self {
            Self::Good => AnsiColor::Green,
            Self::Active => AnsiColor::Blue,
            Self::Warning => AnsiColor::Yellow,
            Self::Bad => AnsiColor::Red,
            Self::Quiet => AnsiColor::BrightBlack,
        }
        .on_default();
        format!("{style}{}{style:#}", printable(&text.to_string()))
    }
}

impl From<DeviceStatus> for Tone {
    fn from(status: DeviceStatus) -> Self {
        match status {
            DeviceStatus::Online => Self::Good,
            DeviceStatus::Degraded | DeviceStatus::PendingApproval => Self::Warning,
            DeviceStatus::Error => Self::Bad,
            DeviceStatus::Offline | DeviceStatus::Decommissioned => Self::Quiet,
        }
    }
}

impl From<DeviceHealth> for Tone {
    fn from(health: DeviceHealth) -> Self {
        match health {
            DeviceHealth::Healthy => Self::Good,
            DeviceHealth::Degraded => Self::Warning,
            DeviceHealth::Error => Self::Bad,
        }
    }
}

impl From<DeploymentStatus> for Tone {
    fn from(status: DeploymentStatus) -> Self {
        match status {
            DeploymentStatus::Pending => Self::Quiet,
            DeploymentStatus::InProgress => Self::Active,
            DeploymentStatus::Success => Self::Good,
            DeploymentStatus::Paused | DeploymentStatus::Cancelled => Self::Warning,
            DeploymentStatus::Failed | DeploymentStatus::RolledBack => Self::Bad,
        }
    }
}

impl From<TargetState> for Tone {
    fn from(state: TargetState) -> Self {
        match state {
            TargetState::Pending => Self::Quiet,
            TargetState::Success => Self::Good,
            TargetState::Failed | TargetState::TimedOut | TargetState::RolledBack => Self::Bad,
            TargetState::RollingBack | TargetState::Cancelled => Self::Warning,
            _ => Self::Active,
        }
    }
}

impl From<LogLevel> for Tone {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Trace | LogLevel::Debug => Self::Quiet,
            LogLevel::Info => Self::Good,
            LogLevel::Warn => Self::Warning,
            LogLevel::Error => Self::Bad,
        }
    }
}
