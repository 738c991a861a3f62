//! The settings of a run: the data, its split, and the training.

use std::path::PathBuf;

use serde::{
    Deserialize, Serialize, Serializer,
    ser::{Error as _, SerializeMap},
};
use serde_json::Value;

use crate::{
    Error, Result,
    config::{
        Config, Kind, Method, ObjectiveConfig, OptimizerConfig, ProposalConfig, Section, Setting, Steps,
        TrainingConfig, setting::settings,
    },
    data::{Columns, Conditions, Header, LoadOptions, MissingIds, Moment, SplitOptions, TimesRead},
    model::{Defaults, ModelConfig, ModelKind, TrainableSettings},
};

/// The content of `RUN/config.toml`. Together with the data it determines a run to the last bit.
///
/// Only settings that have an effect on the model are written; the others have their defaults when they are read.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct RunConfig {
    /// The data set.
    pub data: DataConfig,
    /// The split into training, validation and test.
    pub split: SplitOptions,
    /// Which model, and its settings.
    pub model: ModelConfig,
    /// The loss.
    pub objective: ObjectiveConfig,
    /// The source of negatives.
    pub proposal: ProposalConfig,
    /// How parameters are updated.
    pub optimizer: OptimizerConfig,
    /// The training loop.
    pub training: TrainingConfig,
}

settings! {
    /// The source of the interactions, and which of them count.
    pub struct DataConfig in "data" {
        /// A folder, a zip, or one file of interactions (.gz too); without it, the built-in set.
        ///
        /// MovieLens in all its editions, Gowalla, Amazon, Netflix, LightGCN, RecBole and plain csv, tsv or parquet are
        /// recognised.
        #[serde(with = "path", skip_serializing_if = "Option::is_none")]
        path: Option<PathBuf> = None, "PATH", Kind::Path, flag "data";
        /// Drop users and items with fewer than K interactions, repeatedly, until every user and item has K;
        /// 0 and 1 leave the set unchanged.
        core: u32 = 0, "K", Kind::Integer(0, u32::MAX as u64);
        /// Ratings below X do not count as interactions; without it, every rating counts.
        #[serde(skip_serializing_if = "Option::is_none")]
        min_rating: Option<f32> = None, "X", Kind::Real(f32::MIN as f64, f32::MAX as f64);
        /// Columns of user, item, rating and time, by index or by name in the header: `user=0,item=1,rating=2`.
        ///
        /// A column with several items a row is named by `items`: `user=0,items=history`. Keys of nested JSON follow
        /// one another after dots: `user=user.id`.
        #[serde(skip_serializing_if = "Option::is_none")]
        columns: Option<Columns> = None, "ROLE=COLUMN,..", Kind::Text;
        /// Whether the first line names the columns; `auto` goes by the first lines.
        header: Header = Header::default(), "HEADER", Kind::Word(Header::WORDS);
        /// The encoding of the text, such as latin1, windows-1251, shift_jis; without it, UTF-8 or what the file says.
        #[serde(skip_serializing_if = "Option::is_none")]
        encoding: Option<String> = None, "NAME", Kind::Text;
        /// Leave out rows that cannot be read, and count them, instead of ending at the first one.
        skip_bad_rows: bool = false, "BOOL", Kind::Switch;
        /// What becomes of rows whose user or item is a word for a missing value (NA, NULL, None, nan).
        missing_ids: MissingIds = MissingIds::default(), "WHAT", Kind::Word(MissingIds::WORDS);
        /// Only rows that meet these conditions: `event=buy,cart`, `event!=view`, `price>=10`; several with `;`
        /// between them.
        #[serde(skip_serializing_if = "Conditions::is_empty")]
        rows: Conditions = Conditions::default(), "COLUMN=VALUE,..", Kind::Text, flag "where";
        /// Only interactions at this time or later: a date or a number as in the data.
        #[serde(skip_serializing_if = "Option::is_none")]
        since: Option<Moment> = None, "TIME", Kind::Text;
        /// Only interactions before this time.
        #[serde(skip_serializing_if = "Option::is_none")]
        until: Option<Moment> = None, "TIME", Kind::Text;
    }
}

