//! A page or a widget: from what people do to commands, from reports to what is shown.

mod data;
mod entry;
mod parameters;
mod play;
mod steps;
mod surface;
mod systems;
mod worker;

use std::{
    cell::RefCell,
    rc::{Rc, Weak},
};

use serde_json::{Value, json};
use wasm_bindgen::prelude::*;
use web::{Command, EngineChoice, Failure, Parameters};
use web_sys::{CustomEvent, CustomEventInit, Element, EventTarget};

pub use self::entry::with;
use self::steps::Owed;
use crate::{
    bar, describe,
    dom::{self, Act, Kind, Listeners, Page},
    lessons::{self, Context, Lesson, Pace},
    link::Link,
    look,
};

/// What the container's `data-state` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Loading,
    Ready,
    Training,
    Paused,
    Done,
    Error,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Loading => "loading",
            Self::Ready => "ready",
            Self::Training => "training",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Error => "error",
        }
    }
}

/// A page or a widget.
pub struct App {
    /// Itself, for callbacks.
    this: Weak<RefCell<App>>,
    page: Page,
    /// Where events go.
    host: Option<EventTarget>,
    parameters: Parameters,
    lessons: Vec<Box<dyn Lesson>>,
    /// The lesson that goes on.
    current: usize,
    /// The lesson in view.
    seen: usize,
    playing: bool,
    /// Whether a timer for the next step runs.
    timer: bool,
    /// Whether the address is about to be written.
    remembering: bool,
    /// Whether the page is about to be made to fit.
    fitting: bool,
    /// Whether the rest is about to be drawn.
    drawing: bool,
    state: State,
    link: Option<Link>,
    held: data::Held,
    systems: Option<systems::Systems>,
    /// Whether the worker takes commands.
    ready: bool,
    /// Whether there is to be no worker for now.
    parked: bool,
    /// Sent once the worker takes commands.
    pending: Vec<(Command, JsValue)>,
    /// Told once nothing is under way.
    outbox: Vec<(&'static str, Value)>,
    /// Steps that a script waits for.
    owed: Owed,
    listeners: Option<Listeners>,
    window: Option<entry::WindowListeners>,
}

impl App {
    /// Builds the markup in `root` and starts.
    ///
    /// # Errors
    /// If the browser refuses elements.
    pub fn mount(
        root: &Element,
        parameters: Parameters,
        failures: Vec<Failure>,
        state: &[(String, String)],
        host: Option<EventTarget>,
    ) -> Result<Rc<RefCell<Self>>, JsValue> {
        let document = root.owner_document().ok_or("the element belongs to no document")?;
        look::adopt(root)?;
        let container = if root.tag_name().eq_ignore_ascii_case("body") {
            root.clone()
        } else {
            let container = document.create_element("div")?;
            root.append_child(&container)?;
            container
        };
        container.class_list().add_1("fv")?;
        if parameters.compact.is_some() {
            container.set_attribute("data-compact", "")?;
        }
        if parameters.shows("data")
            && matches!(parameters.lesson.as_deref(), None | Some("race" | "recommend"))
        {
            container.set_attribute("data-drop", "files")?;
        }
        let mut lessons = lessons::all(&parameters);
        if let Some(only) = &parameters.lesson {
            lessons.retain(|lesson| lesson.name() == only);
        }
        let mut missing = None;
        for (key, value) in state {
            if let Some((name, key)) = key.split_once('.')
                && let Some(lesson) = lessons.iter_mut().find(|lesson| lesson.name() == name)
            {
                lesson.restore(key, value);
                if key == "own" {
                    missing = Some(value.clone());
                }
            }
        }
        dom::policy::set_html(&container, &bar::surface(&parameters, &lessons)).map_err(refused)?;
        let app = Rc::new_cyclic(|this| {
            RefCell::new(Self {
                this: this.clone(),
                page: Page::new(container.clone()),
                host,
                parameters,
                lessons,
                current: 0,
                seen: 0,
                playing: false,
                timer: false,
                remembering: false,
                fitting: false,
                drawing: false,
                state: State::Loading,
                link: None,
                held: data::Held::default(),
                systems: None,
                ready: false,
                parked: false,
                pending: Vec::new(),
                outbox: Vec::new(),
                owed: Owed::default(),
                listeners: None,
                window: None,
            })
        });
        let weak = Rc::downgrade(&app);
        app.borrow_mut().listeners = Some(Listeners::new(&container, {
            let weak = weak.clone();
            move |act| with(&weak, move |app| app.act(&act))
        }));
        app.borrow_mut().window = entry::WindowListeners::new(&weak);
        with(&weak, move |app| app.begin(failures, missing));
        Ok(app)
    }

