//! The commands of the W3C WebDriver protocol that the tests need, over blocking HTTP.
//!
//! Complete WebDriver clients need an asynchronous runtime, which these tests do not need.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

/// A line of the browser console.
#[derive(Clone, Debug, Deserialize)]
pub struct LogEntry {
    /// `SEVERE`, `WARNING`, `INFO` or `DEBUG`.
    pub level: String,
    /// The text, including the source script.
    pub message: String,
}

/// The browser to drive, and its options.
pub enum Kind<'a> {
    /// Chromium through ChromeDriver, with command line arguments and a profile folder.
    Chromium { arguments: &'a [&'a str], profile: &'a Path },
    /// Firefox through geckodriver, with preferences as in `about:config`.
    Firefox { settings: Value },
}

/// A driver process with one browser session; both end when it is dropped.
pub struct WebDriver {
    agent: ureq::Agent,
    driver: Child,
    session: String,
    /// Errors that Firefox writes to its output; ChromeDriver returns them on request.
    printed: Option<Arc<Mutex<Vec<LogEntry>>>>,
}

/// Time limit for a driver to start listening.
const START: Duration = Duration::from_secs(30);

impl WebDriver {
    /// Starts a driver and its browser. `script_timeout` bounds each asynchronous script.
    ///
    /// # Errors
    /// A message with the program that could not be started and what to install or set.
    pub fn start(kind: &Kind<'_>, script_timeout: Duration) -> Result<Self, String> {
        let (mut command, capabilities) = match kind {
            Kind::Chromium { arguments, profile } => {
                let browser =
                    program("FASTVAE_CHROMIUM", &["chromium", "chromium-browser", "google-chrome"])?;
                let mut command = Command::new(program("FASTVAE_CHROMEDRIVER", &["chromedriver"])?);
                command.arg("--port=0");
                let mut arguments: Vec<String> =
                    arguments.iter().map(|&argument| argument.to_owned()).collect();
                arguments.push(format!("--user-data-dir={}", profile.display()));
                let options = json!({
                    "browserName": "chrome",
                    "goog:chromeOptions": { "binary": browser, "args": arguments },
                    "goog:loggingPrefs": { "browser": "ALL" },
                });
                (command, options)
            }
            Kind::Firefox { settings } => {
                let browser = program("FASTVAE_FIREFOX", &["firefox-esr", "firefox"])?;
                let mut command = Command::new(program("FASTVAE_GECKODRIVER", &["geckodriver"])?);
                command.args(["--port=0", "--websocket-port=0"]);
                let options = json!({
                    "browserName": "firefox",
                    "moz:firefoxOptions": { "binary": browser, "args": ["-headless"], "prefs": settings },
                });
                (command, options)
            }
        };
        let firefox = matches!(kind, Kind::Firefox { .. });
        let mut driver = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{:?} does not start: {error}", command.get_program()))?;
        let printed = Arc::default();
        let base = match listening_port(&mut driver, &printed) {
            Ok(port) => format!("http://127.0.0.1:{port}"),
            Err(error) => {
                end(&mut driver);
                return Err(error);
            }
        };
        let config = ureq::Agent::config_builder()
            // A failed command returns a JSON body with a status of 4xx or 5xx.
            .http_status_as_error(false)
            .timeout_global(Some(script_timeout + Duration::from_secs(60)))
            .build();
        let mut browser = Self {
            agent: ureq::Agent::new_with_config(config),
            driver,
            session: base,
            printed: firefox.then_some(printed),
        };
        let mut capabilities = capabilities;
        capabilities["timeouts"] = json!({ "script": script_timeout.as_millis() as u64, "pageLoad": 60_000 });
        let created =
            browser.post("/session", &json!({ "capabilities": { "alwaysMatch": capabilities } }))?;
        let id = created["sessionId"].as_str().ok_or("the driver gave no session")?;
        browser.session = format!("{}/session/{id}", browser.session);
        Ok(browser)
    }

