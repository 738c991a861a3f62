//! The settings of runs: those that the page has a control for, and what suits its small sets and short runs.
//!
//! A control is declared with its setting (`page Control::new(..)` in the struct of its section in core); everything
//! here goes through that table.

use fastvae::{
    Error, Result,
    config::{Config, Control, Kind, Setting},
    run::RunConfig,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::text::escape;

/// A setting that has a control.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    setting: &'static Setting,
    control: &'static Control,
}

impl Field {
    /// Every setting that has a control, in the order of the declarations.
    pub fn all() -> impl Iterator<Item = Self> {
        Config::controls().map(|(setting, control)| Self { setting, control })
    }

    /// The setting that has a control of this name.
    pub fn find(name: &str) -> Option<Self> {
        Self::all().find(|field| field.name() == name)
    }

    /// The section and the key of the setting.
    pub fn place(&self) -> (&'static str, String) {
        (self.setting.section, self.setting.key())
    }

    /// The name of the control, in addresses and as attribute.
    pub fn name(&self) -> &'static str {
        self.control.name.unwrap_or(self.setting.field)
    }

    /// What the control accepts.
    pub fn kind(&self) -> Kind {
        match (self.setting.kind, self.control.most) {
            (Kind::Integer(least, most), Some(limit)) => Kind::Integer(least, most.min(limit)),
            (kind, _) => kind,
        }
    }

    /// The largest whole number that the control accepts.
    pub fn most(&self) -> u64 {
        if let Kind::Integer(_, most) = self.kind() { most } else { u64::MAX }
    }

    /// What the control accepts, in words.
    pub fn expected(&self) -> String {
        match self.kind() {
            Kind::Integer(least, most) => format!("a whole number from {least} to {most}"),
            Kind::Real(least, most) => format!("a number from {least:e} to {most:e}"),
            Kind::Switch => "0 or 1".into(),
            Kind::Word(words) => format!("one of {}", words.join(", ")),
            Kind::Text | Kind::Path => "a text".into(),
        }
    }

    /// The value that a text stands for, if the control accepts it.
    fn read(&self, text: &str) -> Option<Value> {
        match self.kind() {
            Kind::Integer(least, most) => {
                text.parse::<u64>().ok().filter(|number| (least..=most).contains(number)).map(Value::from)
            }
            Kind::Real(least, most) => {
                text.parse::<f64>().ok().filter(|number| (least..=most).contains(number)).map(Value::from)
            }
            Kind::Switch => match text {
                "1" | "true" => Some(true.into()),
                "0" | "false" => Some(false.into()),
                _ => None,
            },
            Kind::Word(words) => words.contains(&text).then(|| text.into()),
            Kind::Text | Kind::Path => Some(text.into()),
        }
    }

    /// The control, for a container that names its parts `PREFIX-NAME`.
    pub fn html(&self, prefix: &str, settings: &Settings) -> String {
        let (name, value) = (self.name(), settings.text(*self));
        let about = format!("data-act=\"{name}\" data-part=\"{prefix}{name}\"");
        let input = |kind: &str, attributes: String| {
            format!("<input {kind} {about}{attributes} value=\"{}\">", escape(&value))
        };
        let control = match self.kind() {
            Kind::Integer(least, most) => {
                input("class=\"seed\" type=\"number\"", format!(" min=\"{least}\" max=\"{most}\" step=\"1\""))
            }
            Kind::Real(least, most) => input(
                "class=\"seed\" type=\"number\"",
                format!(" min=\"{least}\" max=\"{most}\" step=\"any\""),
            ),
            Kind::Switch => {
                let checked = if value == "1" { " checked" } else { "" };
                format!("<input type=\"checkbox\" {about}{checked}>")
            }
            Kind::Word(words) => {
                let option = |word: &&str| {
                    let selected = if *word == value { " selected" } else { "" };
                    format!("<option{selected}>{word}</option>")
                };
                format!("<select {about}>{}</select>", words.iter().map(option).collect::<String>())
            }
            Kind::Text | Kind::Path => input("class=\"seed\" type=\"text\"", String::new()),
        };
        self.labelled("", &control)
    }

    /// A slider for a whole number, of at most `limit`; the part `PREFIX-NAME-shown` beside it has its value.
    pub fn slider(&self, prefix: &str, settings: &Settings, limit: u64) -> String {
        let name = self.name();
        let Kind::Integer(least, most) = self.kind() else { return self.html(prefix, settings) };
        let (most, value) = (most.min(limit), settings.integer(*self).min(limit));
        self.labelled(
            " class=\"slider\"",
            &format!(
                "<input type=\"range\" min=\"{least}\" max=\"{most}\" step=\"1\" data-act=\"{name}\" \
                 data-part=\"{prefix}{name}\" value=\"{value}\"><output data-part=\"{prefix}{name}-shown\"></output>"
            ),
        )
    }

    fn labelled(&self, class: &str, control: &str) -> String {
        let help = self.setting.paragraphs().join(" ");
        format!("<label{class} title=\"{}\">{} {control}</label>", escape(&help), escape(self.control.label))
    }
}

