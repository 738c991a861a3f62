//! Takes screenshots of every lesson of the built page, light and dark, wide and narrow:
//!
//! `trunk build --release && cargo run -p tests --bin screenshots -- docs/screenshots`
//!
//! Each lesson first makes a few steps or a short run, so that the picture shows results.

use std::{path::PathBuf, time::Duration};

use tests::browser::{Browser, Page, Site, dist};

/// Lesson, its query parameters, number of steps, and whether it plays to its end.
const PARTS: [(&str, &str, u32, bool); 8] = [
    ("softmax", "", 0, false),
    ("importance", "", 12, false),
    ("midx", "k=4", 3, false),
    ("fidelity", "epochs=6&speed=max", 0, true),
    ("race", "epochs=8&speed=max&samplers=uniform,popularity,midx-pop", 0, true),
    ("scale", "speed=max", 0, true),
    ("recommend", "epochs=5&speed=max", 0, true),
    ("teacher", "", 0, false),
];

/// Controls to press if they exist: a thousand draws three times, and three liked films.
const PRESSED: [&str; 6] = [
    "[data-act=thousand]",
    "[data-act=thousand]",
    "[data-act=thousand]",
    "[data-part=recommend-offered] li:nth-child(4) button",
    "[data-part=recommend-offered] li:nth-child(3) button",
    "[data-part=recommend-offered] li:nth-child(2) button",
];

fn main() {
    let folder: PathBuf = std::env::args_os().nth(1).map_or_else(|| "docs/screenshots".into(), PathBuf::from);
    let only = std::env::args().nth(2);
    std::fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let page = Page::blank(Browser::NoGpu, Site::new(&dist(), "/"));
    for (part, keys, steps, plays) in PARTS {
        if only.as_deref().is_some_and(|only| only != part) {
            continue;
        }
        for (shape, width, height) in [("wide", 1000, 700), ("narrow", 360, 740)] {
            page.resize(width, height);
            page.prefers(&[("prefers-color-scheme", "light")]);
            page.go(&format!("?lesson={part}&engine=cpu&seed=7&{keys}"));
            page.wait("engine", Duration::from_secs(60), |engine| engine == "cpu");
            for _ in 0..steps {
                page.all().click("[data-act=step]");
                std::thread::sleep(Duration::from_millis(100));
            }
            if plays {
                page.all().click("[data-act=play]");
                page.wait("state", Duration::from_secs(300), |state| state == "done" || state == "ready");
            }
            for selector in PRESSED {
                if page.run(&format!("return document.querySelector('{selector}') !== null")) == true {
                    page.all().click(selector);
                }
            }
            std::thread::sleep(Duration::from_millis(1500));
            for theme in ["light", "dark"] {
                page.prefers(&[("prefers-color-scheme", theme)]);
                page.run("scrollTo(0, 0); document.activeElement?.blur()");
                std::thread::sleep(Duration::from_millis(500));
                let file = folder.join(format!("{part}-{theme}-{shape}.png"));
                std::fs::write(&file, decode(&page.screenshot(true)))
                    .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
                println!("{}", file.display());
            }
        }
    }
}

/// Decodes base64, the encoding of pictures from the browser.
fn decode(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    for four in text.trim_end_matches('=').as_bytes().chunks(4) {
        let word = four.iter().fold(0u32, |word, &byte| word << 6 | u32::from(value(byte)))
            << (6 * (4 - four.len()));
        bytes.extend_from_slice(&word.to_be_bytes()[1..four.len()]);
    }
    bytes
}
