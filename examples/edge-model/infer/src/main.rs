//! The inference server of the example bundle: a small classifier of sensor readings, answered over HTTP.
//!
//! `infer` serves, `infer --once JSON` prints one prediction, `infer --check` asks the running server whether it is
//! well. It stands alone, as a customer's program would: it knows Kernex by the environment variables only.

mod args;
mod check;
mod http;
mod model;
mod server;

use std::{io::Write, process::ExitCode};

use args::{Args, Mode};
use model::Model;

const USAGE: &str = "usage: infer [--weights PATH] [--listen HOST:PORT | --once JSON | --check]

  --weights PATH      the model; weights.json by default
  --listen HOST:PORT  where to answer; $INFER_LISTEN or 127.0.0.1:8099 by default. With port 0 the system chooses;
                      the address is printed and written to $KERNEX_DATA_DIR/infer.addr
  --once JSON         print the prediction for {\"features\": [...]} and end
  --check             ask the server at $KERNEX_DATA_DIR/infer.addr for its health; 0 if it runs this model";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            let _ = writeln!(std::io::stderr(), "infer: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let Some(args) = Args::parse(std::env::args().skip(1))? else {
        return print(USAGE);
    };
    let model = Model::load(&args.weights)?;
    match args.mode {
        Mode::Serve { listen } => server::serve(model, &listen, args.data_dir.as_deref()),
        Mode::Once { request } => print(&model.answer(request.as_bytes())?),
        Mode::Check => check::check(args.data_dir.as_deref(), &model.version),
    }
}

fn print(line: &str) -> Result<(), String> {
    writeln!(std::io::stdout(), "{line}").map_err(|e| format!("standard output: {e}"))
}
