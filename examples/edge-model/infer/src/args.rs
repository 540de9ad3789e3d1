//! The command line.

use std::path::PathBuf;

#[derive(Debug, PartialEq)]
pub(crate) struct Args {
    pub(crate) weights: PathBuf,
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) mode: Mode,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Mode {
    Serve { listen: String },
    Once { request: String },
    Check,
}

impl Args {
    /// `None` asks for the usage.
    pub(crate) fn parse(args: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let listen = std::env::var("INFER_LISTEN").ok().filter(|address| !address.is_empty());
        let mut mode = Mode::Serve { listen: listen.unwrap_or_else(|| "127.0.0.1:8099".to_owned()) };
        let mut weights = PathBuf::from("weights.json");
        let data_dir = std::env::var_os("KERNEX_DATA_DIR").map(PathBuf::from);
        let mut args = args;
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            match arg.as_str() {
                "--weights" => weights = PathBuf::from(value()?),
                "--listen" => mode = Mode::Serve { listen: value()? },
                "--once" => mode = Mode::Once { request: value()? },
                "--check" => mode = Mode::Check,
                "--help" | "-h" => return Ok(None),
                _ => return Err(format!("unknown argument `{arg}`; --help lists them")),
            }
        }
        Ok(Some(Self { weights, data_dir, mode }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Option<Args>, String> {
        Args::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn the_mode_follows_the_flags() {
        let mode = |line| parse(line).unwrap().unwrap().mode;
        assert!(matches!(mode("--weights w"), Mode::Serve { .. }));
        assert_eq!(mode("--listen [::1]:0"), Mode::Serve { listen: "[::1]:0".to_owned() });
        assert_eq!(mode("--once {}"), Mode::Once { request: "{}".to_owned() });
        assert_eq!(mode("--check --weights w"), Mode::Check);
        assert!(parse("--help").unwrap().is_none());
    }

    #[test]
    fn what_is_unknown_or_incomplete_is_refused() {
        assert!(parse("--wieghts x").is_err());
        assert!(parse("--once").is_err());
    }
}
