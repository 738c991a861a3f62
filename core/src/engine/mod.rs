//! Two engines, one program.
//!
//! A training step is a flat list of [`Kernel`]s, a [`Recording`]. The GPU engine encodes the list into
//! one command buffer; the CPU engine runs each kernel's twin on threads. Nothing above this module
//! knows which of the two is at work.

pub mod buffer;
pub mod cpu;
pub mod gpu;
pub mod parallel;
mod select;

pub use buffer::{Buffer, Element, live_bytes};
pub use cpu::CpuEngine;
pub use gpu::GpuEngine;
pub use select::EngineKind;

use std::sync::{Mutex, PoisonError};

use crate::{Error, Result};

/// Calls of each kernel, and the time spent in them.
pub type Profile = std::collections::BTreeMap<&'static str, (u64, web_time::Duration)>;

/// One operation on named buffers: the arguments, their shape checks, its WGSL call and its CPU twin.
pub trait Kernel: Send + Sync {
    /// The stem its files share.
    fn name(&self) -> &'static str;

    /// Whether the buffers have the shapes that the arguments promise.
    fn check(&self) -> Result<()>;

    /// The twin: the same result from the same inputs, on threads.
    fn cpu(&self);

    /// The dispatches that do it on a GPU.
    fn gpu(&self, calls: &mut gpu::Calls);
}

/// A flat list of kernels, run in order; each sees what the ones before it wrote.
#[derive(Default)]
pub struct Recording {
    kernels: Vec<Box<dyn Kernel>>,
    /// The first error of [`Recording::fail`], until a run has returned it.
    failure: Option<Mutex<Option<Error>>>,
}

impl Recording {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a kernel.
    pub fn push(&mut self, kernel: impl Kernel + 'static) {
        self.kernels.push(Box::new(kernel));
    }

    /// Notes that what should come here cannot be made; running the recording gives this error instead.
    pub fn fail(&mut self, error: Error) {
        self.failure.get_or_insert_with(|| Mutex::new(Some(error)));
    }

    /// The error of a recording that has failed.
    fn failure(&self) -> Result<()> {
        let Some(failure) = &self.failure else { return Ok(()) };
        let first = failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        Err(first.unwrap_or_else(|| Error::Data("this recording has failed before; record it anew".into())))
    }

    /// The kernels in order.
    pub fn kernels(&self) -> impl Iterator<Item = &dyn Kernel> {
        self.kernels.iter().map(|k| k.as_ref())
    }
}

/// Where buffers live and recordings run; clones are the same engine.
#[derive(Clone)]
#[allow(clippy::large_enum_variant, reason = "one a run")]
pub enum Engine {
    /// Threads of this machine.
    Cpu(CpuEngine),
    /// An adapter of wgpu: Vulkan, Metal, DX12 or WebGPU.
    Gpu(GpuEngine),
}

impl Engine {
    /// The CPU engine.
    pub fn cpu() -> Self {
        Self::Cpu(CpuEngine::new())
    }

    /// One line for people: `CPU, 2 threads` or the adapter's name and backend.
    pub fn describe(&self) -> String {
        match self {
            Self::Cpu(cpu) => cpu.describe(),
            Self::Gpu(gpu) => gpu.describe(),
        }
    }

    /// The same engine, keeping the time spent in each kernel, on a GPU in each shader. A GPU waits for each of them
    /// then, so the whole takes longer.
    #[must_use]
    pub fn profiled(self) -> Self {
        match self {
            Self::Cpu(cpu) => Self::Cpu(cpu.profiled()),
            Self::Gpu(gpu) => Self::Gpu(gpu.profiled()),
        }
    }

    /// Calls and time by kernel since the engine was [`Engine::profiled`]; without that, nothing.
    pub fn profile(&self) -> Profile {
        match self {
            Self::Cpu(cpu) => cpu.profile(),
            Self::Gpu(gpu) => gpu.profile(),
        }
    }

    /// Whether this is the CPU engine.
    pub fn is_cpu(&self) -> bool {
        matches!(self, Self::Cpu(_))
    }

