//! Lessons on slides and in frames: keys, room, and heights.

use serde_json::{Value, json};
use tests::browser::{Browser, Page};

use crate::common::{LESSONS, LOAD, RUN, press, site};

#[test]
#[ignore = "needs dist/, Chromium and Firefox; tests/run.sh builds the one and installs the others"]
fn keys_of_a_control_do_not_turn_the_slide() {
    let host = "<!doctype html><html lang=\"en\"><title>Slides</title><link rel=\"icon\" href=\"data:,\">\
        <script>window.turned = []; document.addEventListener('keydown', (event) => turned.push(event.key))</script>\
        <script type=\"module\" src=\"embed.js\"></script>\
        <button id=\"outside\">Outside</button>";
    for (browser, lesson, controls) in [
        (
            Browser::SoftwareGpu,
            "midx",
            &["[data-act=k]", "[data-act=variant]", "[data-keys=grid]", "[data-keys=taste]"][..],
        ),
        (
            Browser::Firefox,
            "midx",
            &["[data-act=k]", "[data-act=variant]", "[data-keys=grid]", "[data-act=seed]"][..],
        ),
        (
            Browser::SoftwareGpu,
            "recommend",
            &["[data-act=search]", "[data-act=seed]", "[data-act=subset]"][..],
        ),
    ] {
        let body = format!("{host}<fast-vae lesson=\"{lesson}\" engine=\"cpu\"></fast-vae>");
        let page = Page::visit(browser, site().page("host.html", body), "host.html");
        let view = page.widget("fast-vae");
        view.wait("engine", LOAD, |engine| engine == "cpu");
        view.until(LOAD, "all of it", &format!("return root.querySelector('{}') !== null", controls[0]));
        for control in controls {
            view.focus(control);
            page.keys(&["ArrowRight", "ArrowDown", "ArrowUp", "ArrowLeft", "End", "Home"]);
        }
        if lesson == "recommend" {
            view.focus("[data-act=search]");
            page.keys(&["s", "f", "n", " ", "Backspace", "Enter"]);
        }
        view.focus("[data-act=step]");
        page.keys(&[" ", "Enter"]);
        assert_eq!(page.run("return turned"), json!([]), "{browser:?} {lesson}");
        // What nobody uses goes through.
        page.keys(&["ArrowRight", "Escape"]);
        page.run("document.querySelector('#outside').focus()");
        page.keys(&["ArrowRight"]);
        let turned = page.run("return turned");
        assert_eq!(turned, json!(["ArrowRight", "Escape", "ArrowRight"]), "{browser:?} {lesson}");
    }
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn a_compact_lesson_fits_a_slide() {
    let mut too_small = Vec::new();
    let page = Page::blank(Browser::SoftwareGpu, site());
    page.resize(700, 700);
    for lesson in LESSONS {
        page.go(&format!("embed.html?lesson={lesson}&compact&engine=cpu&speed=max&epochs=3"));
        let view = page.widget("fast-vae");
        view.wait("engine", LOAD, |engine| engine == "cpu");
        if lesson != "teacher" {
            press(&view, "step");
        }
        if matches!(lesson, "fidelity" | "race" | "recommend") {
            let charts = "return root.querySelector('.chart svg, .places .note, .offered li') !== null";
            view.until(RUN, "something to see", charts);
        }
        std::thread::sleep(std::time::Duration::from_secs(2));
        let fits = page.run(
            "const inside = document.querySelector('fast-vae').shadowRoot.querySelector('[data-state]');
             const root = document.documentElement;
             return { wide: root.scrollWidth, high: root.scrollHeight, zoom: Number(getComputedStyle(inside).zoom) }",
        );
        println!("{lesson}: {fits}");
        let number = |name: &str| fits[name].as_f64().unwrap();
        if number("high") > 700.0 || number("wide") > 700.0 || number("zoom") < 0.5 {
            too_small.push(format!("{lesson}: {fits}"));
        }
        // It can still be pressed where it is shown.
        if lesson != "teacher" {
            press(&view, "reset");
        }
    }
    assert!(too_small.is_empty(), "{too_small:#?}");
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn a_frame_tells_its_height_in_the_usual_ways() {
    let host = "<!doctype html><html lang=\"en\"><title>Host</title><link rel=\"icon\" href=\"data:,\">\
        <script>window.told = []; addEventListener('message', ({ data }) => told.push(data))</script>\
        <iframe title=\"Lesson\" width=\"800\" height=\"300\" \
        src=\"embed.html?lesson=softmax&amp;engine=cpu&amp;childId=course-7\"></iframe>";
    let page = Page::visit(Browser::SoftwareGpu, site().page("host.html", host), "host.html");
    let view = page.all();
    view.until(LOAD, "a height", "return told.some((data) => data.height > 500)");
    page.run("frames[0].postMessage('[iFrameSizer]frame1:8:false:false:32:true:true:null:max', '*')");
    view.until(
        LOAD,
        "an answer to iframe-resizer",
        "return told.some((data) => /^\\[iFrameSizer\\]frame1:\\d+:\\d+:resize$/.test(data))",
    );
    let heights = page.run(
        "const last = (pick) => { for (const data of told.toReversed()) { const height = pick(data); if (height) return height } };
         const parsed = (data) => { try { return JSON.parse(data) } catch { return {} } };
         return [
             last((data) => data.subject === 'lti.frameResize' && data.height),
             last((data) => data.type === 'plugin.resize' && data.payload.height),
             last((data) => data.type === 'resize' && data.height),
             last((data) => parsed(data).context === 'iframe.resize' && parsed(data).height),
             last((data) => Number(/^pymxPYMxcourse-7xPYMxheightxPYMx(\\d+)$/.exec(data)?.[1])),
             last((data) => Number(/^\\[iFrameSizer\\]frame1:(\\d+):/.exec(data)?.[1])),
         ].map((height) => height ?? 0)",
    );
    let heights: Vec<Value> = heights.as_array().unwrap().clone();
    assert!(heights[0].as_f64().unwrap() > 500.0, "{heights:?}");
    assert!(heights.iter().all(|height| *height == heights[0]), "{heights:?}");
}
