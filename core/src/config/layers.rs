//! Widths of layers.

use serde::{Deserialize, Serialize};

/// The widths of layers, in order: `400,200`; an empty text is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Layers(Vec<usize>);

impl Layers {
    /// The most layers.
    pub const MOST: usize = 7;
    /// The widest layer.
    const WIDEST: usize = 1 << 16;

    /// The widths.
    pub fn widths(&self) -> &[usize] {
        &self.0
    }
}

impl std::str::FromStr for Layers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let width = |word: &str| match word.trim().parse() {
            Ok(width) if (1..=Self::WIDEST).contains(&width) => Ok(width),
            _ => Err(format!(
                "`{}` is not a width from 1 to {}; give widths with commas, such as 400,200",
                word.trim(),
                Self::WIDEST
            )),
        };
        let words = text.split(',').filter(|_| !text.trim().is_empty());
        let widths: Vec<usize> = words.map(width).collect::<Result<_, _>>()?;
        if widths.len() > Self::MOST {
            return Err(format!("{} layers are more than {}", widths.len(), Self::MOST));
        }
        Ok(Self(widths))
    }
}

impl TryFrom<String> for Layers {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Layers> for String {
    fn from(layers: Layers) -> Self {
        layers.0.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_read_and_written() {
        for (text, widths) in [("", &[][..]), ("200", &[200]), ("400, 200", &[400, 200])] {
            let layers: Layers = text.parse().unwrap();
            assert_eq!(layers.widths(), widths);
            assert_eq!(String::from(layers), text.replace(' ', ""));
        }
        for wrong in ["0", "4,,2", "x", "70000", "-1", "1,1,1,1,1,1,1,1"] {
            assert!(wrong.parse::<Layers>().is_err(), "{wrong}");
        }
    }
}
