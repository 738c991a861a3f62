//! Reads a space, and checks its names and values against the declarations of settings.

use fastvae::{
    Error,
    config::{Kind, Method, Setting},
    model::ModelKind,
    run::RunConfig,
};
use serde_json::{Map, Value, json};

use super::{
    domain::Domain,
    space::{Dimension, Space, set},
};

/// Something that is wrong in a space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misplaced {
    /// Section and key, if there is one to name.
    pub place: Option<(String, String)>,
    /// What is wrong, and what to do.
    pub problem: String,
}

impl Misplaced {
    fn at(section: &str, key: &str, problem: impl Into<String>) -> Self {
        Self { place: Some((section.into(), key.into())), problem: problem.into() }
    }
}

const SECTIONS: [&str; 7] = ["data", "split", "model", "objective", "proposal", "optimizer", "training"];

impl Space {
    /// Reads a space. `flags` are settings of the command line; they hold for all trials.
    ///
    /// # Errors
    /// The setting or value that is wrong.
    pub fn parse(given: &Value, flags: &Value) -> Result<Self, Misplaced> {
        let mut space = Self {
            systems: systems(given, flags)?,
            fixed: json!({}),
            dimensions: Vec::new(),
            given: given.clone(),
        };
        for (section, settings) in given.as_object().into_iter().flatten() {
            if !SECTIONS.contains(&section.as_str()) {
                let problem = format!("`{section}` is not a section; there are {}", SECTIONS.join(", "));
                return Err(Misplaced { place: None, problem });
            }
            let Some(settings) = settings.as_object() else {
                let problem = format!("`{section}` is a section; write it as [{section}]");
                return Err(Misplaced { place: None, problem });
            };
            for (key, value) in
                settings.iter().filter(|(key, _)| (section.as_str(), key.as_str()) != ("model", "kind"))
            {
                space.add(section, key, value, flags)?;
            }
        }
        for (section, settings) in flags.as_object().into_iter().flatten() {
            for (key, value) in settings.as_object().into_iter().flatten() {
                set(&mut space.fixed, section, key, value.clone());
            }
        }
        space.dimensions.sort_by_key(|dimension| {
            match (dimension.setting.section, dimension.setting.field) {
                ("objective", "kind") => 0,
                ("proposal", "kind") => 1,
                _ => 2,
            }
        });
        if space.dimensions.is_empty() {
            let problem = "nothing is searched: give a setting a list or a range of values".into();
            return Err(Misplaced { place: None, problem });
        }
        if let Some(idle) = space.systems.iter().find(|&&kind| space.of(kind).next().is_none()) {
            let problem = format!("no setting of {} is searched; leave it out of model.kind", idle.name());
            return Err(Misplaced { place: None, problem });
        }
        Ok(space)
    }

    fn add(&mut self, section: &str, key: &str, value: &Value, flags: &Value) -> Result<(), Misplaced> {
        let wrong = |problem: String| Misplaced::at(section, key, problem);
        let settings = settings_named(section, key, &self.systems).map_err(wrong)?;
        let several = value.is_array() || value.is_object();
        if several && !flags[section][key].is_null() {
            return Err(wrong("is searched and given as a flag too; leave one out".into()));
        }
        if several && (matches!(section, "data" | "split") || (section, key) == ("training", "metric")) {
            return Err(wrong(
                "is the same for all trials, or they could not be compared; give one value".into(),
            ));
        }
        if several && (section, key) == ("training", "seed") {
            return Err(wrong("is no setting to choose a model by; give one value".into()));
        }
        let Some(branches) = value.as_object().filter(|table| !is_range(table)) else {
            if !several {
                check(&settings, &self.systems, value).map_err(wrong)?;
                set(&mut self.fixed, section, key, value.clone());
                return Ok(());
            }
            let domain = domain(&settings, &self.systems, value).map_err(wrong)?;
            self.dimensions.push(Dimension { setting: settings[0].1, only: Vec::new(), domain });
            return Ok(());
        };
        if key == "kind" {
            return Err(wrong("what the others depend on has one list for all of them".into()));
        }
        for (name, value) in branches {
            let kind = ModelKind::parse(name);
            let kind = kind.or_else(|| Method::parse(name).map(|_| ModelKind::MultVae)).ok_or_else(|| {
                wrong(format!(
                    "`{name}` is neither `from`, `to`, `scale` nor the name of a model or of a loss"
                ))
            })?;
            let own: Vec<_> = settings.iter().copied().filter(|(other, _)| *other == kind).collect();
            if own.is_empty() {
                return Err(wrong(format!("{name} is not in the space, or has no such setting")));
            }
            let value = if value.is_array() || value.is_object() { value.clone() } else { json!([value]) };
            let domain = domain(&own, &self.systems, &value).map_err(wrong)?;
            self.dimensions.push(Dimension { setting: own[0].1, only: vec![name.clone()], domain });
        }
        Ok(())
    }
}

fn is_range(table: &Map<String, Value>) -> bool {
    ["from", "to", "scale"].iter().any(|key| table.contains_key(*key))
}

