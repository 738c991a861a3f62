//! How the page looks and reads, to eyes, keyboards and screen readers, and how soon it is there.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use tests::browser::{Browser, By, Page};

use crate::common::{LESSONS, LOAD, press, site};

/// The rules of axe-core, which tests/run.sh installs.
fn axe() -> String {
    let file = std::env::var_os("FASTVAE_AXE").map(PathBuf::from).unwrap_or_else(|| {
        let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        home.join(".cache/fastvae/node/node_modules/axe-core/axe.min.js")
    });
    std::fs::read_to_string(&file).unwrap_or_else(|error| {
        panic!("{}: {error}; tests/run.sh installs it, FASTVAE_AXE names it", file.display())
    })
}

/// Findings that keep people out, as `rule: elements`.
#[track_caller]
fn accessible(page: &Page, what: &str) {
    let found = page.run(
        "return axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations
            .filter(({ impact }) => ['serious', 'critical'].includes(impact))
            .map(({ id, help, nodes }) =>
                `${id}: ${help}: ${nodes.slice(0, 4).map(({ target, failureSummary }) => `${target} (${failureSummary})`).join('; ')}`))",
    );
    assert_eq!(found, json!([]), "{what}");
}

/// The page with its engine, and axe in it.
fn page(path: &str) -> Page {
    let page = Page::visit(Browser::SoftwareGpu, site(), path);
    page.all().until(LOAD, "an engine", ENGINE);
    page.run(&axe());
    page
}

