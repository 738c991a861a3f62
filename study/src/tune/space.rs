//! The settings that a search varies, as a file declares them.

use std::collections::BTreeMap;

use fastvae::{
    config::{Method, Objective, ProposalKind, Setting},
    model::ModelKind,
    run::RunConfig,
};
use serde_json::{Value, json};

use super::{domain::Domain, draws::Draws};

/// Values of searched settings by `section.key`.
pub type Values = BTreeMap<String, Value>;

/// A setting that is searched.
#[derive(Clone, Debug)]
pub struct Dimension {
    /// The setting.
    pub setting: &'static Setting,
    /// The models or losses for which it is searched over this domain; empty: all that have the setting.
    pub only: Vec<String>,
    /// The values to try.
    pub domain: Domain,
}

impl Dimension {
    /// `section.key`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.setting.section, self.setting.key())
    }
}

/// What is searched: a configuration file in which a setting may have several values.
///
/// - one value: it holds for all trials;
/// - a list: one of these;
/// - `{ from = 1e-4, to = 0.1, scale = "log" }`: a number from a range, a whole one where the setting takes whole ones;
/// - a table with names of models or losses: for each of them one of the above.
///
/// A setting is active in a trial only where it has an effect.
#[derive(Clone, Debug)]
pub struct Space {
    /// The kinds of models; each is searched on its own.
    pub systems: Vec<ModelKind>,
    /// Settings of all trials, by section and key.
    pub fixed: Value,
    /// Settings that are searched; those that others depend on come first.
    pub dimensions: Vec<Dimension>,
    /// The space as it was given.
    pub given: Value,
}

impl Space {
    /// The settings that are searched for a kind of model.
    pub fn of(&self, kind: ModelKind) -> impl Iterator<Item = &Dimension> {
        let methods = move |name: &String| has_method(kind) && Method::parse(name).is_some();
        self.dimensions.iter().filter(move |dimension| {
            let setting = dimension.setting;
            let has = match setting.section {
                "model" => kind.settings().iter().any(|other| other.field == setting.field),
                section => kind.uses(section, &setting.key()),
            };
            let meant = |name: &String| name == kind.name() || methods(name);
            has && (dimension.only.is_empty() || dimension.only.iter().any(meant))
        })
    }

    /// Whether a setting is active in a trial of `kind` whose values so far are these. A method and a kind are names for
    /// what a setting depends on, and proposals have no effect under the full softmax.
    pub fn is_active(&self, dimension: &Dimension, kind: ModelKind, values: &Values) -> bool {
        if !has_method(kind) {
            return true;
        }
        let word = |section: &str| {
            let own = values.get(&format!("{section}.kind")).unwrap_or(&self.fixed[section]["kind"]);
            own.as_str().map(str::to_owned)
        };
        let objective = word("objective").and_then(|word| Objective::parse(&word)).unwrap_or_default();
        if objective == Objective::FullSoftmax && dimension.setting.section == "proposal" {
            return false;
        }
        let method = match objective {
            Objective::FullSoftmax => Method::Full,
            Objective::SampledSoftmax => Method::Sampled(
                word("proposal")
                    .and_then(|word| ProposalKind::parse(&word))
                    .unwrap_or_else(|| RunConfig::of(kind).proposal.kind),
            ),
        };
        let meant = |name: &String| name == kind.name() || name == method.name();
        dimension.only.is_empty() || dimension.only.iter().any(meant)
    }

    /// Values of all active settings; `choose` gives one for each.
    pub fn fill(&self, kind: ModelKind, mut choose: impl FnMut(&Dimension) -> Value) -> Values {
        let mut values = Values::new();
        for dimension in self.of(kind) {
            if self.is_active(dimension, kind, &values) {
                let value = choose(dimension);
                values.insert(dimension.name(), value);
            }
        }
        values
    }

    /// Values at random.
    pub fn draw(&self, kind: ModelKind, draws: &mut Draws) -> Values {
        self.fill(kind, |dimension| dimension.domain.draw(draws))
    }

    /// The settings of a trial, by section and key, as a configuration file has them.
    pub fn settings(&self, kind: ModelKind, values: &Values) -> Value {
        let mut settings = self.fixed.clone();
        // Constants of models that are not this one would be refused.
        if let Some(model) = settings["model"].as_object_mut() {
            model.retain(|key, _| kind.settings().iter().any(|setting| setting.key() == *key));
        }
        set(&mut settings, "model", "kind", kind.name().into());
        for (name, value) in values {
            if let Some((section, key)) = name.split_once('.') {
                set(&mut settings, section, key, value.clone());
            }
        }
        settings
    }
}

/// Whether models of this kind have negatives from a proposal, or the full softmax.
fn has_method(kind: ModelKind) -> bool {
    kind.uses("proposal", "kind")
}

/// Sets one setting.
pub(super) fn set(settings: &mut Value, section: &str, key: &str, value: Value) {
    if !settings[section].is_object() {
        settings[section] = json!({});
    }
    settings[section][key] = value;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_active_where_they_have_an_effect() {
        let space = Space::parse(
            &json!({
                "model": {
                    "kind": ["mult-vae", "ials", "bpr"],
                    "hidden": [100, 200],
                    "factors": { "from": 8, "to": 64, "scale": "log" },
                    "regularisation": {
                        "ials": { "from": 1e-3, "to": 1.0, "scale": "log" },
                        "bpr": [0.001, 0.01],
                    },
                },
                "objective": { "kind": ["full-softmax", "sampled-softmax"] },
                "proposal": {
                    "kind": ["uniform", "midx-popularity"],
                    "codewords": { "midx-popularity": [16, 32] },
                    "negatives": { "from": 50, "to": 500 },
                },
                "training": { "epochs": 5 },
            }),
            &json!({}),
        )
        .unwrap();
        let names = |kind: ModelKind, trial: u32| {
            space.draw(kind, &mut Draws::new(3, 0, trial)).into_keys().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names(ModelKind::Ials, 0), "model.factors model.regularisation");
        assert_eq!(names(ModelKind::Bpr, 0), "model.factors model.regularisation");
        let drawn: std::collections::BTreeSet<String> =
            (0..50).map(|trial| names(ModelKind::MultVae, trial)).collect();
        let drawn: Vec<&str> = drawn.iter().map(String::as_str).collect();
        assert_eq!(
            drawn,
            [
                "model.hidden objective.kind",
                "model.hidden objective.kind proposal.codewords proposal.kind proposal.negatives",
                "model.hidden objective.kind proposal.kind proposal.negatives",
            ]
        );
        for trial in 0..50 {
            for kind in [ModelKind::MultVae, ModelKind::Ials, ModelKind::Bpr] {
                let settings = space.settings(kind, &space.draw(kind, &mut Draws::new(3, 0, trial)));
                let config: RunConfig = serde_json::from_value(settings).unwrap();
                assert_eq!((config.model.kind(), config.training.epochs), (kind, 5));
            }
        }
    }
}
