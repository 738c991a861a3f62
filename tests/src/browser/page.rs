//! The page in a browser, and waiting for what it reports.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{LogEntry, Server, WebDriver};

/// Which WebGPU the browser has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Browser {
    /// SwiftShader, a software adapter.
    SoftwareGpu,
    /// None: `navigator.gpu` gives no adapter.
    NoGpu,
}

impl Browser {
    fn arguments(self) -> Vec<&'static str> {
        let mut arguments = vec![
            "--headless",
            // Chromium refuses its sandbox as root and in containers; only our own page is opened.
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
            Self::NoGpu => arguments.extend(["--disable-gpu", "--disable-features=WebGPU,WebGPUService"]),
        }
        arguments
    }
}

/// One page in one browser of its own.
pub struct Page {
    driver: WebDriver,
    _server: Server,
    _profile: Profile,
    // One browser at a time: timing out because another test holds the processor tells nothing. Released last.
    _turn: MutexGuard<'static, ()>,
}

static TURN: Mutex<()> = Mutex::new(());

/// Longest run of one script in the page.
const SCRIPT: Duration = Duration::from_secs(120);

impl Page {
    /// Serves `dist/` below `prefix`, starts a browser and opens the page with `query` (`engine=cpu&seed=1`).
    ///
    /// # Panics
    /// With what is missing and how to get it.
    pub fn open(browser: Browser, prefix: &str, query: &str) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let dist = dist();
        let server = Server::start(&dist, prefix).unwrap_or_else(|error| panic!("no server: {error}"));
        let profile = Profile::create();
        let driver = WebDriver::start(&browser.arguments(), &profile.0, SCRIPT)
            .unwrap_or_else(|error| panic!("no browser: {error}"));
        let page = Self { driver, _server: server, _profile: profile, _turn: turn };
        let url = page._server.url(&format!("?{query}"));
        page.driver.open(&url).unwrap_or_else(|error| panic!("{url}: {error}"));
        page
    }

    /// Runs the body of a JavaScript function in the page; a promise is awaited.
    ///
    /// # Panics
    /// When the script throws or takes over two minutes.
    pub fn run(&self, script: &str) -> Value {
        self.driver.run(script, &[]).unwrap_or_else(|error| panic!("{error}\n{}", self.told()))
    }

    /// The body's attribute `data-{name}`, or None where the page has not set it.
    pub fn data(&self, name: &str) -> Option<String> {
        let value = self.run(&format!("return document.body.getAttribute('data-{name}')"));
        value.as_str().map(str::to_owned)
    }

    /// Waits until the body's `data-{name}` satisfies `done`, and gives it.
    ///
    /// # Panics
    /// When `limit` passes first, or when the page reports an error (unless that is waited for); with the page's
    /// state and console.
    pub fn wait(&self, name: &str, limit: Duration, done: impl Fn(&str) -> bool) -> String {
        let started = Instant::now();
        loop {
            let value = self.data(name);
            if let Some(value) = value.as_deref().filter(|value| done(value)) {
                return value.to_owned();
            }
            let failed = name != "error" && self.data("state").as_deref() == Some("error");
            assert!(!failed, "the page reports an error while waiting for data-{name}\n{}", self.told());
            assert!(started.elapsed() < limit, "data-{name} is {value:?} after {limit:?}\n{}", self.told());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Errors on the console since the last look.
    ///
    /// # Panics
    /// When the browser does not answer.
    pub fn console_errors(&self) -> Vec<LogEntry> {
        let entries = self.driver.console().unwrap_or_else(|error| panic!("{error}"));
        entries.into_iter().filter(|entry| entry.level == "SEVERE").collect()
    }

    /// The page's attributes and console, for the message of a failing test.
    fn told(&self) -> String {
        let state = self.driver.run("return JSON.stringify(document.body.dataset)", &[]);
        let mut told = match state {
            Ok(state) => format!("page: {}\n", state.as_str().unwrap_or_default()),
            Err(error) => format!("page: does not answer ({error})\n"),
        };
        for entry in self.driver.console().unwrap_or_default() {
            told.push_str(&format!("console: {} {}\n", entry.level, entry.message));
        }
        told
    }
}

/// The folder that `trunk build --release` wrote.
fn dist() -> PathBuf {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist");
    let index = dist.join("index.html");
    assert!(index.is_file(), "{} is missing: run `trunk build --release`", index.display());
    dist
}

/// A browser profile of its own, removed afterwards.
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
        // The browser may still be writing its last files; a leftover in the temporary folder does no harm.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