/// Values of settings, in the structure of a configuration file: section, then key. In messages they are a text of their
/// own, because the worker can read that already.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Settings(Value);

impl TryFrom<String> for Settings {
    type Error = serde_json::Error;

    fn try_from(text: String) -> serde_json::Result<Self> {
        serde_json::from_str(&text).map(Self)
    }
}

impl From<Settings> for String {
    fn from(settings: Settings) -> Self {
        settings.0.to_string()
    }
}

impl Default for Settings {
    fn default() -> Self {
        let mut settings = Self(json!({
            "model": { "hidden": 64, "latent": 16 },
            "optimizer": { "learning-rate": 0.003 },
            // Runs in a page are short: the divergence counts in full from the second hundred steps on.
            "training": { "batch": 64, "anneal-steps": 200 },
        }));
        for field in Field::all() {
            settings.set(field, field.control.default);
        }
        settings
    }
}

impl Settings {
    /// These values alone, by section and key.
    pub fn of(values: Value) -> Self {
        Self(values)
    }

    /// Sets a setting from text; `false` if its control does not accept it.
    pub fn set(&mut self, field: Field, text: &str) -> bool {
        let value = field.read(text);
        if let Some(value) = &value {
            self.put(field.setting.section, &field.setting.key(), value.clone());
        }
        value.is_some()
    }

    /// Sets a setting by section and key.
    pub fn put(&mut self, section: &str, key: &str, value: Value) {
        self.0[section][key] = value;
    }

    /// A setting as its control shows it.
    pub fn text(&self, field: Field) -> String {
        match &self.0[field.setting.section][field.setting.key()] {
            Value::String(text) => text.clone(),
            Value::Bool(yes) => u8::from(*yes).to_string(),
            Value::Null => String::new(),
            number => number.to_string(),
        }
    }

    /// A whole number that has a control.
    pub fn integer(&self, field: Field) -> u64 {
        self.whole(field.setting.section, &field.setting.key())
    }

    /// A whole number by section and key; 0 if it is not given.
    pub fn whole(&self, section: &str, key: &str) -> u64 {
        self.0[section][key].as_u64().unwrap_or(0)
    }

    /// Lowers a whole number to `most`.
    pub fn limit(&mut self, section: &str, key: &str, most: u64) {
        let value = self.whole(section, key).min(most);
        self.put(section, key, value.into());
    }

    /// The settings of a run; what is not given has its default.
    ///
    /// # Errors
    /// [`Error::Setting`] for what is no setting or no value of it.
    pub fn config(&self) -> Result<RunConfig> {
        serde_json::from_value(self.0.clone()).map_err(|error| Error::setting("settings", error.to_string()))
    }
}
