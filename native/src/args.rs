//! The grammar of the command line, and its help. [`crate::settings`] combines flags, configuration file
//! and defaults.

pub mod bench;
pub mod data;
pub mod fidelity;
pub mod flags;
pub mod reproduce;
pub mod train;
pub mod tune;
pub mod use_model;

use std::{collections::BTreeMap, str::FromStr};

use clap::{Arg, Args, CommandFactory, Parser, Subcommand};
use fastvae::{
    config::{Method, ProposalKind},
    model::ModelKind,
    run::RunConfig,
};
use serde_json::Value;

use bench::BenchArgs;
use data::DataCommand;
use fidelity::{CompareArgs, FidelityArgs};
use reproduce::ReproduceArgs;
use train::TrainArgs;
use tune::TuneArgs;
use use_model::{EvaluateArgs, ExportArgs, RecommendArgs, SimilarArgs};

/// Train variational autoencoders for collaborative filtering, and recommend with them.
///
/// Negatives of the sampled softmax come from an inverted multi-index over the item vectors (FastVAE, WWW
/// 2022), so an epoch does not grow with the catalogue. Without a subcommand, `fastvae` trains on a small
/// built-in set, which takes less than a minute.
#[derive(Parser)]
#[command(name = "fastvae", version, max_term_width = 100)]
#[command(
    after_help = "Start with:\n  fastvae                                  train on the built-in set\n  \
    fastvae train --data ratings.csv         train on your own\n  \
    fastvae recommend RUN --user ID          the best items for one of its users"
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Subcommand)]
pub enum Command {
    /// Train a model on interactions of users with items.
    Train(Box<TrainArgs>),
    /// Measure the model of a run on held-out items.
    Evaluate(EvaluateArgs),
    /// The best items for users of the run, or for a history given by hand.
    Recommend(RecommendArgs),
    /// The items most like one item.
    Similar(SimilarArgs),
    /// Write the vectors of users and items, for nearest-neighbour search in other programs.
    Export(ExportArgs),
    /// Look at, convert or download a data set.
    #[command(subcommand)]
    Data(DataCommand),
    /// List the engines of this machine, their limits, and which one `auto` takes.
    Engines(EnginesArgs),
    /// Check the kernels of an engine against their definitions on this machine and its drivers, in seconds.
    Selftest(SelftestArgs),
    /// How close samplers come to the softmax: divergences, gradients, cumulative curves; as tables, figures
    /// and a report.
    Fidelity(Box<FidelityArgs>),
    /// Samplers side by side through training, from the same start on the same batches.
    Compare(Box<CompareArgs>),
    /// Search settings on the validation users, by TPE, successive halving or at random.
    Tune(Box<TuneArgs>),
    /// Measure a table or a figure of the paper again, beside its numbers and with a verdict.
    Reproduce(Box<ReproduceArgs>),
    /// Measure this machine: time of a step by kernel, an epoch by loss, loading, ranking.
    #[command(subcommand)]
    Bench(Box<BenchArgs>),
}

/// Which engine does the work.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Engine")]
pub struct EngineArgs {
    /// `auto` takes a real GPU where there is one, else the threads of this machine.
    #[arg(long, value_name = "ENGINE", value_parser = ["auto", "gpu", "cpu"], default_value = "auto")]
    pub engine: String,
    /// Which GPU: its number in `fastvae engines`, part of its name, a backend, or as in `vulkan:nvidia`; the only
    /// way to a software adapter.
    #[arg(long, value_name = "GPU")]
    pub adapter: Option<String>,
}

