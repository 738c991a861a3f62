//! User input: mouse, touch and keys, as native input of the browser.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Page, View};

/// The input device that operates a control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Mouse.
    Mouse,
    /// Touch.
    Touch,
    /// Keyboard.
    Keys,
}

/// Time limit for a control to stop moving under the pointer.
const STILL: Duration = Duration::from_secs(10);

impl View<'_> {
    /// Returns the element of the container that a CSS selector finds.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn element(&self, selector: &str) -> Value {
        let element = self.run(&format!("return root?.querySelector({}) ?? null", json!(selector)));
        assert!(!element.is_null(), "there is no {selector}\n{}", self.told());
        element
    }

    /// Clicks an element with the mouse.
    ///
    /// # Panics
    /// When there is none, or another element covers it.
    #[track_caller]
    pub fn click(&self, selector: &str) {
        self.press_by(By::Mouse, selector);
    }

    /// Activates an element; by keys this is Enter, and Space for check boxes.
    ///
    /// # Panics
    /// When there is none, or another element covers it.
    #[track_caller]
    pub fn press_by(&self, by: By, selector: &str) {
        match by {
            By::Keys => {
                self.focus(selector);
                let ticks = format!("return root.querySelector({}).type === 'checkbox'", json!(selector));
                self.page.keys(&[if self.run(&ticks) == true { " " } else { "Enter" }]);
            }
            By::Mouse | By::Touch => {
                let at = self.place(selector, (0.5, 0.5));
                self.strokes(by, &[at]);
            }
        }
    }

    /// Presses at a place in an element, moves to others, and releases; places are fractions of its width
    /// and height.
    ///
    /// # Panics
    /// When there is no such element, or another one covers it.
    #[track_caller]
    pub fn drag(&self, by: By, selector: &str, way: &[(f64, f64)]) {
        let places: Vec<(f64, f64)> = way.iter().map(|&at| self.place(selector, at)).collect();
        self.strokes(by, &places);
    }

    /// Moves a slider to a fraction of its length.
    ///
    /// # Panics
    /// When there is no such slider, or another element covers it.
    #[track_caller]
    pub fn slide(&self, by: By, selector: &str, to: f64) {
        let script = format!(
            "const slider = root.querySelector({}); const [low, high] = [Number(slider.min), Number(slider.max)];
             return (slider.valueAsNumber - low) / ((high - low) || 1)",
            json!(selector)
        );
        let from = self.run(&script).as_f64().unwrap_or(0.0);
        // The centre of the thumb stops half its width before the end of the slider.
        let along = |share: f64| (0.05 + 0.9 * share, 0.5);
        self.drag(by, selector, &[along(from), along((from + to) / 2.0), along(to)]);
    }

    /// Focuses an element that Tab can reach.
    ///
    /// # Panics
    /// When there is none, or it cannot be focused.
    #[track_caller]
    pub fn focus(&self, selector: &str) {
        let script = format!(
            "const element = root.querySelector({});
             element.focus();
             return element.matches(':focus')",
            json!(selector)
        );
        assert_eq!(self.run(&script), true, "{selector} cannot have the focus\n{}", self.told());
    }

    /// Selects an option by the arrow keys.
    ///
    /// # Panics
    /// When there is no such select or option.
    #[track_caller]
    pub fn choose(&self, selector: &str, value: &str) {
        self.focus(selector);
        let script = format!(
            "const select = root.querySelector({});
             return [...select.options].findIndex((option) => option.value === {}) - select.selectedIndex",
            json!(selector),
            json!(value)
        );
        let steps = self.run(&script).as_i64().unwrap_or(0);
        let key = if steps > 0 { "ArrowDown" } else { "ArrowUp" };
        for _ in 0..steps.unsigned_abs() {
            self.page.keys(&[key]);
        }
        let holds = self.run(&format!("return root.querySelector({}).value", json!(selector)));
        assert_eq!(holds, value, "{selector}\n{}", self.told());
    }

    /// Replaces the text of a field, and leaves it by Tab.
    ///
    /// # Panics
    /// When there is no such field.
    #[track_caller]
    pub fn write(&self, selector: &str, text: &str) {
        self.click(selector);
        self.page.keys(&["Control+a"]);
        for character in text.chars() {
            self.page.keys(&[&character.to_string()]);
        }
        self.page.keys(&["Tab"]);
    }

    /// Selects local files in a file chooser.
    ///
    /// # Panics
    /// When there is no such chooser.
    #[track_caller]
    pub fn choose_files(&self, selector: &str, files: &[&Path]) {
        let chooser = self.element(selector);
        self.page.driver.choose_files(&chooser, files).unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    /// Window coordinates of a place in an element, once it has stopped moving and nothing covers it.
    #[track_caller]
    fn place(&self, selector: &str, (x, y): (f64, f64)) -> (f64, f64) {
        let script = format!(
            "const element = root?.querySelector({});
             if (!element) return 'missing';
             const area = element.getBoundingClientRect();
             const [x, y] = [area.left + {x} * area.width, area.top + {y} * area.height];
             if (x < 0 || y < 0 || x >= innerWidth || y >= innerHeight || !area.width) {{
                 element.scrollIntoView({{ block: 'center', inline: 'center', behavior: 'instant' }});
                 return 'out of sight';
             }}
             const over = element.getRootNode().elementFromPoint(x, y);
             if (over !== element && !element.contains(over)) {{
                 element.scrollIntoView({{ block: 'center', inline: 'nearest', behavior: 'instant' }});
                 return `under ${{over?.outerHTML.slice(0, 80)}}`;
             }}
             return [x, y]",
            json!(selector)
        );
        let (started, mut before) = (Instant::now(), Value::Null);
        loop {
            let now = self.run(&script);
            match now.as_array().map(Vec::as_slice) {
                Some([x, y]) if now == before => {
                    return (x.as_f64().unwrap_or(0.0), y.as_f64().unwrap_or(0.0));
                }
                _ => before = now,
            }
            assert!(started.elapsed() < STILL, "{selector} is {before}\n{}", self.told());
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    #[track_caller]
    fn strokes(&self, by: By, places: &[(f64, f64)]) {
        let kind = if by == By::Touch { "touch" } else { "mouse" };
        let mut actions = vec![move_to(places[0], 0), json!({ "type": "pointerDown", "button": 0 })];
        // A press takes a moment; the page must not replace the control when it renders meanwhile.
        actions.push(json!({ "type": "pause", "duration": 60 }));
        actions.extend(places[1..].iter().map(|&place| move_to(place, 60)));
        actions.push(json!({ "type": "pointerUp", "button": 0 }));
        let source = json!({
            "type": "pointer", "id": kind, "parameters": { "pointerType": kind }, "actions": actions,
        });
        self.page.driver.perform(&json!([source])).unwrap_or_else(|error| panic!("{kind}: {error}"));
    }
}

fn move_to((x, y): (f64, f64), duration: u32) -> Value {
    json!({ "type": "pointerMove", "duration": duration, "x": x.round(), "y": y.round() })
}

impl Page {
    /// Drops local files at a place of the window, as from a file manager. Chromium only.
    ///
    /// # Panics
    /// When the browser refuses it.
    #[track_caller]
    pub fn drop_files(&self, view: &View<'_>, selector: &str, files: &[&Path]) {
        let (x, y) = view.place(selector, (0.5, 0.5));
        let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        for event in ["dragEnter", "dragOver", "dragOver", "dragOver", "drop"] {
            self.devtools(
                "Input.dispatchDragEvent",
                json!({
                    "type": event, "x": x, "y": y,
                    "data": { "items": [], "files": files, "dragOperationsMask": 1 },
                }),
            );
        }
    }
}
