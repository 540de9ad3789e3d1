//! What the program's exit code says.

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ExitCode {
    /// It did what it was asked to.
    Ok = 0,
    /// It did not, for a reason that has no code of its own.
    Failure = 1,
    /// The command line is wrong, or a destructive command was not confirmed.
    Usage = 2,
    /// Not logged in, or the login is no longer valid.
    NotLoggedIn = 3,
    /// Logged in, but not allowed to do this.
    NotAllowed = 4,
    /// No such device, bundle, deployment or token.
    NotFound = 5,
    /// It exists already, or is in a state that does not allow this.
    Conflict = 6,
    /// `--wait`, `watch`: the deployment ended otherwise than with success.
    DeploymentFailed = 7,
    /// `--wait`, `watch`: the deployment had not ended when the time was up.
    WaitTimedOut = 8,
    /// The control plane cannot be reached, or cannot do its work now.
    Unreachable = 9,
}

impl ExitCode {
    /// Every code, in order.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 10] = [
        Self::Ok,
        Self::Failure,
        Self::Usage,
        Self::NotLoggedIn,
        Self::NotAllowed,
        Self::NotFound,
        Self::Conflict,
        Self::DeploymentFailed,
        Self::WaitTimedOut,
        Self::Unreachable,
    ];

    /// For the help texts.
    pub(crate) const HELP: &str = "\
Exit codes:
  0  ok
  1  failed for a reason without a code of its own
  2  wrong command line, or a destructive command was not confirmed
  3  not logged in, or the login is no longer valid
  4  not allowed
  5  not found
  6  conflict: exists already, or its state does not allow this
  7  the deployment did not succeed (--wait, watch)
  8  the deployment had not ended when the time was up (--wait, watch)
  9  the control plane cannot be reached or cannot do its work now";
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_text_names_every_code() {
        for code in ExitCode::ALL {
            assert!(ExitCode::HELP.contains(&format!("\n  {}  ", code as u8)), "{code:?}");
        }
    }
}
