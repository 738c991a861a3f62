//! Flags of settings, generated from the library's declarations: every declared setting has a flag.

use std::{collections::BTreeSet, ffi::OsString, fmt, marker::PhantomData, path::PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};
use fastvae::{
    config::{Kind, Method, ProposalConfig, Section, Setting},
    data::SplitOptions,
    model::ModelKind,
    run::{DataConfig, RunConfig},
};
use serde_json::{Map, Value};

/// Settings given by flags, in the structure of a configuration file: section, then key.
#[derive(Clone)]
pub struct Flags<G> {
    given: Value,
    automatic: bool,
    group: PhantomData<G>,
}

/// The group of settings that a command has flags for.
pub trait Group {
    /// The settings.
    fn settings() -> Vec<&'static Setting>;

    /// Whether `--loss` sets both the objective and the proposal.
    const METHOD: bool = false;

    /// Whether `--loss` may be [`AUTO`].
    const AUTOMATIC: bool = false;
}

/// All settings of a run.
#[derive(Clone)]
pub struct All;
/// The same for a run that may choose its loss itself.
#[derive(Clone)]
pub struct Training;
/// The data set and its filters.
#[derive(Clone)]
pub struct Data;
/// The filters of a data set whose path comes from another argument.
#[derive(Clone)]
pub struct Filter;
/// How a data set is split.
#[derive(Clone)]
pub struct Split;
/// The settings of a proposal, except which proposal it is.
#[derive(Clone)]
pub struct Proposal;

/// Flags for every setting of a run.
pub type SettingArgs = Flags<All>;
/// The same for a run that may choose its loss itself.
pub type TrainingArgs = Flags<Training>;
/// Flags for a data set and its filters.
pub type DataArgs = Flags<Data>;
/// Flags for the filters of a data set whose path comes from another argument.
pub type FilterArgs = Flags<Filter>;
/// Flags for how a data set is split.
pub type SplitArgs = Flags<Split>;
/// Flags for a proposal's settings.
pub type ProposalArgs = Flags<Proposal>;

impl Group for All {
    fn settings() -> Vec<&'static Setting> {
        RunConfig::settings().collect()
    }

    const METHOD: bool = true;
}

impl Group for Training {
    fn settings() -> Vec<&'static Setting> {
        All::settings()
    }

    const METHOD: bool = true;
    const AUTOMATIC: bool = true;
}

impl Group for Data {
    fn settings() -> Vec<&'static Setting> {
        DataConfig::SETTINGS.iter().collect()
    }
}

impl Group for Filter {
    fn settings() -> Vec<&'static Setting> {
        DataConfig::SETTINGS.iter().filter(|setting| setting.kind != Kind::Path).collect()
    }
}

impl Group for Split {
    fn settings() -> Vec<&'static Setting> {
        SplitOptions::SETTINGS.iter().collect()
    }
}

impl Group for Proposal {
    fn settings() -> Vec<&'static Setting> {
        ProposalConfig::SETTINGS.iter().collect()
    }
}

impl<G> Default for Flags<G> {
    fn default() -> Self {
        Self { given: Value::Object(Map::new()), automatic: false, group: PhantomData }
    }
}

impl<G> fmt::Debug for Flags<G> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.given.fmt(out)
    }
}

impl<G> Flags<G> {
    /// The given settings, by section and key.
    pub fn given(&self) -> &Value {
        &self.given
    }

    /// Whether the loss is to be chosen by measurement.
    pub fn is_automatic(&self) -> bool {
        self.automatic
    }

    /// Whether no flag was given.
    pub fn is_empty(&self) -> bool {
        self.given.as_object().is_none_or(Map::is_empty)
    }

    /// These settings, with the objective and the proposal of `method`.
    #[must_use]
    pub fn with_method(mut self, method: Method) -> Self {
        self.put("objective", "kind", method.objective().name().into());
        if let Some(kind) = method.proposal() {
            self.put("proposal", "kind", kind.name().into());
        }
        self
    }

    /// Sets one setting, as its flag would.
    pub fn put(&mut self, section: &str, key: &str, value: Value) {
        self.given[section][key] = value;
    }
}

/// Heading in the help for a setting.
fn heading(setting: &Setting) -> &'static str {
    match setting.section {
        "model" if setting.field == "kind" => "Model",
        "model" if models(setting) == [ModelKind::MultVae] => {
            "Network: items -> hidden -> latent -> hidden -> items"
        }
        "model" => "Other models",
        "data" => "Data",
        "split" => "Split",
        "objective" | "proposal" => "Loss and negatives",
        "optimizer" => "Optimiser",
        _ => "Training",
    }
}

