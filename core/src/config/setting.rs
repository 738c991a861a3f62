//! Declarations of settings.
//!
//! [`settings!`] declares the struct of a section and [`words!`] an enum of words. Each declaration also
//! defines the default, the bounds, the key in the configuration file, the flag of the command line with its
//! help, and what a page needs for a control. A new setting is one new entry in the struct of its section.

use serde_json::Value;

use crate::{Error, Result};

/// The values that a setting accepts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// A whole number between two bounds, both included.
    Integer(u64, u64),
    /// A finite number between two bounds, both included.
    Real(f64, f64),
    /// Yes or no.
    Switch,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Text in a format that the setting's type parses.
    Text,
    /// A file or a folder.
    Path,
}

/// The description of one setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The section of the configuration file.
    pub section: &'static str,
    /// The field of the section's struct; [`Setting::key`] is its name in files.
    pub field: &'static str,
    /// The flag of the command line if it differs from the key; empty if another flag sets it.
    pub flag: Option<&'static str>,
    /// Names of the flag in earlier versions.
    pub aliases: &'static [&'static str],
    /// The name of its value in a help text: `H`, `RATE`.
    pub value_name: &'static str,
    /// The help text: lines, with an empty one between paragraphs.
    pub help: &'static str,
    /// The values that it accepts.
    pub kind: Kind,
    /// Its default as JSON, if files leave the default out.
    #[cfg(feature = "baselines")]
    pub unwritten: Option<fn() -> String>,
}

/// The control that the page has for a setting. Its bounds and its help text are those of the setting.
#[derive(Clone, Copy, Debug)]
pub struct Control {
    /// Name of the parameter in addresses, if it differs from the field.
    pub name: Option<&'static str>,
    /// The label.
    pub label: &'static str,
    /// The default of the page, whose sets are small.
    pub default: &'static str,
    /// The largest whole number that the page accepts, if it is below that of the setting.
    pub most: Option<u64>,
}

impl Control {
    /// A control with a label and a default.
    pub const fn new(label: &'static str, default: &'static str) -> Self {
        Self { name: None, label, default, most: None }
    }

    /// The same, with this name in addresses.
    pub const fn named(self, name: &'static str) -> Self {
        Self { name: Some(name), ..self }
    }

    /// The same, for numbers up to `most`.
    pub const fn at_most(self, most: u64) -> Self {
        Self { most: Some(most), ..self }
    }
}

impl Setting {
    /// Its key in the configuration file: `learning-rate`.
    pub fn key(&self) -> String {
        self.field.replace('_', "-")
    }

    /// Its flag on the command line, without leading dashes; `None` if another flag sets it.
    pub fn flag(&self) -> Option<String> {
        match self.flag {
            None => Some(self.key()),
            Some("") => None,
            Some(flag) => Some(flag.to_owned()),
        }
    }

    /// The paragraphs of its help text, each on one line.
    pub fn paragraphs(&self) -> Vec<String> {
        let joined = |paragraph: &str| paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        self.help.split("\n\n").map(joined).filter(|paragraph| !paragraph.is_empty()).collect()
    }

    /// Checks a JSON value against the bounds. Words and texts are checked when they are parsed.
    ///
    /// # Errors
    /// [`Error::Setting`] with the setting, the value and the bounds.
    pub fn check(&self, value: &Value) -> Result<()> {
        let wrong = |problem: String| Err(Error::setting(self.flag().unwrap_or_else(|| self.key()), problem));
        match self.kind {
            Kind::Integer(least, most) => match value.as_u64() {
                Some(number) if (least..=most).contains(&number) => Ok(()),
                Some(0) if least == 1 => wrong("is 0; give at least 1".into()),
                _ => wrong(format!("{value} is outside of {least}..={most}")),
            },
            // JSON cannot represent NaN or infinity; both become null.
            Kind::Real(least, most) => match value.as_f64().map(as_written) {
                Some(number) if (least..=most).contains(&number) => Ok(()),
                Some(number) => wrong(format!("{number} is outside of {}", range(least, most))),
                None => wrong(format!("not a finite number; it must be in {}", range(least, most))),
            },
            Kind::Switch | Kind::Word(_) | Kind::Text | Kind::Path => Ok(()),
        }
    }
}

/// The bounds in words.
fn range(least: f64, most: f64) -> String {
    // The smallest positive number of f32 or f64 as lower bound means that zero is excluded.
    let open = least == f64::MIN_POSITIVE || least == f64::from(f32::MIN_POSITIVE);
    if open { format!("0 (excluded) to {most}") } else { format!("{least}..={most}") }
}

/// Formats a number that was stored as f32 with the fewest digits: 0.1, not 0.10000000149.
fn as_written(number: f64) -> f64 {
    let short = number as f32;
    if f64::from(short) == number { short.to_string().parse().unwrap_or(number) } else { number }
}

/// A struct whose fields are settings.
pub trait Section: serde::Serialize {
    /// Its settings, in the order of the fields.
    const SETTINGS: &'static [Setting];

    /// Those that the page has a control for. A table of its own, so that the page, which has to be small, holds no
    /// other settings.
    const CONTROLS: &'static [(Setting, Control)];

