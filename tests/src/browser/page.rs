//! A page in a browser, and functions that wait for its attributes.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::webdriver::Kind;
use super::{LogEntry, Server, Site, View, WebDriver};

/// The browser, and its WebGPU support.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Browser {
    /// Chromium with SwiftShader, a software adapter.
    SoftwareGpu,
    /// Chromium without WebGPU: `navigator.gpu` gives no adapter.
    NoGpu,
    /// Firefox without WebGPU.
    Firefox,
}

impl Browser {
    fn arguments(self) -> Vec<&'static str> {
        let mut arguments = vec![
            "--headless",
            // Chromium refuses its sandbox as root and in containers; the tests open only our own page.
            "--no-sandbox",
            "--no-first-run",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1280,900",
        ];
        match self {
            Self::SoftwareGpu => {
                arguments.extend(["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"]);
            }
            Self::NoGpu | Self::Firefox => {
                arguments.extend(["--disable-gpu", "--disable-features=WebGPU,WebGPUService"])
            }
        }
        arguments
    }
}

/// A page in its own browser process.
pub struct Page {
    pub(super) driver: WebDriver,
    browser: Browser,
    /// The server of the page; a test may start more servers.
    pub server: Server,
    profile: Profile,
    // One browser at a time, so that a time-out does not depend on other tests. Dropped last.
    _turn: MutexGuard<'static, ()>,
}

static TURN: Mutex<()> = Mutex::new(());

/// Time limit of one script.
const SCRIPT: Duration = Duration::from_secs(120);

impl Page {
    /// Serves `dist/` below `prefix`, starts a browser and opens the page with `query` (`engine=cpu&seed=1`).
    ///
    /// # Panics
    /// If something is missing; the message says how to get it.
    pub fn open(browser: Browser, prefix: &str, query: &str) -> Self {
        Self::visit(browser, Site::new(&dist(), prefix), &format!("?{query}"))
    }

    /// Serves a site, starts a browser and opens an address of the site.
    ///
    /// # Panics
    /// If something is missing; the message says how to get it.
    pub fn visit(browser: Browser, site: Site, path: &str) -> Self {
        let page = Self::blank(browser, site);
        page.go(path);
        page
    }

