//! Work as data: a flat list of kernels.

use std::sync::{Mutex, PoisonError};

use super::{Check, gpu};
use crate::{Error, Result};

/// One operation on named buffers: the arguments, their shape checks, its WGSL call and its CPU twin.
///
/// [`super::Engine::run`] checks a kernel before it runs either of the two. A twin cannot be called unchecked
/// by accident:
///
/// ```compile_fail,E0133
/// fn unchecked(kernel: &dyn fastvae::engine::Kernel) {
///     kernel.cpu(); // an unsafe function
/// }
/// ```
#[cfg_attr(
    feature = "internals",
    doc = "
```
fn checked(kernel: &dyn fastvae::engine::Kernel) {
    // SAFETY: `check` has passed.
    unsafe { kernel.cpu() }
}
```"
)]
pub trait Kernel: Send + Sync {
    /// The common stem of the names of its files.
    fn name(&self) -> &'static str;

    /// Checks that every buffer is on the engine and has the shape that the arguments require.
    ///
    /// # Errors
    /// [`Error::Shape`] with the buffer; [`Error::Device`] for a buffer of another engine.
    fn check(&self, check: &Check) -> Result<()>;

    /// The CPU twin: computes the same result from the same inputs, on threads.
    ///
    /// # Safety
    /// [`Kernel::check`] must have passed on the CPU engine: twins access buffers by unchecked strides and
    /// write rows from several threads at once. Their other preconditions are guaranteed by types: the rows
    /// of an `ItemLists` are distinct, because only `Transpose` writes them. Twins do not rely on other
    /// indices in buffers (items, users, codes, offsets of lists): an invalid one panics.
    unsafe fn cpu(&self);

    /// Appends the dispatches that compute the result on a GPU.
    fn gpu(&self, calls: &mut gpu::Calls);
}

/// A flat list of kernels, run in order; each reads what the ones before it wrote.
pub struct Recording {
    kernels: Vec<Box<dyn Kernel>>,
    /// The first error of [`Recording::fail`], until a run has returned it.
    failure: Option<Mutex<Option<Error>>>,
}

impl Recording {
    /// An empty list.
    #[allow(clippy::new_without_default, reason = "without a name for the type there is to be no way to one")]
    pub fn new() -> Self {
        Self { kernels: Vec::new(), failure: None }
    }

    /// Appends a kernel.
    pub fn push(&mut self, kernel: impl Kernel + 'static) {
        self.kernels.push(Box::new(kernel));
    }

    /// Records an error because a kernel could not be made; running the recording returns this error instead.
    pub fn fail(&mut self, error: Error) {
        self.failure.get_or_insert_with(|| Mutex::new(Some(error)));
    }

    /// The error of a recording that has failed.
    pub(super) fn failure(&self) -> Result<()> {
        let Some(failure) = &self.failure else { return Ok(()) };
        let first = failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        Err(first.unwrap_or_else(|| Error::Data("this recording has failed before; record it anew".into())))
    }

    /// The kernels in order.
    pub fn kernels(&self) -> impl Iterator<Item = &dyn Kernel> {
        self.kernels.iter().map(|k| k.as_ref())
    }
}
