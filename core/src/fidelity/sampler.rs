//! A sampler by name and settings: `midx-uniform`, `popularity:popularity=count`, `midx-popularity:codewords=64`.

use serde_json::Value;

use crate::{
    Error, Result,
    config::{Loss, LossConfig},
};

/// A proposal to be looked at, with all of its settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampler {
    /// What figures call it: the loss, then what differs from the settings it came from.
    pub label: String,
    /// Its settings.
    pub config: LossConfig,
}

impl Sampler {
    /// Reads `LOSS[:SETTING=VALUE..]` over the settings of `base`; settings are those of `[loss]` in a
    /// configuration file.
    ///
    /// # Errors
    /// [`Error::Setting`] for `samplers`: no such loss or setting, or a value that it cannot have.
    pub fn parse(text: &str, base: &LossConfig) -> Result<Self> {
        let wrong = |problem: String| Error::setting("samplers", format!("`{text}`: {problem}"));
        let mut parts = text.split(':').map(str::trim);
        let name = parts.next().unwrap_or_default();
        if !Loss::names().any(|known| known == name) {
            let names: Vec<_> = Loss::names().collect();
            return Err(wrong(format!("`{name}` is no loss; there are {}", names.join(", "))));
        }
        let json = |error: serde_json::Error| wrong(error.to_string());
        let mut settings = serde_json::to_value(base).map_err(json)?;
        settings["loss"] = name.into();
        let mut label = name.to_owned();
        for part in parts {
            let Some((key, value)) = part.split_once('=') else {
                return Err(wrong(format!("`{part}` is no setting; write it as codewords=64")));
            };
            // Numbers and words alike: what is not JSON is a word.
            settings[key] = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
            label.push_str(&format!(" {key}={value}"));
        }
        Ok(Self { label, config: serde_json::from_value(settings).map_err(json)? })
    }

    /// All of them, each with a label of its own.
    ///
    /// # Errors
    /// As [`Sampler::parse`]; for two that are the same, and for none.
    pub fn parse_all<T: AsRef<str>>(texts: &[T], base: &LossConfig) -> Result<Vec<Self>> {
        let all: Vec<Self> =
            texts.iter().map(|text| Self::parse(text.as_ref(), base)).collect::<Result<_>>()?;
        if all.is_empty() {
            return Err(Error::setting("samplers", "there is none; name at least one"));
        }
        for (at, one) in all.iter().enumerate() {
            if all[..at].iter().any(|other| other.label == one.label) {
                return Err(Error::setting("samplers", format!("`{}` is there twice", one.label)));
            }
        }
        Ok(all)
    }

    /// The same with another value of one setting, if it has such a setting.
    pub fn with(&self, key: &str, value: impl Into<Value>) -> Option<Self> {
        let mut settings = serde_json::to_value(&self.config).ok()?;
        *settings.get_mut(key)? = value.into();
        Some(Self { label: self.label.clone(), config: serde_json::from_value(settings).ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_laid_over_the_base() {
        let base = LossConfig { codewords: 8, ..LossConfig::default() };
        let one =
            Sampler::parse("midx-uniform:codewords=64:popularity=count:mix=uniform=0.25", &base).unwrap();
        assert_eq!(one.label, "midx-uniform codewords=64 popularity=count mix=uniform=0.25");
        assert_eq!((one.config.loss, one.config.codewords), (Loss::MidxUniform, 64));
        assert_eq!(one.config.mix.map(|mix| mix.share), Some(0.25));
        assert_eq!(Sampler::parse("dns", &base).unwrap().config.codewords, 8);
        assert_eq!(one.with("codewords", 16).unwrap().config.codewords, 16);
        assert!(one.with("no-such-setting", 16).is_none());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let problem = |texts: &[&str]| {
            Sampler::parse_all(texts, &LossConfig::default()).expect_err("accepted").to_string()
        };
        assert!(problem(&["midx-unified"]).contains("`midx-unified` is no loss; there are full, uniform"));
        assert!(problem(&["midx:codewords"]).contains("write it as codewords=64"));
        assert!(problem(&["midx:codeword=3"]).contains("codeword"));
        assert!(problem(&["midx:codewords=many"]).contains("many"));
        assert!(problem(&["dns", "dns"]).contains("twice"));
        assert!(problem(&[]).contains("none"));
    }
}
