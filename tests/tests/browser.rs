//! The built page in headless Chromium.
//!
//! `tests/run.sh` builds `dist/` and runs these; by hand:
//! `trunk build --release && cargo test -p tests --test browser -- --ignored`.

use std::time::Duration;

use tests::browser::{Browser, Page};

const LOAD: Duration = Duration::from_secs(60);

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
        let errors = page.console_errors();
        assert!(errors.is_empty(), "{errors:#?}");
    }
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn a_wrong_address_is_explained() {
    let page = Page::open(Browser::SoftwareGpu, "/", "engine=abacus");
    let message = page.wait("error", LOAD, |message| !message.is_empty());
    assert!(message.contains("engine=abacus") && message.contains("auto, gpu or cpu"), "{message}");
    assert_eq!(page.run("return document.querySelector('#status').textContent"), message.as_str());
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn the_page_works_without_webgpu() {
    let page = Page::open(Browser::NoGpu, "/", "");
    let adapter =
        page.run("return (async () => (await navigator.gpu?.requestAdapter()) ? 'adapter' : 'none')()");
    assert_eq!(adapter, "none");
    page.wait("state", LOAD, |state| state == "ready");
}
