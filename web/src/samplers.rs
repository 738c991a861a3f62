//! Names of what the page can minimise: those of the command line, and a few shorter ones.

use fastvae::config::Loss;

/// Name in addresses, and the setting.
pub const ALL: [(&str, Loss); 6] = [
    ("uniform", Loss::Uniform),
    ("popularity", Loss::Popularity),
    ("midx-uniform", Loss::MidxUniform),
    ("midx-popularity", Loss::MidxPopularity),
    ("midx", Loss::Midx),
    ("full", Loss::Full),
];

const SHORT: [(&str, Loss); 4] = [
    ("pop", Loss::Popularity),
    ("midx-uni", Loss::MidxUniform),
    ("midx-pop", Loss::MidxPopularity),
    ("softmax", Loss::Full),
];

/// The names in [`ALL`].
pub fn names() -> Vec<&'static str> {
    ALL.iter().map(|(name, _)| *name).collect()
}

/// The loss of a name.
pub fn parse(name: &str) -> Option<Loss> {
    ALL.iter().chain(&SHORT).find(|(known, _)| *known == name).map(|(_, loss)| *loss)
}

/// The name of a loss.
pub fn name(loss: Loss) -> &'static str {
    ALL.iter().find(|(_, known)| *known == loss).map_or("", |(name, _)| name)
}

/// The name for people.
pub fn title(loss: Loss) -> &'static str {
    match loss {
        Loss::Uniform => "Uniform",
        Loss::Popularity => "Popularity",
        Loss::MidxUniform => "MIDX uniform",
        Loss::MidxPopularity => "MIDX popularity",
        Loss::Midx => "MIDX exact",
        Loss::Full => "Full softmax",
        #[allow(unreachable_patterns, reason = "core may learn samplers that the page has no name for yet")]
        other => name(other),
    }
}

/// Whether negatives come by way of the index.
pub fn has_index(loss: Loss) -> bool {
    matches!(loss, Loss::Midx | Loss::MidxUniform | Loss::MidxPopularity)
}
