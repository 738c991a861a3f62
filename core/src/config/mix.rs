//! A second proposal for some of the negatives.

use serde::{Deserialize, Serialize};

use super::ProposalKind;

/// A second proposal: `uniform=0.1` draws each negative from the uniform proposal with probability 0.1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mix {
    /// The second proposal.
    pub with: ProposalKind,
    /// The probability that a negative comes from it.
    pub probability: f32,
}

impl std::str::FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let example = "give PROPOSAL=PROBABILITY, such as uniform=0.1";
        let (name, probability) =
            text.split_once('=').ok_or_else(|| format!("`{text}` names no probability; {example}"))?;
        let with =
            ProposalKind::parse(name).ok_or_else(|| format!("unknown proposal `{name}`; {example}"))?;
        let probability =
            probability.parse().map_err(|_| format!("`{probability}` is not a number; {example}"))?;
        Ok(Self { with, probability })
    }
}

impl TryFrom<String> for Mix {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Mix> for String {
    fn from(mix: Mix) -> Self {
        format!("{}={}", mix.with.name(), mix.probability)
    }
}