/// Serialises paths as text, or as a list of bytes if they are not UTF-8, so that every path is read back
/// unchanged.
pub mod path {
    use std::path::PathBuf;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    #[cfg(not(unix))]
    use serde::{de::Error as _, ser::Error as _};

    /// Writes text or bytes.
    ///
    /// # Errors
    /// If the path is not valid Unicode on a system whose paths are not bytes.
    pub fn serialize<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(path) = path else { return serializer.serialize_none() };
        if let Some(text) = path.to_str() {
            return text.serialize(serializer);
        }
        #[cfg(unix)]
        return std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()).serialize(serializer);
        #[cfg(not(unix))]
        Err(S::Error::custom("the path holds characters that are not Unicode"))
    }

    /// Reads text or bytes.
    ///
    /// # Errors
    /// For values other than text and bytes.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected the path of a file or folder")]
        enum Written {
            Text(String),
            Bytes(Vec<u8>),
        }
        Ok(Some(match Written::deserialize(deserializer)? {
            Written::Text(text) => text.into(),
            #[cfg(unix)]
            Written::Bytes(bytes) => {
                <std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes).into()
            }
            #[cfg(not(unix))]
            Written::Bytes(bytes) => {
                let problem = format!("a path of {} bytes is of another system", bytes.len());
                return Err(D::Error::custom(problem));
            }
        }))
    }
}

impl DataConfig {
    /// The options for loading the data set.
    pub fn load_options(&self) -> LoadOptions {
        LoadOptions {
            min_rating: self.min_rating,
            core: self.core,
            columns: self.columns.clone(),
            header: self.header,
            encoding: self.encoding.clone(),
            skip_bad_rows: self.skip_bad_rows,
            missing_ids: self.missing_ids,
            conditions: self.rows.clone(),
            since: self.since,
            until: self.until,
            times: TimesRead::Nothing,
        }
    }
}

impl Serialize for RunConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let kind = self.model.kind();
        let mut sections = serializer.serialize_map(None)?;
        sections.serialize_entry("data", &self.data)?;
        sections.serialize_entry("split", &self.split)?;
        sections.serialize_entry("model", &self.model)?;
        for values in
            [self.objective.values(), self.proposal.values(), self.optimizer.values(), self.training.values()]
        {
            let mut used = values.map_err(S::Error::custom)?;
            used.retain(|(setting, _)| kind.uses(setting.section, &setting.key()));
            if let Some((first, _)) = used.first() {
                sections.serialize_entry(first.section, &Entries(&used))?;
            }
        }
        sections.end()
    }
}

/// Settings with their values, as a map.
struct Entries<'a>(&'a [(&'static Setting, Value)]);

impl Serialize for Entries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(setting, value)| (setting.key(), value)))
    }
}

impl RunConfig {
    /// The options for loading the data set, with the times that the split needs.
    pub fn load_options(&self) -> LoadOptions {
        LoadOptions { times: self.split.times(), ..self.data.load_options() }
    }

    /// The default settings for a kind of model.
    pub fn of(kind: ModelKind) -> Self {
        let mut config = Self { model: ModelConfig::new(kind), ..Self::default() };
        let Self { proposal, optimizer, training, .. } = &mut config;
        kind.set_defaults(Defaults { proposal, optimizer, training });
        config
    }

