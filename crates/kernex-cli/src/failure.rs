//! How a failure is told: one sentence, a hint what to do, and an exit code.

use std::fmt;

use kernex_api::{ErrorCode, Problem};
use kernex_client::Error;

use crate::{exit_code::ExitCode, output::text::printable};

/// A failure that knows its exit code and what the person can do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    message: String,
    hint: Option<String>,
    exit_code: ExitCode,
    is_closed_pipe: bool,
}

impl Failure {
    pub(crate) fn new(exit_code: ExitCode, message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, exit_code, is_closed_pipe: false }
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        self.exit_code
    }

    /// Whoever reads our output has seen enough; there is nothing to say.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        self.is_closed_pipe
    }

    /// What a person sees on stderr.
    pub(crate) fn render(&self) -> String {
        let bold_red = anstyle::AnsiColor::Red.on_default().bold();
        let mut text = format!("{bold_red}error:{bold_red:#} {}", printable(&self.message));
        if let Some(hint) = &self.hint {
            let cyan = anstyle::AnsiColor::Cyan.on_default();
            text.push_str(&format!("\n{cyan}hint:{cyan:#} {}", printable(hint)));
        }
        text
    }

    /// Finds in an error what is known about such failures.
    pub(crate) fn explain(error: &anyhow::Error, address: Option<&str>) -> Self {
        if let Some(failure) = error.chain().find_map(|cause| cause.downcast_ref::<Self>()) {
            return failure.clone();
        }
        let mut failure = match error.chain().find_map(|cause| cause.downcast_ref::<Error>()) {
            Some(cause) => explain_client(cause, address),
            None => Self::new(ExitCode::Failure, ""),
        };
        failure.message = sentence(error);
        failure.is_closed_pipe = error
            .chain()
            .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
            .any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe);
        if failure.is_closed_pipe {
            failure.exit_code = ExitCode::Ok;
        }
        failure
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// The chain of causes as one sentence; a cause that its parent tells already is not repeated.
fn sentence(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |text, cause| match text.as_str() {
        "" => cause,
        text if text.ends_with(&cause) => text.to_owned(),
        text => format!("{text}: {cause}"),
    })
}

fn explain_client(error: &Error, address: Option<&str>) -> Failure {
    let (code, hint) = match error {
        Error::Refused(problem) => return explain_problem(problem, address),
        Error::Address(_) => {
            (ExitCode::Usage, "give an address like https://kernex.example.com with --url or KERNEX_URL")
        }
        Error::Unreachable { reason, .. } if reason.contains("certificate") => (
            ExitCode::Unreachable,
            "when its certificate comes from a private authority, name that one with --ca-file or KERNEX_CA_FILE",
        ),
        Error::Unreachable { .. } | Error::TimedOut { .. } => (
            ExitCode::Unreachable,
            "check the address (--url, KERNEX_URL, or the one given to `kernex login`) and that the control plane runs",
        ),
        Error::Unexpected { status: 502..=504, .. } => {
            (ExitCode::Unreachable, "the proxy in front of the control plane answered; try again in a moment")
        }
        Error::Unexpected { .. } => {
            (ExitCode::Failure, "check that the address is that of a Kernex control plane of this version")
        }
        Error::Checksum { .. } => (
            ExitCode::Failure,
            "nothing was kept; try again, and if it comes back let the control plane check with `kernex bundle verify`",
        ),
        _ => return Failure::new(ExitCode::Failure, ""),
    };
    Failure::new(code, "").hint(hint)
}