/// The kinds of models that have a setting of this name, for settings of the section `model`.
fn models(setting: &Setting) -> Vec<ModelKind> {
    let has = |kind: &ModelKind| kind.settings().iter().any(|other| other.field == setting.field);
    let kinds = ModelKind::NAMED.into_iter().map(|(_, kind)| kind);
    if setting.section == "model" { kinds.filter(has).collect() } else { Vec::new() }
}

const METHOD: &str = "loss";
/// The value of `--loss` by which the fastest loss is chosen.
const AUTO: &str = "auto";
/// The flag that may be given several times; all of its conditions must be met.
const WHERE: &str = "where";

fn method_flag(setting: &Setting, automatic: bool) -> Arg {
    let what = "The softmax over all items, or a sampled one by where its negatives come from; `midx-*` draw from the \
                inverted multi-index";
    let (names, auto) = if automatic {
        (
            Method::names().chain([AUTO]).collect(),
            "; `auto` measures some steps and takes the fastest way to a quality",
        )
    } else {
        (Method::names().collect::<Vec<_>>(), "")
    };
    Arg::new(METHOD)
        .long(METHOD)
        .value_name("LOSS")
        .value_parser(names)
        .help_heading(heading(setting))
        .help(format!("{what}{auto}"))
}

fn flag(setting: &'static Setting, name: String) -> Arg {
    let paragraphs = setting.paragraphs();
    let mut short = paragraphs.first().map_or("", String::as_str).trim_end_matches('.').to_owned();
    let models: Vec<&str> = models(setting).into_iter().map(ModelKind::name).collect();
    if !models.is_empty() && models != [ModelKind::default().name()] {
        short = format!("{}: {short}", models.join(", "));
    }
    let mut arg = Arg::new(name.clone())
        .long(name)
        .value_name(setting.value_name)
        .help_heading(heading(setting))
        .help(short)
        .aliases(setting.aliases);
    if paragraphs.len() > 1 {
        arg = arg.long_help(paragraphs.join("\n\n"));
    }
    match setting.kind {
        Kind::Integer(..) => arg.value_parser(value_parser!(u64)),
        Kind::Real(..) => arg.value_parser(super::finite::<f64>),
        Kind::Switch => arg
            .value_parser(value_parser!(bool))
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .action(ArgAction::Set),
        Kind::Word(words) => arg.value_parser(words.to_vec()),
        // Conditions on several columns.
        Kind::Text if setting.flag().as_deref() == Some(WHERE) => {
            arg.value_parser(value_parser!(String)).action(ArgAction::Append)
        }
        Kind::Text => arg.value_parser(value_parser!(String)),
        Kind::Path => arg.value_parser(value_parser!(PathBuf)),
    }
}

fn value(setting: &Setting, name: &str, matches: &ArgMatches) -> Option<Value> {
    match setting.kind {
        Kind::Integer(..) => matches.get_one::<u64>(name).map(|&number| number.into()),
        Kind::Real(..) => matches.get_one::<f64>(name).map(|&number| number.into()),
        Kind::Switch => matches.get_one::<bool>(name).map(|&yes| yes.into()),
        Kind::Text if name == WHERE => {
            let all: Vec<&str> = matches.get_many::<String>(name)?.map(String::as_str).collect();
            Some(all.join(";").into())
        }
        Kind::Word(_) | Kind::Text => matches.get_one::<String>(name).map(|text| text.as_str().into()),
        Kind::Path => matches.get_one::<PathBuf>(name).map(|path| path_value(path.clone().into())),
    }
}

/// A path in the form of a configuration file.
fn path_value(path: OsString) -> Value {
    fastvae::run::path::serialize(&Some(path.into()), serde_json::value::Serializer).unwrap_or_default()
}

impl<G: Group> Args for Flags<G> {
    fn augment_args(mut command: Command) -> Command {
        let mut added = BTreeSet::new();
        for setting in G::settings() {
            if G::METHOD && setting.section == "objective" && setting.field == "kind" {
                command = command.arg(method_flag(setting, G::AUTOMATIC));
            }
            // Models may share the name of a setting, and then have one flag for it.
            if let Some(name) = setting.flag().filter(|name| added.insert(name.clone())) {
                command = command.arg(flag(setting, name));
            }
        }
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<G: Group> FromArgMatches for Flags<G> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for setting in G::settings() {
            let Some(name) = setting.flag() else { continue };
            if let Some(value) = value(setting, &name, matches) {
                self.put(setting.section, &setting.key(), value);
            }
        }
        let loss = if G::METHOD { matches.get_one::<String>(METHOD) } else { None };
        self.automatic = loss.is_some_and(|name| name == AUTO);
        if let Some(method) = loss.and_then(|name| Method::parse(name)) {
            *self = std::mem::take(self).with_method(method);
        }
        Ok(())
    }
}
