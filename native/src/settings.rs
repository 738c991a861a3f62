//! Combines flags, configuration file and defaults, in this order of precedence, into validated settings.

use std::{io::Read, path::Path};

use fastvae::{
    Error, Result,
    config::{Kind, Method, Objective, ProposalConfig},
    data::{self, Dataset, Grouped, Grouping, LoadOptions, LoadReport, Protocol},
    engine::{Engine, EngineKind},
    model::{ModelConfig, ModelKind},
    recommend::Recommender,
    run::{self, DataConfig, RunConfig},
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    args::{
        EngineArgs,
        flags::{FilterArgs, Flags, ProposalArgs},
    },
    flags::with_flags,
    output::note,
};

/// The settings of a new run.
///
/// # Errors
/// [`Error::Io`] if the configuration file cannot be read, [`Error::Setting`] for invalid settings.
pub fn new_run<G>(config: Option<&Path>, flags: &Flags<G>) -> Result<RunConfig> {
    let given = asked(config, flags)?;
    check_use(kind_of(&given), flags.given())?;
    complete(given)
}

/// Settings with the defaults of their kind of model for all that is not given.
///
/// # Errors
/// [`Error::Setting`] for invalid settings.
pub fn complete(mut given: Value) -> Result<RunConfig> {
    let kind = kind_of(&given);
    let seed = given["training"]["seed"].clone();
    if !seed.is_null() && given["split"]["seed"].is_null() {
        merge(&mut given, json!({ "split": { "seed": seed } }));
    }
    let mut defaults = defaults(kind)?;
    if given["data"]["path"].is_null() && kind == ModelKind::MultVae {
        merge(&mut defaults, built_in());
    }
    merge(&mut defaults, given);
    let config: RunConfig = understood(defaults)?;
    check(&config.data)?;
    Ok(config)
}

/// Makes the path of the data absolute, so that a run finds its data from any folder.
///
/// # Errors
/// [`Error::Io`] if the current folder is gone.
pub fn find_again(config: &mut RunConfig) -> Result<()> {
    if let Some(path) = &mut config.data.path {
        *path = std::path::absolute(&*path).map_err(|error| Error::io("find", path.clone(), error))?;
    }
    Ok(())
}

/// The settings of a new run that are given by its file and flags.
///
/// # Errors
/// As [`new_run`].
pub fn asked<G>(config: Option<&Path>, flags: &Flags<G>) -> Result<Value> {
    let mut given = config.map(read_file).transpose()?.unwrap_or_else(|| json!({}));
    merge(&mut given, flags.given().clone());
    Ok(given)
}

/// The largest share of users whose items are held out for validation unasked: a small set needs its items for training.
const VALIDATION: u32 = 5;
/// The fewest steps of an epoch with the default batch, and the steps that it has with fewer users.
const STEPS: (usize, usize) = (4, 16);

/// Lets the number of validation users give way on a set of `users` users, unless it was `asked` for. Returns what was
/// changed, in words.
pub fn fit_split(config: &mut RunConfig, asked: &Value, users: usize) -> Option<String> {
    let most = u32::try_from(users).unwrap_or(u32::MAX).div_ceil(VALIDATION);
    let fits = config.split.protocol == Protocol::Strong || config.split.validation_users <= most;
    if fits || !asked["split"]["validation-users"].is_null() {
        return None;
    }
    config.split.validation_users = most;
    Some(format!("{most} users, a fifth of all, are validated on"))
}

/// Lets defaults give way that do not fit a set of `users` users and `items` items: settings that were `asked` for stay
/// as they are. Returns what was changed, in words.
pub fn fit(config: &mut RunConfig, asked: &Value, users: usize, items: usize) -> Vec<String> {
    let is_asked = |section: &str, key: &str| !asked[section][key].is_null();
    let mut changes = Vec::new();
    let batch = (users / STEPS.1).max(1);
    let by_steps = config.model.kind().uses("objective", "kind");
    if by_steps && users < STEPS.0 * config.training.batch && !is_asked("training", "batch") {
        config.training.batch = batch;
        changes.push(format!("batches have {batch} users, since there are only {users}"));
    }
    let sampled = config.objective.kind == Objective::SampledSoftmax;
    if !sampled || !by_steps {
        return changes;
    }
    let proposal = &mut config.proposal;
    if proposal.negatives > items && !is_asked("proposal", "negatives") {
        let chosen = is_asked("objective", "kind") || is_asked("proposal", "kind");
        if !chosen && config.model.kind().uses("objective", "partition") {
            config.set_method(Method::Full);
            changes.push(format!(
                "{items} items are fewer than the negatives of a sampled softmax, so the full softmax is used"
            ));
            return changes;
        }
        proposal.negatives = (items / 2).max(1);
        proposal.group_size = proposal.group_size.min(proposal.negatives);
        changes
            .push(format!("{} negatives are drawn, since there are only {items} items", proposal.negatives));
    }
    if proposal.codewords > items && !is_asked("proposal", "codewords") {
        proposal.codewords = ((items as f64).sqrt() as usize).max(2);
        changes.push(format!(
            "the index has {} codewords, since there are only {items} items",
            proposal.codewords
        ));
    }
    changes
}

