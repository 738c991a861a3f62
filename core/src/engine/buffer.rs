//! Typed handles to the memory of either engine.

use std::{
    marker::PhantomData,
    ops::{Deref, DerefMut, Range},
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{Engine, gpu::GpuMemory};
use crate::{Error, Result};

/// The element types of buffers: the two scalar types that storage buffers and Rust share.
pub trait Element: bytemuck::Pod + Send + Sync + sealed::FourBytes {}
impl Element for f32 {}
impl Element for u32 {}

mod sealed {
    /// The trait is sealed, so that no type of another size can implement it.
    pub trait FourBytes {}
    impl FourBytes for f32 {}
    impl FourBytes for u32 {}
}

/// Memory of an engine. Clones share it; dropping the last one frees it.
#[derive(Debug)]
pub struct Buffer<T> {
    memory: Memory,
    len: usize,
    label: &'static str,
    element: PhantomData<T>,
    /// Counts the memory allocated through an engine; scratch memory of kernels is not counted.
    counted: Option<Arc<Counted>>,
}

/// Bytes in live buffers of all engines of this process: those that [`super::Engine::zeros`] and
/// [`super::Engine::upload`] made and that were not dropped yet.
pub fn live_bytes() -> u64 {
    LIVE.load(Ordering::Relaxed)
}

static LIVE: AtomicU64 = AtomicU64::new(0);

/// Counts this many bytes as live until it is dropped.
#[derive(Debug)]
struct Counted(u64);

impl Drop for Counted {
    fn drop(&mut self) {
        LIVE.fetch_sub(self.0, Ordering::Relaxed);
    }
}

#[derive(Clone, Debug)]
enum Memory {
    /// Host memory, which all CPU engines of the process can access.
    Cpu(Arc<RwLock<Vec<u32>>>),
    /// Memory of a GPU engine.
    Gpu(Arc<GpuMemory>),
}

impl<T> Clone for Buffer<T> {
    fn clone(&self) -> Self {
        let (memory, counted) = (self.memory.clone(), self.counted.clone());
        Self { memory, len: self.len, label: self.label, element: PhantomData, counted }
    }
}

impl<T> Buffer<T> {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The name given at creation, for error messages.
    pub fn label(&self) -> &'static str {
        self.label
    }

    /// Whether both are the same memory.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (&self.memory, &other.memory) {
            (Memory::Cpu(one), Memory::Cpu(two)) => Arc::ptr_eq(one, two),
            (Memory::Gpu(one), Memory::Gpu(two)) => Arc::ptr_eq(one, two),
            _ => false,
        }
    }

    /// Fails unless the buffer was made by `engine` or a clone of it; CPU engines share their memory.
    pub(super) fn expect_on(&self, engine: &Engine) -> Result<()> {
        let here = match (&self.memory, engine) {
            (Memory::Cpu(_), Engine::Cpu(_)) => true,
            (Memory::Gpu(memory), Engine::Gpu(gpu)) => memory.engine() == gpu.number(),
            _ => false,
        };
        if here {
            return Ok(());
        }
        let place =
            if matches!(self.memory, Memory::Cpu(_)) { "the CPU engine" } else { "another GPU engine" };
        Err(Error::Device(format!(
            "`{}` lives on {place} and was used on {}: read it there and upload it here",
            self.label,
            engine.describe()
        )))
    }

    /// Fails unless the elements of `range` exist.
    pub(super) fn expect_inside(&self, range: &Range<usize>) -> Result<()> {
        if range.start <= range.end && range.end <= self.len {
            return Ok(());
        }
        Err(Error::Device(format!(
            "`{}` holds {} elements; {}..{} is not inside",
            self.label, self.len, range.start, range.end
        )))
    }
}

impl<T: Element> Buffer<T> {
    pub(super) fn on_cpu(label: &'static str, len: usize) -> Result<Self> {
        // The system provides zeroed pages lazily, so a table takes memory only where it is written.
        let Ok(zeros) = bytemuck::allocation::try_zeroed_vec(len) else {
            return Err(Error::Device(format!(
                "`{label}` takes {len} numbers x {} bytes, and this machine has no memory for that",
                size_of::<T>()
            )));
        };
        let memory = Memory::Cpu(Arc::new(RwLock::new(zeros)));
        Ok(Self { memory, len, label, element: PhantomData, counted: None })
    }

