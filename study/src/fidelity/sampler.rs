//! A sampler by name and settings: `midx-uniform`, `popularity:popularity=count`, `midx-popularity:codewords=64`.

use serde_json::Value;

use fastvae::{
    Error, Result,
    config::{Config, Method, ObjectiveConfig, ProposalConfig},
};

/// A method to measure, with all of its settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampler {
    /// Label in figures: the method, then the settings that differ from the base settings.
    pub label: String,
    /// The objective.
    pub objective: ObjectiveConfig,
    /// The proposal that negatives are drawn from.
    pub proposal: ProposalConfig,
}

impl Sampler {
    /// Parses `METHOD[:SETTING=VALUE..]`. The settings override those of `base`; allowed are those of the
    /// section `[proposal]` of a configuration file, and `partition`.
    ///
    /// # Errors
    /// [`Error::Setting`] for `samplers`: an unknown method or setting, or an invalid value.
    pub fn parse(text: &str, base: &Config) -> Result<Self> {
        let wrong = |problem: String| Error::setting("samplers", format!("`{text}`: {problem}"));
        let mut parts = text.split(':').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let Some(method) = Method::parse(name) else {
            let names: Vec<_> = Method::names().collect();
            return Err(wrong(format!("unknown sampler `{name}`; use one of {}", names.join(", "))));
        };
        let mut given = base.clone();
        method.apply(&mut given);
        let json = |error: serde_json::Error| wrong(error.to_string());
        let mut objective = serde_json::to_value(&given.objective).map_err(json)?;
        let mut proposal = serde_json::to_value(&given.proposal).map_err(json)?;
        let mut label = name.to_owned();
        for part in parts {
            let Some((key, value)) = part.split_once('=') else {
                return Err(wrong(format!("`{part}` is not a setting; write it as codewords=64")));
            };
            // A value that is not valid JSON, such as `product`, is taken as a string.
            let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
            label.push_str(&format!(" {part}"));
            match key {
                "partition" => objective[key] = value,
                "share" => proposal["group-size"] = value,
                key => proposal[key] = value,
            }
        }
        Ok(Self {
            label,
            objective: serde_json::from_value(objective).map_err(json)?,
            proposal: serde_json::from_value(proposal).map_err(json)?,
        })
    }

    /// Parses all of them; each gets a unique label.
    ///
    /// # Errors
    /// As [`Sampler::parse`]; also if two samplers are the same or the list is empty.
    pub fn parse_all<T: AsRef<str>>(texts: &[T], base: &Config) -> Result<Vec<Self>> {
        let all: Vec<Self> =
            texts.iter().map(|text| Self::parse(text.as_ref(), base)).collect::<Result<_>>()?;
        if all.is_empty() {
            return Err(Error::setting("samplers", "none is given; name at least one"));
        }
        for (at, one) in all.iter().enumerate() {
            if all[..at].iter().any(|other| other.label == one.label) {
                return Err(Error::setting("samplers", format!("`{}` is there twice", one.label)));
            }
        }
        Ok(all)
    }

    /// The settings of a run that uses this sampler.
    pub fn settings(&self, config: &Config) -> Config {
        Config { objective: self.objective.clone(), proposal: self.proposal.clone(), ..config.clone() }
    }

    /// This sampler with another value of one proposal setting, or `None` if that setting does not apply.
    pub fn with(&self, key: &str, value: impl Into<Value>) -> Option<Self> {
        let mut settings = serde_json::to_value(&self.proposal).ok()?;
        *settings.get_mut(key)? = value.into();
        Some(Self { proposal: serde_json::from_value(settings).ok()?, ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fastvae::config::ProposalKind;

    #[test]
    fn settings_are_laid_over_the_base() {
        let mut base = Config::default();
        base.proposal.codewords = 8;
        let one =
            Sampler::parse("midx-uniform:codewords=64:popularity=count:mix=uniform=0.25", &base).unwrap();
        assert_eq!(one.label, "midx-uniform codewords=64 popularity=count mix=uniform=0.25");
        assert_eq!((one.proposal.kind, one.proposal.codewords), (ProposalKind::MidxUniform, 64));
        assert_eq!(one.proposal.mix.map(|mix| mix.probability), Some(0.25));
        assert_eq!(Sampler::parse("dns", &base).unwrap().proposal.codewords, 8);
        assert_eq!(one.with("codewords", 16).unwrap().proposal.codewords, 16);
        assert!(one.with("no-such-setting", 16).is_none());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let problem =
            |texts: &[&str]| Sampler::parse_all(texts, &Config::default()).expect_err("accepted").to_string();
        assert!(
            problem(&["midx-unified"]).contains("unknown sampler `midx-unified`; use one of full, uniform")
        );
        assert!(problem(&["midx:codewords"]).contains("write it as codewords=64"));
        assert!(problem(&["midx:codeword=3"]).contains("codeword"));
        assert!(problem(&["midx:codewords=many"]).contains("many"));
        assert!(problem(&["dns", "dns"]).contains("twice"));
        assert!(problem(&[]).contains("none"));
    }
}
