//! Commands in the order in which they came.

use std::{
    cell::RefCell,
    collections::VecDeque,
    future::poll_fn,
    rc::Rc,
    task::{Poll, Waker},
};

use wasm_bindgen::JsValue;

use crate::Command;

/// A queue that one task waits on; a command may have a file beside it.
#[derive(Clone, Default)]
pub struct Queue(Rc<RefCell<Inner>>);

#[derive(Default)]
struct Inner {
    commands: VecDeque<(Command, JsValue)>,
    waiting: Option<Waker>,
}

impl Queue {
    /// Adds a command.
    pub fn push(&self, command: Command, beside: JsValue) {
        let mut inner = self.0.borrow_mut();
        inner.commands.push_back((command, beside));
        if let Some(waker) = inner.waiting.take() {
            waker.wake();
        }
    }

    /// Waits for a command.
    pub async fn next(&self) -> (Command, JsValue) {
        poll_fn(|context| {
            let mut inner = self.0.borrow_mut();
            match inner.commands.pop_front() {
                Some(command) => Poll::Ready(command),
                None => {
                    inner.waiting = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}
