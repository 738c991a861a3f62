//! Shows the library's settings as flags of this command line.
//!
//! Error messages of the library name a setting by its key, and a setting that would help as `` `key` `` or
//! `` `key = value` ``; this module adds their flags.

use fastvae::Error;

/// Settings whose flag differs from their key: key, then flag.
const RENAMED: [(&str, &str); 9] = [
    ("model.kind", "model"),
    ("model.kind = elsa", "model elsa"),
    ("model.kind = mult-vae", "model mult-vae"),
    ("objective.kind", "loss"),
    ("objective.kind = full-softmax", "loss full"),
    ("path", "data"),
    ("proposal.kind", "loss"),
    ("protocol", "split"),
    ("rows", "where"),
];

/// The text of an error for the terminal: it names a setting by its flag and lists the flags that would
/// help.
pub fn told(error: &Error) -> String {
    let (text, own) = match error {
        Error::Setting { field, problem } => (format!("--{}: {problem}", flag(field)), flag(field)),
        other => (other.to_string(), String::new()),
    };
    with_flags(text, &own)
}

/// A text of the library that names settings in backticks, followed by their flags, except `own`.
pub fn with_flags(text: String, own: &str) -> String {
    let mut flags: Vec<String> = Vec::new();
    for flag in mentioned(&text).map(flag).filter(|flag| is_one(flag) && flag != own) {
        if !flags.contains(&flag) {
            flags.push(flag);
        }
    }
    if flags.is_empty() { text } else { format!("{text} (--{})", flags.join(" --")) }
}

/// The flag of a setting, with its value if one is given: `row-updates = dense` gives `row-updates dense`.
fn flag(setting: &str) -> String {
    let renamed = RENAMED.iter().find(|(known, _)| *known == setting);
    renamed.map_or_else(|| setting.replace(" = ", " "), |(_, flag)| (*flag).to_owned())
}

/// The texts between backticks.
fn mentioned(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Whether a subcommand has this flag.
fn is_one(flag: &str) -> bool {
    let name = flag.split(' ').next().unwrap_or_default();
    let has = |command: &clap::Command| command.get_arguments().any(|arg| arg.get_long() == Some(name));
    crate::args::command().get_subcommands().any(has)
}

#[cfg(test)]
mod tests {
    use fastvae::config::Config;

    use super::*;

    #[test]
    fn settings_are_shown_as_flags() {
        let problem = |change: fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            told(&config.validate(1000).unwrap_err())
        };
        let many = problem(|c| c.proposal.negatives = 5000);
        assert!(many.starts_with("--negatives: 5000") && many.ends_with("(--loss full)"), "{many}");
        assert!(problem(|c| c.training.batch = 0).starts_with("--batch: is 0"));
        let diverged = Error::Diverged { epoch: 1, step: 2, loss: f32::NAN, learning_rate: 10.0 };
        assert!(told(&diverged).ends_with("(--learning-rate)"), "{}", told(&diverged));
        let word = Error::Data("`films` has no row, but `core = 5` may help".into());
        assert!(told(&word).ends_with("(--core 5)"), "{}", told(&word));
        assert_eq!(told(&Error::setting("proposal.kind", "no")), "--loss: no");
        assert_eq!(
            told(&Error::setting("samplers", "`hinge` is not known")),
            "--samplers: `hinge` is not known"
        );
    }

    #[test]
    fn every_renamed_setting_has_a_flag() {
        assert!(RENAMED.iter().all(|(_, flag)| is_one(flag)));
    }
}
