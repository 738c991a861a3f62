//! Every control of every lesson does something, by mouse, finger and keys, in Chromium and in Firefox, and no
//! drawing takes a control out of somebody's hands.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::browser::{Browser, By, Page, View};

use crate::common::{LESSONS, LOAD, RUN, choose, press, site};

/// Both browsers; the CPU engine runs in them alike.
const BROWSERS: [Browser; 2] = [Browser::SoftwareGpu, Browser::Firefox];
const WAYS: [By; 3] = [By::Mouse, By::Touch, By::Keys];
/// What a press has to show within this time.
const SHOWS: Duration = Duration::from_secs(20);

/// A page that counts what it saves, copies and prints instead of doing so.
fn open(browser: Browser, query: &str) -> Page {
    let page = Page::blank(browser, site());
    go(&page, query);
    page
}

/// Opens it anew.
fn go(page: &Page, query: &str) {
    page.go(&format!("?engine=cpu&seed=7&{query}"));
    page.wait("engine", LOAD, |engine| engine == "cpu");
    page.run(
        "window.given = 0;
         window.print = () => { window.given++ };
         const click = HTMLAnchorElement.prototype.click;
         HTMLAnchorElement.prototype.click = function () { this.download ? window.given++ : click.call(this) };
         navigator.clipboard.writeText = async () => { window.given++ }",
    );
}

/// A control: its name, a selector for the last of that name, and what it is.
type Control = (String, String, String);

/// Controls of the lesson that are seen and do something, those first that need what others throw away or bring to an end.
fn controls(view: &View<'_>) -> Vec<Control> {
    let found = view.run(
        "const first = ['back', 'epoch', 'csv', 'svg', 'model', 'part', 'step'], found = new Map();
         for (const element of root.querySelectorAll('main :is([data-act], [data-drag], [data-keys])')) {
             if (!element.checkVisibility() || element.ariaDisabled === 'true') continue;
             const { act, drag, keys, value } = element.dataset;
             const attribute = act ? 'act' : drag ? 'drag' : 'keys', name = act ?? drag ?? keys;
             const kind = act ? (element.localName === 'input' ? element.type : element.localName) : 'area';
             const chosen = value === undefined ? '' : `[data-value=\"${value}\"]`;
             found.set(name, [name, `main [data-${attribute}=\"${name}\"]${chosen}`, kind]);
         }
         const rank = ([name]) => (first.indexOf(name) + 1) || 9;
         return [...found.values()].sort((a, b) => rank(a) - rank(b))",
    );
    serde_json::from_value(found).unwrap()
}

/// All that can be seen of the lesson, and what it gave away.
fn picture(view: &View<'_>) -> Value {
    view.run(
        "return root.querySelector('main').innerHTML + JSON.stringify(root.dataset) + window.given
            + [...root.querySelectorAll('textarea')].map((area) => area.value)",
    )
}

/// The address, which names settings that show later, once the page has noted in it what was done before.
fn address(view: &View<'_>) -> Value {
    std::thread::sleep(Duration::from_millis(600));
    view.run("return location.hash")
}

fn held(view: &View<'_>, selector: &str) -> Value {
    view.run(&format!(
        "const control = root.querySelector({});
         return control?.type === 'checkbox' ? control.checked : control?.value ?? null",
        json!(selector)
    ))
}

/// Does with a control what it is for.
fn operate(page: &Page, view: &View<'_>, by: By, (name, selector, kind): &Control) {
    match (kind.as_str(), by) {
        ("button" | "a" | "checkbox", _) => view.press_by(by, selector),
        ("select", _) => {
            let other = view.run(&format!(
                "const select = root.querySelector({});
                 return [...select.options].find((option) => !option.selected).value",
                json!(selector)
            ));
            view.choose(selector, other.as_str().unwrap());
        }
        ("range", By::Keys) => {
            view.focus(selector);
            let low = format!(
                "const {{ min, value }} = root.querySelector({}); return value === min",
                json!(selector)
            );
            page.keys(&[if view.run(&low) == true { "ArrowRight" } else { "ArrowLeft" }]);
        }
        ("range", _) => {
            let high = format!(
                "const {{ min, max, valueAsNumber: at }} = root.querySelector({});
                 return at > (Number(min) + Number(max)) / 2",
                json!(selector)
            );
            view.slide(by, selector, if view.run(&high) == true { 0.1 } else { 0.9 });
        }
        ("number", _) => {
            let text = if held(view, selector) == "3" { "4" } else { "3" };
            view.write(selector, text);
            assert_eq!(held(view, selector), text, "{name}");
        }
        ("search", _) => view.write(selector, "the"),
        ("area", By::Keys) => {
            view.focus(selector);
            page.keys(&["ArrowRight", "ArrowUp"]);
        }
        ("area", _) => view.drag(by, selector, &[(0.35, 0.5), (0.55, 0.48), (0.72, 0.4)]),
        _ => panic!("{name} is a {kind}"),
    }
}

