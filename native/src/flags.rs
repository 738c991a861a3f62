//! What the library calls settings, as flags of this command line.

use fastvae::Error;

/// An error as the terminal shows it: a setting by its flag.
pub fn told(error: &Error) -> String {
    match error {
        Error::Setting { field, problem } => format!("--{}: {problem}", flag(field)),
        other => other.to_string(),
    }
}

/// The flag of a setting, where its name is another.
fn flag(field: &str) -> &str {
    match field {
        "objective.kind" | "proposal.kind" => "loss",
        other => other,
    }
}