    /// Opens an address and waits for the page's `load` event.
    ///
    /// # Errors
    /// The driver's error.
    pub fn open(&self, url: &str) -> Result<(), String> {
        self.post("/url", &json!({ "url": url })).map(drop)
    }

    /// Runs the body of a JavaScript function and returns its result; a promise is awaited.
    ///
    /// # Errors
    /// The exception, or the time-out of the script.
    pub fn run(&self, script: &str, arguments: &[Value]) -> Result<Value, String> {
        self.post("/execute/sync", &json!({ "script": script, "args": arguments }))
    }

    /// Console lines since the last call.
    ///
    /// # Errors
    /// The driver's error.
    pub fn console(&self) -> Result<Vec<LogEntry>, String> {
        if let Some(printed) = &self.printed {
            return Ok(std::mem::take(&mut printed.lock().unwrap_or_else(PoisonError::into_inner)));
        }
        let entries = self.post("/se/log", &json!({ "type": "browser" }))?;
        serde_json::from_value(entries).map_err(|error| format!("the console's log: {error}"))
    }

    /// Performs key and pointer actions: the sources of a WebDriver action sequence.
    ///
    /// # Errors
    /// The driver's error.
    pub fn perform(&self, sources: &Value) -> Result<(), String> {
        self.post("/actions", &json!({ "actions": sources })).map(drop)
    }

    /// Presses and releases a key: a character, or a name as in `KeyboardEvent.key`, optionally after
    /// `Shift+` or `Control+`.
    ///
    /// # Errors
    /// The driver's error, or an unknown key name.
    pub fn press(&self, key: &str) -> Result<(), String> {
        let (held, name) = match key.split_once('+') {
            Some(("Shift", name)) => (Some(SHIFT), name),
            Some(("Control", name)) => (Some(CONTROL), name),
            _ => (None, key),
        };
        let value = key_value(name)?;
        let mut actions =
            vec![json!({ "type": "keyDown", "value": value }), json!({ "type": "keyUp", "value": value })];
        if let Some(held) = held {
            actions.insert(0, json!({ "type": "keyDown", "value": held }));
            actions.push(json!({ "type": "keyUp", "value": held }));
        }
        self.perform(&json!([{ "type": "key", "id": "keyboard", "actions": actions }]))
    }

    /// Selects a local file in a file chooser.
    ///
    /// # Errors
    /// The driver's error.
    pub fn choose_files(&self, element: &Value, files: &[&Path]) -> Result<(), String> {
        let id = element["element-6066-11e4-a52e-4f735466cecf"].as_str().ok_or("not an element")?;
        let text: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        self.post(&format!("/element/{id}/value"), &json!({ "text": text.join("\n") })).map(drop)
    }

    /// Sets the size of the window.
    ///
    /// # Errors
    /// The driver's error.
    pub fn resize(&self, width: u32, height: u32) -> Result<(), String> {
        self.post("/window/rect", &json!({ "width": width, "height": height })).map(drop)
    }

    /// The visible part of the page, as a PNG in base64.
    ///
    /// # Errors
    /// The driver's error.
    pub fn screenshot(&self) -> Result<String, String> {
        let answer = self.agent.get(format!("{}/screenshot", self.session)).call();
        let mut answer = answer.map_err(|error| format!("the driver, /screenshot: {error}"))?;
        let json: Value = answer.body_mut().read_json().map_err(|error| error.to_string())?;
        json["value"].as_str().map(str::to_owned).ok_or_else(|| format!("no picture: {json}"))
    }

    /// Directs the following commands to a frame of the page, or back to the page.
    ///
    /// # Errors
    /// The driver's error.
    pub fn frame(&self, index: Option<u32>) -> Result<(), String> {
        self.post("/frame", &json!({ "id": index })).map(drop)
    }

