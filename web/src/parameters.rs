//! What a page or a widget is asked to show: attributes of the element, keys of an address, properties in scripts.

use fastvae::config::{Method, ProposalKind};
use serde::{Deserialize, Serialize};

use crate::{
    Failure, samplers,
    settings::{Field, Settings},
};

/// The parts of the lesson, in order.
pub const LESSONS: [&str; 8] =
    ["softmax", "importance", "midx", "fidelity", "race", "scale", "recommend", "teacher"];

/// What can be hidden.
pub const HIDEABLE: [&str; 7] = ["bar", "text", "formula", "seed", "speed", "share", "data"];

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

/// How long a step is looked at before the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Speed {
    /// Each part of a step by itself.
    Slow,
    /// A step a second.
    #[default]
    Normal,
    /// Ten steps a second.
    Fast,
    /// As fast as it goes.
    Max,
}

/// Light or dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the system has it.
    #[default]
    Auto,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

/// Every attribute, with its default where there is one.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    /// The part to show, one of [`LESSONS`]; all of them without.
    pub lesson: Option<String>,
    /// Items: of the small catalogues, or the most popular of a data set that are kept.
    pub items: Option<u32>,
    /// Width of the item vectors in the lessons on a small catalogue.
    pub dim: u32,
    /// Who takes part.
    pub samplers: Vec<Method>,
    /// The settings of runs, those with a control by the name of that.
    pub settings: Settings,
    /// Pace of the play button.
    pub speed: Speed,
    /// Which controls are not shown, some of [`HIDEABLE`].
    pub hide: Vec<String>,
    /// Light or dark.
    pub theme: Theme,
    /// Language of the text.
    pub lang: String,
    /// Engine to run on.
    pub engine: EngineChoice,
    /// Whether play goes on while the page is hidden.
    pub background: bool,
    /// Address of a data set beside the page; the built-in set without.
    pub data: Option<String>,
    /// Height in CSS pixels that the lesson is to fit into.
    pub compact: Option<u32>,
    /// Play without waiting for the button.
    pub autostart: bool,
    /// Run the kernels' self-tests first.
    pub selftest: bool,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            lesson: None,
            items: None,
            dim: 2,
            samplers: vec![
                Method::Sampled(ProposalKind::Uniform),
                Method::Sampled(ProposalKind::Popularity),
                Method::Sampled(ProposalKind::MidxPopularity),
                Method::Full,
            ],
            settings: Settings::default(),
            speed: Speed::Normal,
            hide: Vec::new(),
            theme: Theme::Auto,
            lang: "en".into(),
            engine: EngineChoice::Auto,
            background: false,
            data: None,
            compact: None,
            autostart: false,
            selftest: false,
        }
    }
}

/// Names of the speeds, slowest first.
pub const SPEEDS: [(&str, Speed); 4] =
    [("slow", Speed::Slow), ("normal", Speed::Normal), ("fast", Speed::Fast), ("max", Speed::Max)];

/// Names of the themes.
pub const THEMES: [(&str, Theme); 3] =
    [("auto", Theme::Auto), ("light", Theme::Light), ("dark", Theme::Dark)];

/// Names of the engines.
pub const ENGINES: [(&str, EngineChoice); 3] =
    [("auto", EngineChoice::Auto), ("gpu", EngineChoice::Gpu), ("cpu", EngineChoice::Cpu)];

