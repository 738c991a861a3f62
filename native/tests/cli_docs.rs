//! Every command of the user guide runs.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use std::{fs, path::Path};

use tempfile::tempdir;
use tests::cli::{fastvae, stdout};

/// The files that the guide uses.
fn prepare(folder: &Path) {
    let rows = |users: std::ops::Range<u32>, row: &dyn Fn(u32, u32, u32) -> String| {
        let pairs = users.flat_map(|user| (0..8).map(move |n| (user, (user * 3 + n * 5) % 40, n)));
        pairs.map(|(user, item, n)| row(user, item, n)).collect::<String>()
    };
    let ratings = rows(0..60, &|user, item, n| format!("u{user},i{item},{}\n", 1 + n % 5));
    fs::write(folder.join("ratings.csv"), format!("user,item,rating\n{ratings}")).unwrap();
    let events = ["view", "cart", "buy"];
    let log = rows(0..60, &|user, item, n| {
        format!("u{user},i{item},{},{},2024-01-{:02}T10:00:00Z\n", events[n as usize % 3], n * 10, 1 + n % 4)
    });
    fs::write(folder.join("events.csv"), format!("user,item,event,price,time\n{log}")).unwrap();
    let later = rows(30..80, &|user, item, _| format!("u{user},i{}\n", item + 2));
    fs::write(folder.join("later.csv"), format!("user,item\n{later}")).unwrap();
    fs::write(folder.join("items.txt"), "i1\ni2\ni3\ni4\nnew\n").unwrap();
}

/// Writes the blocks of TOML that a page says to save: ``Save this as `NAME`:`` stands before them.
fn save_blocks(text: &str, folder: &Path) {
    let mut blocks = text.split("```toml\n");
    let mut before = blocks.next().unwrap_or_default();
    for block in blocks {
        let name = before.rsplit("Save this as `").next().and_then(|rest| rest.split('`').next()).unwrap();
        fs::write(folder.join(name), block.split("```").next().unwrap()).unwrap();
        before = block;
    }
}

/// The words of a line, with quotes as in a shell.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in line.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(std::mem::take(&mut word)),
            _ => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn every_command_of_the_guide_runs() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    for page in ["data", "splits", "next-week", "serving", "metrics", "tuning", "reproducing"] {
        let folder = tempdir().unwrap();
        prepare(folder.path());
        let text = fs::read_to_string(docs.join(format!("{page}.md"))).unwrap();
        save_blocks(&text, folder.path());
        let blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
        let commands: Vec<&str> = blocks.flat_map(str::lines).filter(|line| !line.is_empty()).collect();
        assert!(!commands.is_empty(), "{page}");
        for command in commands {
            let line = command.strip_prefix("fastvae ").unwrap_or_else(|| panic!("{page}: {command}"));
            let mut words = words(line);
            // Minutes are too long for a test.
            if let Some(quick) = words.iter().position(|word| word == "--quick") {
                words.splice(quick..=quick, ["--size".into(), "tiny".into()]);
            }
            if ["train", "recommend", "evaluate", "export", "reproduce"].contains(&words[0].as_str()) {
                words.extend(["--engine".into(), "cpu".into()]);
            }
            if words[0] == "train" && !words.contains(&"--config".into()) {
                words
                    .extend(["--epochs", "2", "--hidden", "8", "--latent", "4", "--quiet"].map(String::from));
            }
            stdout(fastvae(&folder).args(words));
        }
    }
}