/// The kinds of models of a space.
fn systems(given: &Value, flags: &Value) -> Result<Vec<ModelKind>, Misplaced> {
    let wrong = |problem: String| Misplaced::at("model", "kind", problem);
    let kinds = &given["model"]["kind"];
    if kinds.is_array() && !flags["model"]["kind"].is_null() {
        return Err(wrong("is searched and given as a flag too; leave one out".into()));
    }
    let kinds = if flags["model"]["kind"].is_null() { kinds } else { &flags["model"]["kind"] };
    let words = match kinds {
        Value::Null => return Ok(vec![ModelKind::default()]),
        Value::Array(words) => words.clone(),
        word => vec![word.clone()],
    };
    let mut systems = Vec::new();
    for word in &words {
        let kind = word.as_str().and_then(ModelKind::parse).ok_or_else(|| {
            wrong(format!(
                "{word} is not a model of this program; use some of {}",
                ModelKind::WORDS.join(", ")
            ))
        })?;
        if systems.contains(&kind) {
            return Err(wrong(format!("`{}` is there twice", kind.name())));
        }
        systems.push(kind);
    }
    if systems.is_empty() {
        return Err(wrong("the list is empty; name at least one model".into()));
    }
    Ok(systems)
}

/// The settings of this name, each with a kind of model of the space that has it.
fn settings_named(
    section: &str,
    key: &str,
    systems: &[ModelKind],
) -> Result<Vec<(ModelKind, &'static Setting)>, String> {
    let named = |setting: &&Setting| setting.section == section && setting.key() == key;
    let of = |kind: ModelKind| RunConfig::settings_of(kind).filter(named).map(move |setting| (kind, setting));
    let found: Vec<_> = systems.iter().flat_map(|&kind| of(kind)).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let names = |kinds: &mut dyn Iterator<Item = ModelKind>| {
        let mut names: Vec<&str> = kinds.map(ModelKind::name).collect();
        names.dedup();
        names.join(", ")
    };
    let others = names(
        &mut ModelKind::NAMED
            .into_iter()
            .filter(|(_, kind)| of(*kind).next().is_some())
            .map(|(_, kind)| kind),
    );
    let here = names(&mut systems.iter().copied());
    if !others.is_empty() {
        return Err(format!("is a setting of {others}, and the space has {here}"));
    }
    let mut known: Vec<String> = systems
        .iter()
        .flat_map(|&kind| RunConfig::settings_of(kind))
        .filter(|setting| setting.section == section)
        .map(Setting::key)
        .collect();
    known.sort();
    known.dedup();
    Err(format!("is not a setting of [{section}]; there are {}", known.join(", ")))
}

/// Checks one value against every setting that it is for.
fn check(settings: &[(ModelKind, &Setting)], systems: &[ModelKind], value: &Value) -> Result<(), String> {
    debug_assert!(settings.iter().all(|(kind, _)| systems.contains(kind)));
    for (kind, setting) in settings {
        let problem = |error: Error| match error {
            Error::Setting { problem, .. } => problem,
            other => other.to_string(),
        };
        match setting.kind {
            Kind::Integer(..) | Kind::Real(..) => {
                if !value.is_number() {
                    return Err(format!("{value} is not a number"));
                }
                setting.check(value).map_err(problem)?;
            }
            Kind::Switch if !value.is_boolean() => return Err(format!("{value} is not true or false")),
            Kind::Word(words) => {
                if !value.as_str().is_some_and(|word| words.contains(&word)) {
                    return Err(format!("{value} is not one of {}", words.join(", ")));
                }
            }
            Kind::Text | Kind::Path => {
                let mut alone = json!({ "model": { "kind": kind.name() } });
                set(&mut alone, setting.section, &setting.key(), value.clone());
                serde_json::from_value::<RunConfig>(alone).map_err(|error| error.to_string())?;
            }
            Kind::Switch => {}
        }
    }
    Ok(())
}

