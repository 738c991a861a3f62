//! Settings by the names that earlier versions wrote, brought to those of today.
//!
//! It works on the tree of a file before any of it is read as settings, so that nothing else needs to know the
//! names of before.

use serde_json::{Map, Value};

use crate::{Error, Result, config::Method};

/// Section and name of a setting.
type Place = [&'static str; 2];

/// The section of a run's loss, which is now an objective and a proposal.
const LOSS: &str = "loss";

/// Settings that are now in another section or have another name.
const MOVED: [(Place, Place); 18] = [
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
];

/// Renames the settings of earlier versions in a run's settings, nested by section as in `config.toml`.
///
/// # Errors
/// [`Error::Setting`] for a setting that is there by its old name and by its new one, and for a setting or a method of
/// an earlier section that does not exist.
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

/// One word for the method, in the place of two settings.
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
    // The sampled softmax is the default, and then only the proposal need be named.
    put(settings, old, ["objective", "kind"], json(method.objective())?)?;
    match method.proposal() {
        Some(kind) => put(settings, old, ["proposal", "kind"], kind.name().into()),
        None => Ok(()),
    }
}

fn take(settings: &mut Value, [section, name]: Place) -> Option<Value> {
    settings.get_mut(section)?.as_object_mut()?.remove(name)
}

fn put(settings: &mut Value, old: Place, [section, name]: Place, value: Value) -> Result<()> {
    let Some(sections) = settings.as_object_mut() else { return Ok(()) };
    let under = sections.entry(section).or_insert_with(|| Value::Object(Map::new()));
    // A section that is not one is for the reader to refuse.
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
    use serde_json::json;

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

    /// What is written today is read as it is.
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
}
