//! The widget in pages of others.

use std::time::Duration;

use serde_json::{Value, json};
use tests::browser::{Browser, Page, Server, Site, View, dist};

use crate::common::{LOAD, RUN, press, site};

const READY: fn(&str) -> bool = |state| state == "ready";

/// A page with `body`, beside the built one.
fn host(body: &str) -> Site {
    site().page("host.html", document("embed.js", body))
}

fn document(script: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Host</title>\
         <link rel=\"icon\" href=\"data:,\"><script type=\"module\" src=\"{script}\"></script></head>\
         <body><h1>Host</h1>{body}</body></html>"
    )
}

fn open(body: &str) -> Page {
    Page::visit(Browser::SoftwareGpu, host(body), "host.html")
}

/// Notes errors of every widget on the page, and counts the workers that are alive; before any script of the page.
fn watch(page: &Page) {
    let script = "
        window.errors = [];
        addEventListener('error', (event) => event.detail && errors.push(event.detail), true);
        window.workers = { now: 0, most: 0 };
        window.Worker = class extends Worker {
            constructor(...args) { super(...args); workers.most = Math.max(workers.most, ++workers.now); }
            terminate() { super.terminate(); workers.now--; }
        };";
    page.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": script }));
}

#[track_caller]
fn no_errors(page: &Page) {
    assert_eq!(page.run("return window.errors ?? []"), json!([]));
    let errors = page.console_errors();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn four_widgets_share_a_page() {
    let page = Page::blank(Browser::SoftwareGpu, site());
    watch(&page);
    page.go("examples/course.html");
    let lessons = ["softmax", "importance", "midx", "race"];
    let widgets: Vec<View<'_>> =
        lessons.iter().map(|lesson| page.widget(&format!("[lesson={lesson}]"))).collect();
    for (lesson, widget) in lessons.iter().zip(&widgets) {
        page.run(&format!(
            "document.querySelector('[lesson={lesson}]').scrollIntoView({{ block: 'center' }})"
        ));
        widget.wait("engine", LOAD, |engine| engine == "cpu");
    }
    no_errors(&page);

    // One trains; the next one to play takes its place, and the other keeps what it has.
    page.run("document.querySelector('[lesson=race]').play()");
    let race = &widgets[3];
    race.wait("state", LOAD, |state| state == "training");
    race.wait("epoch", RUN, |epoch| epoch != "0");
    page.run("document.querySelector('[lesson=midx]').play()");
    widgets[2].wait("state", LOAD, |state| state == "training");
    race.wait("state", LOAD, |state| state == "paused");
    let held = race.number("epoch");
    assert!(held >= 1.0, "the race forgot its epochs");
    let training =
        || widgets.iter().filter(|widget| widget.data("state").as_deref() == Some("training")).count();
    assert_eq!(training(), 1);
    std::thread::sleep(Duration::from_secs(2));
    assert!(training() <= 1, "several train");
    page.run("document.querySelector('[lesson=race]').scrollIntoView({ block: 'center' })");
    page.run("document.querySelector('[lesson=race]').play()");
    race.wait("epoch", RUN, |epoch| epoch.parse::<f64>().is_ok_and(|epoch| epoch > held));
    assert!(training() <= 1, "several train");

    // All of it comes back.
    page.run("document.querySelectorAll('fast-vae').forEach((widget) => widget.destroy())");
    assert_eq!(page.run("return workers.now"), 0);
    let left = page.run(
        "return [...document.querySelectorAll('fast-vae')].map((widget) =>
            [widget.shadowRoot.querySelector('[data-state]') === null, widget.querySelector('.poster').checkVisibility()])",
    );
    assert_eq!(left, json!([[true, true], [true, true], [true, true], [true, true]]));
    println!("at most {} workers at once", page.run("return workers.most"));
    no_errors(&page);
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn memory_comes_back_after_destroy() {
    let page =
        Page::blank(Browser::SoftwareGpu, host("<fast-vae lesson=\"race\" engine=\"cpu\"></fast-vae>"));
    watch(&page);
    page.go("host.html");
    let round = || {
        page.run("document.querySelector('fast-vae').play()");
        page.widget("fast-vae").wait("epoch", RUN, |epoch| epoch != "0");
        page.run("document.querySelector('fast-vae').destroy()");
        page.devtools("HeapProfiler.collectGarbage", json!({}));
        std::thread::sleep(Duration::from_secs(1));
        page.memory()
    };
    let first = round();
    let mut last = 0;
    for _ in 0..5 {
        last = round();
    }
    println!("memory of the browser after the first round {first} MB, after the sixth {last} MB");
    assert_eq!(page.run("return workers.now"), 0);
    // A worker with its engine holds more than this each time.
    assert!(last < first + 60, "from {first} MB to {last} MB in five rounds");
    no_errors(&page);
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn nothing_is_loaded_before_a_widget_is_near() {
    let page = open(
        "<p id=\"far\" style=\"height: 5000px\"></p><fast-vae lesson=\"softmax\"><b>Poster</b></fast-vae>",
    );
    std::thread::sleep(Duration::from_secs(1));
    let loads = |page: &Page| page.server.asked().iter().any(|path| path == "page.js");
    assert!(!loads(&page), "{:?}", page.server.asked());
    assert_eq!(page.run("return document.querySelector('b').checkVisibility()"), true);
    // Its state has the shape that it has afterwards.
    let state = |page: &Page| page.run("return document.querySelector('fast-vae').getState()");
    assert_eq!(state(&page), json!({ "lesson": "softmax", "playing": false, "state": "loading" }));
    page.run("document.querySelector('fast-vae').scrollIntoView()");
    page.widget("fast-vae").wait("state", LOAD, READY);
    assert_eq!(state(&page), json!({ "lesson": "softmax", "playing": false, "state": "ready" }));
    assert!(loads(&page));
    assert_eq!(page.run("return document.querySelector('b').checkVisibility()"), false);
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn attributes_properties_and_methods() {
    let page = Page::blank(
        Browser::SoftwareGpu,
        host("<fast-vae lesson=\"midx\" k=\"4\" seed=\"7\" engine=\"cpu\" hide=\"share\"></fast-vae>"),
    );
    watch(&page);
    page.go("host.html");
    let widget = page.widget("fast-vae");
    widget.wait("state", LOAD, READY);
    let read = page.run(
        "const widget = document.querySelector('fast-vae');
         widget.k = 5; widget.setParameters({ seed: 9, negatives: 20 });
         return new Promise((resolve) => setTimeout(async () => resolve([
            widget.lesson, widget.k, widget.getAttribute('k'), widget.seed, widget.negatives, widget.items,
            widget.background, (await widget.getState()).k, (await widget.getState()).seed,
         ])))",
    );
    assert_eq!(read, json!(["midx", 5, "5", 9, 20, null, false, "5", "9"]));

    // A parameter that is taken away is at its default again.
    let state = page.run(
        "const widget = document.querySelector('fast-vae');
         widget.k = null;
         return new Promise((resolve) => setTimeout(async () => resolve((await widget.getState()).k ?? 'default')))",
    );
    assert_eq!(state, "default");

    // Events arrive at the element, and state survives a move.
    let events = page.run(
        "const widget = document.querySelector('fast-vae');
         window.told = [];
         for (const type of ['ready', 'engine', 'step', 'eval', 'select', 'error', 'devicelost'])
             widget.addEventListener(type, (event) => told.push(type));
         return widget.step(2).then(() => told)",
    );
    assert!(events.as_array().unwrap().contains(&json!("step")), "{events}");
    let kept = page.run(
        "const widget = document.querySelector('fast-vae');
         const before = widget.shadowRoot.querySelector('[data-state]');
         document.body.prepend(widget);
         return new Promise((resolve) => setTimeout(() =>
            resolve(before === widget.shadowRoot.querySelector('[data-state]')), 200))",
    );
    assert_eq!(kept, true);

    // Gone is gone, and a method brings it back.
    page.run("document.querySelector('fast-vae').destroy()");
    assert_eq!(widget.data("state"), None);
    assert_eq!(page.run("return workers.now"), 0);
    page.run("return document.querySelector('fast-vae').play().then(() => 0)");
    widget.wait("state", LOAD, |state| state != "loading");
    no_errors(&page);
}

/// Errors of the widgets since the page began.
fn errors(page: &Page) -> Vec<(String, String, String)> {
    let errors = page.run("return window.errors.map((error) => [error.code, error.message, error.help])");
    serde_json::from_value(errors).unwrap()
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn what_cannot_be_used_is_an_error_and_the_lesson_goes_on() {
    let page = Page::blank(
        Browser::SoftwareGpu,
        host("<fast-vae lesson=\"midx\" k=\"many\" theme=\"pink\" engine=\"cpu\"></fast-vae>"),
    );
    watch(&page);
    page.go("host.html");
    let widget = page.widget("fast-vae");
    widget.until(LOAD, "an engine", "return root?.dataset.engine === 'cpu'");
    page.run(
        "const widget = document.querySelector('fast-vae');
         widget.setAttribute('seed', '-1');
         widget.setParameters({ sampler: 'uniform' })",
    );
    std::thread::sleep(Duration::from_millis(300));
    let errors = errors(&page);
    for (word, code) in [
        ("k=many", "parameter"),
        ("theme=pink", "parameter"),
        ("seed=-1", "parameter"),
        ("sampler", "parameter"),
    ] {
        let found = errors.iter().find(|(_, message, _)| message.contains(word));
        let (found, message, help) = found.unwrap_or_else(|| panic!("nothing about {word}: {errors:?}"));
        assert_eq!(found, code, "{message}");
        assert!(!help.is_empty(), "{message}");
    }
    // The lesson works all the same.
    page.run("return document.querySelector('fast-vae').step(1).then(() => 0)");
    page.run("document.querySelector('fast-vae').play()");
    widget.until(LOAD, "it plays", "return ['training', 'done'].includes(root.dataset.state)");
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn a_lesson_that_cannot_be_loaded_leaves_the_poster_and_says_why() {
    let page = Page::blank(
        Browser::SoftwareGpu,
        host("<fast-vae lesson=\"softmax\" base=\"nowhere\"><b>Poster</b></fast-vae>"),
    );
    watch(&page);
    page.go("host.html");
    page.all().until(LOAD, "an error", "return window.errors.length > 0");
    let (code, message, help) = errors(&page).remove(0);
    assert_eq!(code, "load");
    assert!(message.contains("nowhere/page.js") && help.contains("base"), "{message} {help}");
    assert_eq!(page.run("return document.querySelector('b').checkVisibility()"), true);
    let shown = page.run("return document.querySelector('fast-vae').shadowRoot.textContent");
    assert!(shown.as_str().unwrap().contains(&message), "{shown}");
    page.run(
        "const widget = document.querySelector('fast-vae');
         widget.base = null",
    );
    page.shadow("fast-vae").click("button");
    page.widget("fast-vae").wait("state", LOAD, READY);
    assert_eq!(page.run("return document.querySelector('b').checkVisibility()"), false);
}

/// The built page as another site would serve it to everyone, with what `change` does to it.
fn elsewhere(prefix: &str) -> Server {
    Site::new(&dist(), prefix).header("Access-Control-Allow-Origin", "*").serve().unwrap()
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn a_strict_policy_and_another_origin() {
    let there = elsewhere("/sub/path/");
    let origin = there.origin();
    let policy = format!(
        "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'none'; \
         script-src {origin} 'wasm-unsafe-eval'; connect-src {origin}; worker-src blob:; img-src data:"
    );
    let body = "<fast-vae lesson=\"race\" engine=\"cpu\" epochs=\"2\"></fast-vae>";
    let site = site()
        .page("host.html", document(&there.url("embed.js"), body))
        .header("Content-Security-Policy", &policy);
    let page = Page::blank(Browser::SoftwareGpu, site);
    watch(&page);
    page.go("host.html");
    let widget = page.widget("fast-vae");
    widget.wait("engine", LOAD, |engine| engine == "cpu");
    page.run("document.querySelector('fast-vae').play()");
    widget.wait("epoch", RUN, |epoch| epoch == "1");
    no_errors(&page);

    // A policy that forbids WebAssembly is named.
    drop(page);
    let policy = policy.replace("'wasm-unsafe-eval'", "");
    let site = self::site()
        .page("host.html", document(&there.url("embed.js"), body))
        .header("Content-Security-Policy", &policy);
    let page = Page::blank(Browser::SoftwareGpu, site);
    watch(&page);
    page.go("host.html");
    page.all().until(LOAD, "an error", "return window.errors.length > 0");
    let (code, _, help) = errors(&page).remove(0);
    assert_eq!(code, "policy");
    assert!(help.contains("wasm-unsafe-eval"), "{help}");
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn an_opaque_sandbox() {
    let there = elsewhere("/sub/path/");
    let frame = format!(
        "<iframe sandbox=\"allow-scripts\" title=\"Lesson\" width=\"900\" height=\"700\" \
         src=\"{}\"></iframe>",
        there.url("embed.html?lesson=race&engine=cpu&epochs=2&utm_source=course")
    );
    let page = Page::blank(Browser::SoftwareGpu, host(&frame));
    page.devtools(
        "Page.addScriptToEvaluateOnNewDocument",
        json!({ "source": "window.posted = []; addEventListener('message', (event) => posted.push(event.data))" }),
    );
    page.go("host.html");
    page.all().until(LOAD, "the frame tells its height", "return posted.some((data) => data.height > 200)");
    assert_eq!(page.run("return posted[0].subject"), "lti.frameResize");
    page.frame(Some(0));
    assert_eq!(page.run("return self.origin"), "null");
    let widget = page.widget("fast-vae");
    widget.wait("engine", LOAD, |engine| engine == "cpu");
    assert_eq!(page.run("return document.querySelector('fast-vae').lesson"), "race");
    page.run("document.querySelector('fast-vae').play()");
    widget.wait("epoch", RUN, |epoch| epoch == "1");
    page.frame(None);
    let errors = page.console_errors();
    assert!(errors.is_empty(), "{errors:#?}");
}

/// What every element of the widget looks like.
fn look(page: &Page) -> Value {
    let widget = page.widget("fast-vae");
    widget.wait("engine", LOAD, |engine| engine == "cpu");
    // Until the worker has answered and all is drawn.
    let count = || widget.run("return root.querySelectorAll('*').length");
    let mut before = count();
    loop {
        std::thread::sleep(Duration::from_secs(1));
        let now = count();
        if now == before {
            break;
        }
        before = now;
    }
    page.run(
        "const properties = ['display', 'color', 'backgroundColor', 'fontFamily', 'fontSize', 'letterSpacing',
            'wordSpacing', 'textTransform', 'textAlign', 'textIndent', 'textShadow', 'lineHeight', 'whiteSpace',
            'cursor', 'direction', 'boxSizing', 'width', 'height', 'fill', 'borderTopWidth', 'marginTop'];
         const root = document.querySelector('fast-vae').shadowRoot.querySelector('[data-state]');
         return [...root.querySelectorAll('*')].map((element) => {
            const style = getComputedStyle(element);
            return `${element.tagName}.${element.getAttribute('class')}: ` +
                properties.map((name) => `${name} ${style[name]}`).join(', ');
         })",
    )
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn the_style_of_the_host_stays_outside() {
    let body = "<div id=\"portal\" class=\"content-wrapper\">\
        <fast-vae lesson=\"midx\" seed=\"7\" engine=\"cpu\" style=\"width: 800px\"></fast-vae></div>";
    let plain = look(&open(body));
    let hostile = format!("<link rel=\"stylesheet\" href=\"examples/portal.css\">{body}");
    let hostile = look(&open(&hostile));
    let (plain, hostile) = (plain.as_array().unwrap(), hostile.as_array().unwrap());
    assert_eq!(plain.len(), hostile.len());
    assert!(plain.len() > 50, "a lesson of {} elements", plain.len());
    let differ: Vec<_> =
        plain.iter().zip(hostile).filter(|(plain, hostile)| plain != hostile).take(5).collect();
    assert!(differ.is_empty(), "{differ:#?}");
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn the_example_of_a_portal_works() {
    let page = Page::blank(Browser::SoftwareGpu, site());
    watch(&page);
    page.go("examples/portal.html");
    page.widget("fast-vae").wait("engine", LOAD, |engine| engine == "cpu");
    page.run("return document.querySelector('fast-vae').step(1).then(() => 0)");
    no_errors(&page);
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn it_opens_again_without_a_network() {
    for path in ["?engine=cpu&lesson=race", "embed.html?lesson=race&engine=cpu"] {
        let page = Page::visit(Browser::SoftwareGpu, site(), path);
        page.all().until(
            LOAD,
            "everything is kept",
            "return caches.match('worker_bg.wasm').then((kept) => kept && navigator.serviceWorker.controller ? 1 : null)",
        );
        page.server.stop();
        page.run("setTimeout(() => location.reload())");
        std::thread::sleep(Duration::from_secs(2));
        let ready =
            "const root = document.querySelector('fast-vae')?.shadowRoot.querySelector('[data-state]')
                ?? document.body; return root.dataset.engine === 'cpu' && performance.now() > 0";
        page.all().until(LOAD, "an engine without a network", ready);
        let view = if path.starts_with("embed") { page.widget("fast-vae") } else { page.all() };
        press(&view, "play");
        page.all().until(
            RUN,
            "an epoch without a network",
            "const root = document.querySelector('fast-vae')?.shadowRoot.querySelector('[data-state]')
                ?? document.body; return Number(root.dataset.epoch) > 0",
        );
    }
}
