//! A run as it is written down: the data, how it is divided, and every setting of the training.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    Error, Result,
    config::{Config, Method, ModelConfig, ObjectiveConfig, OptimizerConfig, ProposalConfig, TrainingConfig},
    data::{Columns, LoadOptions, SplitOptions},
};

/// The content of `RUN/config.toml`. With the data it fixes a run to the last bit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct RunConfig {
    /// What is learned from.
    pub data: DataConfig,
    /// Who is trained on what, and measured on what.
    pub split: SplitOptions,
    /// The network.
    pub model: ModelConfig,
    /// What is minimised.
    pub objective: ObjectiveConfig,
    /// Where negatives come from.
    pub proposal: ProposalConfig,
    /// How parameters move.
    pub optimizer: OptimizerConfig,
    /// The loop.
    pub training: TrainingConfig,
}

/// Where interactions come from and which of them count.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct DataConfig {
    /// A folder, a zip, or one file; `None`: the built-in set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// The k of the k-core; 0 and 1 leave the set alone.
    pub core: u32,
    /// Ratings below this are no interactions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_rating: Option<f32>,
    /// Which columns hold what; `None`: by the header and the first lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<Columns>,
}

impl DataConfig {
    /// How to read the set.
    pub fn load_options(&self) -> LoadOptions {
        LoadOptions { min_rating: self.min_rating, core: self.core, columns: self.columns.clone() }
    }
}

impl RunConfig {
    /// The objective and its proposal in one word.
    pub fn method(&self) -> Method {
        Method::of(&self.objective, &self.proposal)
    }

    /// Sets the objective and, for the sampled softmax, the proposal.
    pub fn set_method(&mut self, method: Method) {
        self.objective.kind = method.objective();
        if let Some(kind) = method.proposal() {
            self.proposal.kind = kind;
        }
    }

    /// The part that a [`Trainer`](crate::train::Trainer) needs.
    pub fn training(&self) -> Config {
        Config {
            model: self.model.clone(),
            objective: self.objective.clone(),
            proposal: self.proposal.clone(),
            optimizer: self.optimizer.clone(),
            training: self.training.clone(),
        }
    }

    /// Whether a run with these settings can go on with those of `now`: all equal, but for the number of
    /// epochs, patience, and where the data lies.
    ///
    /// # Errors
    /// [`Error::Setting`] names the first setting that changed.
    pub fn check_resume(&self, now: &Self) -> Result<()> {
        let json = |config: &Self| {
            serde_json::to_value(config).map_err(|error| Error::setting("resume", error.to_string()))
        };
        let (before, after) = (json(self)?, json(now)?);
        for (section, values) in before.as_object().into_iter().flatten() {
            for name in keys(values).chain(keys(&after[section])) {
                let (was, is) = (&values[name], &after[section][name]);
                let free = matches!(
                    (section.as_str(), name),
                    ("data", "path") | ("training", "epochs" | "patience")
                );
                if was != is && !free {
                    let was = if was.is_null() { "not set".to_owned() } else { was.to_string() };
                    let field = if name == "kind" { format!("{section}.kind") } else { name.to_owned() };
                    return Err(Error::setting(
                        field,
                        format!(
                            "it was {was} in the run and cannot change in a run that goes on; leave it out"
                        ),
                    ));
                }
            }
        }
        Ok(())
    }
}

fn keys(value: &serde_json::Value) -> impl Iterator<Item = &str> {
    value.as_object().into_iter().flatten().map(|(name, _)| name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resumed_run_keeps_its_settings() {
        let before = RunConfig::default();
        let mut now = before.clone();
        now.training.epochs += 10;
        now.data.path = Some("elsewhere".into());
        before.check_resume(&now).unwrap();
        now.data.min_rating = Some(4.0);
        let error = before.check_resume(&now).unwrap_err().to_string();
        assert!(error.starts_with("min-rating: it was not set in the run"), "{error}");
        let mut now = before.clone();
        now.optimizer.learning_rate = 0.5;
        assert!(
            before.check_resume(&now).unwrap_err().to_string().starts_with("learning-rate: it was 0.001")
        );
    }
}