/// Leaves out the linear path unless it was `asked` for: it would hide what a comparison of samplers is about.
pub fn network_alone(config: &mut RunConfig, asked: &Value) {
    if let ModelConfig::MultVae(network) = &mut config.model
        && asked["model"]["linear"].is_null()
    {
        network.linear = 0;
    }
}

/// The settings of a resumed run: those of the run, with the flags that a resume allows.
///
/// # Errors
/// [`Error::Setting`] for a flag that would change the run.
pub fn resumed<G>(before: &RunConfig, flags: &Flags<G>) -> Result<RunConfig> {
    if flags.is_automatic() {
        let problem = "a run goes on with the loss that it began with; leave it out";
        return Err(Error::setting("loss", problem));
    }
    let mut given = value(before)?;
    merge(&mut given, flags.given().clone());
    check_use(kind_of(&given), flags.given())?;
    let config: RunConfig = understood(given)?;
    before.check_resume(&config)?;
    Ok(config)
}

/// The settings of a proposal on its own.
///
/// # Errors
/// [`Error::Setting`] for invalid settings.
pub fn proposal(flags: &ProposalArgs) -> Result<ProposalConfig> {
    Ok(understood(flags.given().clone())?.proposal)
}

/// The kind of model that the settings name; an unknown one is refused when they are read.
fn kind_of(given: &Value) -> ModelKind {
    given["model"]["kind"].as_str().and_then(ModelKind::parse).unwrap_or_default()
}

/// Refuses flags that have no effect on a kind of model. Settings of a file may be there for another kind.
fn check_use(kind: ModelKind, flags: &Value) -> Result<()> {
    for setting in RunConfig::settings().filter(|setting| setting.section != "model") {
        let key = setting.key();
        if !flags[setting.section][&key].is_null() && !kind.uses(setting.section, &key) {
            let field = if key == "kind" { format!("{}.kind", setting.section) } else { key };
            let problem = format!("a model of kind {} has no such setting; leave it out", kind.name());
            return Err(Error::setting(field, problem));
        }
    }
    Ok(())
}

/// The defaults of training that a kind of model has.
fn defaults(kind: ModelKind) -> Result<Value> {
    let Value::Object(mut sections) = value(&RunConfig::of(kind))? else { return Ok(json!({})) };
    sections.retain(|section, _| matches!(section.as_str(), "proposal" | "optimizer" | "training"));
    Ok(Value::Object(sections))
}

/// Defaults for the built-in set, which is small: a smaller network, batch and number of negatives.
fn built_in() -> Value {
    json!({
        "model": { "hidden": 64, "latent": 16 },
        "proposal": { "negatives": 100 },
        "optimizer": { "learning-rate": 0.003 },
        "training": { "epochs": 30, "batch": 128, "anneal-steps": 300 },
    })
}

fn value(settings: &impl Serialize) -> Result<Value> {
    serde_json::to_value(settings).map_err(|error| Error::setting("config", error.to_string()))
}

fn understood(given: Value) -> Result<RunConfig> {
    for setting in RunConfig::settings_of(kind_of(&given)) {
        let key = setting.key();
        let Some(value) = given.get(setting.section).and_then(|section| section.get(&key)) else { continue };
        if value.is_number() {
            setting.check(value)?;
        }
        // Parsed alone, so that an error in a text value names its setting.
        if let Kind::Text = setting.kind {
            let alone = json!({ setting.section: { &key: value } });
            serde_json::from_value::<RunConfig>(alone)
                .map_err(|error| Error::setting(setting.flag().unwrap_or(key), error.to_string()))?;
        }
    }
    serde_json::from_value(given).map_err(|error| Error::setting("config", error.to_string()))
}

