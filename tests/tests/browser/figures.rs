//! Figures for people, printed and not asserted, since they depend on what else the machine does. Not among the tests of
//! tests/run.sh; by hand: `cargo test -p tests --test browser -- --ignored --nocapture figures::`.

use std::time::Duration;

use serde_json::{Value, json};
use tests::browser::{Browser, By, Page, View};

use crate::common::{LOAD, RUN, press, site};

/// How often each thing is looked at; the best tells what the page needs when the machine is free.
const LOOKS: usize = 3;

#[test]
#[ignore = "figures; run by hand"]
fn the_first_paint() {
    for _ in 0..LOOKS {
        let page = Page::visit(Browser::SoftwareGpu, site().hold("worker_bg.wasm"), "");
        let paint = page.all().until(
            LOAD,
            "a first paint",
            "return performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null",
        );
        let lesson = "return root.querySelector('[data-lesson=softmax] input[type=range]') !== null";
        page.all().until(LOAD, "lesson 1", lesson);
        let usable = page.run("return performance.now()");
        println!("first paint after {paint} ms, lesson 1 usable before {usable} ms");
    }
}

/// Tasks of the main thread that took more than 50 ms, with a slow processor too.
#[test]
#[ignore = "figures; run by hand"]
fn long_tasks_of_the_page() {
    let page = Page::blank(Browser::SoftwareGpu, site());
    page.devtools(
        "Page.addScriptToEvaluateOnNewDocument",
        json!({ "source": "window.blocked = []; new PerformanceObserver((list) =>
            blocked.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: 'longtask' })" }),
    );
    // As a cheap laptop, or a telephone of some years ago.
    for slower in [1, 4] {
        page.devtools("Emulation.setCPUThrottlingRate", json!({ "rate": slower }));
        for (query, use_it) in [
            ("lesson=softmax", softmax as fn(&View<'_>)),
            ("lesson=midx&speed=max", midx),
            ("lesson=race&epochs=4&speed=max", race),
        ] {
            let mut longest = Vec::new();
            for _ in 0..LOOKS {
                page.go(&format!("?engine=cpu&{query}"));
                page.wait("engine", LOAD, |engine| engine == "cpu");
                std::thread::sleep(Duration::from_secs(1));
                let loading = blocked(&page);
                use_it(&page.all());
                longest.push((loading, blocked(&page)));
            }
            println!(
                "{query}, {slower} x slower: ms of tasks over 50 ms, while it loads and in use: {longest:?}"
            );
        }
    }
}

fn blocked(page: &Page) -> Vec<u64> {
    let tasks: Value = page.run("return window.blocked.splice(0)");
    tasks.as_array().into_iter().flatten().filter_map(Value::as_f64).map(|task| task as u64).collect()
}

fn softmax(view: &View<'_>) {
    view.slide(By::Mouse, "[data-act=size]", 1.0);
    view.drag(By::Mouse, "[data-drag=taste]", &[(0.5, 0.5), (0.2, 0.3), (0.7, 0.8)]);
    std::thread::sleep(Duration::from_secs(1));
}

fn midx(view: &View<'_>) {
    view.slide(By::Mouse, "[data-act=k]", 1.0);
    press(view, "play");
    std::thread::sleep(Duration::from_secs(2));
    press(view, "play");
}

fn race(view: &View<'_>) {
    press(view, "play");
    view.wait("state", RUN, |state| state == "done");
}