fn explain_problem(problem: &Problem, address: Option<&str>) -> Failure {
    use ErrorCode as C;
    let login = format!("log in with `kernex login {}`", address.unwrap_or("URL"));
    let (code, hint) = match (problem.code, problem.status) {
        (C::UnknownBundle, _) => (ExitCode::NotFound, Some("`kernex bundle list` shows the bundles")),
        (C::UnknownDevices, _) => (ExitCode::NotFound, Some("`kernex device list` shows the devices")),
        (C::NoSuccessfulDeployment, _) => {
            (ExitCode::Failure, Some("`kernex device history DEVICE` shows what a device ran"))
        }
        (_, 401) => return Failure::new(ExitCode::NotLoggedIn, "").hint(login),
        (_, 403) => {
            (ExitCode::NotAllowed, Some("`kernex whoami` shows your role; ask an admin for another one"))
        }
        (_, 404 | 410) => (
            ExitCode::NotFound,
            Some("`kernex device list`, `bundle list` and `deployment list` show what is there"),
        ),
        (_, 409) => (ExitCode::Conflict, None),
        (_, 429) => (ExitCode::Failure, Some("too many requests; wait a moment and try again")),
        (_, 500) => (ExitCode::Failure, Some("the control plane's log has the cause under the request's id")),
        (_, 502..=504) => {
            (ExitCode::Unreachable, Some("the control plane cannot do its work now; try again in a moment"))
        }
        _ => (ExitCode::Failure, None),
    };
    Failure { message: String::new(), hint: hint.map(str::to_owned), exit_code: code, is_closed_pipe: false }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    fn refused(code: ErrorCode, status: u16) -> anyhow::Error {
        let problem = Problem {
            kind: "/docs/errors".to_owned(),
            title: "Title".to_owned(),
            status,
            detail: "the detail".to_owned(),
            code,
            request_id: "r-1".to_owned(),
            server_time: None,
        };
        Error::Refused(Box::new(problem)).into()
    }

    #[test]
    fn every_kind_of_answer_has_its_exit_code() {
        let check = |code, status, expected| {
            let failure = Failure::explain(&refused(code, status), None);
            assert_eq!(failure.exit_code(), expected, "{code:?}");
            assert_eq!(failure.to_string(), format!("the detail ({status} Title, request r-1)"));
        };
        check(ErrorCode::InvalidRequest, 400, ExitCode::Failure);
        check(ErrorCode::UnknownDevices, 400, ExitCode::NotFound);
        check(ErrorCode::UnknownBundle, 400, ExitCode::NotFound);
        check(ErrorCode::Unauthenticated, 401, ExitCode::NotLoggedIn);
        check(ErrorCode::Forbidden, 403, ExitCode::NotAllowed);
        check(ErrorCode::NotFound, 404, ExitCode::NotFound);
        check(ErrorCode::Conflict, 409, ExitCode::Conflict);
        check(ErrorCode::Gone, 410, ExitCode::NotFound);
        check(ErrorCode::Internal, 500, ExitCode::Failure);
        check(ErrorCode::Unavailable, 503, ExitCode::Unreachable);
    }

    #[test]
    fn an_unreachable_control_plane_is_told_from_other_failures_through_context() {
        let error = Error::Unreachable { address: "http://kx".to_owned(), reason: "refused".to_owned() };
        let error = Err::<(), _>(error).context("listing devices failed").unwrap_err();
        let failure = Failure::explain(&error, None);
        assert_eq!(failure.exit_code(), ExitCode::Unreachable);
        assert_eq!(
            failure.to_string(),
            "listing devices failed: cannot reach the control plane at http://kx: refused"
        );
    }

    #[test]
    fn the_hint_of_an_expired_login_names_the_address() {
        let failure = Failure::explain(&refused(ErrorCode::Unauthenticated, 401), Some("https://kx"));
        assert!(failure.render().contains("`kernex login https://kx`"));
    }

    #[test]
    fn a_cause_is_told_once() {
        let missing = Error::File(std::io::Error::other("no such file"));
        let error = Err::<(), _>(missing).context("`x` could not be pushed").unwrap_err();
        assert_eq!(Failure::explain(&error, None).to_string(), "`x` could not be pushed: no such file");
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        let error = std::io::Error::from(std::io::ErrorKind::BrokenPipe).into();
        let failure = Failure::explain(&error, None);
        assert!(failure.is_closed_pipe());
        assert_eq!(failure.exit_code(), ExitCode::Ok);
    }
}
