//! The full page: where it lies, what its address says, its controls.

use std::time::Duration;

use tests::browser::{Browser, Page};

use crate::common::{LOAD, RUN, press};

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn the_browser_has_a_webgpu_adapter() {
    let page = Page::open(Browser::SoftwareGpu, "/", "");
    let adapter = page.run(
        "return (async () => {
            const adapter = await navigator.gpu?.requestAdapter();
            if (!adapter) return null;
            const { vendor, architecture, description } = adapter.info;
            const { maxStorageBuffersPerShaderStage, maxComputeWorkgroupStorageSize } = adapter.limits;
            return { vendor, architecture, description, maxStorageBuffersPerShaderStage,
                     maxComputeWorkgroupStorageSize };
        })()",
    );
    println!("WebGPU adapter: {adapter}");
    assert!(adapter.is_object(), "no WebGPU adapter");
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn the_page_becomes_ready_below_any_path() {
    for prefix in ["/", "/some/course/page/"] {
        let page = Page::open(Browser::SoftwareGpu, prefix, "");
        page.wait("state", LOAD, |state| state == "ready");
        page.wait("engine", LOAD, |engine| engine == "cpu");
        let errors = page.console_errors();
        assert!(errors.is_empty(), "{errors:#?}");
    }
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn a_wrong_address_is_explained_and_the_page_goes_on() {
    let page =
        Page::open(Browser::SoftwareGpu, "/", "engine=abacus&utm_source=mail#softmax.n=lots&seed=%ff&k");
    let message = page.wait("error", LOAD, |message| !message.is_empty());
    assert!(["engine=abacus", "seed="].iter().any(|part| message.contains(part)), "{message}");
    let shown = page.run("return document.querySelector('[data-part=error-text]').textContent");
    assert_eq!(shown, message.as_str());
    // The error stands beside an engine that has come all the same.
    page.all().until(LOAD, "an engine", "return root.dataset.engine === 'cpu'");
    press(&page.all(), "step");
    page.all().write("[data-act=seed]", "3");
    assert_eq!(page.data("error"), None, "the page goes on with the next thing that works");
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn a_run_can_be_held_and_given_up() {
    let page = Page::open(
        Browser::SoftwareGpu,
        "/",
        "lesson=race&samplers=uniform&engine=cpu&epochs=1000&speed=max&autostart=1",
    );
    let epoch = || page.all().number("epoch");
    page.wait("epoch", RUN, |epoch| epoch != "0");
    press(&page.all(), "play");
    page.wait("state", LOAD, |state| state == "paused");
    // What was on its way arrives; then nothing moves.
    std::thread::sleep(Duration::from_secs(3));
    let held = epoch();
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(epoch(), held, "a held run goes on");
    press(&page.all(), "play");
    page.wait("epoch", RUN, |epoch| epoch.parse::<f64>().is_ok_and(|epoch| epoch > held));

    press(&page.all(), "reset");
    page.wait("state", LOAD, |state| state == "ready");
    assert_eq!((page.data("epoch"), page.data("loss"), page.data("ndcg")), (None, None, None));
    press(&page.all(), "play");
    page.wait("epoch", RUN, |epoch| epoch == "1");
    let errors = page.console_errors();
    assert!(errors.is_empty(), "{errors:#?}");
}
