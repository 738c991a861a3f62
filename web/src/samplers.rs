//! Names of what the page can minimise: those of the command line, and a few shorter ones.

use fastvae::config::Loss;

/// Name in addresses, and the setting.
pub const ALL: &[(&str, Loss)] = &Loss::NAMED;

const SHORT: [(&str, Loss); 3] =
    [("pop", Loss::Popularity), ("midx-uni", Loss::MidxUniform), ("midx-pop", Loss::MidxPopularity)];

/// The names in [`ALL`].
pub fn names() -> Vec<&'static str> {
    Loss::names().collect()
}

/// The loss of a name.
pub fn parse(name: &str) -> Option<Loss> {
    ALL.iter().chain(&SHORT).find(|(known, _)| *known == name).map(|(_, loss)| *loss)
}

/// The name of a loss.
pub fn name(loss: Loss) -> &'static str {
    loss.name()
}

/// The name for people; one that the page has no words for is shown as it is written.
pub fn title(loss: Loss) -> &'static str {
    match loss.name() {
        "uniform" => "Uniform",
        "popularity" => "Popularity",
        "midx-uniform" => "MIDX uniform",
        "midx-popularity" => "MIDX popularity",
        "midx" => "MIDX exact",
        "full" => "Full softmax",
        "dns" => "Dynamic (DNS)",
        "kernel" => "Kernel",
        "softmax" => "Softmax, drawn",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use fastvae::chart::colour_of;

    use super::*;

    /// A sampler looks the same in a list, a figure of the page, and a report.
    #[test]
    fn every_sampler_has_the_colour_of_its_curves() {
        let style = include_str!("bin/page/style.css");
        for name in names() {
            let rule = style
                .split(&format!(".fv .s-{name} {{"))
                .nth(1)
                .and_then(|rest| rest.split(['{', '}']).next());
            let rule = rule.unwrap_or_else(|| panic!("style.css has no colour for {name}"));
            let defined = format!("--c-{name}: {}", colour_of(name));
            assert!(rule.contains(colour_of(name)) || style.contains(&defined), "{name}: {rule}");
        }
    }
}
