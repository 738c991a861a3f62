//! A container of the page: the full page, or one of its widgets.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::Page;

/// A container, found by a JavaScript expression; scripts get it as `root`.
#[derive(Clone)]
pub struct View<'p> {
    pub(super) page: &'p Page,
    root: String,
}

impl<'p> View<'p> {
    pub(super) fn new(page: &'p Page, root: impl Into<String>) -> Self {
        Self { page, root: root.into() }
    }

    /// Runs the body of an asynchronous JavaScript function with `root` as the container, or null if there
    /// is none.
    ///
    /// # Panics
    /// When the script throws or takes over two minutes.
    #[track_caller]
    pub fn run(&self, script: &str) -> Value {
        self.page.run(&format!("const root = {} ?? null; return (async () => {{ {script} }})()", self.root))
    }

    /// The container's attribute `data-{name}`, or None if it is not set.
    #[track_caller]
    pub fn data(&self, name: &str) -> Option<String> {
        self.run(&format!("return root?.getAttribute('data-{name}') ?? null")).as_str().map(str::to_owned)
    }

    /// The attribute `data-{name}` as a number; 0 if it is not set.
    #[track_caller]
    pub fn number(&self, name: &str) -> f64 {
        self.data(name).and_then(|value| value.parse().ok()).unwrap_or(0.0)
    }

    /// Waits until `data-{name}` satisfies `done`, and returns its value.
    ///
    /// # Panics
    /// After `limit`, or when the page reports an error (unless `name` is `error`). The message has the
    /// container's attributes and the console.
    #[track_caller]
    pub fn wait(&self, name: &str, limit: Duration, done: impl Fn(&str) -> bool) -> String {
        let started = Instant::now();
        loop {
            let value = self.data(name);
            if let Some(value) = value.as_deref().filter(|value| done(value)) {
                return value.to_owned();
            }
            let failed = name != "error" && self.data("state").as_deref() == Some("error");
            assert!(!failed, "an error is reported while waiting for data-{name}\n{}", self.told());
            assert!(started.elapsed() < limit, "data-{name} is {value:?} after {limit:?}\n{}", self.told());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until a script returns a value other than null and false.
    ///
    /// # Panics
    /// After `limit`.
    #[track_caller]
    pub fn until(&self, limit: Duration, what: &str, script: &str) -> Value {
        let started = Instant::now();
        loop {
            let value = self.run(script);
            if !matches!(value, Value::Null | Value::Bool(false)) {
                return value;
            }
            assert!(started.elapsed() < limit, "not after {limit:?}: {what}\n{}", self.told());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The container's attributes and the console, for failure messages.
    pub fn told(&self) -> String {
        let script = format!("return JSON.stringify(({})?.dataset ?? null)", self.root);
        self.page.told(&script)
    }
}
