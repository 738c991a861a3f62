//! The GPU engine: encodes a recording into one command buffer of wgpu.

mod adapters;
mod bind_groups;
mod calls;
mod pipelines;
#[cfg(not(target_arch = "wasm32"))]
mod profile;
mod signal;
mod submit;
#[cfg(not(target_arch = "wasm32"))]
mod timestamps;

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
};

pub use adapters::{AdapterDetails, AdapterInfo, adapter_details, adapters};
use bind_groups::BindGroups;
pub(crate) use bind_groups::{Bound, GpuMemory};
#[cfg(feature = "internals")]
#[doc(hidden)]
pub use calls::{Calls, Handles, Work};
#[cfg(not(feature = "internals"))]
pub(crate) use calls::{Calls, Handles, Work};
use pipelines::Pipeline;
use signal::Signal;

use super::{Buffer, Element};
use crate::{Error, Result};

/// Uploads and reads are divided into pieces of this size, because each piece needs a second copy in host
/// memory.
const PIECE_BYTES: usize = 64 << 20;

/// A wgpu device with the pipelines compiled so far; clones share them.
#[derive(Clone)]
pub struct GpuEngine {
    /// Identifies the buffers of this device.
    number: u64,
    info: AdapterInfo,
    device: wgpu::Device,
    queue: wgpu::Queue,
    pipelines: Arc<Mutex<HashMap<&'static str, Pipeline>>>,
    bind_groups: Arc<Mutex<BindGroups>>,
    /// The parameters of all dispatches of a recording, one after the other; grows as needed.
    uniforms: Arc<Mutex<Option<wgpu::Buffer>>>,
    /// Scratch memory between the dispatches of a kernel, by name.
    scratch: Arc<Mutex<HashMap<&'static str, Arc<GpuMemory>>>>,
    /// Bound in place of a buffer that a kernel does not use.
    placeholder: Arc<GpuMemory>,
    failure: Arc<Mutex<Failure>>,
    /// The submissions that may not have ended, oldest first.
    in_flight: Arc<Mutex<VecDeque<wgpu::SubmissionIndex>>>,
    #[cfg(not(target_arch = "wasm32"))]
    host_times: Arc<Mutex<super::HostTimes>>,
    /// Dispatches and time by shader, if the engine is profiled.
    #[cfg(not(target_arch = "wasm32"))]
    profile: Option<profile::Profiling>,
}

/// Errors that the device reported since the last check.
#[derive(Default)]
struct Failure {
    /// The first error; the call that returns it clears it.
    error: Option<String>,
    /// Why the device was lost; never cleared.
    lost: Option<String>,
    /// Recordings until a test loses the device.
    #[cfg(all(feature = "internals", not(target_arch = "wasm32")))]
    recordings_left: Option<u32>,
}

impl GpuEngine {
    /// Opens the device of the adapter that `name` selects as in [`Engine::select`](super::Engine::select), else of
    /// the best hardware adapter. A software adapter is opened only by name or number.
    ///
    /// # Errors
    /// [`Error::Device`] if there is no such adapter; the message lists those that exist.
    pub async fn new(name: Option<&str>) -> Result<Self> {
        let (adapter, info) = adapters::choose(name).await?;
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("fastvae"),
            // wgpu's default limits allow tables of 128 MiB only, whatever the hardware supports.
            required_limits: adapter.limits(),
            #[cfg(not(target_arch = "wasm32"))]
            required_features: adapter.features() & timestamps::Timestamps::FEATURE,
            ..Default::default()
        };
        let (device, queue) = adapter
            .request_device(&descriptor)
            .await
            .map_err(|error| Error::Device(format!("cannot open {}: {error}", info.name)))?;

