//! Flags, files and defaults become the same settings.

use fastvae::{
    config::{Method, MultVaeConfig, ProposalKind, RowUpdates, Setting},
    model::ModelConfig,
};

use web::settings::Field;

use super::*;
use crate::args::flags::SettingArgs;

fn network(config: &RunConfig) -> MultVaeConfig {
    let ModelConfig::MultVae(network) = &config.model else { panic!("another model: {:?}", config.model) };
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
            _ => (most.min(1.0) / 2.0).max(least).into(),
        },
        Kind::Switch => (!default.as_bool().unwrap_or(false)).into(),
        // The default is the first of them where a file leaves it out.
        Kind::Word(words) => words.iter().rfind(|word| Some(**word) != default.as_str()).copied().into(),
        Kind::Text => match setting.field {
            "columns" => "user=a,item=b".into(),
            "encoding" => "latin1".into(),
            "rows" => "event=buy,cart".into(),
            "test_from" => "80%".into(),
            "since" | "until" => "2024-01-31".into(),
            "layers" => "7,5".into(),
            "mix" => "uniform=0.25".into(),
            "metric" => "recall@20".into(),
            other => panic!("give `{other}` a sample here"),
        },
        Kind::Path => "x.csv".into(),
    }
}

/// The control of the page for a setting accepts a value, shows it with the setting's help, and sets what a file sets.
fn check_control(control: Field, setting: &Setting, value: &Value) {
    let name = control.name();
    let mut values = web::settings::Settings::default();
    let default = values.text(control);
    assert!(values.set(control, &default), "{name}: the default `{default}` is refused");
    let text = match value {
        Value::Bool(yes) => u8::from(*yes).to_string(),
        Value::String(text) => text.clone(),
        number => number.to_string(),
    };
    assert!(values.set(control, &text), "{name}={text}: {} is expected", control.expected());
    assert_eq!(values.text(control), text);
    let config = serde_json::to_value(values.config().unwrap()).unwrap();
    assert_eq!(config[setting.section][setting.key()], *value, "{name} by the page");
    let html = control.html("part-", &values);
    for attribute in [format!("data-act=\"{name}\""), format!("data-part=\"part-{name}\"")] {
        assert!(html.contains(&attribute), "{html}");
    }
    assert!(html.contains(&web::text::escape(&setting.paragraphs()[0])), "{html}");
    match setting.kind {
        Kind::Integer(least, most) => {
            assert!(html.contains(&format!("min=\"{least}\"")) && control.most() <= most, "{html}");
            assert!(!values.set(control, "-1") && !values.set(control, &format!("{}0", control.most())));
        }
        Kind::Real(..) => assert!(!values.set(control, "NaN") && !values.set(control, "1e99")),
        Kind::Switch => assert!(html.contains(" checked")),
        Kind::Word(words) => {
            assert!(words.iter().all(|word| html.contains(word)) && !values.set(control, "nonsense"));
        }
        Kind::Text => {}
        Kind::Path => panic!("{name}: a page has no folders"),
    }
    assert_eq!(values.text(control), text, "what was refused has no effect");
    let same = Field::find(name).map(|found| found.html("", &values));
    assert_eq!(same, Some(control.html("", &values)), "two controls are called {name}");
}

