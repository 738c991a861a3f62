//! Commands in the order in which they came.

use std::{
    cell::RefCell,
    collections::VecDeque,
    future::poll_fn,
    rc::Rc,
    task::{Poll, Waker},
};

use web::Command;

/// A queue that one task waits on.
#[derive(Clone, Default)]
pub struct Queue(Rc<RefCell<Inner>>);

#[derive(Default)]
struct Inner {
    commands: VecDeque<Command>,
    waiting: Option<Waker>,
}

impl Queue {
    pub fn push(&self, command: Command) {
        let mut inner = self.0.borrow_mut();
        inner.commands.push_back(command);
        if let Some(waker) = inner.waiting.take() {
            waker.wake();
        }
    }

    /// What has come, if anything has.
    pub fn pop(&self) -> Option<Command> {
        self.0.borrow_mut().commands.pop_front()
    }

    /// Waits for a command.
    pub async fn next(&self) -> Command {
        poll_fn(|context| match self.pop() {
            Some(command) => Poll::Ready(command),
            None => {
                self.0.borrow_mut().waiting = Some(context.waker().clone());
                Poll::Pending
            }
        })
        .await
    }
}