/// Limits for error messages that quote a configuration file: most lines, and most characters of a line.
const LINES_SHOWN: usize = 8;
const LINE_SHOWN: usize = 1000;
/// Size limit of a configuration file in bytes; real ones are far smaller.
const LONGEST_CONFIG: u64 = 1 << 20;

/// The text of a small file in TOML, which the flag `field` names.
fn read_text(path: &Path, field: &str) -> Result<String> {
    let refused = |error| Error::io("read", path, error);
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(refused)?;
    file.take(LONGEST_CONFIG + 1).read_to_string(&mut text).map_err(refused)?;
    if text.len() as u64 > LONGEST_CONFIG {
        let problem = format!("{} is longer than 1 MiB; is it a configuration file?", path.display());
        return Err(Error::setting(field, problem));
    }
    Ok(text)
}

/// An error in the TOML of a file, with the lines that it quotes cut to a readable length.
fn not_toml(path: &Path, field: &str, error: &toml::de::Error) -> Error {
    let text = error.to_string();
    let lines =
        text.trim_end().lines().take(LINES_SHOWN).map(|line| match line.char_indices().nth(LINE_SHOWN) {
            Some((end, _)) => format!("{}…", &line[..end]),
            None => line.to_owned(),
        });
    let text = lines.collect::<Vec<_>>().join("\n");
    Error::setting(field, format!("{}: {text}", path.display()))
}

fn read_file(path: &Path) -> Result<Value> {
    let text = read_text(path, "config")?;
    let wrong = |error: toml::de::Error| not_toml(path, "config", &error);
    let given: Value = toml::from_str(&text).map_err(wrong)?;
    let mut today = given.clone();
    run::migrate(&mut today).map_err(|error| in_file(path, &text, &given, error))?;
    let model = json!({ "model": today.get("model").cloned().unwrap_or_else(|| json!({})) });
    if today == given && understood(model).is_ok() {
        // Parses the text again as settings, because errors of this parse name the line. Settings of the model depend
        // on its kind, so their errors have no line.
        toml::from_str::<RunConfig>(&text).map_err(wrong)?;
    } else {
        understood(today.clone()).map_err(|error| in_file(path, &text, &given, error))?;
    }
    Ok(today)
}

/// Turns an error in a file with settings of an earlier version into one that names the line, if a single
/// setting alone causes the same error.
fn in_file(path: &Path, text: &str, given: &Value, error: Error) -> Error {
    let kind = given["model"].get("kind").cloned();
    let problem = |mut alone: Value| {
        if let (Some(kind), Some(model)) = (&kind, alone.get_mut("model").and_then(Value::as_object_mut)) {
            model.entry("kind").or_insert(kind.clone());
        }
        run::migrate(&mut alone).and_then(|()| understood(alone)).err()
    };
    let settings = given.as_object().into_iter().flatten().flat_map(|(section, settings)| {
        settings.as_object().into_iter().flatten().map(move |(name, value)| (section, name, value))
    });
    let at_fault = settings
        .into_iter()
        .find(|&(section, name, value)| problem(json!({ section: { name: value } })).is_some());
    let line = at_fault.and_then(|(section, name, _)| line_of(text, section, name));
    let line = line.map_or(String::new(), |line| format!(" line {line}:"));
    let problem = match error {
        Error::Setting { problem, .. } => problem,
        other => other.to_string(),
    };
    Error::setting("config", format!("{}:{line} {problem}", path.display()))
}

/// The line number of a setting, from 1.
fn line_of(text: &str, section: &str, name: &str) -> Option<usize> {
    let table = toml::de::DeTable::parse(text).ok()?;
    let settings = table.get_ref().iter().find(|(key, _)| key.get_ref() == section)?.1;
    let (key, _) = settings.get_ref().as_table()?.iter().find(|(key, _)| key.get_ref() == name)?;
    Some(text[..key.span().start].matches('\n').count() + 1)
}

/// Merges `over` into `under`; a null in `over` leaves the value unchanged.
fn merge(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (name, value) in over {
                merge(under.entry(name).or_insert(Value::Null), value);
            }
            under.retain(|_, value| !value.is_null());
        }
        (_, Value::Null) => {}
        (under, Value::Object(over)) => {
            *under = Value::Object(Map::new());
            merge(under, Value::Object(over));
        }
        (under, over) => *under = over,
    }
}