    pub(super) fn on_gpu(label: &'static str, len: usize, memory: Arc<GpuMemory>) -> Self {
        Self { memory: Memory::Gpu(memory), len, label, element: PhantomData, counted: None }
    }

    /// Counts the buffer in [`live_bytes`] until its last clone is dropped.
    pub(super) fn counted(mut self) -> Self {
        let bytes = (self.len * size_of::<T>()) as u64;
        LIVE.fetch_add(bytes, Ordering::Relaxed);
        self.counted = Some(Arc::new(Counted(bytes)));
        self
    }

    /// The same memory as u32, so that buffers of both types can be read in one transfer.
    pub fn bits(&self) -> Buffer<u32> {
        let (memory, counted) = (self.memory.clone(), self.counted.clone());
        Buffer { memory, len: self.len, label: self.label, element: PhantomData, counted }
    }

    /// The GPU memory behind the handle. The engine has checked that there is one.
    pub(super) fn gpu(&self) -> &Arc<GpuMemory> {
        match &self.memory {
            Memory::Gpu(memory) => memory,
            Memory::Cpu(_) => unreachable!("`{}` lives on the CPU engine", self.label),
        }
    }

    /// Shared access for a CPU twin.
    ///
    /// # Panics
    /// If the same kernel also writes the buffer, which is a bug that a GPU would report as well, or if
    /// another thread does: a model shares its buffers with the run that trains it, and only one of the two
    /// may run at a time.
    pub(crate) fn read(&self) -> Reader<'_, T> {
        match self.cpu().try_read() {
            Ok(guard) => Reader { guard, element: PhantomData },
            Err(TryLockError::Poisoned(poisoned)) => {
                Reader { guard: poisoned.into_inner(), element: PhantomData }
            }
            Err(TryLockError::WouldBlock) => {
                panic!("buffer `{}` is written by the kernel that reads it, or by another thread", self.label)
            }
        }
    }

    /// Exclusive access for a CPU twin.
    ///
    /// # Panics
    /// If the same kernel has the buffer bound twice, or another thread uses it.
    pub(crate) fn write(&self) -> Writer<'_, T> {
        match self.cpu().try_write() {
            Ok(guard) => Writer { guard, element: PhantomData },
            Err(TryLockError::Poisoned(poisoned)) => {
                Writer { guard: poisoned.into_inner(), element: PhantomData }
            }
            Err(TryLockError::WouldBlock) => {
                panic!("buffer `{}` is bound twice by one kernel, or used by another thread", self.label)
            }
        }
    }

    /// Shared access for the host; waits for kernels of other threads.
    pub(super) fn host_read(&self) -> Reader<'_, T> {
        let guard = self.cpu().read().unwrap_or_else(PoisonError::into_inner);
        Reader { guard, element: PhantomData }
    }

    /// Exclusive access for the host; waits for kernels of other threads.
    pub(super) fn host_write(&self) -> Writer<'_, T> {
        let guard = self.cpu().write().unwrap_or_else(PoisonError::into_inner);
        Writer { guard, element: PhantomData }
    }

    fn cpu(&self) -> &RwLock<Vec<u32>> {
        match &self.memory {
            Memory::Cpu(memory) => memory,
            Memory::Gpu(_) => unreachable!("`{}` lives on a GPU", self.label),
        }
    }
}

/// A shared view of a buffer of the CPU engine.
pub(crate) struct Reader<'a, T> {
    guard: RwLockReadGuard<'a, Vec<u32>>,
    element: PhantomData<T>,
}

impl<T: Element> Deref for Reader<'_, T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        bytemuck::cast_slice(&self.guard)
    }
}

/// An exclusive view of a buffer of the CPU engine.
pub(crate) struct Writer<'a, T> {
    guard: RwLockWriteGuard<'a, Vec<u32>>,
    element: PhantomData<T>,
}

impl<T: Element> Deref for Writer<'_, T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        bytemuck::cast_slice(&self.guard)
    }
}

impl<T: Element> DerefMut for Writer<'_, T> {
    fn deref_mut(&mut self) -> &mut [T] {
        bytemuck::cast_slice_mut(&mut self.guard)
    }
}
