//! Settings of a run, as they stand in the page's address.

use fastvae::config::{Config, Loss};
use serde::{Deserialize, Serialize};

/// Which engine to run on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineChoice {
    /// A hardware GPU if the browser offers one, else the CPU engine.
    #[default]
    Auto,
    /// WebGPU, on a software adapter too.
    Gpu,
    /// The CPU engine in wasm.
    Cpu,
}

impl EngineChoice {
    /// Reads the name used in addresses and in the page's selector.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "auto" => Some(Self::Auto),
            "gpu" => Some(Self::Gpu),
            "cpu" => Some(Self::Cpu),
            _ => None,
        }
    }

    /// The name used in addresses and in the page's selector.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Gpu => "gpu",
            Self::Cpu => "cpu",
        }
    }
}

/// What the page can minimise: name in addresses and in the selector, and the setting.
pub const LOSSES: [(&str, Loss); 6] = [
    ("midx", Loss::Midx),
    ("midx-popularity", Loss::MidxPopularity),
    ("midx-uniform", Loss::MidxUniform),
    ("popularity", Loss::Popularity),
    ("uniform", Loss::Uniform),
    ("full", Loss::Full),
];

/// What a run in the page is asked to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Engine to run on.
    pub engine: EngineChoice,
    /// Seed of the built-in data set, the start values and every draw.
    pub seed: u32,
    /// Passes over the users, from 1.
    pub epochs: u32,
    /// The full softmax, or where the negatives of the sampled one come from.
    pub loss: Loss,
    /// Start training without waiting for the button.
    pub autostart: bool,
    /// Run the kernels' self-tests first.
    pub selftest: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            engine: EngineChoice::Auto,
            seed: 0,
            epochs: 20,
            loss: Loss::default(),
            autostart: false,
            selftest: false,
        }
    }
}

impl Settings {
    /// Most epochs the page runs.
    pub const MAX_EPOCHS: u32 = 1000;

    /// Reads settings from `(key, value)` pairs of an address. Unknown keys are left alone.
    ///
    /// # Errors
    /// A sentence that names the key, the value and what is expected.
    pub fn from_pairs<K: AsRef<str>, V: AsRef<str>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, String> {
        let mut settings = Self::default();
        for (key, value) in pairs {
            let (key, value) = (key.as_ref(), value.as_ref());
            let expected = |what: &str| format!("{key}={value} in the address: {what} is expected");
            let flag = || match value {
                "" | "1" | "true" => Ok(true),
                "0" | "false" => Ok(false),
                _ => Err(expected("0 or 1")),
            };
            match key {
                "engine" => {
                    settings.engine =
                        EngineChoice::parse(value).ok_or_else(|| expected("auto, gpu or cpu"))?;
                }
                "seed" => {
                    settings.seed =
                        value.parse().map_err(|_| expected("a whole number from 0 to 4294967295"))?;
                }
                "epochs" => {
                    settings.epochs = value
                        .parse()
                        .ok()
                        .filter(|epochs| (1..=Self::MAX_EPOCHS).contains(epochs))
                        .ok_or_else(|| expected("a whole number from 1 to 1000"))?;
                }
                "loss" => {
                    settings.loss = Self::parse_loss(value).ok_or_else(|| {
                        expected(
                            &LOSSES
                                .map(|(name, _)| name)
                                .join(", ")
                                .replace("uniform, full", "uniform or full"),
                        )
                    })?;
                }
                "autostart" => settings.autostart = flag()?,
                "selftest" => settings.selftest = flag()?,
                _ => {}
            }
        }
        Ok(settings)
    }

    /// The loss of a name in [`LOSSES`].
    pub fn parse_loss(name: &str) -> Option<Loss> {
        LOSSES.iter().find(|(known, _)| *known == name).map(|(_, loss)| *loss)
    }

    /// The name of the loss in [`LOSSES`].
    pub fn loss_name(&self) -> &'static str {
        LOSSES.iter().find(|(_, loss)| *loss == self.loss).map_or("", |(name, _)| name)
    }

    /// The configuration of the run: what suits the built-in set.
    pub fn config(&self) -> Config {
        let mut config = Config::default();
        config.training.epochs = self.epochs;
        config.training.seed = self.seed.into();
        config.loss.loss = self.loss;
        // A few dozen steps an epoch, so that there is something to see from the first one on.
        config.training.batch = 100;
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_key() {
        let pairs = [
            ("engine", "gpu"),
            ("seed", "7"),
            ("epochs", "3"),
            ("loss", "uniform"),
            ("autostart", "1"),
            ("selftest", ""),
        ];
        let settings = Settings::from_pairs(pairs).unwrap();
        let expected = Settings {
            engine: EngineChoice::Gpu,
            seed: 7,
            epochs: 3,
            loss: Loss::Uniform,
            autostart: true,
            selftest: true,
        };
        assert_eq!(settings, expected);
    }

    #[test]
    fn leaves_unknown_keys_alone() {
        assert_eq!(Settings::from_pairs([("utm_source", "course")]).unwrap(), Settings::default());
    }

    #[test]
    fn names_the_key_that_is_wrong() {
        for (key, value) in [
            ("engine", "tpu"),
            ("seed", "-1"),
            ("epochs", "0"),
            ("epochs", "1001"),
            ("loss", "hinge"),
            ("autostart", "yes"),
        ] {
            let message = Settings::from_pairs([(key, value)]).unwrap_err();
            assert!(message.contains(&format!("{key}={value}")), "{message}");
        }
    }
}