fn check(data: &DataConfig) -> Result<()> {
    let filter = match data {
        DataConfig { path: Some(_), .. } => return Ok(()),
        DataConfig { core: 2.., .. } => "core",
        DataConfig { min_rating: Some(_), .. } => "min-rating",
        DataConfig { columns: Some(_), .. } => "columns",
        DataConfig { rows, .. } if !rows.is_empty() => "where",
        DataConfig { since: Some(_), .. } => "since",
        DataConfig { until: Some(_), .. } => "until",
        _ => return Ok(()),
    };
    Err(Error::setting(filter, "the built-in set is taken as it is; name a set with --data PATH"))
}

/// The settings of a data set given by its path and filter flags.
///
/// # Errors
/// [`Error::Setting`] if the columns cannot be parsed.
pub fn data_config<G>(path: Option<&Path>, flags: &Flags<G>) -> Result<DataConfig> {
    let mut config = understood(flags.given().clone())?.data;
    if let Some(path) = path {
        config.path = Some(path.to_owned());
    }
    check(&config)?;
    Ok(config)
}

/// Loads the data set, or makes the built-in one if there is no path, and prints the notes about it.
///
/// # Errors
/// As [`data::load`].
pub fn load(config: &DataConfig) -> Result<Dataset> {
    load_with(config, config.load_options())
}

/// Loads the data set of a run, with the times that its split needs.
///
/// # Errors
/// As [`data::load`].
pub fn load_run(config: &RunConfig) -> Result<Dataset> {
    load_with(&config.data, config.load_options())
}

/// The histories of a data set, grouped by user, after the notes about it.
///
/// # Errors
/// As [`data::grouped`].
pub fn grouped(path: &Path, filter: &FilterArgs, grouping: &Grouping) -> Result<Grouped> {
    let config = data_config(Some(path), filter)?;
    let grouped = data::grouped(path, &config.load_options(), grouping)?;
    show_notes(&grouped.report);
    Ok(grouped)
}

fn show_notes(report: &LoadReport) {
    for text in &report.notes {
        note(&format!("note:     {}", with_flags(text.clone(), "")));
    }
}

/// As [`load`], with options that differ from those of the settings.
///
/// # Errors
/// As [`data::load`].
pub fn load_with(config: &DataConfig, options: LoadOptions) -> Result<Dataset> {
    let dataset = match &config.path {
        Some(path) => data::load(path, &options)?,
        None => data::synthetic(&Default::default())?,
    };
    show_notes(&dataset.report);
    Ok(dataset)
}

/// Selects the engine for the flags and a kind of model; also returns the reason for the choice.
///
/// # Errors
/// As [`Engine::select`]; [`Error::Setting`] if the model needs the CPU and the flags ask for a GPU.
pub fn engine_for(flags: &EngineArgs, kind: ModelKind) -> Result<(Engine, String)> {
    if !kind.needs_cpu() {
        return engine(flags);
    }
    if flags.engine == "gpu" || flags.adapter.is_some() {
        let problem = format!("a model of kind {} needs the CPU; take `engine = cpu`", kind.name());
        return Err(Error::setting("engine", problem));
    }
    Ok((Engine::cpu(), format!("a model of kind {} is fitted and ranks on the CPU", kind.name())))
}

/// Selects the engine for the flags; also returns the reason for the choice.
///
/// # Errors
/// As [`Engine::select`].
pub fn engine(flags: &EngineArgs) -> Result<(Engine, String)> {
    let kind = match flags.engine.as_str() {
        "gpu" => EngineKind::Gpu,
        "cpu" => EngineKind::Cpu,
        _ => EngineKind::Auto,
    };
    pollster::block_on(Engine::select(kind, flags.adapter.as_deref()))
}

/// Loads the model of a run on the engine that the flags select, or that the model needs.
///
/// # Errors
/// As [`engine()`] and [`Recommender::load`]; [`Error::Setting`] if the model needs the CPU and the flags ask for a
/// GPU.
pub fn recommender(run: &Path, flags: &EngineArgs) -> Result<Recommender> {
    let recommender = Recommender::load(run, engine(flags)?.0)?;
    engine_for(flags, recommender.model().kind())?;
    Ok(recommender)
}

mod space;

pub use space::read_space;

#[cfg(test)]
mod tests;
