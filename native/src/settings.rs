//! Combines flags, configuration file and defaults, in this order of precedence, into validated settings.

use std::{io::Read, path::Path};

use fastvae::{
    Error, Result,
    config::{Kind, ProposalConfig},
    data::{self, Dataset},
    engine::{Engine, EngineKind},
    model::ModelKind,
    recommend::Recommender,
    run::{self, DataConfig, RunConfig},
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::args::{
    EngineArgs,
    flags::{Flags, ProposalArgs, SettingArgs},
};

/// The settings of a new run.
///
/// # Errors
/// [`Error::Io`] if the configuration file cannot be read, [`Error::Setting`] for invalid settings.
pub fn new_run<G>(config: Option<&Path>, flags: &Flags<G>) -> Result<RunConfig> {
    let mut given = config.map(read_file).transpose()?.unwrap_or_else(|| json!({}));
    merge(&mut given, flags.given().clone());
    let kind = kind_of(&given);
    check_use(kind, flags.given())?;
    let seed = given["training"]["seed"].clone();
    if !seed.is_null() && given["split"]["seed"].is_null() {
        merge(&mut given, json!({ "split": { "seed": seed } }));
    }
    let mut defaults = defaults(kind)?;
    if given["data"]["path"].is_null() && kind == ModelKind::MultVae {
        merge(&mut defaults, built_in());
    }
    merge(&mut defaults, given);
    given = defaults;
    let config: RunConfig = understood(given)?;
    check(&config.data)?;
    Ok(config)
}

/// The settings of a resumed run: those of the run, with the flags that a resume allows.
///
/// # Errors
/// [`Error::Setting`] for a flag that would change the run.
pub fn resumed(before: &RunConfig, flags: &SettingArgs) -> Result<RunConfig> {
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
    sections.retain(|section, _| matches!(section.as_str(), "optimizer" | "training"));
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

fn read_file(path: &Path) -> Result<Value> {
    let refused = |error| Error::io("read", path, error);
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(refused)?;
    file.take(LONGEST_CONFIG + 1).read_to_string(&mut text).map_err(refused)?;
    if text.len() as u64 > LONGEST_CONFIG {
        let problem = format!("{} is longer than 1 MiB; is it a configuration file?", path.display());
        return Err(Error::setting("config", problem));
    }
    let wrong = |error: toml::de::Error| {
        let text = error.to_string();
        let lines =
            text.trim_end().lines().take(LINES_SHOWN).map(|line| match line.char_indices().nth(LINE_SHOWN) {
                Some((end, _)) => format!("{}…", &line[..end]),
                None => line.to_owned(),
            });
        let text = lines.collect::<Vec<_>>().join("\n");
        Error::setting("config", format!("{}: {text}", path.display()))
    };
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

/// Loads the data set, or makes the built-in one if there is no path.
///
/// # Errors
/// As [`data::load`].
pub fn load(config: &DataConfig) -> Result<Dataset> {
    match &config.path {
        Some(path) => data::load(path, &config.load_options()),
        None => data::synthetic(&Default::default()),
    }
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

#[cfg(test)]
mod tests {
    use fastvae::{
        config::{Method, MultVaeConfig, ProposalKind, RowUpdates, Setting},
        model::ModelConfig,
    };

    use super::*;

    fn network(config: &RunConfig) -> MultVaeConfig {
        let ModelConfig::MultVae(network) = &config.model else {
            panic!("another model: {:?}", config.model)
        };
        network.clone()
    }

    fn flags(line: &str) -> SettingArgs {
        use clap::FromArgMatches;
        let line = format!("fastvae train {line}");
        let matches = crate::args::command().try_get_matches_from(line.split_whitespace()).unwrap();
        SettingArgs::from_arg_matches(matches.subcommand().unwrap().1).unwrap()
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let file = std::env::temp_dir().join(format!("fastvae-settings-{}.toml", std::process::id()));
        std::fs::write(
            &file,
            "[data]\npath = \"x.csv\"\ncore = 5\n[model]\nhidden = 100\n[training]\nseed = 9\n",
        )
        .unwrap();
        let config = new_run(Some(&file), &flags("--hidden 50 --dropout 0.3 --rows lazy")).unwrap();
        assert_eq!((network(&config).hidden, network(&config).latent, config.data.core), (50, 32, 5));
        assert_eq!((config.split.seed, config.training.seed), (9, 9));
        assert_eq!((network(&config).dropout, config.optimizer.row_updates), (0.3, RowUpdates::Lazy));
        let config = new_run(Some(&file), &flags("--split-seed 4")).unwrap();
        assert_eq!((config.split.seed, config.training.seed), (4, 9));
        std::fs::write(&file, "[model]\nhiden = 100\n").unwrap();
        let error = new_run(Some(&file), &flags("")).unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("hiden"), "{error}");
        std::fs::remove_file(&file).unwrap();
    }

    #[test]
    fn files_of_earlier_versions_are_understood() {
        let file = std::env::temp_dir().join(format!("fastvae-earlier-{}.toml", std::process::id()));
        let read = |text: &str, line: &str| {
            std::fs::write(&file, text).unwrap();
            new_run(Some(&file), &flags(line))
        };
        let old = "[data]\npath = \"x.csv\"\n[loss]\nloss = \"full\"\nshare = 4\n";
        let config = read(old, "").unwrap();
        assert_eq!((config.method(), config.proposal.group_size), (Method::Full, 4));
        let config = read(old, "--loss dns --share 2").unwrap();
        assert_eq!((config.method(), config.proposal.group_size), (Method::Sampled(ProposalKind::Dns), 2));
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/golden/v1-config.toml");
        let config = new_run(Some(golden.as_ref()), &flags("")).unwrap();
        assert_eq!(config.method(), Method::Sampled(ProposalKind::MidxPopularity));
        assert_eq!((config.proposal.negatives, config.proposal.codewords, config.training.seed), (8, 4, 7));
        for (wrong, line, names) in [
            ("[loss]\nloss = \"uniform\"\n\nshares = 3\n", "line 4", "shares"),
            ("[loss]\nshare = \"few\"\n[model]\nhidden = 100\n", "line 2", "few"),
            ("[loss]\nshare = 2\n[model]\nhiden = 100\n", "line 4", "hiden"),
            ("[loss]\nloss = \"dms\"\n", "line 2", "midx-uniform"),
            (
                "[loss]\nshare = 2\n[proposal]\ngroup-size = 2\n",
                "`share` of [loss]",
                "`group-size` of [proposal]",
            ),
        ] {
            let error = read(wrong, "").unwrap_err().to_string();
            assert!(error.contains(line) && error.contains(names), "{error}");
        }
        std::fs::remove_file(&file).unwrap();
    }

    /// A valid value of each kind that differs from the default.
    fn sample(setting: &Setting, default: &Value) -> Value {
        match setting.kind {
            Kind::Integer(least, most) => {
                let next = default.as_u64().map_or(least, |number| number + 1);
                if next <= most { next.into() } else { least.into() }
            }
            Kind::Real(least, most) => match default.as_f64() {
                Some(number) if number > least => ((number + least) / 2.0).into(),
                _ => (most.min(1.0) / 2.0).into(),
            },
            Kind::Switch => (!default.as_bool().unwrap_or(false)).into(),
            Kind::Word(words) => words.iter().find(|word| Some(**word) != default.as_str()).copied().into(),
            Kind::Text => match setting.field {
                "columns" => "user=a,item=b".into(),
                "mix" => "uniform=0.25".into(),
                "metric" => "recall@20".into(),
                other => panic!("give `{other}` a sample here"),
            },
            Kind::Path => "x.csv".into(),
        }
    }

    /// Every setting has one declaration; its flag, file key, field and default must agree.
    #[test]
    fn a_setting_is_the_same_by_flag_file_and_default() {
        let file = std::env::temp_dir().join(format!("fastvae-every-{}.toml", std::process::id()));
        let help =
            crate::args::command().find_subcommand_mut("train").unwrap().render_long_help().to_string();
        for (model, kind) in ModelKind::NAMED {
            let defaults = serde_json::to_value(RunConfig::of(kind)).unwrap();
            let mut tried = 0;
            for setting in RunConfig::settings_of(kind) {
                let (section, key) = (setting.section, setting.key());
                let default = defaults[section].get(&key).cloned().unwrap_or(Value::Null);
                let value = sample(setting, &default);
                let what = format!("{section}.{key} of {model}");
                assert!(
                    default.is_null() || setting.check(&default).is_ok(),
                    "{what}: its default is refused"
                );
                assert_ne!(value, default, "{what}");
                assert!(!setting.paragraphs().is_empty(), "{what} has no help");

                let mut given = json!({ "model": { "kind": model }, "data": { "path": "x.csv" } });
                // Filters are not allowed with the built-in set, so there is always a path.
                given[section][&key] = value.clone();
                std::fs::write(&file, toml::to_string(&given).unwrap()).unwrap();
                let of_file = new_run(Some(&file), &flags(""));
                let of_file =
                    serde_json::to_value(of_file.unwrap_or_else(|e| panic!("{what}: {e}"))).unwrap();
                let close = |found: &Value| match (found.as_f64(), value.as_f64()) {
                    (Some(found), Some(value)) => (found - value).abs() <= 1e-6 * value.abs(),
                    _ => *found == value,
                };
                assert!(close(&of_file[section][&key]), "{what} by file: {}", of_file[section][&key]);

                let aliases = setting.aliases.iter().map(|&name| name.to_owned());
                for name in setting.flag().into_iter().chain(aliases) {
                    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    let mut line = format!("--{name}={text}");
                    for (other, text) in [("data", "x.csv"), ("model", model)] {
                        if name != other {
                            line.push_str(&format!(" --{other}={text}"));
                        }
                    }
                    let of_flag = serde_json::to_value(new_run(None, &flags(&line)).unwrap()).unwrap();
                    assert_eq!(of_flag[section][&key], of_file[section][&key], "{line}");
                }
                if let Some(name) = setting.flag() {
                    assert!(help.contains(&format!("--{name}")), "{name} is not in the help");
                }
                tried += 1;
            }
            if kind == ModelKind::MultVae {
                let sections =
                    defaults.as_object().unwrap().values().map(|section| section.as_object().unwrap().len());
                // Optional settings without a value are not serialised, hence the addition.
                assert_eq!(tried, sections.sum::<usize>() + 4);
            }
        }
        std::fs::remove_file(&file).unwrap();
    }

    #[test]
    fn settings_of_one_model_are_refused_for_another() {
        let problem = |line: &str| new_run(None, &flags(line)).expect_err("accepted").to_string();
        let lambda = problem("--lambda 5");
        assert!(lambda.contains("`lambda` is a setting of ease, and the model is mult-vae"), "{lambda}");
        let hidden = problem("--model ease --hidden 5");
        assert!(hidden.contains("`hidden` is a setting of mult-vae, and the model is ease"), "{hidden}");
        assert!(problem("--model ease --lambda 0").starts_with("lambda: 0 is outside"));
        for (line, field) in [
            ("--loss full", "objective.kind"),
            ("--epochs 3", "epochs"),
            ("--learning-rate 0.1", "learning-rate"),
        ] {
            let text = problem(&format!("--model ease {line}"));
            assert!(
                text.starts_with(&format!("{field}: a model of kind ease has no such setting")),
                "{text}"
            );
        }
        let file = std::env::temp_dir().join(format!("fastvae-models-{}.toml", std::process::id()));
        for (text, line, words) in [
            ("[training]\nseed = 1\n[model]\nkind = \"ease\"\nhidden = 3\n", 5, "a setting of mult-vae"),
            ("[model]\nkind = \"easy\"\n", 2, "\"easy\" is no model; use one of mult-vae, popularity"),
            ("[model]\nlambda = 3\n", 2, "a setting of ease"),
        ] {
            std::fs::write(&file, text).unwrap();
            let error = new_run(Some(&file), &flags("")).unwrap_err().to_string();
            assert!(error.contains(&format!("line {line}")) && error.contains(words), "{error}");
        }
        std::fs::remove_file(&file).unwrap();
    }

    #[test]
    fn every_word_that_a_flag_accepts_is_understood() {
        let mut tried = 0;
        let command = crate::args::command();
        for arg in command.find_subcommand("train").unwrap().get_arguments() {
            if arg.get_id() == "engine" {
                continue;
            }
            for word in arg.get_possible_values() {
                let flag = format!("--data x --{}={}", arg.get_long().unwrap(), word.get_name());
                // Words of a setting of another model come with that model.
                let of = |kind: &ModelKind| {
                    RunConfig::settings_of(*kind).any(|s| s.flag().as_deref() == arg.get_long())
                };
                let kind = ModelKind::NAMED.into_iter().map(|(_, kind)| kind).find(of);
                let flag = match kind {
                    Some(kind) if kind != ModelKind::default() => format!("--model={} {flag}", kind.name()),
                    _ => flag,
                };
                if arg.get_action().takes_values() {
                    new_run(None, &flags(&flag)).unwrap_or_else(|error| panic!("{flag}: {error}"));
                    tried += 1;
                }
            }
        }
        assert!(tried > 20, "{tried}");
        let method = |line: &str| new_run(None, &flags(line)).unwrap().method();
        assert_eq!(method("--data x --loss midx"), Method::Sampled(ProposalKind::Midx));
        assert_eq!(method("--data x --loss full"), Method::Full);
    }

    #[test]
    fn the_built_in_set_is_quick_and_not_filtered() {
        let hidden = network(&new_run(None, &flags("")).unwrap()).hidden;
        assert!(hidden < network(&RunConfig::default()).hidden);
        assert!(
            new_run(None, &flags("--core 10")).unwrap_err().to_string().starts_with("core: the built-in")
        );
    }

    #[test]
    fn a_run_that_goes_on_takes_more_epochs_but_no_other_settings() {
        let before = new_run(None, &flags("--seed 3")).unwrap();
        let now = resumed(&before, &flags("--epochs 99")).unwrap();
        assert_eq!((now.training.epochs, now.training.seed), (99, 3));
        assert!(
            resumed(&before, &flags("--hidden 8")).unwrap_err().to_string().starts_with("hidden: it was 64")
        );
    }
}
