//! Two engines that run the same program.
//!
//! A training step is a flat list of [`Kernel`]s, a [`Recording`]. The GPU engine encodes the list into one
//! command buffer; the CPU engine runs each kernel's twin on threads. No code above this module depends on
//! the choice of engine.

mod buffer;
mod check;
mod cpu;
pub mod gpu;
#[cfg(not(target_arch = "wasm32"))]
mod profile;
mod recording;
mod select;

#[cfg(not(feature = "internals"))]
pub(crate) mod parallel;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod parallel;

pub use buffer::{Buffer, Element, live_bytes};
pub use cpu::CpuEngine;
pub use gpu::GpuEngine;
#[cfg(not(target_arch = "wasm32"))]
pub use profile::{Dispatch, Dispatches, HostTimes, Profile};
pub use select::EngineKind;

#[cfg(not(feature = "internals"))]
pub(crate) use self::{
    check::Check,
    recording::{Kernel, Recording},
};
#[cfg(feature = "internals")]
#[doc(hidden)]
pub use self::{
    check::Check,
    recording::{Kernel, Recording},
};

use std::ops::Range;

use crate::Result;

/// Holds buffers and runs recordings; clones are the same engine.
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

    /// One line of text: `CPU, 2 threads` or the adapter's name and backend.
    pub fn describe(&self) -> String {
        match self {
            Self::Cpu(cpu) => cpu.describe(),
            Self::Gpu(gpu) => gpu.describe(),
        }
    }

    /// Whether its device is lost: nothing on it can be read any more.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn is_lost(&self) -> bool {
        match self {
            Self::Cpu(_) => false,
            Self::Gpu(gpu) => gpu.is_lost(),
        }
    }

    /// Whether this is the CPU engine.
    pub fn is_cpu(&self) -> bool {
        matches!(self, Self::Cpu(_))
    }

    /// The most bytes in one buffer, if there is such a limit.
    pub fn max_buffer_bytes(&self) -> Option<u64> {
        match self {
            Self::Cpu(_) => None,
            Self::Gpu(gpu) => Some(gpu.max_buffer_bytes()),
        }
    }

    /// A buffer of `len` zeros.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the adapter cannot hold or bind so much.
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
        self.write(&buffer, 0, data)?;
        Ok(buffer)
    }

    /// Overwrites `data.len()` elements from `offset`. Takes effect before the next recording runs.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the buffer lives on another engine or ends before the data does.
    pub fn write<T: Element>(&self, buffer: &Buffer<T>, offset: usize, data: &[T]) -> Result<()> {
        buffer.expect_on(self)?;
        let end = offset.saturating_add(data.len());
        buffer.expect_inside(&(offset..end))?;
        match self {
            Self::Cpu(_) => buffer.host_write()[offset..end].copy_from_slice(data),
            Self::Gpu(gpu) => gpu.write(buffer, offset, data),
        }
        Ok(())
    }

    /// Checks and runs a recording. On a GPU this submits and returns; [`Engine::read`] waits.
    ///
    /// # Errors
    /// Before anything has run: the error that the recording failed with, [`Error::Shape`], or
    /// [`crate::Error::Device`] for a buffer of another engine. [`crate::Error::Device`] if the device was
    /// lost.
    #[doc(hidden)]
    pub fn run(&self, recording: &Recording) -> Result<()> {
        recording.failure()?;
        for kernel in recording.kernels() {
            kernel.check(&Check::new(self, kernel.name()))?;
        }
        match self {
            // SAFETY: all kernels have passed their checks on this engine.
            Self::Cpu(cpu) => unsafe { cpu.run(recording) },
            Self::Gpu(gpu) => gpu.run(recording)?,
        }
        Ok(())
    }

    /// Copies elements back, waiting for all work submitted before.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the buffer lives on another engine or ends before the range does, or if the device was
    /// lost.
    pub async fn read_range<T: Element>(&self, buffer: &Buffer<T>, range: Range<usize>) -> Result<Vec<T>> {
        let read = self.read_ranges(&[(buffer, range)]).await?;
        Ok(read.into_iter().next().expect("one range gives one list"))
    }

    /// Copies elements of several buffers back in one transfer: waiting for a GPU costs more than a copy.
    ///
    /// # Errors
    /// As [`Engine::read_range`].
    pub async fn read_ranges<T: Element>(&self, parts: &[(&Buffer<T>, Range<usize>)]) -> Result<Vec<Vec<T>>> {
        for (buffer, range) in parts {
            buffer.expect_on(self)?;
            buffer.expect_inside(range)?;
        }
        match self {
            Self::Cpu(_) => {
                Ok(parts.iter().map(|(buffer, range)| buffer.host_read()[range.clone()].to_vec()).collect())
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

#[cfg(test)]
mod tests {
    use pollster::block_on;

    use super::*;
    use crate::Error;

    #[test]
    fn ranges_outside_of_a_buffer_are_errors() {
        let engine = Engine::cpu();
        let buffer = engine.upload("four", &[1u32, 2, 3, 4]).expect("memory");
        #[expect(clippy::reversed_empty_ranges, reason = "one of the ranges under test")]
        for range in [3..5, 5..5, 0..usize::MAX, 3..2] {
            let error = block_on(engine.read_range(&buffer, range)).expect_err("it is not inside");
            assert!(error.to_string().contains("`four` holds 4 elements"), "{error}");
        }
        for offset in [1, 5, usize::MAX] {
            let error = engine.write(&buffer, offset, &[9; 4]).expect_err("it does not fit");
            assert!(error.to_string().contains("`four` holds 4 elements"), "{error}");
        }
        assert_eq!(block_on(engine.read(&buffer)).expect("all of it"), [1, 2, 3, 4]);
    }

    #[test]
    fn a_recording_that_failed_never_runs() {
        let mut recording = Recording::new();
        recording.fail(Error::Data("no index yet".into()));
        recording.fail(Error::Data("a consequence".into()));
        let run = || Engine::cpu().run(&recording).expect_err("it has failed").to_string();
        assert_eq!(run(), "no index yet");
        assert!(run().contains("has failed before"));
    }
}
