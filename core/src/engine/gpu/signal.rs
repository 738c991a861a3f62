//! A value that a callback delivers to a future.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use super::lock;

/// Resolves to the value passed to its [`Setter`].
pub(super) struct Signal<T>(Arc<Mutex<State<T>>>);

/// The sending end of a [`Signal`].
pub(super) struct Setter<T>(Arc<Mutex<State<T>>>);

struct State<T> {
    value: Option<T>,
    waker: Option<Waker>,
}

impl<T> Signal<T> {
    pub(super) fn new() -> (Self, Setter<T>) {
        let state = Arc::new(Mutex::new(State { value: None, waker: None }));
        (Self(state.clone()), Setter(state))
    }
}

impl<T> Setter<T> {
    pub(super) fn set(self, value: T) {
        let mut state = lock(&self.0);
        state.value = Some(value);
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }
}

impl<T> Future for Signal<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let mut state = lock(&self.0);
        match state.value.take() {
            Some(value) => Poll::Ready(value),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}