    /// Every setting of runs with models of this kind, section by section.
    pub fn settings_of(kind: ModelKind) -> impl Iterator<Item = &'static Setting> {
        [
            DataConfig::SETTINGS,
            SplitOptions::SETTINGS,
            std::slice::from_ref(&ModelConfig::KIND),
            kind.settings(),
            ObjectiveConfig::SETTINGS,
            ProposalConfig::SETTINGS,
            OptimizerConfig::SETTINGS,
            TrainingConfig::SETTINGS,
        ]
        .into_iter()
        .flatten()
        .filter(move |setting| setting.section == "model" || kind.uses(setting.section, &setting.key()))
    }

    /// Every setting of every kind of model, section by section. Where several kinds have a setting of one name,
    /// it comes once for each.
    pub fn settings() -> impl Iterator<Item = &'static Setting> {
        let models = ModelKind::NAMED.into_iter().map(|(_, kind)| kind.settings());
        let before = [DataConfig::SETTINGS, SplitOptions::SETTINGS, std::slice::from_ref(&ModelConfig::KIND)];
        let after = [
            ObjectiveConfig::SETTINGS,
            ProposalConfig::SETTINGS,
            OptimizerConfig::SETTINGS,
            TrainingConfig::SETTINGS,
        ];
        before.into_iter().chain(models).chain(after).flatten()
    }

    /// The name of what is trained: the model, for Mult-VAE its objective and proposal as one word.
    pub fn name(&self) -> &'static str {
        match self.model {
            ModelConfig::MultVae(_) => self.method().name(),
            ref other => other.kind().name(),
        }
    }

    /// The objective and its proposal as one word.
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

    /// The model's settings, if a [`Trainer`](crate::train::Trainer) trains it.
    ///
    /// # Errors
    /// [`Error::Setting`] if the model is one that a [`Run`](super::Run) fits without a trainer.
    pub(crate) fn trainable(&self) -> Result<&dyn TrainableSettings> {
        self.model.trainable().ok_or_else(|| self.no_network("has no proposals and no gradient steps"))
    }

    fn no_network(&self, problem: &str) -> Error {
        let kind = self.model.kind().name();
        Error::setting("model.kind", format!("{kind} {problem}; this needs `model.kind = mult-vae`"))
    }

    /// The settings of training by steps, without the model.
    pub(crate) fn steps(&self) -> Steps {
        Steps {
            objective: self.objective.clone(),
            proposal: self.proposal.clone(),
            optimizer: self.optimizer.clone(),
            training: self.training.clone(),
            #[cfg(feature = "baselines")]
            pairs: self.model.trainable().and_then(TrainableSettings::pairs),
        }
    }

    /// The settings that a [`Trainer`](crate::train::Trainer) of a network needs.
    ///
    /// # Errors
    /// [`Error::Setting`] if the model is no network.
    pub fn training(&self) -> Result<Config> {
        self.trainable()?;
        let ModelConfig::MultVae(model) = &self.model else {
            return Err(self.no_network("is not a network"));
        };
        let Steps { objective, proposal, optimizer, training, .. } = self.steps();
        Ok(Config { model: model.clone(), objective, proposal, optimizer, training })
    }

    /// Checks that the settings are compatible with each other and with a catalogue of `items` items.
    ///
    /// # Errors
    /// [`Error::Setting`] with the field, the problem, and valid values.
    pub fn validate(&self, items: usize) -> Result<()> {
        self.model.check_bounds()?;
        if let Some(model) = self.model.trainable() {
            model.check_options()?;
            return self.steps().validate(items, model.width());
        }
        self.optimizer.check_bounds()?;
        self.training.check_bounds()?;
        crate::metrics::cutoff(&self.training.metric).map(drop)
    }

    /// Checks that a run with these settings can be resumed with the settings `now`: all equal, except for
    /// the number of epochs, patience, and the location of the data.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first setting that differs.
    pub fn check_resume(&self, now: &Self) -> Result<()> {
        let json = |config: &Self| {
            serde_json::to_value(config).map_err(|error| Error::setting("resume", error.to_string()))
        };
        let cannot_change = |field: String, was: &Value| {
            let was = if was.is_null() { "not set".to_owned() } else { was.to_string() };
            let problem =
                format!("it was {was} in the run and cannot change in a run that goes on; leave it out");
            Err(Error::setting(field, problem))
        };
        let (before, after) = (json(self)?, json(now)?);
        // Another kind has other settings, so it is compared first.
        if before["model"]["kind"] != after["model"]["kind"] {
            return cannot_change("model.kind".into(), &before["model"]["kind"]);
        }
        for (section, values) in before.as_object().into_iter().flatten() {
            for name in keys(values).chain(keys(&after[section])) {
                let (was, is) = (&values[name], &after[section][name]);
                let free = matches!(
                    (section.as_str(), name),
                    ("data", "path") | ("training", "epochs" | "patience")
                );
                if was != is && !free {
                    let field = if name == "kind" { format!("{section}.kind") } else { name.to_owned() };
                    return cannot_change(field, was);
                }
            }
        }
        Ok(())
    }
}

