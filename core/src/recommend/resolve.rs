//! Finds the item that a text typed by a user stands for.

use rustc_hash::FxHashMap;

/// The most candidates that a message lists.
const SHOWN: usize = 8;

/// The item with this id, else with this title, else with a title that begins with the text.
pub(super) fn item(
    name: &str,
    ids: &FxHashMap<String, u32>,
    titles: Option<&[String]>,
) -> Result<u32, String> {
    let name = name.trim();
    if name.is_empty() {
        return Err("an empty name is no item".into());
    }
    if let Some(&item) = ids.get(name) {
        return Ok(item);
    }
    let Some(titles) = titles else {
        return Err(format!("no item has the id {name:?}, and this set has no titles"));
    };
    let wanted = name.to_lowercase();
    let matching = |fits: &dyn Fn(&str) -> bool| -> Vec<u32> {
        (0u32..).zip(titles).filter(|(_, title)| fits(&title.to_lowercase())).map(|(item, _)| item).collect()
    };
    for candidates in [matching(&|title| title == wanted), matching(&|title| title.starts_with(&wanted))] {
        match candidates[..] {
            [] => {}
            [item] => return Ok(item),
            _ => return Err(format!("{name:?} may be {}", list(&candidates, ids, titles))),
        }
    }
    let nearby = matching(&|title| title.contains(&wanted));
    if nearby.is_empty() {
        return Err(format!("no item has the id or title {name:?}"));
    }
    Err(format!("no title begins with {name:?}; it is part of {}", list(&nearby, ids, titles)))
}

/// `"Heat (1995)" (id 6), "Heat (1986)" (id 77) or 3 more; give more of it, or the id`.
fn list(candidates: &[u32], ids: &FxHashMap<String, u32>, titles: &[String]) -> String {
    // Messages are rare, so inverting the map here costs nothing that matters.
    let id = |item| ids.iter().find(|(_, other)| **other == item).map_or("", |(id, _)| id.as_str());
    let shown: Vec<String> = candidates
        .iter()
        .take(SHOWN)
        .map(|&item| format!("{:?} (id {})", titles[item as usize], id(item)))
        .collect();
    let more = match candidates.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" or {more} more"),
    };
    format!("{}{more}; give more of the title, or the id", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(name: &str) -> Result<u32, String> {
        let titles = ["Heat (1995)", "Heat (1986)", "Amélie (2001)", "7"].map(String::from);
        let ids = ["7", "8", "9", "10"].map(String::from).into_iter().zip(0..).collect();
        item(name, &ids, Some(&titles))
    }

    #[test]
    fn ids_win_then_titles_then_unique_beginnings() {
        assert_eq!(find("7"), Ok(0));
        assert_eq!(find(" heat (1986) "), Ok(1));
        assert_eq!(find("AMÉL"), Ok(2));
    }

    #[test]
    fn messages_list_candidates() {
        let error = find("heat").unwrap_err();
        assert!(error.contains("\"Heat (1995)\" (id 7), \"Heat (1986)\" (id 8)"), "{error}");
        assert!(find("2001").unwrap_err().contains("it is part of \"Amélie (2001)\" (id 9)"));
        assert!(find("Alien").unwrap_err().starts_with("no item has"));
        assert!(find("").is_err());
    }
}
