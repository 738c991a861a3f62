//! The full page: its engines, its training, its controls.

use std::time::Duration;

use tests::browser::{Browser, Page};

use crate::common::{LOAD, RUN};

/// What a page shows after a run: engine, loss of the last epoch, NDCG@50.
fn train(browser: Browser, engine: &str, epochs: u32) -> (String, f64, f64) {
    let page = Page::open(browser, "/", &format!("engine={engine}&seed=1&epochs={epochs}&autostart=1"));
    page.wait("state", RUN, |state| state == "done");
    let number = |name: &str| -> f64 { page.data(name).unwrap().parse().unwrap() };
    assert_eq!(number("epoch"), f64::from(epochs));
    let errors = page.console_errors();
    assert!(errors.is_empty(), "{errors:#?}");
    let shown = (page.data("engine").unwrap(), number("loss"), number("ndcg"));
    println!("engine={engine}, {epochs} epochs: {shown:?}, {}", page.data("reason").unwrap_or_default());
    shown
}

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

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn kernels_agree_with_their_twins_on_webgpu() {
    let page = Page::open(Browser::SoftwareGpu, "/", "engine=gpu&selftest=1");
    let result = page.wait("selftest", RUN, |result| result != "running");
    println!("self-test on {}: {result}", page.data("adapter").unwrap_or_default());
    assert_eq!(page.data("engine").as_deref(), Some("gpu"));
    let passed: u32 = result.strip_prefix("passed ").and_then(|n| n.parse().ok()).unwrap_or(0);
    assert!(passed > 0, "{result}");
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn the_page_trains_alike_on_both_engines() {
    let (engine, first, _) = train(Browser::SoftwareGpu, "cpu", 1);
    assert_eq!(engine, "cpu");
    let (_, cpu, cpu_ndcg) = train(Browser::SoftwareGpu, "cpu", 4);
    assert!(cpu < first, "the loss went from {first} to {cpu}");
    assert!(cpu_ndcg > 0.0 && cpu_ndcg <= 1.0, "NDCG@50 {cpu_ndcg}");
    let (engine, gpu, gpu_ndcg) = train(Browser::SoftwareGpu, "gpu", 4);
    assert_eq!(engine, "gpu");
    // The same batches, masks and draws; only the order of sums differs.
    assert!((gpu - cpu).abs() <= 0.01 * cpu.abs(), "loss {gpu} on WebGPU, {cpu} on the CPU engine");
    assert!(
        (gpu_ndcg - cpu_ndcg).abs() <= 0.01,
        "NDCG@50 {gpu_ndcg} on WebGPU, {cpu_ndcg} on the CPU engine"
    );
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn auto_takes_the_cpu_engine_where_the_gpu_is_software_or_missing() {
    for browser in [Browser::SoftwareGpu, Browser::NoGpu] {
        let page = Page::open(browser, "/", "engine=auto&epochs=1&autostart=1");
        page.wait("state", RUN, |state| state == "done");
        assert_eq!(page.data("engine").as_deref(), Some("cpu"), "{browser:?}");
        let reason = page.data("reason").unwrap_or_default();
        assert!(!reason.is_empty(), "{browser:?}: the page does not say why");
    }
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn webgpu_that_is_not_there_is_explained() {
    let page = Page::open(Browser::NoGpu, "/", "engine=gpu&autostart=1");
    let message = page.wait("error", LOAD, |message| !message.is_empty());
    assert!(message.contains("WebGPU"), "{message}");

    // Another choice, and the page goes on.
    choose(&page, "engine", "cpu");
    page.wait("state", LOAD, |state| state == "ready");
    choose(&page, "epochs", "1");
    press(&page, "go");
    page.wait("state", RUN, |state| state == "done");
    assert_eq!((page.data("engine").as_deref(), page.data("error")), (Some("cpu"), None));
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn a_run_can_be_held_and_given_up() {
    let page = Page::open(Browser::SoftwareGpu, "/", "engine=cpu&loss=uniform&epochs=1000&autostart=1");
    let epoch = || page.data("epoch").and_then(|epoch| epoch.parse::<u32>().ok()).unwrap_or(0);
    page.wait("epoch", RUN, |epoch| epoch != "0");
    press(&page, "go");
    page.wait("state", LOAD, |state| state == "paused");
    // What was on its way arrives; then nothing moves.
    std::thread::sleep(Duration::from_secs(3));
    let held = epoch();
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(epoch(), held, "a held run goes on");
    press(&page, "go");
    page.wait("epoch", RUN, |epoch| epoch.parse::<u32>().is_ok_and(|epoch| epoch > held));

    press(&page, "reset");
    page.wait("state", LOAD, |state| state == "ready");
    assert_eq!((page.data("epoch"), page.data("loss"), page.data("ndcg")), (None, None, None));
    choose(&page, "epochs", "1");
    press(&page, "go");
    page.wait("state", RUN, |state| state == "done");
    assert_eq!(page.data("epoch").as_deref(), Some("1"));
    let errors = page.console_errors();
    assert!(errors.is_empty(), "{errors:#?}");
}

fn press(page: &Page, id: &str) {
    page.run(&format!("document.getElementById('{id}').click()"));
}

/// Sets a control as a user would, and tells the page.
fn choose(page: &Page, id: &str, value: &str) {
    page.run(&format!(
        "const control = document.getElementById('{id}');
         control.value = '{value}';
         control.dispatchEvent(new Event('change', {{ bubbles: true }}))"
    ));
}