/// Every setting has one declaration; its flag, file key, field, default and control must agree.
#[test]
fn a_setting_is_the_same_by_flag_file_and_default() {
    let file = std::env::temp_dir().join(format!("fastvae-every-{}.toml", std::process::id()));
    let help = crate::args::command().find_subcommand_mut("train").unwrap().render_long_help().to_string();
    for (model, kind) in ModelKind::NAMED {
        let defaults = serde_json::to_value(RunConfig::of(kind)).unwrap();
        let (mut tried, mut controls) = (0, 0);
        for setting in RunConfig::settings_of(kind) {
            let (section, key) = (setting.section, setting.key());
            let default = defaults[section].get(&key).cloned().unwrap_or(Value::Null);
            let value = sample(setting, &default);
            let what = format!("{section}.{key} of {model}");
            assert!(default.is_null() || setting.check(&default).is_ok(), "{what}: its default is refused");
            assert_ne!(value, default, "{what}");
            assert!(!setting.paragraphs().is_empty(), "{what} has no help");

            let mut given = json!({ "model": { "kind": model }, "data": { "path": "x.csv" } });
            // Filters are not allowed with the built-in set, so there is always a path.
            given[section][&key] = value.clone();
            std::fs::write(&file, toml::to_string(&given).unwrap()).unwrap();
            let of_file = new_run(Some(&file), &flags(""));
            let of_file = serde_json::to_value(of_file.unwrap_or_else(|e| panic!("{what}: {e}"))).unwrap();
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

            if let Some(control) = Field::all().find(|field| field.place() == (section, key.clone())) {
                check_control(control, setting, &of_file[section][&key]);
                controls += 1;
            }
            tried += 1;
        }
        if kind == ModelKind::MultVae {
            let sections =
                defaults.as_object().unwrap().values().map(|section| section.as_object().unwrap().len());
            // Optional settings without a value are not serialised, and neither are defaults of what the page lacks.
            assert_eq!(tried, sections.sum::<usize>() + 19);
            assert_eq!(controls, Field::all().count());
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
        assert!(text.starts_with(&format!("{field}: a model of kind ease has no such setting")), "{text}");
    }
    let file = std::env::temp_dir().join(format!("fastvae-models-{}.toml", std::process::id()));
    for (text, line, words) in [
        ("[training]\nseed = 1\n[model]\nkind = \"ease\"\nhidden = 3\n", 5, "a setting of mult-vae"),
        (
            "[model]\nkind = \"easy\"\n",
            2,
            "\"easy\" is not among the models of this program; use one of mult-vae, popularity",
        ),
        ("[model]\nlambda = 3\n", 2, "a setting of ease"),
    ] {
        std::fs::write(&file, text).unwrap();
        let error = new_run(Some(&file), &flags("")).unwrap_err().to_string();
        assert!(error.contains(&format!("line {line}")) && error.contains(words), "{error}");
    }
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn defaults_give_way_on_small_sets_and_what_was_asked_for_does_not() {
    let fitted = |line: &str, items: usize| {
        let flags = flags(&format!("--data x {line}"));
        let mut config = new_run(None, &flags).unwrap();
        let changes = fit(&mut config, &asked(None, &flags).unwrap(), 5000, items);
        (config, changes)
    };
    let (config, changes) = fitted("", 10);
    assert_eq!((config.method(), changes.len()), (Method::Full, 1));
    config.validate(10).unwrap();
    let (config, changes) = fitted("--loss midx", 10);
    assert_eq!((config.proposal.negatives, config.proposal.codewords, changes.len()), (5, 3, 2));
    config.validate(10).unwrap();
    let (config, changes) = fitted("--negatives 50", 10);
    assert_eq!((config.proposal.negatives, changes.len()), (50, 1), "{changes:?}");
    assert!(config.validate(10).unwrap_err().to_string().contains("at most 10"));
    let (config, changes) = fitted("", 5000);
    assert_eq!((config, changes.len()), (new_run(None, &flags("--data x")).unwrap(), 0));
}

#[test]
fn few_users_have_small_batches_and_most_of_them_are_trained_on() {
    let fitted = |line: &str, users: usize| {
        let flags = flags(&format!("--data x {line}"));
        let mut config = new_run(None, &flags).unwrap();
        let asked = asked(None, &flags).unwrap();
        let changes = fit(&mut config, &asked, users, 5000).len();
        let split = fit_split(&mut config, &asked, users);
        (config.training.batch, config.split.validation_users, changes + usize::from(split.is_some()))
    };
    assert_eq!(fitted("", 800), (50, 160, 2));
    assert_eq!(fitted("--batch 300 --validation-users 700", 800), (300, 700, 0));
    assert_eq!(fitted("", 5), (1, 1, 2));
    assert_eq!(fitted("", 1024), (256, 205, 1));
    assert_eq!(fitted("", 3), (1, 1, 2));
    assert_eq!(fitted("", 25_000), (256, 5000, 0));
    assert_eq!(fitted("--split strong", 5000), (256, 5000, 0));
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
    assert!(new_run(None, &flags("--core 10")).unwrap_err().to_string().starts_with("core: the built-in"));
}

#[test]
fn a_run_that_goes_on_takes_more_epochs_but_no_other_settings() {
    let before = new_run(None, &flags("--seed 3")).unwrap();
    let now = resumed(&before, &flags("--epochs 99")).unwrap();
    assert_eq!((now.training.epochs, now.training.seed), (99, 3));
    assert!(resumed(&before, &flags("--hidden 8")).unwrap_err().to_string().starts_with("hidden: it was 64"));
}
