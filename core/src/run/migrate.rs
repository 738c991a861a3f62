//! Converts the files of earlier versions to the current format.
//!
//! The conversion works on the parsed tree of a file, before settings or the header of a checkpoint are read
//! from it, so that no other module depends on old names.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::{Error, Result, config::Method, model::ModelKind};

/// The version of checkpoints that this library writes; it also reads all earlier ones.
///
/// - 1: no kind, since there was one model; settings have a loss.
/// - 2: `kind` names the model; settings have an objective and a proposal in place of a loss.
pub(super) const VERSION: u64 = 2;

/// Section and name of a setting.
type Place = [&'static str; 2];

/// The old section for the loss, which is now an objective and a proposal.
const LOSS: &str = "loss";

/// Settings whose section or name has changed.
const MOVED: [(Place, Place); 19] = [
    ([LOSS, "partition"], ["objective", "partition"]),
    ([LOSS, "share"], ["proposal", "group-size"]),
    ([LOSS, "negatives"], ["proposal", "negatives"]),
    ([LOSS, "codewords"], ["proposal", "codewords"]),
    ([LOSS, "codebooks"], ["proposal", "codebooks"]),
    ([LOSS, "quantisation"], ["proposal", "quantisation"]),
    ([LOSS, "codeword-weights"], ["proposal", "codeword-weights"]),
    ([LOSS, "initialisation"], ["proposal", "initialisation"]),
    ([LOSS, "kmeans"], ["proposal", "kmeans"]),
    ([LOSS, "popularity"], ["proposal", "popularity"]),
    ([LOSS, "refresh-every"], ["proposal", "refresh-every"]),
    ([LOSS, "refresh-steps"], ["proposal", "refresh-steps"]),
    ([LOSS, "first-iterations"], ["proposal", "first-iterations"]),
    ([LOSS, "refresh-iterations"], ["proposal", "refresh-iterations"]),
    ([LOSS, "mix"], ["proposal", "mix"]),
    ([LOSS, "dns-draws"], ["proposal", "dns-draws"]),
    ([LOSS, "dns-correction"], ["proposal", "dns-correction"]),
    ([LOSS, "kernel-alpha"], ["proposal", "kernel-alpha"]),
    (["optimizer", "rows"], ["optimizer", "row-updates"]),
];

/// Renames old settings in the settings of a run, nested by section as in `config.toml`.
///
/// # Errors
/// [`Error::Setting`] for a setting that occurs under both its old and its new name, and for an unknown
/// setting or method in an old section.
pub fn migrate(settings: &mut Value) -> Result<()> {
    if let Some(word) = take(settings, [LOSS, "loss"]) {
        put_method(settings, &word)?;
    }
    for (old, new) in MOVED {
        if let Some(value) = take(settings, old) {
            put(settings, old, new, value)?;
        }
    }
    let Some(left) = settings.get(LOSS).and_then(Value::as_object) else { return Ok(()) };
    if let Some(name) = left.keys().next() {
        return Err(Error::setting(name, format!("unknown setting `{name}` under [{LOSS}]")));
    }
    settings.as_object_mut().and_then(|sections| sections.remove(LOSS));
    Ok(())
}

/// Replaces the old word for the method by two settings.
fn put_method(settings: &mut Value, word: &Value) -> Result<()> {
    let old = [LOSS, "loss"];
    let Some(method) = word.as_str().and_then(Method::parse) else {
        let names: Vec<_> = Method::names().collect();
        return Err(Error::setting(
            "loss",
            format!("{word} under [loss] is unknown; use one of {}", names.join(", ")),
        ));
    };
    let json = |kind| serde_json::to_value(kind).map_err(|error| Error::setting("loss", error.to_string()));
    // The sampled softmax is the default objective, so the proposal alone is enough.
    put(settings, old, ["objective", "kind"], json(method.objective())?)?;
    match method.proposal() {
        Some(kind) => put(settings, old, ["proposal", "kind"], kind.name().into()),
        None => Ok(()),
    }
}

/// Reads the header of a checkpoint of any version.
///
/// # Errors
/// A description of the problem: a damaged header, a later version, or an unknown model or setting.
pub(super) fn header<T: DeserializeOwned>(header: &str) -> Result<T, String> {
    let mut header: Value = serde_json::from_str(header)
        .map_err(|error| format!("its `fastvae` metadata is damaged ({error})"))?;
    // The version is read first, on its own: a later version may have other fields.
    let version =
        header["version"].as_u64().ok_or("its `fastvae` metadata has no version; the file is damaged")?;
    if version > VERSION {
        return Err(format!(
            "of format {version}, and this program reads up to {VERSION}; use a newer fastvae"
        ));
    }
    if version < 2 {
        header["kind"] = json!(ModelKind::MultVae);
    }
    if let Some(config) = header.get_mut("config") {
        migrate(config).map_err(|error| format!("its settings cannot be understood ({error})"))?;
    }
    let kind = header["kind"].as_str().ok_or("it does not say which model it holds; the file is damaged")?;
    let Some(known) = ModelKind::parse(kind) else {
        return Err(format!(
            "it holds a model of kind `{kind}`, and this program knows {}; use a newer fastvae",
            ModelKind::WORDS.join(", ")
        ));
    };
    // Settings without a kind, which files of one kind had, are those of the default.
    let settings =
        header["config"]["model"]["kind"].as_str().map_or(Some(ModelKind::default()), ModelKind::parse);
    if header.get("config").is_some() && settings != Some(known) {
        return Err(format!(
            "it says it holds a {kind}, and its settings are not those of one; the file is damaged"
        ));
    }
    serde_json::from_value(header).map_err(|error| {
        let problem = error.to_string();
        match problem.split('`').nth(1) {
            Some(name) if problem.starts_with("unknown field") => {
                format!("its setting `{name}` is unknown to this program; use the fastvae that wrote it")
            }
            _ => format!("its settings cannot be understood ({problem}); the file is damaged"),
        }
    })
}

fn take(settings: &mut Value, [section, name]: Place) -> Option<Value> {
    settings.get_mut(section)?.as_object_mut()?.remove(name)
}

fn put(settings: &mut Value, old: Place, [section, name]: Place, value: Value) -> Result<()> {
    let Some(sections) = settings.as_object_mut() else { return Ok(()) };
    let under = sections.entry(section).or_insert_with(|| Value::Object(Map::new()));
    // A section that is not a table is rejected by the code that reads the settings.
    let Some(under) = under.as_object_mut() else { return Ok(()) };
    if under.contains_key(name) {
        return Err(Error::setting(
            old[1],
            format!(
                "`{}` of [{}] is now `{name}` of [{section}], and both are there; remove the former",
                old[1], old[0]
            ),
        ));
    }
    under.insert(name.into(), value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::ProposalKind, run::RunConfig};

    fn migrated(mut settings: Value) -> Result<RunConfig> {
        migrate(&mut settings)?;
        serde_json::from_value(settings).map_err(|error| Error::setting("config", error.to_string()))
    }

    #[test]
    fn settings_of_before_are_understood() {
        let config = migrated(json!({
            "loss": { "loss": "dns", "share": 4, "partition": "exact-positives", "mix": "kernel=0.25" },
            "training": { "seed": 3 },
        }))
        .unwrap();
        assert_eq!(config.method(), Method::Sampled(ProposalKind::Dns));
        assert_eq!((config.proposal.group_size, config.training.seed), (4, 3));
        assert_eq!(
            config.proposal.mix.map(|mix| (mix.with, mix.probability)),
            Some((ProposalKind::Quadratic, 0.25))
        );
        assert_eq!(config.objective.partition, crate::config::Partition::ExactPositives);
        assert_eq!(migrated(json!({ "loss": { "loss": "full" } })).unwrap().method(), Method::Full);
        assert_eq!(migrated(json!({ "loss": {} })).unwrap(), RunConfig::default());
        assert_eq!(migrated(json!({})).unwrap(), RunConfig::default());
    }

    /// Files of the current version are read unchanged.
    #[test]
    fn settings_of_today_are_left_alone() {
        let today = serde_json::to_value(RunConfig::default()).unwrap();
        let mut same = today.clone();
        migrate(&mut same).unwrap();
        assert_eq!(same, today);
    }

    #[test]
    fn every_setting_has_a_place_today() {
        let today = serde_json::to_value(RunConfig::default()).unwrap();
        for (_, [section, name]) in MOVED.into_iter().filter(|(_, [_, name])| *name != "mix") {
            assert!(today[section].get(name).is_some(), "{section}.{name}");
        }
    }

    #[test]
    fn a_setting_by_both_names_and_one_that_nobody_knows_are_refused() {
        let problem = |settings: Value| migrated(settings).expect_err("accepted").to_string();
        let both = problem(json!({ "loss": { "share": 2 }, "proposal": { "group-size": 4 } }));
        assert!(both.contains("`share` of [loss]") && both.contains("`group-size` of [proposal]"), "{both}");
        let both = problem(json!({ "loss": { "loss": "dns" }, "proposal": { "kind": "midx" } }));
        assert!(both.contains("`loss` of [loss]") && both.contains("`kind` of [proposal]"), "{both}");
        assert!(problem(json!({ "loss": { "loss": "dms" } })).contains("midx-uniform"));
        assert!(problem(json!({ "loss": { "shares": 2 } })).starts_with("shares: unknown"));
        assert!(problem(json!({ "loss": 3 })).contains("loss"));
    }

    #[derive(serde::Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Header {
        version: u64,
        kind: ModelKind,
        #[serde(default)]
        seed: u32,
    }

    #[test]
    fn earlier_versions_are_understood() {
        let read: Header = header(r#"{"version":1,"seed":7}"#).unwrap();
        assert_eq!((read.version, read.kind, read.seed), (1, ModelKind::MultVae, 7));
        let read: Header = header(r#"{"version":2,"kind":"mult-vae"}"#).unwrap();
        assert_eq!(read.kind, ModelKind::MultVae);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (header, words) in [
            (r#"{"version":3,"kind":"mult-vae"}"#, "of format 3, and this program reads up to 2"),
            (r#"{"version":2,"kind":"other"}"#, "kind `other`, and this program knows mult-vae, popularity"),
            (r#"{"version":2}"#, "does not say which model"),
            (r#"{"version":2,"kind":"mult-vae","sead":7}"#, "its setting `sead` is unknown"),
            (r#"{"version":2,"kind":"mult-vae","seed":"x"}"#, "settings cannot be understood"),
            (r#"{"kind":"mult-vae"}"#, "has no version"),
            ("[]", "has no version"),
            ("{", "is damaged"),
        ] {
            let problem = super::header::<Header>(header).unwrap_err();
            assert!(problem.contains(words), "{header}: {problem}");
        }
    }
}