    /// The most bytes that one buffer may have, where there is such a limit.
    pub fn max_buffer_bytes(&self) -> Option<u64> {
        match self {
            Self::Cpu(_) => None,
            Self::Gpu(gpu) => Some(gpu.max_buffer_bytes()),
        }
    }

    /// A buffer of `len` zeros.
    ///
    /// # Errors
    /// [`Error::Device`] where the adapter cannot hold or bind so much.
    pub fn zeros<T: Element>(&self, label: &'static str, len: usize) -> Result<Buffer<T>> {
        match self {
            Self::Cpu(_) => Ok(Buffer::on_cpu(label, len)?.counted()),
            Self::Gpu(gpu) => Ok(gpu.zeros(label, len)?.counted()),
        }
    }

    /// A buffer that holds `data`.
    ///
    /// # Errors
    /// As [`Engine::zeros`].
    pub fn upload<T: Element>(&self, label: &'static str, data: &[T]) -> Result<Buffer<T>> {
        let buffer = self.zeros(label, data.len())?;
        self.write(&buffer, 0, data);
        Ok(buffer)
    }

    /// Overwrites `data.len()` elements from `offset`. Takes effect before the next recording runs.
    pub fn write<T: Element>(&self, buffer: &Buffer<T>, offset: usize, data: &[T]) {
        match self {
            Self::Cpu(_) => buffer.write()[offset..offset + data.len()].copy_from_slice(data),
            Self::Gpu(gpu) => gpu.write(buffer, offset, data),
        }
    }

    /// Checks and runs a recording. On a GPU this submits and returns; [`Engine::read`] waits.
    ///
    /// # Errors
    /// [`Error::Shape`] before anything has run; [`Error::Device`] if the device was lost.
    pub fn run(&self, recording: &Recording) -> Result<()> {
        recording.failure()?;
        for kernel in recording.kernels() {
            kernel.check()?;
        }
        match self {
            Self::Cpu(cpu) => {
                cpu.run(recording);
                Ok(())
            }
            Self::Gpu(gpu) => gpu.run(recording),
        }
    }

    /// Copies elements back, waiting for all work submitted before.
    ///
    /// # Errors
    /// [`Error::Device`] if the device was lost.
    pub async fn read_range<T: Element>(
        &self,
        buffer: &Buffer<T>,
        range: std::ops::Range<usize>,
    ) -> Result<Vec<T>> {
        let read = self.read_ranges(&[(buffer, range)]).await?;
        Ok(read.into_iter().next().expect("one range gives one list"))
    }

    /// Copies elements of several buffers back in one transfer: waiting for a GPU costs more than a copy.
    ///
    /// # Errors
    /// As [`Engine::read_range`].
    pub async fn read_ranges<T: Element>(
        &self,
        parts: &[(&Buffer<T>, std::ops::Range<usize>)],
    ) -> Result<Vec<Vec<T>>> {
        for (buffer, range) in parts {
            assert!(range.end <= buffer.len(), "read past the end of `{}`", buffer.label());
        }
        match self {
            Self::Cpu(_) => {
                Ok(parts.iter().map(|(buffer, range)| buffer.read()[range.clone()].to_vec()).collect())
            }
            Self::Gpu(gpu) => gpu.read_ranges(parts).await,
        }
    }

    /// Copies a whole buffer back.
    ///
    /// # Errors
    /// As [`Engine::read_range`].
    pub async fn read<T: Element>(&self, buffer: &Buffer<T>) -> Result<Vec<T>> {
        self.read_range(buffer, 0..buffer.len()).await
    }
}

/// Fails with both shapes named unless `buffer` holds at least `want` elements.
pub(crate) fn expect_len<T>(kernel: &'static str, buffer: &Buffer<T>, want: usize) -> Result<()> {
    if buffer.len() >= want {
        return Ok(());
    }
    Err(Error::Shape {
        kernel,
        problem: format!("`{}` holds {} elements, {want} needed", buffer.label(), buffer.len()),
    })
}
