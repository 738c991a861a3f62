//! Typed handles to memory of either engine.

use std::{
    marker::PhantomData,
    ops::{Deref, DerefMut},
    sync::{
        Arc, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{Error, Result};

/// What buffers hold: the two scalar types that storage buffers share with Rust.
pub trait Element: bytemuck::Pod + Send + Sync {}
impl Element for f32 {}
impl Element for u32 {}

/// Memory of one of the engines. Clones share it; the last one frees it.
#[derive(Debug)]
pub struct Buffer<T> {
    memory: Memory,
    len: usize,
    label: &'static str,
    element: PhantomData<T>,
    /// Of the memory that engines were asked for; what kernels take for themselves is not counted.
    counted: Option<Arc<Counted>>,
}

/// Bytes of buffers that are alive, of all engines of this process: what [`super::Engine::zeros`] and
/// [`super::Engine::upload`] gave and nobody has dropped yet.
pub fn live_bytes() -> u64 {
    LIVE.load(Ordering::Relaxed)
}

static LIVE: AtomicU64 = AtomicU64::new(0);

/// So many bytes are alive as long as this is.
#[derive(Debug)]
struct Counted(u64);

impl Drop for Counted {
    fn drop(&mut self) {
        LIVE.fetch_sub(self.0, Ordering::Relaxed);
    }
}

#[derive(Clone, Debug)]
enum Memory {
    Cpu(Arc<RwLock<Vec<u32>>>),
    Gpu(wgpu::Buffer),
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
}

impl<T: Element> Buffer<T> {
    pub(super) fn on_cpu(label: &'static str, len: usize) -> Result<Self> {
        // Zeroed pages come from the system untouched, so a table costs memory only where it is used.
        let Ok(zeros) = bytemuck::allocation::try_zeroed_vec(len) else {
            return Err(Error::Device(format!(
                "`{label}` takes {len} numbers x {} bytes, and this machine has no memory for that",
                size_of::<T>()
            )));
        };
        let memory = Memory::Cpu(Arc::new(RwLock::new(zeros)));
        Ok(Self { memory, len, label, element: PhantomData, counted: None })
    }

    pub(super) fn on_gpu(label: &'static str, len: usize, buffer: wgpu::Buffer) -> Self {
        Self { memory: Memory::Gpu(buffer), len, label, element: PhantomData, counted: None }
    }

    /// The same, in [`live_bytes`] until the last clone is dropped.
    pub(super) fn counted(mut self) -> Self {
        let bytes = (self.len * size_of::<T>()) as u64;
        LIVE.fetch_add(bytes, Ordering::Relaxed);
        self.counted = Some(Arc::new(Counted(bytes)));
        self
    }

    /// The same memory as bits, so that buffers of both types can be read in one transfer.
    pub fn bits(&self) -> Buffer<u32> {
        let (memory, counted) = (self.memory.clone(), self.counted.clone());
        Buffer { memory, len: self.len, label: self.label, element: PhantomData, counted }
    }

    /// The GPU buffer behind the handle.
    pub(crate) fn gpu(&self) -> &wgpu::Buffer {
        match &self.memory {
            Memory::Gpu(buffer) => buffer,
            Memory::Cpu(_) => unreachable!("`{}` lives on the CPU engine", self.label),
        }
    }

    /// Shared access for a CPU twin.
    ///
    /// # Panics
    /// If the same kernel also writes the buffer: a bug that a GPU would report as well.
    pub fn read(&self) -> Reader<'_, T> {
        match self.cpu().try_read() {
            Ok(guard) => Reader { guard, element: PhantomData },
            Err(TryLockError::Poisoned(poisoned)) => {
                Reader { guard: poisoned.into_inner(), element: PhantomData }
            }
            Err(TryLockError::WouldBlock) => {
                panic!("buffer `{}` is read and written by one kernel", self.label)
            }
        }
    }

    /// Exclusive access for a CPU twin.
    ///
    /// # Panics
    /// If the same kernel has the buffer bound twice.
    pub fn write(&self) -> Writer<'_, T> {
        match self.cpu().try_write() {
            Ok(guard) => Writer { guard, element: PhantomData },
            Err(TryLockError::Poisoned(poisoned)) => {
                Writer { guard: poisoned.into_inner(), element: PhantomData }
            }
            Err(TryLockError::WouldBlock) => panic!("buffer `{}` is bound twice by one kernel", self.label),
        }
    }

    fn cpu(&self) -> &RwLock<Vec<u32>> {
        match &self.memory {
            Memory::Cpu(memory) => memory,
            Memory::Gpu(_) => unreachable!("`{}` lives on a GPU", self.label),
        }
    }
}

/// A shared view of a buffer of the CPU engine.
pub struct Reader<'a, T> {
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
pub struct Writer<'a, T> {
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
