//! Which engine a page gets, that both do the same, and what happens when a device is lost.

use std::time::Instant;

use tests::browser::{Browser, Page, Site};

use crate::common::{LOAD, RUN, choose, press, site};

/// A page whose worker runs `script` first.
fn stubbed(script: &str, query: &str) -> Page {
    Page::visit(Browser::SoftwareGpu, site().prologue("worker.js", script), &format!("?{query}"))
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn no_adapter_of_any_kind_leaves_the_page_empty() {
    let cases = [
        ("null", "navigator.gpu.requestAdapter = async () => null;"),
        ("throws", "navigator.gpu.requestAdapter = () => { throw new Error('no adapters today') };"),
        ("rejects", "navigator.gpu.requestAdapter = async () => { throw new DOMException('busy', 'OperationError') };"),
        ("software", ""),
        ("no device", "GPUAdapter.prototype.requestDevice = async () => { throw new DOMException('no', 'OperationError') };
            Object.defineProperty(GPUAdapterInfo.prototype, 'isFallbackAdapter', { get: () => false });"),
        ("no WebGPU", "Object.defineProperty(navigator, 'gpu', { value: undefined });"),
    ];
    for (what, script) in cases {
        let page = stubbed(script, "lesson=race&epochs=1&engine=auto");
        page.wait("engine", LOAD, |engine| engine == "cpu");
        let reason = page.data("reason").unwrap_or_default();
        println!("{what}: {reason}");
        assert!(reason.len() > 10, "{what}: the page does not say why");
        press(&page.all(), "play");
        page.wait("state", RUN, |state| state == "done");

        // Asked for by name, it is an error that says what to do, and another choice goes on.
        if matches!(what, "null" | "throws" | "rejects" | "no WebGPU") {
            page.go("?lesson=race&epochs=1&engine=gpu");
            let message = page.wait("error", LOAD, |message| !message.is_empty());
            assert!(message.contains("WebGPU"), "{what}: {message}");
            choose(&page.all(), "engine", "cpu");
            page.wait("engine", LOAD, |engine| engine == "cpu");
            press(&page.all(), "play");
            page.wait("state", RUN, |state| state == "done");
        }
    }
}

/// A device that a page can lose, and a count of read-backs and submissions.
const SPY: &str = "
{
    const devices = [];
    const request = GPUAdapter.prototype.requestDevice;
    GPUAdapter.prototype.requestDevice = async function (...given) {
        const device = await request.apply(this, given);
        devices.push(device);
        return device;
    };
    const spy = new BroadcastChannel('spy');
    spy.onmessage = ({ data }) => {
        if (data === 'lose') devices.at(-1).destroy();
        if (data.at) loseAt = reads.length + data.at;
        if (data === 'count') spy.postMessage({ reads, submissions });
    };
    const reads = [];
    let submissions = 0, loseAt = 0;
    const map = GPUBuffer.prototype.mapAsync;
    GPUBuffer.prototype.mapAsync = function (...given) {
        reads.push(performance.now());
        if (reads.length === loseAt) devices.at(-1).destroy();
        return map.apply(this, given);
    };
    const submit = GPUQueue.prototype.submit;
    GPUQueue.prototype.submit = function (...given) {
        submissions++;
        return submit.apply(this, given);
    };
}";

const WIDGET: &str = "<!doctype html><html lang=\"en\"><head><title>Host</title><link rel=\"icon\" href=\"data:,\">\
    <script>window.told = []; addEventListener('devicelost', (event) => told.push(event.detail), true);\
    addEventListener('error', (event) => event.detail && told.push(event.detail), true);</script>\
    <script type=\"module\" src=\"embed.js\"></script></head>\
    <body><fast-vae lesson=\"race\" samplers=\"midx-pop\" engine=\"gpu\" speed=\"max\" epochs=\"8\" seed=\"1\"></fast-vae></body></html>";

fn spied() -> Site {
    site().prologue("worker.js", SPY).page("host.html", WIDGET)
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn a_lost_device_goes_on_with_the_same_curve() {
    let page = Page::visit(Browser::SoftwareGpu, spied(), "host.html");
    let widget = page.widget("fast-vae");
    widget.wait("engine", LOAD, |engine| engine == "gpu");
    press(&widget, "play");
    let lose = "new BroadcastChannel('spy').postMessage('lose')";
    let lost = |times: usize| {
        widget.until(LOAD, "devicelost", &format!("return window.told.length >= {times}"));
        let epoch = widget.number("epoch");
        widget.wait("epoch", RUN, |now| now.parse::<f64>().is_ok_and(|now| now > epoch));
    };
    widget.wait("epoch", RUN, |epoch| epoch.parse::<u32>().is_ok_and(|epoch| epoch >= 2));
    page.run(lose);
    lost(1);
    assert_eq!(widget.data("engine").as_deref(), Some("gpu"), "the first loss brings a new device");
    page.run(lose);
    lost(2);
    assert_eq!(widget.data("engine").as_deref(), Some("cpu"), "the second loss brings the CPU engine");
    widget.wait("state", RUN, |state| state == "done");
    println!("told: {}", page.run("return JSON.stringify(window.told)"));
    assert_eq!(widget.number("epoch"), 8.0);
    let interrupted = (widget.number("loss"), widget.number("ndcg"));
    let marked =
        widget.run("return root.querySelector('[data-part=race-table]').textContent.includes('device lost')");
    assert_eq!(marked, true, "the curve does not say where the device was lost");
    drop(page);

    let page = Page::visit(
        Browser::SoftwareGpu,
        spied(),
        "?lesson=race&samplers=midx-pop&engine=cpu&epochs=8&seed=1&speed=max",
    );
    page.wait("engine", LOAD, |engine| engine == "cpu");
    press(&page.all(), "play");
    page.wait("state", RUN, |state| state == "done");
    let whole = (page.all().number("loss"), page.all().number("ndcg"));
    println!("interrupted twice {interrupted:?}, in one go {whole:?}");
    assert!((interrupted.0 - whole.0).abs() <= 0.01 * whole.0, "loss {interrupted:?} instead of {whole:?}");
    assert!((interrupted.1 - whole.1).abs() <= 0.02, "NDCG {interrupted:?} instead of {whole:?}");
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn a_device_may_be_lost_at_any_read() {
    // Losses, evaluation, saving, the index's refresh, the list that follows an epoch: each waits for a read.
    let run = |lose: Option<u32>| {
        let page = Page::visit(Browser::SoftwareGpu, spied(), "host.html");
        let widget = page.widget("fast-vae");
        widget.wait("engine", LOAD, |engine| engine == "gpu");
        page.run("document.querySelector('fast-vae').setParameters({ epochs: 3 })");
        press(&widget, "play");
        widget.wait("epoch", RUN, |epoch| epoch == "1");
        if let Some(read) = lose {
            page.run(&format!("new BroadcastChannel('spy').postMessage({{ at: {read} }})"));
        }
        widget.until(RUN, "the end", "return ['done', 'error'].includes(root.dataset.state)");
        let lists = "return root.querySelector('[data-part=race-lists]').textContent.includes('epoch 3')";
        widget.until(LOAD, "the list of the last epoch", lists);
        let told = page.run("return window.told");
        println!("read {lose:?}: {told}");
        assert_eq!(widget.data("state").as_deref(), Some("done"), "{told}");
        assert_eq!(told.as_array().map(Vec::len), Some(usize::from(lose.is_some())), "{told}");
        assert!(!told.to_string().contains("--"), "{told}");
        (widget.number("loss"), widget.number("ndcg"))
    };
    let whole = run(None);
    for read in 1..=7 {
        let interrupted = run(Some(read));
        assert!(
            (interrupted.0 - whole.0).abs() <= 0.01 * whole.0 && (interrupted.1 - whole.1).abs() <= 0.02,
            "lost at read {read}: {interrupted:?} instead of {whole:?}"
        );
    }
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn no_step_reads_back() {
    let page = Page::visit(Browser::SoftwareGpu, spied(), "host.html");
    page.run(
        "window.counts = []; window.spy = new BroadcastChannel('spy');
        spy.onmessage = ({ data }) => data.reads && counts.push(data)",
    );
    let widget = page.widget("fast-vae");
    widget.wait("engine", LOAD, |engine| engine == "gpu");
    page.run(
        "window.steps = 0;
         document.querySelector('fast-vae').addEventListener('step', () => steps++)",
    );
    press(&widget, "play");
    widget.wait("state", RUN, |state| state == "done");
    page.run("spy.postMessage('count')");
    page.all().until(LOAD, "a count", "return counts.length > 0");
    let count = page.run(
        "const [{ reads, submissions }] = counts;
         const most = Math.max(...reads.map((at) => reads.filter((other) => other >= at && other < at + 1000).length));
         return { reads: reads.length, most, submissions }",
    );
    println!(
        "read-backs of a run of 8 epochs of 20 steps: {count}, {} step events",
        page.run("return steps")
    );
    let number = |name: &str| count[name].as_u64().unwrap();
    assert!(number("submissions") > 0, "no work reached the GPU");
    assert!(number("reads") < 160, "{} read-backs in 160 steps", number("reads"));
    assert!(number("most") <= 10, "{} read-backs within a second", number("most"));
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn the_kernels_pass_and_draw_the_same_everywhere() {
    let native = pollster::block_on(fastvae_study::selftest::draws(&fastvae::engine::Engine::cpu())).unwrap();
    for engine in ["gpu", "cpu"] {
        let page =
            Page::open(Browser::SoftwareGpu, "/", &format!("engine={engine}&selftest=1&lesson=softmax"));
        let result = page.wait("selftest", RUN, |result| result != "running");
        assert_eq!(page.data("engine").as_deref(), Some(engine));
        let drawn = page.data("draws").unwrap_or_default();
        println!("{engine} {}: {result}, draws {drawn}", page.data("adapter").unwrap_or_default());
        let passed: u32 = result.strip_prefix("passed ").and_then(|n| n.parse().ok()).unwrap_or(0);
        assert!(passed > 0, "{result}");
        assert_eq!(
            drawn,
            format!("{native:08x}"),
            "{engine} draws other integers than the native CPU engine"
        );
    }
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn training_lowers_the_loss_and_raises_ndcg_on_both_engines() {
    let mut ends = Vec::new();
    for engine in ["cpu", "gpu"] {
        let query = format!("?lesson=race&samplers=midx-pop&engine={engine}&epochs=6&seed=1&speed=max");
        let page = Page::visit(Browser::SoftwareGpu, site(), &query);
        page.wait("engine", LOAD, |found| found == engine);
        press(&page.all(), "play");
        page.wait("epoch", RUN, |epoch| epoch == "1");
        let first = (page.all().number("loss"), page.all().number("ndcg"));
        let started = Instant::now();
        page.wait("state", RUN, |state| state == "done");
        let last = (page.all().number("loss"), page.all().number("ndcg"));
        println!("{engine}: loss and NDCG from {first:?} to {last:?} in {:?}", started.elapsed());
        assert!(last.0 < first.0, "the loss went from {} to {}", first.0, last.0);
        assert!(last.1 > first.1, "NDCG@50 went from {} to {}", first.1, last.1);
        let errors = page.console_errors();
        assert!(errors.is_empty(), "{errors:#?}");
        ends.push(last);
    }
    // The same batches, masks and draws; only the order of sums differs.
    let (cpu, gpu) = (ends[0], ends[1]);
    assert!((gpu.0 - cpu.0).abs() <= 0.01 * cpu.0, "loss {gpu:?} on WebGPU, {cpu:?} on the CPU engine");
    assert!((gpu.1 - cpu.1).abs() <= 0.02, "NDCG {gpu:?} on WebGPU, {cpu:?} on the CPU engine");
}