fn keys(value: &Value) -> impl Iterator<Item = &str> {
    value.as_object().into_iter().flatten().map(|(name, _)| name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn paths_come_back_whatever_their_bytes() {
        use std::os::unix::ffi::OsStringExt;
        for bytes in [b"caf\xc3\xa9.csv".to_vec(), b"caf\xe9.csv".to_vec()] {
            let path = PathBuf::from(std::ffi::OsString::from_vec(bytes));
            let config = DataConfig { path: Some(path), ..Default::default() };
            let json = serde_json::to_string(&config).unwrap();
            assert_eq!(serde_json::from_str::<DataConfig>(&json).unwrap(), config, "{json}");
        }
        assert_eq!(serde_json::from_str::<DataConfig>("{}").unwrap(), DataConfig::default());
    }

    /// A file has what the model uses, in the order of the declarations, and numbers as they were given.
    #[test]
    fn settings_without_an_effect_are_not_written() {
        let written = |kind| toml::to_string(&RunConfig::of(kind)).unwrap();
        let training = written(ModelKind::Popularity).split("[training]\n").nth(1).unwrap().to_owned();
        assert_eq!(training, "seed = 0\nmetric = \"ndcg@50\"\n");
        for (_, kind) in ModelKind::NAMED {
            let json = serde_json::to_value(RunConfig::of(kind)).unwrap();
            for setting in [ObjectiveConfig::SETTINGS, ProposalConfig::SETTINGS, OptimizerConfig::SETTINGS]
                .into_iter()
                .chain([TrainingConfig::SETTINGS])
                .flatten()
            {
                let (section, key) = (setting.section, setting.key());
                let optional = matches!(key.as_str(), "mix" | "average" | "adaptive-lambda");
                assert_eq!(
                    json[section][&key].is_null(),
                    optional || !kind.uses(section, &key),
                    "{section}.{key} of {}",
                    kind.name()
                );
            }
        }
        let mut config = RunConfig::default();
        (config.optimizer.learning_rate, config.training.beta) = (0.003, 0.1);
        let text = toml::to_string(&config).unwrap();
        assert!(text.contains("learning-rate = 0.003\n") && text.contains("beta = 0.1\n"), "{text}");
        assert!(text.find("learning-rate") < text.find("schedule"), "{text}");
        assert_eq!(toml::from_str::<RunConfig>(&text).unwrap(), config);
    }

    /// The page knows nothing of these, and opens files of models without them.
    #[test]
    #[cfg(feature = "baselines")]
    fn options_that_the_page_lacks_are_written_only_if_they_are_used() {
        let keys = |config: &RunConfig| {
            let json = serde_json::to_value(config).unwrap();
            let lacking = [
                ("model", "autoencoder"),
                ("model", "layers"),
                ("model", "hidden-layer"),
                ("model", "kl-weights"),
                ("model", "prior"),
                ("model", "tied-items"),
                ("model", "implicit-slim"),
                ("model", "implicit-slim-lambda"),
                ("model", "implicit-slim-every"),
                ("training", "average"),
                ("proposal", "adaptive-lambda"),
            ];
            lacking.into_iter().filter(|(section, key)| json[section].get(key).is_some()).count()
        };
        let mut config = RunConfig::default();
        assert_eq!(keys(&config), 0);
        config.training.average = 0.5;
        let ModelConfig::MultVae(network) = &mut config.model else { unreachable!("the default model") };
        network.layers = "20".parse().unwrap();
        assert_eq!(keys(&config), 2);
        let text = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<RunConfig>(&text).unwrap(), config);
    }

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