/// The domain of a list or a range.
fn domain(
    settings: &[(ModelKind, &Setting)],
    systems: &[ModelKind],
    value: &Value,
) -> Result<Domain, String> {
    if let Value::Array(values) = value {
        for (at, one) in values.iter().enumerate() {
            check(settings, systems, one)?;
            if values[..at].contains(one) {
                return Err(format!("{one} is there twice"));
            }
        }
        return match values.is_empty() {
            true => Err("the list is empty; give at least one value".into()),
            false => Ok(Domain::Choice(values.clone())),
        };
    }
    let Some(table) = value.as_object().filter(|table| is_range(table)) else {
        return Err("give a list of values, or a range: { from = 1, to = 10 }".into());
    };
    if let Some(key) = table.keys().find(|key| !["from", "to", "scale"].contains(&key.as_str())) {
        return Err(format!("a range has from, to and scale, and no `{key}`"));
    }
    let kind = settings[0].1.kind;
    if !matches!(kind, Kind::Integer(..) | Kind::Real(..)) {
        return Err("takes no numbers, so it has no range; give a list of values".into());
    }
    let end = |name: &str| {
        let value = table.get(name).ok_or_else(|| format!("a range has a `{name}`"))?;
        check(settings, systems, value)?;
        value.as_f64().ok_or_else(|| format!("{name} is not a number"))
    };
    let (from, to) = (end("from")?, end("to")?);
    if from > to {
        return Err(format!("the range ends at {to}, before it begins at {from}"));
    }
    let log = match table.get("scale").map(|scale| (scale, scale.as_str())) {
        None | Some((_, Some("linear"))) => false,
        Some((_, Some("log"))) if from > 0.0 => true,
        Some((_, Some("log"))) => return Err(format!("a log scale cannot begin at {from}; begin above 0")),
        Some((other, _)) => return Err(format!("{other} is not a scale; use \"linear\" or \"log\"")),
    };
    Ok(Domain::Range { from, to, log, integer: matches!(kind, Kind::Integer(..)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(given: Value) -> Result<Space, Misplaced> {
        Space::parse(&given, &json!({}))
    }

    #[test]
    fn what_is_wrong_is_named() {
        let problem = |given: Value| {
            let wrong = parse(given).expect_err("accepted");
            let place = wrong.place.map_or(String::new(), |(section, key)| format!("{section}.{key}: "));
            place + &wrong.problem
        };
        for (given, words) in [
            (json!({ "network": {} }), "`network` is not a section; there are data, split"),
            (json!({ "model": 3 }), "write it as [model]"),
            (json!({}), "nothing is searched"),
            (json!({ "model": { "kind": "ease" } }), "nothing is searched"),
            (json!({ "model": { "kind": ["ease", "easy"] } }), "model.kind: \"easy\" is not a model"),
            (json!({ "model": { "kind": ["ease", "ease"] } }), "`ease` is there twice"),
            (json!({ "model": { "kind": [] } }), "the list is empty"),
            (
                json!({ "model": { "hiden": [1] } }),
                "model.hiden: is not a setting of [model]; there are activation,",
            ),
            (json!({ "model": { "lambda": [1] } }), "is a setting of ease, and the space has mult-vae"),
            (
                json!({ "model": { "kind": "ials", "factors": [8] }, "training": { "batch": [1] } }),
                "training.batch: is a setting of",
            ),
            (json!({ "model": { "hidden": [0] } }), "model.hidden: is 0; give at least 1"),
            (json!({ "model": { "hidden": ["wide"] } }), "\"wide\" is not a number"),
            (json!({ "model": { "hidden": [] } }), "the list is empty"),
            (json!({ "model": { "hidden": [8, 8] } }), "8 is there twice"),
            (json!({ "model": { "decoder": ["deep"] } }), "\"deep\" is not one of"),
            (json!({ "model": { "decoder": { "from": 1, "to": 2 } } }), "takes no numbers"),
            (json!({ "model": { "item-bias": [1] } }), "1 is not true or false"),
            (json!({ "model": { "hidden": { "from": 8 } } }), "a range has a `to`"),
            (json!({ "model": { "hidden": { "from": 8, "to": 4 } } }), "ends at 4, before it begins at 8"),
            (json!({ "model": { "hidden": { "from": 8, "to": 9, "step": 1 } } }), "no `step`"),
            (
                json!({ "model": { "hidden": { "from": 8, "to": 9, "scale": "cubic" } } }),
                "\"cubic\" is not a scale",
            ),
            (
                json!({ "model": { "dropout": { "from": 0, "to": 0.9, "scale": "log" } } }),
                "cannot begin at 0",
            ),
            (json!({ "model": { "dropout": { "from": 0, "to": 2 } } }), "2 is outside of 0..=0.95"),
            (
                json!({ "model": { "hidden": { "ials": [8] } } }),
                "ials is not in the space, or has no such setting",
            ),
            (json!({ "model": { "hidden": { "wide": [8] } } }), "`wide` is neither `from`"),
            (json!({ "objective": { "kind": { "full": ["full-softmax"] } } }), "one list for all"),
            (
                json!({ "split": { "test-share": [0.1, 0.2] } }),
                "split.test-share: is the same for all trials",
            ),
            (json!({ "training": { "metric": ["ndcg@10"] } }), "training.metric: is the same for all"),
            (json!({ "training": { "seed": [1, 2] } }), "training.seed: is no setting to choose"),
            (json!({ "proposal": { "mix": ["luck=0.1"] } }), "proposal.mix: "),
            (
                json!({ "model": { "kind": ["ease", "popularity"], "lambda": [1, 2] } }),
                "no setting of popularity is searched",
            ),
        ] {
            let found = problem(given.clone());
            assert!(found.contains(words), "{given}: {found}");
        }
        let flags = json!({ "model": { "hidden": 8 } });
        let wrong = Space::parse(&json!({ "model": { "hidden": [1, 2] } }), &flags).unwrap_err();
        assert!(wrong.problem.contains("given as a flag too"), "{wrong:?}");
    }
}
