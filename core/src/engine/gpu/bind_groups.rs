//! The bind groups of a device: a training step binds the same buffers as the one before, and to make its bind groups
//! anew was half of its time on the host.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use super::lock;

/// A shader's name, and the numbers of the buffers that it binds.
type Key = (&'static str, Box<[u64]>);

/// The bind groups made so far. A bind group keeps its buffers alive, so it goes with the first of them.
#[derive(Default)]
pub(super) struct BindGroups {
    made: HashMap<Key, wgpu::BindGroup>,
    /// The bind groups of each buffer.
    of_buffer: HashMap<u64, Vec<Key>>,
}

impl BindGroups {
    /// The bind group of a shader with these buffers.
    pub(super) fn get(
        &mut self,
        shader: &'static str,
        buffers: &[Bound],
        make: impl FnOnce() -> wgpu::BindGroup,
    ) -> wgpu::BindGroup {
        let key: Key = (shader, buffers.iter().map(|buffer| buffer.number).collect());
        if let Some(group) = self.made.get(&key) {
            return group.clone();
        }
        let group = make();
        for &number in &key.1 {
            self.of_buffer.entry(number).or_default().push(key.clone());
        }
        self.made.insert(key, group.clone());
        group
    }

    /// Drops all: the memory of the parameters has moved.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Drops those that bind a buffer.
    fn forget(&mut self, number: u64) -> Vec<wgpu::BindGroup> {
        let keys = self.of_buffer.remove(&number).unwrap_or_default();
        let mut dropped = Vec::with_capacity(keys.len());
        for key in keys {
            for other in &key.1 {
                if let Some(keys) = self.of_buffer.get_mut(other) {
                    keys.retain(|one| *one != key);
                }
            }
            dropped.extend(self.made.remove(&key));
        }
        dropped
    }
}

/// A buffer of a device.
#[derive(Debug)]
pub struct GpuMemory {
    /// The number of the engine.
    engine: u64,
    bound: Bound,
    groups: Weak<Mutex<BindGroups>>,
}

/// A buffer as a bind group has it.
#[derive(Clone, Debug)]
pub struct Bound {
    number: u64,
    /// The memory.
    pub(super) buffer: wgpu::Buffer,
}

impl GpuMemory {
    pub(super) fn new(buffer: wgpu::Buffer, engine: u64, groups: &Arc<Mutex<BindGroups>>) -> Self {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        Self { engine, bound: Bound { number, buffer }, groups: Arc::downgrade(groups) }
    }

    /// The number of the engine that it belongs to.
    pub(in crate::engine) fn engine(&self) -> u64 {
        self.engine
    }

    /// The memory as a bind group has it.
    pub(super) fn bound(&self) -> &Bound {
        &self.bound
    }

    /// The memory.
    pub(super) fn buffer(&self) -> &wgpu::Buffer {
        &self.bound.buffer
    }
}

impl Drop for GpuMemory {
    fn drop(&mut self) {
        if let Some(groups) = self.groups.upgrade() {
            // Dropped after the lock is released: what a bind group frees may be of any size.
            let dropped = lock(&groups).forget(self.bound.number);
            drop(dropped);
        }
    }
}