    /// Serves a site and starts a browser without opening a page.
    ///
    /// # Panics
    /// If something is missing; the message says how to get it.
    pub fn blank(browser: Browser, site: Site) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let server = site.serve().unwrap_or_else(|error| panic!("no server: {error}"));
        let profile = Profile::create();
        let arguments = browser.arguments();
        let kind = if browser == Browser::Firefox {
            // Uncaught script errors are written to the output, which the driver reads.
            let settings = json!({ "dom.webgpu.enabled": false, "browser.dom.window.dump.enabled": true });
            Kind::Firefox { settings }
        } else {
            Kind::Chromium { arguments: &arguments, profile: &profile.0 }
        };
        let driver = WebDriver::start(&kind, SCRIPT).unwrap_or_else(|error| panic!("no browser: {error}"));
        Self { driver, browser, server, profile, _turn: turn }
    }

    /// Opens an address of the site and waits until it has loaded.
    ///
    /// # Panics
    /// When it does not load.
    #[track_caller]
    pub fn go(&self, path: &str) {
        let url = self.server.url(path);
        self.driver.open(&url).unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    /// The full page.
    pub fn all(&self) -> View<'_> {
        View::new(self, "document.body")
    }

    /// The widget that a CSS selector finds.
    pub fn widget(&self, selector: &str) -> View<'_> {
        View::new(
            self,
            format!("document.querySelector('{selector}')?.shadowRoot?.querySelector('[data-state]')"),
        )
    }

    /// The whole shadow root of an element.
    pub fn shadow(&self, selector: &str) -> View<'_> {
        View::new(self, format!("document.querySelector('{selector}')?.shadowRoot"))
    }

    /// Runs the body of a JavaScript function in the page; a promise is awaited.
    ///
    /// # Panics
    /// When the script throws or takes over two minutes.
    #[track_caller]
    pub fn run(&self, script: &str) -> Value {
        match self.driver.run(script, &[]) {
            Ok(value) => value,
            Err(error) => panic!("{error}\nin {script}\n{}", self.all().told()),
        }
    }

    /// The body's attribute `data-{name}`, or None if it is not set.
    #[track_caller]
    pub fn data(&self, name: &str) -> Option<String> {
        self.all().data(name)
    }

    /// Calls [`View::wait`] for the full page.
    ///
    /// # Panics
    /// After `limit`, or when the page reports an error (unless `name` is `error`).
    #[track_caller]
    pub fn wait(&self, name: &str, limit: Duration, done: impl Fn(&str) -> bool) -> String {
        self.all().wait(name, limit, done)
    }

    /// Presses keys, one after another: characters, or names as in `KeyboardEvent.key`.
    ///
    /// # Panics
    /// When the browser refuses them, or a name is unknown.
    #[track_caller]
    pub fn keys(&self, keys: &[&str]) {
        for key in keys {
            self.driver.press(key).unwrap_or_else(|error| panic!("{key}: {error}"));
        }
    }

    /// Directs the following scripts to a frame of the page, or back to the page.
    ///
    /// # Panics
    /// When there is no such frame.
    #[track_caller]
    pub fn frame(&self, index: Option<u32>) {
        self.driver.frame(index).unwrap_or_else(|error| panic!("frame {index:?}: {error}"));
    }

    /// Memory of all processes of the browser in megabytes; shared memory pages are counted once.
    ///
    /// # Panics
    /// When the processes cannot be read.
    #[track_caller]
    pub fn memory(&self) -> u64 {
        memory(&self.profile.0).unwrap_or_else(|error| panic!("memory of the browser: {error}"))
    }

    /// Runs a command of the DevTools protocol.
    ///
    /// # Panics
    /// When the browser refuses it.
    #[track_caller]
    pub fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.driver.devtools(command, parameters).unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// Sets the width and height of the window in CSS pixels, also to the size of a phone.
    #[track_caller]
    pub fn resize(&self, width: u32, height: u32) {
        if self.browser == Browser::Firefox {
            return self.driver.resize(width, height).unwrap_or_else(|error| panic!("{error}"));
        }
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics);
    }

    /// Emulates media features: `("prefers-color-scheme", "dark")`.
    #[track_caller]
    pub fn prefers(&self, features: &[(&str, &str)]) {
        let features: Vec<Value> =
            features.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// A PNG of the page: all of it, or the visible part.
    ///
    /// # Panics
    /// When the browser returns no picture.
    #[track_caller]
    pub fn screenshot(&self, all: bool) -> String {
        if self.browser == Browser::Firefox {
            return self.driver.screenshot().unwrap_or_else(|error| panic!("{error}"));
        }
        // A visible scroll bar would make the layout narrower than the picture.
        self.devtools("Emulation.setScrollbarsHidden", json!({ "hidden": true }));
        let shot = self.devtools(
            "Page.captureScreenshot",
            json!({ "format": "png", "captureBeyondViewport": all, "optimizeForSpeed": false }),
        );
        shot["data"].as_str().unwrap_or_else(|| panic!("no picture: {shot}")).to_owned()
    }

    /// Errors on the console since the last call.
    ///
    /// # Panics
    /// When the browser does not answer.
    pub fn console_errors(&self) -> Vec<LogEntry> {
        let entries = self.driver.console().unwrap_or_else(|error| panic!("{error}"));
        entries.into_iter().filter(|entry| entry.level == "SEVERE").collect()
    }

    /// The result of a script, and the console, for failure messages.
    pub(super) fn told(&self, script: &str) -> String {
        let mut told = match self.driver.run(script, &[]) {
            Ok(state) => format!("page: {}\n", state.as_str().unwrap_or("nothing")),
            Err(error) => format!("page: does not answer ({error})\n"),
        };
        for entry in self.driver.console().unwrap_or_default() {
            told.push_str(&format!("console: {} {}\n", entry.level, entry.message));
        }
        told
    }
}

/// Sum of the proportional set sizes of all processes whose command line contains the profile.
fn memory(profile: &Path) -> std::io::Result<u64> {
    let profile = profile.to_string_lossy();
    let mut kilobytes = 0;
    for process in std::fs::read_dir("/proc")? {
        let process = process?.path();
        // A process may end while it is being read.
        let Ok(command) = std::fs::read(process.join("cmdline")) else { continue };
        if !String::from_utf8_lossy(&command).contains(&*profile) {
            continue;
        }
        let rollup = std::fs::read_to_string(process.join("smaps_rollup")).unwrap_or_default();
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
        kilobytes +=
            line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0);
    }
    if kilobytes == 0 {
        Err(std::io::Error::other("no process of it was found"))
    } else {
        Ok(kilobytes / 1000)
    }
}

/// The folder written by `trunk build --release`.
///
/// # Panics
/// If it does not exist.
pub fn dist() -> PathBuf {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist");
    let index = dist.join("index.html");
    assert!(index.is_file(), "{} is missing: run `trunk build --release`", index.display());
    dist
}

/// A temporary browser profile, removed when dropped.
struct Profile(PathBuf);

impl Profile {
    fn create() -> Self {
        let unique = format!("fastvae-browser-{}-{:?}", std::process::id(), Instant::now());
        let name: String =
            unique.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder)
            .unwrap_or_else(|error| panic!("{} cannot be made: {error}", folder.display()));
        Self(folder)
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        // The browser may still be writing files. A folder left in the temporary folder is harmless.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
