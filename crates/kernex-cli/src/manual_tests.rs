//! What a person reads: `--help` as snapshots, and `docs/cli.md` against the commands that exist.

use clap::{Command, CommandFactory as _, Parser as _};

use crate::{cli::Cli, exit_code::ExitCode};

const MANUAL: &str = include_str!("../../../docs/cli.md");

/// Every command, without those that only group others: `kernex device list`.
fn leaves(command: &Command, path: &str, found: &mut Vec<(String, Command)>) {
    let subcommands: Vec<_> = command.get_subcommands().filter(|sub| sub.get_name() != "help").collect();
    if subcommands.is_empty() {
        found.push((path.to_owned(), command.clone()));
    }
    for sub in subcommands {
        leaves(sub, &format!("{path} {}", sub.get_name()), found);
    }
}

fn commands() -> Vec<(String, Command)> {
    let mut found = Vec::new();
    leaves(&Cli::command(), "kernex", &mut found);
    found
}

fn help(words: &[&str]) -> String {
    let mut command = Cli::command().term_width(100);
    command.build();
    let mut command = &mut command;
    for word in words {
        command = command.find_subcommand_mut(word).unwrap();
    }
    let text = command.clone().term_width(100).render_long_help().to_string();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_help_of_the_main_commands_reads_well() {
    let main: &[&[&str]] = &[
        &[],
        &["login"],
        &["device"],
        &["device", "list"],
        &["device", "config", "set"],
        &["bundle"],
        &["bundle", "push"],
        &["deploy"],
        &["rollback"],
        &["deployment"],
        &["deployment", "watch"],
        &["registration-token", "create"],
        &["audit"],
        &["audit", "list"],
    ];
    for words in main {
        insta::assert_snapshot!(format!("help_{}", [&["kernex"], *words].concat().join("_")), help(words));
    }
}

#[test]
fn every_command_has_a_purpose_and_an_example() {
    for (path, command) in commands() {
        let about = command.get_long_about().unwrap_or_default().to_string();
        assert!(command.get_about().is_some(), "{path}");
        assert!(about.contains(&format!("Example: {path}")), "{path}: {about}");
    }
}

#[test]
fn the_examples_in_the_help_texts_are_accepted() {
    for (path, command) in commands() {
        let about = command.get_long_about().unwrap_or_default().to_string();
        let (_, example) = about.split_once("Example: ").unwrap();
        let example = example.split(" > ").next().unwrap();
        let result = Cli::try_parse_from(example.split_whitespace());
        assert!(result.is_ok(), "{path}: {:?}", result.err());
    }
}

#[test]
fn the_manual_names_every_command_with_an_example() {
    for (path, _) in commands() {
        assert!(MANUAL.contains(&format!("\n| `{path}")), "docs/cli.md has no line for `{path}`");
        let examples = MANUAL.lines().filter(|line| line.starts_with(&path)).count();
        assert!(examples > 0, "docs/cli.md has no example of `{path}`");
    }
}

#[test]
fn the_examples_of_the_manual_are_accepted() {
    let mut checked = 0;
    for line in MANUAL.lines().filter(|line| line.starts_with("kernex ")) {
        let words = line.split(" #").next().unwrap().split(" > ").next().unwrap().split_whitespace();
        let result = Cli::try_parse_from(words);
        assert!(result.is_ok(), "{line}: {:?}", result.err());
        checked += 1;
    }
    assert!(checked >= commands().len());
}

#[test]
fn the_manual_names_every_exit_code_and_every_variable() {
    for code in ExitCode::ALL {
        assert!(MANUAL.contains(&format!("\n| {} |", code as u8)), "docs/cli.md does not explain {code:?}");
    }
    for name in
        ["KERNEX_URL", "KERNEX_TOKEN", "KERNEX_TOKEN_FILE", "KERNEX_CA_FILE", "KERNEX_CONFIG_DIR", "NO_COLOR"]
    {
        assert!(MANUAL.contains(&format!("`{name}`")), "docs/cli.md does not explain {name}");
    }
}