    /// Runs a command of the DevTools protocol and returns its result.
    ///
    /// # Errors
    /// The driver's error.
    pub fn devtools(&self, command: &str, parameters: Value) -> Result<Value, String> {
        self.post("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value, String> {
        let answer = self.agent.post(format!("{}{path}", self.session)).send_json(body);
        let mut answer = answer.map_err(|error| format!("the driver, {path}: {error}"))?;
        let mut json: Value =
            answer.body_mut().read_json().map_err(|error| format!("the driver, {path}: {error}"))?;
        let value = json["value"].take();
        match value["error"].as_str() {
            Some(error) => {
                let message = value["message"].as_str().unwrap_or_default();
                Err(format!("{path}: {error}: {}", message.lines().next().unwrap_or_default()))
            }
            None => Ok(value),
        }
    }
}

const SHIFT: &str = "\u{e008}";
const CONTROL: &str = "\u{e009}";

/// The character that stands for a key in WebDriver.
fn key_value(name: &str) -> Result<String, String> {
    let named = [
        ("Tab", '\u{e004}'),
        ("Enter", '\u{e007}'),
        ("Backspace", '\u{e003}'),
        ("Escape", '\u{e00c}'),
        (" ", ' '),
        ("PageUp", '\u{e00e}'),
        ("PageDown", '\u{e00f}'),
        ("End", '\u{e010}'),
        ("Home", '\u{e011}'),
        ("ArrowLeft", '\u{e012}'),
        ("ArrowUp", '\u{e013}'),
        ("ArrowRight", '\u{e014}'),
        ("ArrowDown", '\u{e015}'),
    ];
    let mut characters = name.chars();
    match (named.iter().find(|(known, _)| *known == name), characters.next(), characters.next()) {
        (Some((_, value)), ..) => Ok(value.to_string()),
        (None, Some(character), None) => Ok(character.to_string()),
        _ => Err(format!("{name:?} is no key")),
    }
}

impl Drop for WebDriver {
    fn drop(&mut self) {
        // Ending the session also ends the browser; killing only the driver would leave it running.
        let _ = self.agent.delete(&self.session).call();
        end(&mut self.driver);
    }
}

fn end(child: &mut Child) {
    // The process may already have ended.
    let _ = child.kill();
    let _ = child.wait();
}

/// Reads the driver's port from the line that it prints when it listens. Later error lines of Firefox go to
/// `printed`.
fn listening_port(driver: &mut Child, printed: &Arc<Mutex<Vec<LogEntry>>>) -> Result<u16, String> {
    let stdout = driver.stdout.take().ok_or("the driver has no output")?;
    let (sender, receiver) = std::sync::mpsc::channel();
    let printed = printed.clone();
    std::thread::spawn(move || {
        // Reads to the end, so that the driver never blocks on a full pipe.
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let port = line
                .split_once("started successfully on port ")
                .or_else(|| line.split_once("Listening on 127.0.0.1:"))
                .and_then(|(_, rest)| rest.trim().trim_end_matches('.').parse().ok());
            if let Some(port) = port {
                let _ = sender.send(port);
            } else if line.starts_with("JavaScript error: http") {
                let entry = LogEntry { level: "SEVERE".into(), message: line };
                printed.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
            }
        }
    });
    let port = receiver.recv_timeout(START).map_err(|_| "the driver did not start listening".to_owned())?;
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let started = Instant::now();
    while started.elapsed() < START {
        if let Ok(mut stream) = TcpStream::connect(address) {
            return stream.flush().map(|()| port).map_err(|error: io::Error| error.to_string());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(format!("the driver does not answer on port {port}"))
}

/// The program in the environment variable `variable`, or the first of `names` on the PATH.
fn program(variable: &str, names: &[&str]) -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os(variable) {
        return Ok(path.into());
    }
    let folders: Vec<PathBuf> =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|path| path.is_file())
        .ok_or_else(|| {
            format!("{} is not installed; install it or name it in {variable}", names.join(" or "))
        })
}
