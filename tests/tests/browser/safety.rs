//! No address runs foreign code, and the page works under strict policies and says what they block.

use serde_json::json;
use tests::browser::{Browser, Page, Server, Site, dist};

use crate::common::{LOAD, RUN, press, site};

/// A site of somebody else: everything in it would run in the page, and is readable from everywhere.
fn foreign() -> Server {
    let trap = "window.foreign = 1; export default async () => {}; export const mount = () => { window.foreign = 1 };";
    let site = ["page.js", "worker_loader.js", "worker.js", "embed.js"]
        .iter()
        .fold(Site::new(&dist(), "/"), |site, path| site.page(path, trap));
    site.header("Access-Control-Allow-Origin", "*").serve().unwrap()
}

#[track_caller]
fn nothing_came_from(foreign: &Server, page: &Page, way: &str) {
    assert_eq!(foreign.asked(), Vec::<String>::new(), "{way}");
    assert_eq!(page.run("return window.foreign ?? 0"), 0, "{way}");
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn no_link_names_where_scripts_come_from() {
    let foreign = foreign();
    let page = Page::blank(Browser::SoftwareGpu, site());
    let evil = foreign.url("");
    for way in ["?base=", "#base=", "?lesson=race&engine=cpu#lesson=race&base="] {
        for start in ["index.html", "embed.html"] {
            // The fragment alone would not load the page anew.
            page.go("host.txt");
            page.go(&format!("{start}{way}{evil}"));
            let view = if start == "index.html" { page.all() } else { page.widget("fast-vae") };
            view.wait("engine", LOAD, |engine| !engine.is_empty());
            nothing_came_from(&foreign, &page, &format!("{start}{way}"));
        }
    }
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn a_base_of_another_site_or_scheme_is_refused() {
    let foreign = foreign();
    let host = "<!doctype html><title>Host</title><link rel=\"icon\" href=\"data:,\">\
        <script>window.errors = []; addEventListener('error', (event) => event.detail && errors.push(event.detail), true)</script>\
        <script type=\"module\" src=\"embed.js\"></script>";
    let module = "text/javascript,window.foreign%3D1;export default async()=>{};//";
    for base in [
        foreign.url(""),
        format!("data:{module}"),
        "blob:null/x".into(),
        "javascript:window.foreign=1//".into(),
    ] {
        let body = format!("{host}<fast-vae lesson=\"softmax\" engine=\"cpu\" base=\"{base}\"></fast-vae>");
        let page = Page::visit(Browser::SoftwareGpu, site().page("host.html", body), "host.html");
        page.all().until(LOAD, "an error", "return window.errors.length > 0");
        let code = page.run("return window.errors[0].code");
        assert_eq!(code, "base", "{base}");
        nothing_came_from(&foreign, &page, &base);
    }
    // Neither a script's state nor its parameters lead there.
    let body = format!("{host}<fast-vae lesson=\"race\" engine=\"cpu\"></fast-vae>");
    let page = Page::blank(Browser::SoftwareGpu, site().page("host.html", body));
    page.go("host.html");
    page.run(&format!(
        "const widget = document.querySelector('fast-vae');
         widget.state = {{ base: {evil} }};
         widget.setParameters({{ base: {evil} }})",
        evil = json!(foreign.url(""))
    ));
    page.widget("fast-vae").until(LOAD, "an engine", "return root?.dataset.engine");
    nothing_came_from(&foreign, &page, "state and parameters");
    // There is one browser at a time, and this test would wait for itself.
    drop(page);
    // The site of the page is allowed.
    let site = site().page("deep/host.html", body_with_base(host));
    let page = Page::visit(Browser::SoftwareGpu, site, "deep/host.html");
    page.widget("fast-vae").wait("engine", LOAD, |engine| engine == "cpu");
}

fn body_with_base(host: &str) -> String {
    let host = host.replace("src=\"embed.js\"", "src=\"../embed.js\"");
    format!("{host}<fast-vae lesson=\"softmax\" engine=\"cpu\" base=\"/\"></fast-vae>")
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn a_link_names_data_of_its_own_site_only() {
    let foreign = foreign();
    let page = Page::blank(Browser::SoftwareGpu, site());
    for data in [foreign.url("ratings.csv"), "file:///etc/passwd".into(), "data:text/csv,user%2Citem".into()]
    {
        for start in ["index.html?", "embed.html?", "index.html#"] {
            page.go("host.txt");
            page.go(&format!("{start}lesson=race&engine=cpu&data={data}"));
            let view = if start.starts_with("index") { page.all() } else { page.widget("fast-vae") };
            let message = view.wait("error", LOAD, |message| !message.is_empty());
            assert!(message.contains("cannot be used"), "{start} {data}: {message}");
            nothing_came_from(&foreign, &page, &data);
        }
    }
}

/// The policy that the README gives for pages with widgets, with everything else forbidden and trusted types required.
fn strict(origin: &str) -> String {
    format!(
        "default-src 'none'; base-uri 'none'; form-action 'none'; script-src {origin} 'wasm-unsafe-eval'; \
         connect-src {origin}; worker-src blob: 'self'; style-src 'self'; img-src data:; \
         require-trusted-types-for 'script'; trusted-types fastvae fastvae-offline"
    )
}

#[test]
#[ignore = "needs dist/, Chromium and Firefox; tests/run.sh builds the one and installs the others"]
fn the_full_page_works_under_the_strictest_policy() {
    for browser in [Browser::SoftwareGpu, Browser::Firefox] {
        let site = site().header("Content-Security-Policy", &strict("'self'"));
        let page = Page::blank(browser, site);
        page.go("?engine=cpu&lesson=race&epochs=2&speed=max&samplers=midx-pop,uniform");
        page.wait("engine", LOAD, |engine| engine == "cpu");
        press(&page.all(), "play");
        page.wait("state", RUN, |state| state == "done");
        assert_eq!(page.run("return document.querySelectorAll('svg.fv-chart').length"), 2, "{browser:?}");
        let inline = page.run("return document.querySelectorAll('[style], style').length");
        assert_eq!(inline, 0, "{browser:?}: styles on elements");
        for lesson in ["softmax", "importance", "midx", "fidelity"] {
            page.go(&format!("?engine=cpu&lesson={lesson}"));
            page.wait("engine", LOAD, |engine| engine == "cpu");
            press(&page.all(), "step");
        }
        page.all().until(RUN, "charts", "return root.querySelector('svg.fv-chart') !== null");
        let errors = page.console_errors();
        assert!(errors.is_empty(), "{browser:?}: {errors:#?}");
    }
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn what_a_policy_blocks_is_said() {
    let cases = [
        ("'wasm-unsafe-eval'", "", "wasm-unsafe-eval"),
        ("worker-src blob: 'self'", "worker-src 'none'", "worker-src blob:"),
        ("connect-src 'self'", "connect-src 'none'", "connect"),
        ("trusted-types fastvae fastvae-offline", "trusted-types 'none'", "trusted-types fastvae"),
    ];
    for (allowed, instead, said) in cases {
        let policy = strict("'self'").replace(allowed, instead);
        let site = site().header("Content-Security-Policy", &policy);
        let page = Page::visit(Browser::SoftwareGpu, site, "?engine=cpu&lesson=midx");
        let shown = format!(
            "return document.body.innerText.includes({}) ? document.body.innerText : null",
            json!(said)
        );
        let text = page.all().until(LOAD, said, &shown);
        println!("without {allowed}: {text}");
    }
    // Where no script runs at all, the page itself says so after a while.
    let policy = "default-src 'none'; style-src 'self'; script-src 'none'";
    let page = Page::visit(Browser::SoftwareGpu, site().header("Content-Security-Policy", policy), "");
    page.all().until(
        LOAD,
        "a message without scripts",
        "return root.querySelector('.late')?.checkVisibility({ visibilityProperty: true })",
    );
}
