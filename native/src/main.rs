//! `fastvae`, the command line: turns arguments into settings, runs the command, and prints events.

mod args;
mod commands;
mod display;
mod flags;
mod interrupt;
mod lists;
mod output;
mod pieces;
mod settings;

use std::process::ExitCode;

use clap::FromArgMatches;

use args::{Cli, Command};
use fastvae::Error;

/// The exit code after Ctrl-C, by the convention of shells (128 + SIGINT).
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    // Disables Mesa's device selection layer, which prints errors on machines without a desktop.
    // SAFETY: no other thread has been started.
    unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    interrupt::prepare();
    let cli = args::command().try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match cli {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let result = match cli.command {
        None => commands::train::run(&Default::default()),
        Some(Command::Train(args)) => commands::train::run(&args),
        Some(Command::Evaluate(args)) => commands::evaluate::run(&args),
        Some(Command::Recommend(args)) => commands::recommend::run(&args),
        Some(Command::Similar(args)) => commands::similar::run(&args),
        Some(Command::Export(args)) => commands::export::run(&args),
        Some(Command::Data(command)) => commands::data::run(&command),
        Some(Command::Engines(args)) => commands::engines::run(&args),
        Some(Command::Selftest(args)) => commands::selftest::run(&args),
        Some(Command::Fidelity(args)) => commands::fidelity::run(&args),
        Some(Command::Compare(args)) => commands::compare::run(&args),
        Some(Command::Tune(args)) => commands::tune::run(&args),
        Some(Command::Reproduce(args)) => commands::reproduce::run(&args),
        Some(Command::Bench(command)) => commands::bench::run(&command),
    };
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Interrupted) => ExitCode::from(INTERRUPTED),
        Err(Error::Interrupted) => {
            output::note("stopped before it was done; nothing was written");
            ExitCode::from(INTERRUPTED)
        }
        Err(error) => {
            output::note(&format!("error: {}", flags::told(&error)));
            ExitCode::from(if error.is_usage() { 2 } else { 1 })
        }
    }
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It finished.
    Done,
    /// Ctrl-C stopped it; unfinished work has been saved.
    Interrupted,
}