        let failure = Arc::new(Mutex::new(Failure::default()));
        let seen = failure.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            lock(&seen).error.get_or_insert_with(|| error.to_string());
        }));
        let seen = failure.clone();
        device.set_device_lost_callback(move |reason, message| {
            if reason != wgpu::DeviceLostReason::Destroyed {
                lock(&seen).lost = Some(message);
            }
        });
        let placeholder = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("nothing"),
            size: 16,
            usage: wgpu::BufferUsages::STORAGE,
            mapped_at_creation: false,
        });
        static OPENED: AtomicU64 = AtomicU64::new(0);
        let number = OPENED.fetch_add(1, Ordering::Relaxed);
        let bind_groups = Arc::default();
        let placeholder = Arc::new(GpuMemory::new(placeholder, number, &bind_groups));
        Ok(Self {
            number,
            info,
            device,
            queue,
            pipelines: Arc::default(),
            bind_groups,
            uniforms: Arc::default(),
            scratch: Arc::default(),
            placeholder,
            failure,
            in_flight: Arc::default(),
            #[cfg(not(target_arch = "wasm32"))]
            host_times: Arc::default(),
            #[cfg(not(target_arch = "wasm32"))]
            profile: None,
        })
    }

    /// The adapter behind the device.
    pub fn adapter(&self) -> &AdapterInfo {
        &self.info
    }

    /// The same engine, with its work divided as for a GPU whatever the adapter is, so that a software adapter tests that
    /// division.
    #[cfg(all(feature = "internals", not(target_arch = "wasm32")))]
    #[doc(hidden)]
    #[must_use]
    pub fn as_hardware(&self) -> Self {
        let name = format!("{}, as hardware", self.info.name);
        Self { info: AdapterInfo { name, software: false, ..self.info.clone() }, ..self.clone() }
    }

    /// The most bytes of one buffer that a kernel can bind.
    pub fn max_buffer_bytes(&self) -> u64 {
        self.info.max_binding_bytes.min(self.info.max_buffer_bytes)
    }

    /// The number that identifies this device's buffers.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn describe(&self) -> String {
        self.info.to_string()
    }

    pub(super) fn zeros<T: Element>(&self, label: &'static str, len: usize) -> Result<Buffer<T>> {
        self.status()?;
        let bytes = (len as u64).saturating_mul(size_of::<T>() as u64);
        let limit = self.max_buffer_bytes();
        if bytes > limit {
            return Err(Error::Device(format!(
                "`{label}` needs {len} values of {} bytes = {bytes} bytes; {} holds at most {limit} bytes, {} \
                 values, in one table: choose fewer dimensions, drop rare items, or take `engine = cpu`",
                size_of::<T>(),
                self.info.name,
                limit / size_of::<T>() as u64,
            )));
        }
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            // A binding may not be empty, and arrays of vec4 need whole elements.
            size: bytes.max(1).next_multiple_of(16),
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.status().map_err(|error| {
            Error::Device(format!("no room for `{label}`, {bytes} bytes, on {}: {error}", self.info.name))
        })?;
        let memory = GpuMemory::new(buffer, self.number, &self.bind_groups);
        Ok(Buffer::on_gpu(label, len, Arc::new(memory)))
    }

    pub(super) fn write<T: Element>(&self, buffer: &Buffer<T>, offset: usize, data: &[T]) {
        for (index, piece) in data.chunks(PIECE_BYTES / size_of::<T>()).enumerate() {
            let start = offset * size_of::<T>() + index * PIECE_BYTES;
            self.queue.write_buffer(buffer.gpu().buffer(), start as u64, bytemuck::cast_slice(piece));
            if size_of_val(data) > PIECE_BYTES {
                // Submits this piece, so that its staging memory is freed before the next piece.
                self.queue.submit([]);
            }
        }
    }

    /// Whether the device is lost.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn is_lost(&self) -> bool {
        lock(&self.failure).lost.is_some()
    }

    /// Loses the device after so many more recordings have been submitted, for tests.
    #[cfg(all(feature = "internals", not(target_arch = "wasm32")))]
    #[doc(hidden)]
    pub fn lose_after(&self, recordings: u32) {
        lock(&self.failure).recordings_left = Some(recordings);
    }

    #[cfg(all(feature = "internals", not(target_arch = "wasm32")))]
    fn count_down(&self) {
        let mut failure = lock(&self.failure);
        let Some(left) = &mut failure.recordings_left else { return };
        *left = left.saturating_sub(1);
        if *left == 0 {
            failure.lost.get_or_insert_with(|| "a test has destroyed it".to_owned());
            self.device.destroy();
        }
    }

    pub(super) async fn read_ranges<T: Element>(
        &self,
        parts: &[(&Buffer<T>, std::ops::Range<usize>)],
    ) -> Result<Vec<Vec<T>>> {
        let mut values: Vec<Vec<T>> =
            parts.iter().map(|(_, range)| Vec::with_capacity(range.len())).collect();
        for transfer in transfers(parts.iter().map(|(_, range)| range.clone()), PIECE_BYTES / size_of::<T>())
        {
            let bytes = |range: &std::ops::Range<usize>| (range.len() * size_of::<T>()) as u64;
            let staging = self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("read-back"),
                size: transfer.iter().map(|(_, range)| bytes(range)).sum(),
                usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            });
            let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            let mut end = 0;
            for (part, range) in &transfer {
                let start = (range.start * size_of::<T>()) as u64;
                encoder.copy_buffer_to_buffer(
                    parts[*part].0.gpu().buffer(),
                    start,
                    &staging,
                    end,
                    bytes(range),
                );
                end += bytes(range);
            }
            self.queue.submit([encoder.finish()]);

            let (signal, done) = Signal::new();
            staging.map_async(wgpu::MapMode::Read, .., move |result| done.set(result));
            self.wait()?;
            signal.await.map_err(|error| self.gone(&error))?;
            self.status()?;
            let view = staging.get_mapped_range(..).map_err(|error| self.gone(&error))?;
            let mut rest = &view[..];
            for (part, range) in &transfer {
                let (piece, others) = rest.split_at(bytes(range) as usize);
                rest = others;
                // The mapped view may be less aligned than T.
                let values = &mut values[*part];
                let first = values.len();
                values.resize(first + range.len(), T::zeroed());
                bytemuck::cast_slice_mut(&mut values[first..]).copy_from_slice(piece);
            }
        }
        Ok(values)
    }

    /// Natively waits until all submitted work is done; in a browser returns at once, because its event loop
    /// delivers the result.
    fn wait(&self) -> Result<()> {
        self.device.poll(wgpu::PollType::wait_indefinitely()).map_err(|error| self.lost(&error))?;
        Ok(())
    }

    /// The error since the last check, if any.
    fn status(&self) -> Result<()> {
        let mut failure = lock(&self.failure);
        if let Some(reason) = &failure.lost {
            return Err(self.gone(reason));
        }
        failure
            .error
            .take()
            .map_or(Ok(()), |error| Err(Error::Device(format!("{}: {error}", self.info.name))))
    }

    /// Notes that the device is lost.
    fn lost(&self, reason: &dyn std::fmt::Display) -> Error {
        lock(&self.failure).lost.get_or_insert_with(|| reason.to_string());
        self.gone(reason)
    }

    fn gone(&self, reason: &dyn std::fmt::Display) -> Error {
        Error::Device(format!(
            "{} stopped working: {reason}; a run goes on from its last checkpoint",
            self.info.name
        ))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Groups parts, divided where needed, such that no transfer exceeds `most` elements; gives part and range of
/// each piece.
fn transfers(
    parts: impl Iterator<Item = std::ops::Range<usize>>,
    most: usize,
) -> Vec<Vec<(usize, std::ops::Range<usize>)>> {
    let (mut all, mut current, mut held) = (Vec::new(), Vec::new(), 0);
    for (part, mut range) in parts.enumerate() {
        while !range.is_empty() {
            let piece = range.start..range.end.min(range.start + most - held);
            (range.start, held) = (piece.end, held + piece.len());
            current.push((part, piece));
            if held == most {
                all.push(std::mem::take(&mut current));
                held = 0;
            }
        }
    }
    all.extend(Some(current).filter(|rest| !rest.is_empty()));
    all
}

#[cfg(test)]
mod tests {
    use super::transfers;

    #[test]
    fn parts_are_put_together_and_cut_where_they_are_large() {
        assert_eq!(
            transfers([2..5, 0..0, 0..4, 7..8].into_iter(), 5),
            [vec![(0, 2..5), (2, 0..2)], vec![(2, 2..4), (3, 7..8)]]
        );
        assert_eq!(
            transfers(std::iter::once(0..11), 5),
            [vec![(0, 0..5)], vec![(0, 5..10)], vec![(0, 10..11)]]
        );
        assert!(transfers(std::iter::once(3..3), 5).is_empty());
    }
}