const ENGINE: &str = "return [document.body, ...[...document.querySelectorAll('fast-vae')]
    .map((widget) => widget.shadowRoot.querySelector('[data-state]'))]
    .some((root) => root?.dataset.engine)";

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn axe_finds_nothing_serious() {
    let page = page("?engine=cpu");
    for theme in ["light", "dark"] {
        page.prefers(&[("prefers-color-scheme", theme)]);
        std::thread::sleep(Duration::from_millis(300));
        accessible(&page, &format!("the page, {theme}"));
    }
    for path in ["examples/course.html", "embed.html?lesson=midx&engine=cpu"] {
        page.go(path);
        page.all().until(LOAD, "an engine", ENGINE);
        page.run(&axe());
        for theme in ["light", "dark"] {
            page.prefers(&[("prefers-color-scheme", theme)]);
            std::thread::sleep(Duration::from_millis(300));
            accessible(&page, &format!("{path}, {theme}"));
        }
    }
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn it_fits_a_telephone() {
    let page = Page::blank(Browser::SoftwareGpu, site());
    page.resize(360, 740);
    let paths = std::iter::once("?engine=cpu".to_owned())
        .chain(LESSONS.iter().map(|lesson| format!("embed.html?lesson={lesson}&engine=cpu")));
    for path in paths {
        page.go(&path);
        page.all().until(LOAD, "an engine", ENGINE);
        if path.contains("lesson=fidelity") {
            // Its table comes with the first step.
            let widget = page.widget("fast-vae");
            widget.press_by(By::Touch, "[data-act=step]");
            widget.until(LOAD, "a table", "return root.querySelector('table') != null");
        }
        let wide = page.run(
            "const inside = document.querySelector('fast-vae')?.shadowRoot.querySelector('[data-state]') ?? document.body;
             const scrolls = document.documentElement.scrollWidth > 360;
             return scrolls ? [...inside.querySelectorAll('*')]
                .filter((element) => element.getBoundingClientRect().right > 361)
                .map((element) => `${element.tagName}.${element.getAttribute('class')}`).slice(0, 8) : 'fits'",
        );
        assert_eq!(wide, "fits", "{path}");
    }
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn dark_is_dark_and_light_is_light() {
    // The ground of the first element that has one, from 0 to 255.
    let brightness = |page: &Page, root: &str| -> f64 {
        let value = page.run(&format!(
            "for (let element = {root}; element; element = element.parentElement ?? element.getRootNode().host) {{
                const colour = getComputedStyle(element).backgroundColor.match(/[\\d.]+/g).map(Number);
                if ((colour[3] ?? 1) > 0.5) return (colour[0] + colour[1] + colour[2]) / 3;
             }}
             return matchMedia('(prefers-color-scheme: dark)').matches ? 0 : 255"
        ));
        value.as_f64().unwrap()
    };
    let page = Page::blank(Browser::SoftwareGpu, site());
    let widget = "document.querySelector('fast-vae').shadowRoot.querySelector('[data-state] section')";
    for (system, theme, dark) in
        [("light", "auto", false), ("dark", "auto", true), ("light", "dark", true), ("dark", "light", false)]
    {
        page.prefers(&[("prefers-color-scheme", system)]);
        page.go(&format!("?engine=cpu&theme={theme}"));
        page.wait("engine", LOAD, |engine| engine == "cpu");
        let full = brightness(&page, "document.body");
        assert_eq!(full < 128.0, dark, "the page is {full} bright on {system} with theme={theme}");
        page.go(&format!("embed.html?lesson=softmax&engine=cpu&theme={theme}"));
        page.all().until(LOAD, "an engine", ENGINE);
        let inside = brightness(&page, widget);
        assert_eq!(inside < 128.0, dark, "the widget is {inside} bright on {system} with theme={theme}");
    }
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn a_widget_follows_the_page_around_it() {
    let host = |html: &str, widget: &str| {
        format!(
            "<!doctype html><html lang=\"en\" {html}><head><title>Host</title><link rel=\"icon\" href=\"data:,\">\
             <script type=\"module\" src=\"embed.js\"></script></head>\
             <body><fast-vae lesson=\"softmax\" engine=\"cpu\" {widget}></fast-vae></body></html>"
        )
    };
    let cases = [
        ("data-theme=\"dark\"", true),
        ("data-bs-theme=\"dark\"", true),
        ("data-md-color-scheme=\"slate\"", true),
        ("data-md-color-scheme=\"default\"", false),
        ("class=\"dark\"", true),
        ("style=\"color-scheme: dark\"", true),
        ("style=\"color-scheme: light\"", false),
    ];
    let pages = cases.iter().enumerate().flat_map(|(case, (html, _))| {
        [
            (format!("auto{case}.html"), host(html, "")),
            (format!("light{case}.html"), host(html, "theme=\"light\"")),
        ]
    });
    let site = pages.fold(site(), |site, (path, content)| site.page(&path, content));
    let page = Page::blank(Browser::SoftwareGpu, site);
    let widget = page.widget("fast-vae");
    let dark = || {
        let scheme = widget.until(
            LOAD,
            "the lesson",
            "return root?.dataset.state ? getComputedStyle(root).colorScheme : null",
        );
        let system = page.run("return matchMedia('(prefers-color-scheme: dark)').matches").as_bool().unwrap();
        match scheme.as_str().unwrap() {
            "dark" => true,
            "light" => false,
            _ => system,
        }
    };
    for system in ["light", "dark"] {
        page.prefers(&[("prefers-color-scheme", system)]);
        for (case, (html, expected)) in cases.iter().enumerate() {
            page.go(&format!("auto{case}.html"));
            assert_eq!(dark(), *expected, "{html} on {system}");
            page.go(&format!("light{case}.html"));
            assert!(!dark(), "theme=light in {html} on {system}");
        }
    }
    // It follows while it is there, too; without a word of the page, the system decides.
    page.go("auto0.html");
    assert!(dark());
    page.run("document.documentElement.dataset.theme = 'light'");
    widget.until(LOAD, "light", "return getComputedStyle(root).colorScheme === 'light'");
    page.run("document.documentElement.removeAttribute('data-theme')");
    widget.until(LOAD, "the system's", "return getComputedStyle(root).colorScheme === 'light dark'");
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn the_styles_of_the_element_do_not_reach_the_lesson() {
    let page = Page::blank(Browser::SoftwareGpu, site());
    let look = |page: &Page, root: &str| {
        page.run(&format!(
            "const root = {root}; const properties = ['fontSize', 'margin', 'padding', 'display', 'color', 'cursor', 'lineHeight'];
             return ['section > p', '#fv-midx-help', '[data-act=step]', '.figure', 'h2'].map((selector) => {{
                const style = getComputedStyle(root.querySelector(selector));
                return selector + properties.map((name) => style[name]).join();
             }})"
        ))
    };
    page.go("?lesson=midx&engine=cpu");
    page.wait("engine", LOAD, |engine| engine == "cpu");
    let alone = look(&page, "document.body");
    page.go("embed.html?lesson=midx&engine=cpu");
    page.widget("fast-vae").wait("engine", LOAD, |engine| engine == "cpu");
    let inside = look(&page, "document.querySelector('fast-vae').shadowRoot.querySelector('[data-state]')");
    assert_eq!(alone, inside);
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn nothing_moves_for_those_who_asked_for_that() {
    let page = Page::blank(Browser::SoftwareGpu, site());
    page.prefers(&[("prefers-reduced-motion", "reduce")]);
    page.go("?engine=cpu&lesson=midx");
    page.wait("engine", LOAD, |engine| engine == "cpu");
    press(&page.all(), "play");
    for _ in 0..10 {
        let moving = page.run(
            "return document.getAnimations().filter((one) => one.playState === 'running'
                && one.effect.getComputedTiming().duration > 10).length",
        );
        assert_eq!(moving, 0);
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(page.run("return getComputedStyle(document.documentElement).scrollBehavior"), "auto");
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn lesson_1_works_before_the_engine_is_there() {
    let page = Page::visit(Browser::SoftwareGpu, site().hold("worker_bg.wasm"), "");
    page.all().until(
        LOAD,
        "lesson 1",
        "return root.querySelector('[data-lesson=softmax] input[type=range]') !== null",
    );
    let shown = "return root.querySelector('[data-lesson=softmax]').innerHTML";
    let before = page.all().run(shown);
    page.all().slide(By::Mouse, "[data-act=size]", 1.0);
    page.all().until(
        LOAD,
        "another picture",
        &format!("return root.querySelector('[data-lesson=softmax]').innerHTML !== {before}"),
    );
    assert_eq!(page.data("engine"), None, "the engine was held back");
    page.server.release();
    page.wait("engine", LOAD, |engine| !engine.is_empty());
    page.wait("state", LOAD, |state| state == "ready");
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn lesson_3_by_keyboard_alone() {
    let page = Page::visit(Browser::SoftwareGpu, site(), "embed.html?lesson=midx&engine=cpu&seed=7&k=4");
    let widget = page.widget("fast-vae");
    widget.until(LOAD, "the index", "return Boolean(root?.querySelector('[data-part=midx-grid] svg'))");
    let focused = || {
        let script =
            "const at = root.getRootNode().activeElement; return at?.dataset.part ?? at?.dataset.act ?? ''";
        widget.run(script).as_str().unwrap().to_owned()
    };
    // Tab reaches every control, and each shows that it has the focus.
    let reach = |what: &str| {
        for _ in 0..40 {
            if focused() == what {
                let outlined = widget.run(
                    "const style = getComputedStyle(root.getRootNode().activeElement);
                     return style.outlineStyle !== 'none' || style.boxShadow !== 'none'",
                );
                assert_eq!(outlined, true, "{what} does not show that it has the focus");
                return;
            }
            page.keys(&["Tab"]);
        }
        panic!("Tab does not reach {what}\n{}", widget.told());
    };
    let part = |name: &str| {
        let text = widget.run(&format!("return root.querySelector('[data-part={name}]').textContent"));
        text.as_str().unwrap().to_owned()
    };

    // One draw, part by part.
    reach("part-midx");
    let before = part("midx-draws");
    page.keys(&["Enter", "Enter", "Enter"]);
    widget.until(
        LOAD,
        "a draw is counted",
        &format!("return root.querySelector('[data-part=midx-draws]').textContent !== {}", json!(before)),
    );

    // The settings and the viewer.
    reach("midx-k");
    page.keys(&["ArrowRight"]);
    widget.until(
        LOAD,
        "another K",
        "return root.querySelector('[data-part=midx-k-shown]').textContent === '5'",
    );
    reach("midx-variant");
    page.keys(&["ArrowDown"]);
    reach("midx-plane");
    let taste = "return root.querySelector('[data-part=midx-plane]').getAttribute('aria-valuetext')";
    let before = widget.run(taste);
    page.keys(&["ArrowUp", "ArrowUp"]);
    widget.until(LOAD, "another viewer", &format!("{taste} !== {before}"));

    // The cells, by arrow keys; what is lit is told.
    reach("midx-grid");
    widget.until(LOAD, "the grid", "return root.querySelector('[data-part=midx-grid] svg') !== null");
    let mut told = part("midx-told");
    for key in ["Home", "ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp", "End"] {
        page.keys(&[key]);
        if !matches!(key, "Home" | "ArrowUp") {
            let elsewhere =
                format!("return root.querySelector('[data-part=midx-told]').textContent !== {}", json!(told));
            widget.until(LOAD, &format!("{key} leads somewhere"), &elsewhere);
        }
        told = part("midx-told");
    }
    page.keys(&["Enter"]);
    assert!(!part("midx-told").is_empty());
    assert_eq!(page.run("return document.activeElement?.tagName"), "FAST-VAE");
}