    /// Starts; `missing` is the set that the sender of a link had and the link has not.
    fn begin(&mut self, failures: Vec<Failure>, missing: Option<String>) {
        self.set_state(State::Loading, "Loading the engine.");
        self.dress();
        // What is seen first at once, the others one by one, so that no slow machine stands still for long.
        self.draw_one(0);
        for index in 1..self.lessons.len() {
            let this = self.this.clone();
            dom::later(10 * index as u32, move || with(&this, move |app| app.draw_one(index)));
        }
        self.refresh();
        self.tell("ready", json!({ "lesson": self.parameters.lesson }));
        let choice = self.parameters.engine;
        self.send(Command::Engine { choice });
        if self.parameters.selftest {
            self.set_attribute("selftest", "running");
            self.send(Command::Test { choice });
        }
        match missing {
            Some(name) => self.lack(Failure::new(
                "data",
                format!("this link was made with {name}, which stayed with its owner"),
                "Open it here to see the same, or take the built-in films.",
            )),
            None => self.send_data(),
        }
        for failure in failures {
            self.fail(&failure);
        }
    }

    fn draw_one(&mut self, index: usize) {
        if index < self.lessons.len() {
            self.with_lesson(index, |lesson, context| lesson.draw(context));
        }
    }

    /// Lets a lesson do something, and does what it asks for.
    fn with_lesson(&mut self, index: usize, act: impl FnOnce(&mut dyn Lesson, &mut Context<'_>)) {
        let (mut commands, mut events, mut failure) = (Vec::new(), Vec::new(), None);
        let mut to_systems = Vec::new();
        let mut context = Context {
            page: &self.page,
            parameters: &mut self.parameters,
            playing: &mut self.playing,
            commands: &mut commands,
            to_systems: &mut to_systems,
            events: &mut events,
            failure: &mut failure,
        };
        act(self.lessons[index].as_mut(), &mut context);
        self.outbox.append(&mut events);
        for command in commands {
            self.send(command);
        }
        for command in to_systems {
            self.send_to_systems(command);
        }
        if let Some(failure) = failure {
            self.fail(&failure);
        }
    }

    fn with_current(&mut self, act: impl FnOnce(&mut dyn Lesson, &mut Context<'_>)) {
        if !self.lessons.is_empty() {
            self.with_lesson(self.current, act);
        }
    }

    /// Someone did something.
    fn act(&mut self, act: &Act) {
        if act.kind == Kind::Left {
            return self.page.left(&act.element);
        }
        self.page.answer((act.kind == Kind::Change).then(|| act.element.clone()));
        let playing = self.playing;
        if self.act_on_data(act) {
            self.remember();
            self.refresh();
            return self.page.answer(None);
        }
        let lesson =
            act.lesson.as_deref().and_then(|name| self.lessons.iter().position(|l| l.name() == name));
        if let Some(index) = lesson {
            if matches!(act.kind, Kind::Click | Kind::Input | Kind::Change | Kind::Key | Kind::Drag) {
                self.steer(index);
            }
            if !self.drive(act) {
                self.with_lesson(index, |lesson, context| lesson.act(context, act));
            }
        } else {
            self.bar(act);
        }
        // A lesson may start or stop by itself.
        match (playing, self.playing) {
            (false, true) => {
                self.unpark();
                self.tell("play", json!({}));
                self.page_state(State::Training, "Playing.");
            }
            (true, false) if self.state == State::Training => self.page_state(State::Paused, "Paused."),
            _ => {}
        }
        self.refresh();
        self.page.answer(None);
        if act.kind != Kind::Hover && act.kind != Kind::Leave {
            self.remember();
        }
        self.schedule();
    }

    /// The controls of a lesson; whether it was one of them.
    fn drive(&mut self, act: &Act) -> bool {
        match (act.name.as_str(), act.kind) {
            ("play", Kind::Click) => self.toggle(),
            ("step", Kind::Click) => self.step(Pace::Step),
            ("part", Kind::Click) => self.step(Pace::Part),
            ("reset", Kind::Click) => self.reset(),
            _ => return false,
        }
        true
    }

    /// The bar and the list of contents.
    fn bar(&mut self, act: &Act) {
        match (act.name.as_str(), act.kind) {
            ("settings", Kind::Click) => self.toggle_settings(),
            ("share", Kind::Click) => self.share(),
            ("embed", Kind::Click) => self.show_embed(),
            ("goto", Kind::Click) => {
                if let Some(index) = self.lessons.iter().position(|lesson| lesson.name() == act.value) {
                    self.steer(index);
                    if let Some(section) = self.page.part(&format!("section-{}", act.value)) {
                        section.scroll_into_view();
                    }
                }
            }
            ("speed" | "seed" | "engine" | "theme", Kind::Change) => {
                self.set_parameters(&[(act.name.clone(), act.value.clone())]);
            }
            _ => {}
        }
    }

    /// Makes a lesson the one that goes on.
    pub fn steer(&mut self, index: usize) {
        if index < self.lessons.len() {
            self.seen = index;
            if index != self.current {
                self.pause();
                self.current = index;
            }
            self.refresh();
        }
    }

    /// The bar follows the lesson that fills the middle of the window; one that plays goes on.
    pub fn look_around(&mut self) {
        if self.lessons.len() < 2 {
            return;
        }
        let middle = dom::window().and_then(|w| w.inner_height().ok()?.as_f64()).unwrap_or(800.0) * 0.45;
        let seen = (0..self.lessons.len()).find(|&index| {
            self.page.part(&format!("section-{}", self.lessons[index].name())).is_some_and(|section| {
                let area = section.get_bounding_client_rect();
                area.top() <= middle && area.bottom() > middle
            })
        });
        if let Some(index) = seen.filter(|&index| index != self.seen) {
            if self.playing {
                self.seen = index;
                self.refresh();
            } else {
                self.steer(index);
            }
        }
    }

    /// There is more room, or less.
    pub fn resize(&mut self) {
        for index in 0..self.lessons.len() {
            self.with_lesson(index, |lesson, context| lesson.draw(context));
        }
    }

    /// Tells the host, once nothing is under way.
    fn tell(&mut self, event: &'static str, detail: Value) {
        self.outbox.push((event, detail));
    }

    /// What the host is to be told.
    fn take_outbox(&mut self) -> (Option<EventTarget>, Vec<(&'static str, Value)>) {
        (self.host.clone(), std::mem::take(&mut self.outbox))
    }

    /// Takes everything down: markup, worker, listeners.
    pub fn destroy(&mut self) {
        self.playing = false;
        self.settle();
        self.drop_worker();
        self.listeners = None;
        self.window = None;
        self.lessons.clear();
        self.page.root.set_text_content(None);
        if !self.page.root.tag_name().eq_ignore_ascii_case("body") {
            self.page.root.remove();
        }
    }
}

/// Dispatches a `CustomEvent` whose detail is an object. It does not bubble: an `error` would look like one of the
/// host page's own scripts.
fn dispatch(host: &EventTarget, event: &str, detail: &Value) {
    let options = CustomEventInit::new();
    let detail = js_sys::JSON::parse(&detail.to_string()).unwrap_or(JsValue::NULL);
    options.set_detail(&detail);
    if let Ok(event) = CustomEvent::new_with_event_init_dict(event, &options) {
        // Fails only for an event that is under way already.
        let _ = host.dispatch_event(&event);
    }
}

/// The browser's refusal of markup, for programs and for people.
fn refused(error: JsValue) -> JsValue {
    let error = js_sys::Error::new(&format!("the page refuses markup: {}", describe(&error)));
    for (key, value) in [
        ("code", "policy"),
        (
            "help",
            "Where its policy requires trusted types, it has to allow the policy of this page: trusted-types fastvae",
        ),
    ] {
        // The object is new and takes any property.
        let _ = js_sys::Reflect::set(&error, &key.into(), &value.into());
    }
    error.into()
}

/// What the badge says of a choice whose engine is not known yet.
fn waiting_for(choice: EngineChoice) -> &'static str {
    match choice {
        EngineChoice::Auto => "looking for a GPU",
        EngineChoice::Gpu => "opening WebGPU",
        EngineChoice::Cpu => "loading",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_a_name() {
        assert_eq!(State::Done.name(), "done");
    }
}
