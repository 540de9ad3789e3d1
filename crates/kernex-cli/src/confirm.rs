//! Asking before something is done that cannot be undone.

use std::io::IsTerminal as _;

use anyhow::Result;

use crate::{context::Context, exit_code::ExitCode, failure::Failure};

/// Goes on with `--yes`, or when a person at a terminal says so.
pub(crate) fn confirm(context: &Context, question: &str) -> Result<()> {
    if context.is_confirmed() {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        let failure =
            Failure::new(ExitCode::Usage, "this cannot be undone, and there is no terminal to ask on");
        return Err(failure.hint("add --yes to do it without being asked").into());
    }
    let question = crate::output::text::printable(question);
    if dialoguer::Confirm::new().with_prompt(question).default(false).interact()? {
        Ok(())
    } else {
        Err(Failure::new(ExitCode::Failure, "nothing was changed").into())
    }
}