fn named<T: Copy>(table: &[(&'static str, T)], name: &str) -> Option<T> {
    table.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

fn name_of<T: PartialEq>(table: &[(&'static str, T)], value: &T) -> &'static str {
    table.iter().find(|(_, known)| known == value).map_or("", |(name, _)| name)
}

impl Speed {
    /// The name used in addresses.
    pub fn name(self) -> &'static str {
        name_of(&SPEEDS, &self)
    }

    /// Milliseconds from one step to the next.
    pub fn interval(self) -> u32 {
        match self {
            Self::Slow => 1500,
            Self::Normal => 700,
            Self::Fast => 100,
            Self::Max => 0,
        }
    }
}

impl EngineChoice {
    /// The name used in addresses.
    pub fn name(self) -> &'static str {
        name_of(&ENGINES, &self)
    }
}

impl Theme {
    /// The name used in addresses.
    pub fn name(self) -> &'static str {
        name_of(&THEMES, &self)
    }
}

impl Parameters {
    /// Height of a compact lesson: that of a slide.
    pub const COMPACT: u32 = 700;

    /// A whole number among the settings, by the name of its control; 0 if there is none.
    pub fn integer(&self, name: &str) -> u32 {
        Field::find(name).map_or(0, |field| self.settings.integer(field).try_into().unwrap_or(u32::MAX))
    }

    /// Seed of the built-in set, the start values and every draw.
    pub fn seed(&self) -> u32 {
        self.integer("seed")
    }

    /// Codewords of each codebook, K.
    pub fn codewords(&self) -> u32 {
        self.integer("k")
    }

    /// Sets one parameter from text; without any, it is at its default again, and a flag is set. Unknown keys are
    /// left alone and give `false`.
    ///
    /// # Errors
    /// A failure with code `parameter` that names the key, the value and what is expected.
    pub fn set(&mut self, key: &str, value: &str) -> Result<bool, Failure> {
        let value = value.trim();
        if value.is_empty()
            && let Some((_, standard)) =
                Self::default().entries().iter().find(|(name, text)| *name == key && !text.is_empty())
        {
            return self.set(key, standard);
        }
        let expected = |what: &str| {
            Failure::new(
                "parameter",
                format!("{key}={value} cannot be used: {what} is expected"),
                "Correct the address or the attribute; the default is in force meanwhile.",
            )
        };
        let number = |low: u32, high: u32| {
            value
                .parse()
                .ok()
                .filter(|number| (low..=high).contains(number))
                .ok_or_else(|| expected(&format!("a whole number from {low} to {high}")))
        };
        let flag = || match value {
            "" | "1" | "true" => Ok(true),
            "0" | "false" => Ok(false),
            _ => Err(expected("0 or 1")),
        };
        let address = || (!value.is_empty()).then(|| value.to_owned());
        match key {
            "lesson" if value.is_empty() || value == "all" => self.lesson = None,
            "lesson" => {
                if !LESSONS.contains(&value) {
                    return Err(expected(&either(&LESSONS)));
                }
                self.lesson = Some(value.into());
            }
            "items" => self.items = if value.is_empty() { None } else { Some(number(4, 10_000_000)?) },
            "dim" => {
                self.dim = number(2, 256)?;
                if !self.dim.is_multiple_of(2) {
                    self.dim = Self::default().dim;
                    return Err(expected("an even number"));
                }
            }
            "samplers" | "loss" => {
                let mut chosen = Vec::new();
                for name in value.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                    let sampler = samplers::parse(name).ok_or_else(|| {
                        expected(&format!("one or several of {}", samplers::names().join(", ")))
                    })?;
                    if !chosen.contains(&sampler) {
                        chosen.push(sampler);
                    }
                }
                if chosen.is_empty() {
                    return Err(expected(&format!("one or several of {}", samplers::names().join(", "))));
                }
                self.samplers = chosen;
            }
            "speed" => {
                self.speed = named(&SPEEDS, value).ok_or_else(|| expected("slow, normal, fast or max"))?;
            }
            "hide" => {
                let parts = || value.split([',', ' ']).map(str::trim).filter(|part| !part.is_empty());
                if parts().any(|part| !HIDEABLE.contains(&part)) {
                    return Err(expected(&format!("some of {}", HIDEABLE.join(", "))));
                }
                self.hide = parts().map(str::to_owned).collect();
            }
            "theme" => self.theme = named(&THEMES, value).ok_or_else(|| expected("auto, light or dark"))?,
            "lang" => {
                if value != "en" && !value.starts_with("en-") {
                    return Err(expected("en, the one language there is so far,"));
                }
                self.lang = value.into();
            }
            "engine" => self.engine = named(&ENGINES, value).ok_or_else(|| expected("auto, gpu or cpu"))?,
            "background" => self.background = flag()?,
            "data" => self.data = address(),
            "compact" => {
                self.compact = match value {
                    "" | "1" | "true" => Some(Self::COMPACT),
                    "0" | "false" => None,
                    _ => Some(number(300, 4000)?),
                };
            }
            "autostart" => self.autostart = flag()?,
            "selftest" => self.selftest = flag()?,
            _ => {
                let Some(field) = Field::find(key) else { return Ok(false) };
                if !self.settings.set(field, value) {
                    return Err(expected(&field.expected()));
                }
            }
        }
        Ok(true)
    }

    /// What differs from the defaults, as an address has it.
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let standard = Self::default().entries();
        self.entries().into_iter().filter(|entry| !standard.contains(entry)).collect()
    }

    /// Every parameter that a link has: all but what happens once, at the start.
    fn entries(&self) -> Vec<(&'static str, String)> {
        let samplers: Vec<&str> = self.samplers.iter().map(|&sampler| samplers::name(sampler)).collect();
        let number = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
        let mut entries = vec![
            ("lesson", self.lesson.clone().unwrap_or_default()),
            ("items", number(self.items)),
            ("dim", self.dim.to_string()),
            ("speed", self.speed.name().into()),
            ("hide", self.hide.join(",")),
            ("theme", self.theme.name().into()),
            ("lang", self.lang.clone()),
            ("engine", self.engine.name().into()),
            ("data", self.data.clone().unwrap_or_default()),
            ("compact", number(self.compact)),
            ("samplers", samplers.join(",")),
            ("background", if self.background { "1".into() } else { String::new() }),
        ];
        entries.extend(Field::all().map(|field| (field.name(), self.settings.text(field))));
        entries
    }

    /// Whether a part of the surface is wanted.
    pub fn shows(&self, part: &str) -> bool {
        // What can be said aloud is left out on a slide.
        let said = self.compact.is_some() && part == "text";
        !said && !self.hide.iter().any(|hidden| hidden == part)
    }
}

/// `a, b or c`.
fn either(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).into(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_key_and_writes_it_back() {
        let pairs = [
            ("lesson", "midx"),
            ("items", "300"),
            ("k", "16"),
            ("dim", "8"),
            ("samplers", "uniform,midx-pop"),
            ("negatives", "50"),
            ("seed", "7"),
            ("speed", "max"),
            ("hide", "bar,text"),
            ("theme", "dark"),
            ("engine", "gpu"),
            ("data", "data/ml-latest-small.zip"),
            ("compact", "640"),
            ("epochs", "3"),
        ];
        let mut read = Parameters::default();
        for (key, value) in pairs {
            assert!(read.set(key, value).unwrap(), "{key}");
        }
        assert_eq!(
            read.samplers,
            [Method::Sampled(ProposalKind::Uniform), Method::Sampled(ProposalKind::MidxPopularity)]
        );
        let mut again = Parameters::default();
        for (key, value) in read.pairs() {
            again.set(key, &value).unwrap();
        }
        assert_eq!(again, read);
        assert!(Parameters::default().pairs().is_empty());
    }

    /// Attributes have to be known before the page is loaded, so the element's script lists them.
    #[test]
    fn the_element_has_every_parameter_as_an_attribute() {
        let script = include_str!("../embed.js");
        let list = |name: &str| -> Vec<&str> {
            let list =
                script.split(&format!("const {name} = [")).nth(1).and_then(|rest| rest.split(']').next());
            list.unwrap().split('"').skip(1).step_by(2).collect()
        };
        let listed = [list("PARAMETERS"), list("NUMBERS"), list("FLAGS")].concat();
        for name in &listed {
            assert!(Parameters::default().set(name, "").unwrap(), "{name} is not a parameter of the page");
        }
        for (name, _) in Parameters::default().entries() {
            assert!(listed.contains(&name), "embed.js does not list {name}");
        }
    }

    #[test]
    fn nothing_means_the_default() {
        let mut parameters = Parameters::default();
        for (key, value) in
            [("k", "16"), ("lesson", "midx"), ("samplers", "full"), ("speed", "max"), ("items", "9")]
        {
            parameters.set(key, value).unwrap();
            assert!(parameters.set(key, "").unwrap());
        }
        assert_eq!(parameters, Parameters::default());
        parameters.set("background", "").unwrap();
        assert!(parameters.background);
    }

    #[test]
    fn leaves_unknown_keys_alone() {
        let mut parameters = Parameters::default();
        assert!(!parameters.set("utm_source", "course").unwrap());
        assert_eq!(parameters, Parameters::default());
    }

    #[test]
    fn names_the_key_that_is_wrong_and_keeps_the_default() {
        for (key, value) in [
            ("engine", "abacus"),
            ("seed", "-1"),
            ("epochs", "0"),
            ("lesson", "sums"),
            ("samplers", "uniform,hinge"),
            ("k", "1"),
            ("dim", "3"),
            ("hide", "everything"),
            ("lang", "tlh"),
            ("theme", "pink"),
        ] {
            let mut parameters = Parameters::default();
            let failure = parameters.set(key, value).unwrap_err();
            assert!(failure.message.contains(&format!("{key}={value}")), "{}", failure.message);
            assert_eq!((parameters, failure.code.as_str()), (Parameters::default(), "parameter"));
        }
    }
}
