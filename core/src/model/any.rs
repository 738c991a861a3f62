//! The union of all models in the table of mod.rs. Files and front ends hold these types.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::{Map, Value};

use super::fit::ModelSettings;
use super::*;
use crate::{
    Error, Result,
    config::{Kind, MultVaeConfig, Section, Setting, setting::words},
    engine::Engine,
    proposal::Catalogue,
    state::State,
};

/// Declares the union of the models in a table.
macro_rules! models {
    ({ $($always:tt)+ } baselines { $($more:tt)+ }) => {
        #[cfg(not(feature = "baselines"))]
        models! { $($always)+ }
        #[cfg(feature = "baselines")]
        models! { $($always)+ $($more)+ }
    };
    ($($(#[doc = $doc:literal])+ $kind:ident = $name:literal, $settings:ident, $model:ident;)+) => {
        words! {
            /// The kind of a model, by its name in files and on the command line.
            pub enum ModelKind default MultVae {
                $($(#[doc = $doc])+ $kind = $name,)+
            }
        }

        /// Which model, and its settings: the section `model` of a configuration file, where `kind` names the
        /// model. Without `kind` it is Mult-VAE.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(tag = "kind")]
        pub enum ModelConfig {
            $($(#[doc = $doc])+ #[serde(rename = $name)] $kind($settings),)+
        }

        /// A trained model of any kind, ready to rank: what files and front ends hold.
        #[derive(Clone)]
        #[allow(clippy::large_enum_variant, reason = "a program holds few of them")]
        pub enum AnyModel {
            $($(#[doc = $doc])+ $kind($model),)+
        }

        impl ModelConfig {
            /// The default settings of a kind.
            pub fn new(kind: ModelKind) -> Self {
                match kind {
                    $(ModelKind::$kind => Self::$kind(Default::default()),)+
                }
            }

            /// The kind of the model.
            pub fn kind(&self) -> ModelKind {
                match self {
                    $(Self::$kind(_) => ModelKind::$kind,)+
                }
            }

            /// Checks every setting against its bounds.
            ///
            /// # Errors
            /// [`Error::Setting`] with the setting, the value and the bounds.
            pub fn check_bounds(&self) -> Result<()> {
                match self {
                    $(Self::$kind(settings) => settings.check_bounds(),)+
                }
            }

            /// Begins to fit the model; `None` if it is trained by a [`Trainer`](crate::train::Trainer).
            ///
            /// # Errors
            /// [`Error::Setting`] for settings that do not suit the data or this machine; [`Error::Data`] for a state
            /// that does not fit.
            pub(crate) fn fit(&self, inputs: &FitInputs<'_>) -> Result<Option<Box<dyn Fit>>> {
                match self {
                    $(Self::$kind(settings) => settings.fit(inputs),)+
                }
            }

            /// Its settings, if a [`Trainer`](crate::train::Trainer) trains the model.
            pub(crate) fn trainable(&self) -> Option<&dyn TrainableSettings> {
                match self {
                    $(Self::$kind(settings) => settings.trainable(),)+
                }
            }

            /// The operators that compute scores from histories; `None` for a model without such.
            ///
            /// # Errors
            /// [`Error::Data`] if a tensor is missing or has the wrong shape.
            #[cfg(feature = "onnx")]
            pub(crate) fn graph<'a>(
                &self,
                items: usize,
                state: &'a State,
            ) -> Result<Option<crate::onnx::Builder<'a>>> {
                match self {
                    $(Self::$kind(settings) => settings.graph(items, state),)+
                }
            }

            fn of(kind: ModelKind, settings: Value) -> Result<Self, serde_json::Error> {
                Ok(match kind {
                    $(ModelKind::$kind => Self::$kind(serde_json::from_value(settings)?),)+
                })
            }
        }

        impl ModelKind {
            /// The settings of its models, without those of training.
            pub fn settings(self) -> &'static [Setting] {
                match self {
                    $(Self::$kind => $settings::SETTINGS,)+
                }
            }

            /// Whether a setting outside of the section `model` has an effect on its models. Settings of the data and
            /// the split always have.
            pub fn uses(self, section: &str, key: &str) -> bool {
                matches!(section, "data" | "split")
                    || match self {
                        $(Self::$kind => $settings::uses(section, key),)+
                    }
            }

            /// Whether its models are fitted and rank on the CPU engine only.
            pub fn needs_cpu(self) -> bool {
                match self {
                    $(Self::$kind => $settings::NEEDS_CPU,)+
                }
            }

            /// Sets the defaults of training that differ from kind to kind.
            pub(crate) fn set_defaults(self, defaults: Defaults<'_>) {
                match self {
                    $(Self::$kind => $settings::set_defaults(defaults),)+
                }
            }
        }

        impl AnyModel {
            /// Uploads the parameters of a state.
            ///
            /// # Errors
            /// [`Error::Data`] if a tensor is missing or has the wrong shape; [`Error::Device`] if the engine cannot
            /// hold them.
            pub fn from_state(engine: &Engine, config: &ModelConfig, items: usize, state: &State) -> Result<Self> {
                Ok(match config {
                    $(ModelConfig::$kind(settings) => Self::$kind(settings.load(engine, items, state)?),)+
                })
            }

            /// The kind of the model.
            pub fn kind(&self) -> ModelKind {
                match self {
                    $(Self::$kind(_) => ModelKind::$kind,)+
                }
            }

            fn scorer(&self) -> &dyn Scorer {
                match self {
                    $(Self::$kind(model) => model,)+
                }
            }
        }
    };
}

table!(models);

impl ModelConfig {
    /// The setting that selects the kind.
    pub const KIND: Setting = Setting {
        section: "model",
        field: "kind",
        flag: Some("model"),
        aliases: &[],
        value_name: "MODEL",
        help: "The model. `mult-vae` is the network of FastVAE; the others are known systems to compare it with.",
        kind: Kind::Word(ModelKind::WORDS),
        #[cfg(feature = "baselines")]
        unwritten: None,
    };
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self::new(ModelKind::default())
    }
}

impl From<MultVaeConfig> for ModelConfig {
    fn from(config: MultVaeConfig) -> Self {
        Self::MultVae(config)
    }
}

impl<'de> Deserialize<'de> for ModelConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut settings = Map::deserialize(deserializer)?;
        let kind = match settings.remove("kind") {
            None => ModelKind::default(),
            Some(name) => name.as_str().and_then(ModelKind::parse).ok_or_else(|| {
                D::Error::custom(format!(
                    "{name} is not among the models of this program; use one of {}",
                    ModelKind::WORDS.join(", ")
                ))
            })?,
        };
        let has = |kind: ModelKind, key: &str| kind.settings().iter().any(|setting| setting.key() == key);
        if let Some(key) = settings.keys().find(|key| !has(kind, key)) {
            let others: Vec<&str> =
                ModelKind::NAMED.iter().filter(|(_, kind)| has(*kind, key)).map(|(name, _)| *name).collect();
            let problem = if others.is_empty() {
                let known: Vec<String> = kind.settings().iter().map(Setting::key).collect();
                format!("unknown field `{key}` of a {}, which has {}", kind.name(), known.join(", "))
            } else {
                format!("`{key}` is a setting of {}, and the model is {}", others.join(", "), kind.name())
            };
            return Err(D::Error::custom(problem));
        }
        Self::of(kind, Value::Object(settings)).map_err(D::Error::custom)
    }
}

impl AnyModel {
    /// The part of the model that an objective trains: without a linear path.
    pub fn trained_part(&self) -> Self {
        match self {
            Self::MultVae(model) => Self::MultVae(model.network()),
            other => other.clone(),
        }
    }

    /// The model with the scores of its linear path, if it has one, multiplied by a power of two. It shares the buffers.
    #[cfg(feature = "baselines")]
    pub(crate) fn with_linear_times(self, power_of_two: f32) -> Self {
        match self {
            Self::MultVae(model) => Self::MultVae(model.with_linear_times(power_of_two)),
            other => other,
        }
    }

    /// The latent code of a history, for models that have one.
    ///
    /// # Errors
    /// If the engine cannot hold the buffers, or is lost.
    pub async fn code(&self, engine: &Engine, history: &[u32]) -> Result<Option<Vec<f32>>> {
        match self {
            Self::MultVae(model) => model.code(engine, history).await.map(Some),
            _ => Ok(None),
        }
    }
}

impl Scorer for AnyModel {
    fn items(&self) -> usize {
        self.scorer().items()
    }

    fn scoring(&self, engine: &Engine, users: usize, entries: usize) -> Result<Box<dyn Scoring>> {
        if self.kind().needs_cpu() && !engine.is_cpu() {
            return Err(Error::setting(
                "engine",
                format!("a model of kind {} ranks on the CPU; take `engine = cpu`", self.kind().name()),
            ));
        }
        self.scorer().scoring(engine, users, entries)
    }

    fn item_vectors(&self) -> Option<Catalogue> {
        self.scorer().item_vectors()
    }

    #[cfg(feature = "baselines")]
    fn known_users(&self, histories: &crate::data::Csr) -> Option<Vec<Option<u32>>> {
        self.scorer().known_users(histories)
    }

    fn relates_items(&self) -> bool {
        self.scorer().relates_items()
    }
}
