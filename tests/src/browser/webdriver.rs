//! The few commands of the W3C WebDriver protocol that the tests need, over blocking HTTP.
//!
//! Clients that cover all of WebDriver bring an asynchronous runtime; these tests wait for one page at a time.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

/// A line of the browser's console.
#[derive(Clone, Debug, Deserialize)]
pub struct LogEntry {
    /// `SEVERE`, `WARNING`, `INFO` or `DEBUG`.
    pub level: String,
    /// The text, with the script it came from.
    pub message: String,
}

/// A ChromeDriver process with one browser session; both end when it is dropped.
pub struct WebDriver {
    agent: ureq::Agent,
    driver: Child,
    session: String,
}

/// Longest wait for ChromeDriver to start listening.
const START: Duration = Duration::from_secs(30);

impl WebDriver {
    /// Starts ChromeDriver and a browser with `arguments`. `script_timeout` bounds each asynchronous script.
    ///
    /// # Errors
    /// A sentence with what could not be started and what to install or to set.
    pub fn start(arguments: &[&str], profile: &Path, script_timeout: Duration) -> Result<Self, String> {
        let chromium = program("FASTVAE_CHROMIUM", &["chromium", "chromium-browser", "google-chrome"])?;
        let chromedriver = program("FASTVAE_CHROMEDRIVER", &["chromedriver"])?;
        let mut driver = Command::new(&chromedriver)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{} does not start: {error}", chromedriver.display()))?;
        let base = match listening_port(&mut driver) {
            Ok(port) => format!("http://127.0.0.1:{port}"),
            Err(error) => {
                end(&mut driver);
                return Err(error);
            }
        };
        let config = ureq::Agent::config_builder()
            // A failed command is a JSON answer with a status of 4xx or 5xx.
            .http_status_as_error(false)
            .timeout_global(Some(script_timeout + Duration::from_secs(60)))
            .build();
        let mut browser = Self { agent: ureq::Agent::new_with_config(config), driver, session: base };

        let mut arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        arguments.push(format!("--user-data-dir={}", profile.display()));
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": { "binary": chromium, "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
            "timeouts": { "script": script_timeout.as_millis() as u64, "pageLoad": 60_000 },
        }}});
        let created = browser.post("/session", &capabilities)?;
        let id = created["sessionId"].as_str().ok_or("ChromeDriver gave no session")?;
        browser.session = format!("{}/session/{id}", browser.session);
        Ok(browser)
    }

    /// Opens an address and waits for the page's `load` event.
    ///
    /// # Errors
    /// What ChromeDriver answered.
    pub fn open(&self, url: &str) -> Result<(), String> {
        self.post("/url", &json!({ "url": url })).map(drop)
    }

    /// Runs the body of a JavaScript function and gives what it returns; a promise is awaited.
    ///
    /// # Errors
    /// The exception, or that the script's time ran out.
    pub fn run(&self, script: &str, arguments: &[Value]) -> Result<Value, String> {
        self.post("/execute/sync", &json!({ "script": script, "args": arguments }))
    }

    /// What the console has shown since the last call.
    ///
    /// # Errors
    /// What ChromeDriver answered.
    pub fn console(&self) -> Result<Vec<LogEntry>, String> {
        let entries = self.post("/se/log", &json!({ "type": "browser" }))?;
        serde_json::from_value(entries).map_err(|error| format!("the console's log: {error}"))
    }

    /// Presses a key and lets it go: a character, or a name as in `KeyboardEvent.key`; `Shift+` may stand before.
    ///
    /// # Errors
    /// What ChromeDriver answered, or that the name is not known.
    pub fn press(&self, key: &str) -> Result<(), String> {
        let (shift, name) = match key.strip_prefix("Shift+") {
            Some(name) => (true, name),
            None => (false, key),
        };
        let value = key_value(name)?;
        let mut actions =
            vec![json!({ "type": "keyDown", "value": value }), json!({ "type": "keyUp", "value": value })];
        if shift {
            actions.insert(0, json!({ "type": "keyDown", "value": SHIFT }));
            actions.push(json!({ "type": "keyUp", "value": SHIFT }));
        }
        let keyboard = json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": actions }] });
        self.post("/actions", &keyboard).map(drop)
    }

    /// Looks into a frame of the page from now on, or at the page again.
    ///
    /// # Errors
    /// What ChromeDriver answered.
    pub fn frame(&self, index: Option<u32>) -> Result<(), String> {
        self.post("/frame", &json!({ "id": index })).map(drop)
    }

    /// A command of the DevTools protocol, and its answer.
    ///
    /// # Errors
    /// What ChromeDriver answered.
    pub fn devtools(&self, command: &str, parameters: Value) -> Result<Value, String> {
        self.post("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value, String> {
        let answer = self.agent.post(format!("{}{path}", self.session)).send_json(body);
        let mut answer = answer.map_err(|error| format!("ChromeDriver, {path}: {error}"))?;
        let mut json: Value =
            answer.body_mut().read_json().map_err(|error| format!("ChromeDriver, {path}: {error}"))?;
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

/// The character by which WebDriver names a key.
fn key_value(name: &str) -> Result<String, String> {
    let named = [
        ("Tab", '\u{e004}'),
        ("Enter", '\u{e007}'),
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
        // Ending the session ends the browser; killing ChromeDriver alone would leave it running.
        let _ = self.agent.delete(&self.session).call();
        end(&mut self.driver);
    }
}

fn end(child: &mut Child) {
    // It may have ended by itself.
    let _ = child.kill();
    let _ = child.wait();
}

/// The port ChromeDriver chose, from the line it prints once it listens.
fn listening_port(driver: &mut Child) -> Result<u16, String> {
    let stdout = driver.stdout.take().ok_or("ChromeDriver has no output")?;
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        // Read to the end, so that ChromeDriver never waits for a full pipe.
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let port = line
                .split_once("started successfully on port ")
                .and_then(|(_, rest)| rest.trim_end_matches('.').parse().ok());
            if let Some(port) = port {
                let _ = sender.send(port);
            }
        }
    });
    let port = receiver.recv_timeout(START).map_err(|_| "ChromeDriver did not start listening".to_owned())?;
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let started = Instant::now();
    while started.elapsed() < START {
        if let Ok(mut stream) = TcpStream::connect(address) {
            return stream.flush().map(|()| port).map_err(|error: io::Error| error.to_string());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(format!("ChromeDriver does not answer on port {port}"))
}

/// The program that `variable` names, or the first of `names` on the PATH.
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