/// What is wrong with a control, used in one way.
fn problem(page: &Page, view: &View<'_>, by: By, control: &Control) -> Option<String> {
    let (name, selector, kind) = control;
    let address = matches!(kind.as_str(), "number" | "select").then(|| address(view));
    let before = picture(view);
    operate(page, view, by, control);
    let holds = held(view, selector);
    let started = Instant::now();
    while picture(view) == before
        && address.as_ref().is_none_or(|before| view.run("return location.hash") == *before)
    {
        if started.elapsed() > SHOWS {
            return Some(format!("{name} does nothing by {by:?}"));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_millis(150));
    let later = held(view, selector);
    if !matches!(kind.as_str(), "button" | "a" | "area") && later != holds {
        return Some(format!("{name} went back from {holds} to {later} by {by:?}"));
    }
    let lost = by == By::Keys
        && view.run("return root.getRootNode().activeElement?.closest('main, .fv') == null") == true;
    lost.then(|| format!("{name} loses the focus by {by:?}"))
}

/// Uses every control of every lesson in each way; touch on a telephone.
fn every_control(browser: Browser) {
    let page = Page::blank(browser, site());
    let mut problems = Vec::new();
    for by in WAYS {
        let (width, height) = if by == By::Touch { (360, 740) } else { (1280, 900) };
        page.resize(width, height);
        for lesson in LESSONS {
            problems.extend(controls_of(&page, browser, by, lesson));
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

/// Uses every control of a lesson in one way; what is wrong with them.
fn controls_of(page: &Page, browser: Browser, by: By, lesson: &str) -> Vec<String> {
    let started = Instant::now();
    go(page, &format!("lesson={lesson}&speed=max&epochs=9"));
    let mut problems = Vec::new();
    let view = page.all();
    let trained = match lesson {
        "fidelity" => Some("return root.querySelector('[data-part=fidelity-table] table') !== null"),
        "race" => Some("return root.dataset.epoch === '1'"),
        "recommend" => {
            Some("return root.querySelector('[data-part=recommend-note]').textContent.includes('Epoch 1')")
        }
        "midx" => Some("return root.querySelector('[data-part=midx-grid] svg') !== null"),
        _ => None,
    };
    if let Some(trained) = trained {
        press(&view, "step");
        view.until(RUN, "a step", trained);
    }
    let mut done: Vec<String> = vec!["file".into()];
    while let Some(control) = controls(&view).into_iter().find(|(name, ..)| !done.contains(name)) {
        done.push(control.0.clone());
        if let Some(what) = problem(page, &view, by, &control) {
            println!("{browser:?} {lesson}: {what}");
            problems.push(format!("{lesson}: {what}"));
        }
    }
    println!("{browser:?} {lesson} by {by:?}: {} in {:.0?}", done[1..].join(" "), started.elapsed());
    let errors = page.console_errors();
    assert!(errors.is_empty(), "{lesson}: {errors:#?}");
    problems
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn every_control_of_every_lesson_in_chromium() {
    every_control(Browser::SoftwareGpu);
}

#[test]
#[ignore = "needs dist/ and Firefox; tests/run.sh builds the one and installs the other"]
fn every_control_of_every_lesson_in_firefox() {
    every_control(Browser::Firefox);
}

#[test]
#[ignore = "needs dist/, Chromium and Firefox; tests/run.sh builds the one and installs the others"]
fn the_bar_works_by_hand() {
    for browser in BROWSERS {
        let page = open(browser, "");
        let view = page.all();
        let text = |part: &str| {
            let script = format!("return root.querySelector('[data-part={part}]').textContent");
            view.run(&script).as_str().unwrap().to_owned()
        };

        // What is set stays set, and is what is shared.
        choose(&view, "speed", "slow");
        view.write("[data-act=seed]", "12");
        choose(&view, "theme", "dark");
        choose(&view, "engine", "auto");
        view.until(LOAD, "an engine", "return root.dataset.engine && root.dataset.reason !== 'you chose it'");
        press(&view, "share");
        let link = held(&view, "[data-part=share-text]");
        let link = link.as_str().unwrap();
        for setting in ["speed=slow", "seed=12", "theme=dark"] {
            assert!(link.contains(setting), "{browser:?}: {link}");
        }
        assert!(!link.contains("engine="), "{browser:?}: {link}");
        let shown: Vec<Value> = ["speed", "seed", "theme", "engine"]
            .iter()
            .map(|name| held(&view, &format!("[data-act={name}]")))
            .collect();
        assert_eq!(json!(shown), json!(["slow", "12", "dark", "auto"]), "{browser:?}");
        assert_eq!(page.data("theme").as_deref(), Some("dark"));
        press(&view, "embed");
        let code = held(&view, "[data-part=share-text]");
        assert!(code.as_str().unwrap().contains("<fast-vae lesson=\"softmax\""), "{browser:?}: {code}");

        // Every button, on the first lesson.
        assert_eq!(text("softmax-n"), "12");
        for by in WAYS {
            view.press_by(by, "[data-act=step]");
            view.until(
                LOAD,
                "a step",
                "return root.querySelector('[data-part=softmax-n]').textContent !== '12'",
            );
            view.press_by(by, "[data-act=reset]");
            view.until(
                LOAD,
                "a reset",
                "return root.querySelector('[data-part=softmax-n]').textContent === '12'",
            );
            view.press_by(by, "[data-act=part]");
            view.until(LOAD, "a part", "return root.querySelector('math .lit') !== null");
            view.press_by(by, "[data-act=play]");
            page.wait("state", LOAD, |state| state == "training");
            view.press_by(by, "[data-act=play]");
            page.wait("state", LOAD, |state| state == "paused");
            view.press_by(by, "[data-act=reset]");
        }
        for lesson in LESSONS {
            view.click(&format!("[data-act=goto][data-value={lesson}]"));
            page.wait("current", LOAD, |current| current == lesson);
            page.run("scrollTo({ top: 0, behavior: 'instant' })");
        }
        let errors = page.console_errors();
        assert!(errors.is_empty(), "{browser:?}: {errors:#?}");
    }
}

#[test]
#[ignore = "needs dist/, Chromium and Firefox; tests/run.sh builds the one and installs the others"]
fn each_lesson_has_its_own_controls_in_reach() {
    // A telephone, and a laptop of 1366 x 768 at 150 %.
    for (browser, width, height) in
        [(Browser::SoftwareGpu, 360, 740), (Browser::SoftwareGpu, 911, 430), (Browser::Firefox, 500, 740)]
    {
        // Slow, so that no lesson is over before it was seen to play.
        let page = open(browser, "speed=slow");
        page.resize(width, height);
        let view = page.all();
        for lesson in LESSONS.iter().filter(|lesson| **lesson != "teacher") {
            let section = format!("[data-lesson={lesson}]");
            for share in [0.2, 0.5, 0.8] {
                // A lesson above that draws meanwhile moves this one, so it is scrolled to anew.
                let hidden = format!(
                    "const section = document.querySelector('{section}'), area = section.getBoundingClientRect();
                     scrollTo({{ top: scrollY + area.top + {share} * area.height - innerHeight / 2, behavior: 'instant' }});
                     return new Promise((done) => setTimeout(() => done(document.body.dataset.current !== '{lesson}'
                        ? ['another lesson is in view']
                        : ['play', 'part', 'step', 'reset'].filter((act) => {{
                            const button = section.querySelector(`[data-act=${{act}}]`);
                            const area = button.getBoundingClientRect();
                            const [x, y] = [area.left + area.width / 2, area.top + area.height / 2];
                            return !button.contains(document.elementFromPoint(x, y));
                        }})), 200))"
                );
                let started = Instant::now();
                loop {
                    let out_of_reach = page.run(&hidden);
                    if out_of_reach == json!([]) {
                        break;
                    }
                    assert!(
                        started.elapsed() < LOAD,
                        "{browser:?}, {width} x {height}: {lesson} at {share}: {out_of_reach}"
                    );
                }
            }
            // They drive this lesson and no other.
            let play = format!("{section} [data-act=play]");
            view.press_by(By::Touch, &play);
            let playing = view.until(
                LOAD,
                "it plays",
                "const playing = [...root.querySelectorAll('[data-act=play]')].filter((play) => play.textContent === 'Pause');
                 return playing.length ? playing.map((play) => play.closest('[data-lesson]').dataset.lesson) : null",
            );
            assert_eq!(playing, json!([lesson]));
            view.press_by(By::Touch, &format!("{section} [data-act=step]"));
            view.press_by(By::Touch, &format!("{section} [data-act=reset]"));
            page.wait("state", LOAD, |state| state == "ready");
        }
        // The settings are in reach, too.
        if view.run("return root.querySelector('[data-act=settings]').checkVisibility()") == true {
            view.press_by(By::Touch, "[data-act=settings]");
        }
        choose(&view, "speed", "fast");
        assert_eq!(held(&view, "[data-act=speed]"), "fast", "{browser:?}");
    }
}

#[test]
#[ignore = "needs dist/, Chromium and Firefox; tests/run.sh builds the one and installs the others"]
fn nothing_is_taken_from_the_hands_while_it_trains() {
    for browser in BROWSERS {
        let page = open(browser, "lesson=recommend&speed=max&epochs=1000");
        let view = page.all();
        press(&view, "play");
        let trains = "return root.querySelector('[data-part=recommend-note]').textContent.includes('Epoch')";
        view.until(RUN, "an epoch", trains);

        // Half a number stays half a number.
        view.click("[data-act=seed]");
        page.keys(&["Control+a", "4"]);
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(held(&view, "[data-act=seed]"), "4", "{browser:?}");
        page.keys(&["Backspace", "7"]);
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(held(&view, "[data-act=seed]"), "7", "{browser:?}");
        page.keys(&["Tab"]);

        // Words that are typed, and the film that is found by them.
        view.click("[data-act=search]");
        page.keys(&["t", "h", "e"]);
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(held(&view, "[data-act=search]"), "the", "{browser:?}");
        let first = view.run("return root.querySelector('[data-act=like]').dataset.value");
        let film = format!("[data-part=recommend-offered] [data-value=\"{}\"]", first.as_str().unwrap());
        view.press_by(By::Keys, &film);
        view.until(LOAD, "it is liked", "return root.querySelector('[data-act=unlike]') !== null");
        std::thread::sleep(Duration::from_secs(1));
        let focus = view.run("return document.activeElement.dataset.value ?? ''");
        assert_eq!(focus, first, "{browser:?}: the film that was marked has lost the focus");
        // A finger that rests on a button for a while presses it all the same.
        for by in [By::Mouse, By::Touch] {
            view.press_by(by, "[data-part=recommend-offered] [data-act=like]");
        }
        view.until(
            LOAD,
            "three are liked",
            "return root.querySelectorAll('[data-part=recommend-liked] button').length === 3",
        );
    }
}

#[test]
#[ignore = "needs dist/, Chromium and Firefox; tests/run.sh builds the one and installs the others"]
fn a_button_that_draws_its_own_surroundings_keeps_the_focus() {
    for browser in BROWSERS {
        let page = open(browser, "lesson=midx");
        let view = page.all();
        view.until(LOAD, "the index", "return root.querySelector('[data-act=thousand]') !== null");
        for thousand in 1..4 {
            view.press_by(By::Keys, "[data-act=thousand]");
            let counted = format!(
                "return root.querySelector('[data-part=midx-draws]').textContent.includes('{thousand},000 draws')"
            );
            view.until(LOAD, "a thousand draws", &counted);
            assert_eq!(page.run("return document.activeElement.dataset.act"), "thousand", "{browser:?}");
        }
    }
}
