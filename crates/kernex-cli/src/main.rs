//! `kernex`: the operator's command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    kernex_cli::main()
}