/// Options of `fastvae engines`.
#[derive(Args)]
pub struct EnginesArgs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Options of `fastvae selftest`.
#[derive(Args)]
pub struct SelftestArgs {
    /// `all` checks the CPU engine and every adapter, software too; the others as for training.
    #[arg(long, value_name = "ENGINE", value_parser = ["auto", "gpu", "cpu", "all"], default_value = "auto")]
    pub engine: String,
    /// Which GPU: its number in `fastvae engines`, part of its name, a backend, or as in `vulkan:nvidia`.
    #[arg(long, value_name = "GPU")]
    pub adapter: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// The clap command, with the library's defaults shown in its help.
pub fn command() -> clap::Command {
    with_defaults(Cli::command(), &defaults())
}

/// Default settings by flag, as they are shown: where kinds of models differ, with the kind.
fn defaults() -> BTreeMap<String, String> {
    let mut of_kinds: BTreeMap<String, Vec<(&str, String)>> = BTreeMap::new();
    for (name, kind) in ModelKind::NAMED {
        // Through JSON text, so that the f32 0.2 is shown as 0.2.
        let text = serde_json::to_string(&RunConfig::of(kind)).unwrap_or_default();
        let sections: Value = serde_json::from_str(&text).unwrap_or_default();
        for setting in RunConfig::settings_of(kind) {
            let mut value = sections[setting.section][setting.key()].clone();
            if let (Value::Null, Some(default)) = (&value, setting.unwritten) {
                value = serde_json::from_str(&default()).unwrap_or_default();
            }
            let Some(flag) = setting.flag().filter(|_| !value.is_null() && value != "") else { continue };
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            of_kinds.entry(flag).or_default().push((name, value));
        }
    }
    let method = RunConfig::default().method().name().to_owned();
    let shown = of_kinds.into_iter().map(|(flag, values)| {
        let first = values[0].1.clone();
        let others: Vec<String> = values
            .iter()
            .filter(|(_, value)| *value != first)
            .map(|(kind, value)| format!("; {kind} {value}"))
            .collect();
        (flag, first + &others.concat())
    });
    shown.filter(|(flag, _)| flag != "model").chain([("loss".into(), method), default_model()]).collect()
}

fn default_model() -> (String, String) {
    ("model".into(), ModelKind::default().name().into())
}

fn with_defaults(mut command: clap::Command, defaults: &BTreeMap<String, String>) -> clap::Command {
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    for name in names {
        command = command.mut_subcommand(name, |sub| with_defaults(sub, defaults));
    }
    command.mut_args(|arg| {
        if !arg.get_action().takes_values() {
            return arg;
        }
        let arg = arg.allow_negative_numbers(true);
        match defaults.get(arg.get_id().as_str()) {
            Some(value) if arg.get_default_values().is_empty() => described(arg, value),
            _ => arg,
        }
    })
}

/// Adds the default to the help of an argument.
fn described(arg: Arg, value: &str) -> Arg {
    let add = |help: &clap::builder::StyledStr| format!("{help} [default: {value}]");
    let (short, long) = (arg.get_help().map(add), arg.get_long_help().map(add));
    let arg = if let Some(short) = short { arg.help(short) } else { arg };
    if let Some(long) = long { arg.long_help(long) } else { arg }
}

/// Values of `--loss`: `full` for the full softmax, or the name of a proposal for a sampled one.
pub fn methods() -> clap::builder::PossibleValuesParser {
    Method::names().collect::<Vec<_>>().into()
}

/// The names of the proposals.
pub fn proposals() -> clap::builder::PossibleValuesParser {
    ProposalKind::WORDS.to_vec().into()
}

/// Parses a number and refuses NaN and infinity.
pub fn finite<T: FromStr + Into<f64> + Copy>(text: &str) -> Result<T, String> {
    match text.parse::<T>() {
        Ok(value) if value.into().is_finite() => Ok(value),
        _ => Err("not a finite number".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_holds_together() {
        command().debug_assert();
    }

    #[test]
    fn help_shows_the_defaults_of_the_library() {
        let help = command().find_subcommand_mut("train").unwrap().render_help().to_string();
        // Line breaks depend on the width of the terminal.
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(help.contains("[default: 0.2]"), "beta:\n{help}");
        assert!(help.contains("[default: 500.0]"), "adaptive-lambda, which files leave out:\n{help}");
        assert!(help.contains("[default: midx-popularity]"), "loss:\n{help}");
    }
}
