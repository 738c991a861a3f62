//! The time that a GPU spends on each dispatch, from timestamps that it writes itself.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use super::{calls::Call, lock};
use crate::engine::Profile;

/// Dispatches between two read-backs: a set holds 4,096 timestamps.
pub(super) const DISPATCHES: usize = 2048;

/// Memory for the timestamps of one submission.
pub(super) struct Timestamps {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    /// Nanoseconds of a tick.
    tick: f64,
}

impl Timestamps {
    /// What adapters need to have for it.
    pub(super) const FEATURE: wgpu::Features = wgpu::Features::TIMESTAMP_QUERY;

    /// Nothing if the device has no timestamps.
    pub(super) fn new(device: &wgpu::Device, queue: &wgpu::Queue) -> Option<Self> {
        if !device.features().contains(Self::FEATURE) {
            return None;
        }
        let count = 2 * DISPATCHES as u32;
        Some(Self {
            queries: device.create_query_set(&wgpu::QuerySetDescriptor {
                label: Some("timestamps"),
                ty: wgpu::QueryType::Timestamp,
                count,
            }),
            resolved: device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("timestamps"),
                size: 8 * u64::from(count),
                usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
                mapped_at_creation: false,
            }),
            tick: f64::from(queue.get_timestamp_period()),
        })
    }

    /// The timestamps around a pass that holds the dispatch at `index` alone.
    pub(super) fn around(&self, index: usize) -> wgpu::ComputePassTimestampWrites<'_> {
        wgpu::ComputePassTimestampWrites {
            query_set: &self.queries,
            beginning_of_pass_write_index: Some(2 * index as u32),
            end_of_pass_write_index: Some(2 * index as u32 + 1),
        }
    }

    /// Appends the copy of the timestamps of `dispatches` to memory of the host.
    pub(super) fn resolve(
        &self,
        device: &wgpu::Device,
        encoder: &mut wgpu::CommandEncoder,
        dispatches: usize,
    ) -> wgpu::Buffer {
        let bytes = 16 * dispatches as u64;
        let staging = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("timestamps read back"),
            size: bytes,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        encoder.resolve_query_set(&self.queries, 0..2 * dispatches as u32, &self.resolved, 0);
        encoder.copy_buffer_to_buffer(&self.resolved, 0, &staging, 0, bytes);
        staging
    }

    /// Adds the times to `profile` as soon as the device has run what was submitted before.
    pub(super) fn add(&self, staging: wgpu::Buffer, calls: &[Call], profile: &Arc<Mutex<Profile>>) {
        let names: Vec<_> = calls.iter().map(|call| call.shader.name).collect();
        let (profile, tick, memory) = (profile.clone(), self.tick, staging.clone());
        staging.map_async(wgpu::MapMode::Read, .., move |result| {
            let Ok(view) = result.map_err(drop).and_then(|()| memory.get_mapped_range(..).map_err(drop))
            else {
                return;
            };
            let mut profile = lock(&profile);
            for (name, pair) in names.into_iter().zip(view.as_chunks::<16>().0) {
                let [begin, end] = bytemuck::cast::<[u8; 16], [u64; 2]>(*pair);
                let entry = profile.entry(name).or_default();
                let spent = Duration::from_nanos((end.saturating_sub(begin) as f64 * tick) as u64);
                *entry = (entry.0 + 1, entry.1 + spent);
            }
        });
    }
}
