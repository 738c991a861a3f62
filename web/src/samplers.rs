//! Names of what the page can minimise: those of the command line, and a few shorter ones.

use fastvae::config::{Method, ProposalKind};

const SHORT: [(&str, ProposalKind); 3] = [
    ("pop", ProposalKind::Popularity),
    ("midx-uni", ProposalKind::MidxUniform),
    ("midx-pop", ProposalKind::MidxPopularity),
];

/// The names of all methods.
pub fn names() -> Vec<&'static str> {
    Method::names().collect()
}

/// The method of a name.
pub fn parse(name: &str) -> Option<Method> {
    let short = || SHORT.iter().find(|(known, _)| *known == name).map(|(_, kind)| Method::Sampled(*kind));
    Method::parse(name).or_else(short)
}

/// The name of a method.
pub fn name(method: Method) -> &'static str {
    method.name()
}

/// The name for people; one that the page has no words for is shown as it is written.
pub fn title(method: Method) -> &'static str {
    match method.name() {
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
    use fastvae_study::chart::colour_of;

    use super::*;

    /// A sampler looks the same in a list, a figure of the page, and a report.
    #[test]
    fn every_sampler_has_the_colour_of_its_curves() {
        let style =
            concat!(include_str!("bin/page/style/page.css"), include_str!("bin/page/style/lessons.css"));
        let shared = colour_of("any other");
        let of_all = format!(".fv [class*=\" s-\"] {{\n    --c: {shared};");
        assert!(style.contains(&of_all), "style/ lacks {shared}");
        for name in names() {
            let rule = style
                .split(&format!(".fv .s-{name} {{"))
                .nth(1)
                .and_then(|rest| rest.split(['{', '}']).next());
            if colour_of(name) == shared {
                assert_eq!(rule, None, "{name} has a colour of its own in style/ alone");
                continue;
            }
            let rule = rule.unwrap_or_else(|| panic!("style/ has no colour for {name}"));
            let defined = format!("--c-{name}: {}", colour_of(name));
            assert!(rule.contains(colour_of(name)) || style.contains(&defined), "{name}: {rule}");
        }
    }
}
