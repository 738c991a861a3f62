//! Reads the space of a search: a configuration file in which settings may have several values.

use std::path::Path;

use fastvae::{Error, Result, model::ModelKind};
use fastvae_study::tune::{Misplaced, Space};
use serde_json::Value;

use super::{check_use, line_of, not_toml, read_text};

/// The space of a file, with the settings of flags for all trials.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read; [`Error::Setting`] for `space` with the line, or for a flag that has no
/// effect on any model of the space.
pub fn read_space(path: &Path, flags: &Value) -> Result<Space> {
    let text = read_text(path, "space")?;
    let given: Value = toml::from_str(&text).map_err(|error| not_toml(path, "space", &error))?;
    let space = Space::parse(&given, flags).map_err(|wrong| {
        let Misplaced { place, problem } = wrong;
        let (line, name) = match &place {
            Some((section, key)) => {
                let line =
                    line_of(&text, section, key).map_or(String::new(), |line| format!(" line {line}:"));
                (line, format!(" {section}.{key}"))
            }
            None => (String::new(), String::new()),
        };
        Error::setting("space", format!("{}:{line}{name} {problem}", path.display()))
    })?;
    check_flags(&space, flags)?;
    Ok(space)
}

/// Refuses flags that have no effect on any model of the space.
fn check_flags(space: &Space, flags: &Value) -> Result<()> {
    for (section, settings) in flags.as_object().into_iter().flatten() {
        for (key, value) in settings.as_object().into_iter().flatten() {
            let one = serde_json::json!({ section: { key: value } });
            let has = |kind: &ModelKind| match section.as_str() {
                "model" => key == "kind" || kind.settings().iter().any(|setting| setting.key() == *key),
                _ => check_use(*kind, &one).is_ok(),
            };
            if !space.systems.iter().any(has) {
                let kinds: Vec<&str> = space.systems.iter().map(|kind| kind.name()).collect();
                let field = if key == "kind" { format!("{section}.kind") } else { key.clone() };
                let problem =
                    format!("the space has {}, without such a setting; leave it out", kinds.join(", "));
                return Err(Error::setting(field, problem));
            }
        }
    }
    Ok(())
}