    /// Its settings with their values, as files have them. Optional settings without a value are left out.
    ///
    /// # Errors
    /// [`Error::Setting`] if a value cannot be written.
    fn values(&self) -> Result<Vec<(&'static Setting, Value)>> {
        let mut values =
            serde_json::to_value(self).map_err(|error| Error::setting("config", error.to_string()))?;
        let written = |value: Value| match value.as_f64() {
            Some(number) if value.is_f64() => as_written(number).into(),
            _ => value,
        };
        let value =
            |setting: &'static Setting| Some((setting, written(values.get_mut(setting.key())?.take())));
        Ok(Self::SETTINGS.iter().filter_map(value).collect())
    }

    /// Checks every setting against its bounds.
    ///
    /// # Errors
    /// As [`Setting::check`].
    fn check_bounds(&self) -> Result<()> {
        self.values()?.iter().try_for_each(|(setting, value)| setting.check(value))
    }
}

/// Whether a value is the default of its type.
#[cfg(feature = "baselines")]
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Declares a section: `field: type = default, "VALUE NAME", kind` with the help text as its documentation;
/// then optionally `flag "name"`, `formerly "name" | "name"` and `page Control::new("Label", "default")`. A setting of what
/// the page leaves out for its size has the attribute `#[cfg(feature = "baselines")]`, and the default of its type; it is
/// written only if it has another value, so that the page opens every model that it can rank with.
macro_rules! settings {
    ($(#[$meta:meta])* pub struct $name:ident in $section:literal {
        $(
            $(#[doc = $doc:literal])+
            $(#[serde($($serde:tt)+)])?
            $(#[cfg($($cfg:tt)+)])?
            $field:ident: $type:ty = $default:expr, $value_name:literal, $kind:expr
            $(, flag $flag:literal)? $(, formerly $($alias:literal)|+)? $(, page $control:expr)?;
        )*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
        pub struct $name {
            $(
                $(#[doc = $doc])+
                $(#[serde($($serde)+)])?
                $(
                    #[cfg($($cfg)+)]
                    #[serde(skip_serializing_if = "crate::config::setting::is_default")]
                )?
                pub $field: $type,
            )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($(#[cfg($($cfg)+)])? $field: $default,)* }
            }
        }

        impl $name {
            const DECLARED: [$crate::config::Setting; <[&str]>::len(&[$($(#[cfg($($cfg)+)])? stringify!($field)),*])] =
                [$($(#[cfg($($cfg)+)])? $crate::config::Setting {
                    section: $section,
                    field: stringify!($field),
                    flag: $crate::config::setting::optional!($($flag)?),
                    aliases: &[$($($alias),+)?],
                    value_name: $value_name,
                    help: concat!($($doc, "\n"),+),
                    kind: $kind,
                    #[cfg(feature = "baselines")]
                    unwritten: $crate::config::setting::unwritten!($type $(, $($cfg)+)?),
                }),*];
        }

        impl $crate::config::Section for $name {
            const SETTINGS: &'static [$crate::config::Setting] =
                &$crate::config::setting::without_unused_texts(Self::DECLARED);

            const CONTROLS: &'static [($crate::config::Setting, $crate::config::Control)] = {
                #[allow(dead_code, non_camel_case_types, reason = "the places of the fields, by their names")]
                enum Place { $($(#[cfg($($cfg)+)])? $field),* }
                &[$($((Self::DECLARED[Place::$field as usize], $control),)?)*]
            };
        }
    };
}

/// The settings of a section. The page is small and shows no help but that of its controls, so the texts for a command
/// line are not in its modules.
pub(crate) const fn without_unused_texts<const N: usize>(mut settings: [Setting; N]) -> [Setting; N] {
    if cfg!(target_arch = "wasm32") {
        let mut at = 0;
        while at < N {
            (settings[at].help, settings[at].value_name) = ("", "");
            at += 1;
        }
    }
    settings
}

/// `None` without an argument, `Some` for a literal.
macro_rules! optional {
    () => {
        None
    };
    ($value:literal) => {
        Some($value)
    };
}

/// `None` for a type alone, and its default as JSON with a condition of compilation.
#[cfg(feature = "baselines")]
macro_rules! unwritten {
    ($type:ty) => {
        None
    };
    ($type:ty, $($cfg:tt)+) => {
        Some(|| serde_json::to_string(&<$type>::default()).unwrap_or_default())
    };
}

/// Declares an enum of words: `Variant = "word"`; the default is given after the name of the enum.
macro_rules! words {
    ($(#[$meta:meta])* pub enum $name:ident default $default:ident {
        $($(#[$doc:meta])* $variant:ident = $word:literal,)+
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$doc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every value by its word, in the order of the declaration.
            pub const NAMED: [(&'static str, Self); [$($word),+].len()] = [$(($word, Self::$variant)),+];

            /// The words.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word that files and the command line use.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// The value of a word.
            pub fn parse(word: &str) -> Option<Self> {
                Self::NAMED.iter().find(|(known, _)| *known == word).map(|(_, value)| *value)
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::$default
            }
        }
    };
}

#[cfg(feature = "baselines")]
pub(crate) use unwritten;
pub(crate) use {optional, settings, words};
