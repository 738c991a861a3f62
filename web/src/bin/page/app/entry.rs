//! Every way into the app: one at a time, and what it has to tell goes out when it is done.

use std::{
    cell::RefCell,
    rc::{Rc, Weak},
};

use wasm_bindgen::prelude::*;
use web_sys::EventTarget;

use super::{App, dispatch};
use crate::dom;

/// Lets the app do something. What happens while it is at it (an element that is taken away loses the focus) comes
/// after it.
pub fn with(app: &Weak<RefCell<App>>, act: impl FnOnce(&mut App) + 'static) {
    let Some(app) = app.upgrade() else { return };
    let told = match app.try_borrow_mut() {
        Ok(mut inside) => {
            inside.page.begin_task();
            act(&mut inside);
            inside.draw_rest();
            inside.take_outbox()
        }
        Err(_) => {
            let again = Rc::downgrade(&app);
            return dom::soon(move || with(&again, act));
        }
    };
    if let (Some(host), events) = told {
        for (event, detail) in events {
            dispatch(&host, event, &detail);
        }
    }
}

type Listener = (EventTarget, &'static str, Closure<dyn FnMut()>);

/// Listeners outside of the container; they end when this is dropped.
pub struct WindowListeners(Vec<Listener>);

impl WindowListeners {
    pub fn new(app: &Weak<RefCell<App>>) -> Option<Self> {
        let window = dom::window()?;
        let document = window.document()?;
        let mut listeners = Self(Vec::new());
        listeners.on(window.clone().into(), "resize", app, App::resize);
        listeners.on(window.into(), "scroll", app, App::look_around);
        listeners.on(document.into(), "visibilitychange", app, App::visibility);
        Some(listeners)
    }

    /// Several events of one kind before the next picture are one.
    fn on(&mut self, target: EventTarget, event: &'static str, app: &Weak<RefCell<App>>, act: fn(&mut App)) {
        let (app, waiting) = (app.clone(), Rc::new(RefCell::new(false)));
        let listener = Closure::<dyn FnMut()>::new(move || {
            if std::mem::replace(&mut *waiting.borrow_mut(), true) {
                return;
            }
            let (app, waiting) = (app.clone(), waiting.clone());
            dom::later(60, move || {
                *waiting.borrow_mut() = false;
                with(&app, act);
            });
        });
        if target.add_event_listener_with_callback(event, listener.as_ref().unchecked_ref()).is_ok() {
            self.0.push((target, event, listener));
        }
    }
}

impl Drop for WindowListeners {
    fn drop(&mut self) {
        for (target, event, listener) in &self.0 {
            // It was added, so it can be removed.
            let _ = target.remove_event_listener_with_callback(event, listener.as_ref().unchecked_ref());
        }
    }
}
