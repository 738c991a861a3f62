//! The GPU engine: encodes a recording into one command buffer of wgpu.

mod adapters;
mod bind_groups;
mod calls;
mod signal;
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
use calls::Call;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub use calls::{Calls, Handles, Work};
#[cfg(not(feature = "internals"))]
pub(crate) use calls::{Calls, Handles, Work};
use fastvae_shaders::Shader;
use signal::Signal;
use timestamps::Timestamps;

use super::{Buffer, Element, HostTimes, Profile, Recording};
use crate::{Error, Result};

/// Uploads and reads are divided into pieces of this size, because each piece needs a second copy in host
/// memory.
const PIECE_BYTES: usize = 64 << 20;

/// Submissions that a device may have before it: enough that it never waits for the host, and few enough that the host
/// never runs seconds ahead.
const IN_FLIGHT: usize = 3;

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
    host_times: Arc<Mutex<HostTimes>>,
    /// Dispatches and time by shader, if the engine is profiled.
    profile: Option<Profiling>,
}

/// What a profiled engine writes down.
#[derive(Clone)]
struct Profiling {
    times: Arc<Mutex<Profile>>,
    /// Nothing if the device has no timestamps: dispatches are then counted only.
    timestamps: Option<Arc<Timestamps>>,
    /// Since they were last asked for.
    #[cfg(not(target_arch = "wasm32"))]
    dispatches: Arc<Mutex<super::Dispatches>>,
}

#[cfg(not(target_arch = "wasm32"))]
impl Profiling {
    fn keep(&self, calls: &[Call], uniforms: &[u8]) {
        let mut dispatches = lock(&self.dispatches);
        for call in calls {
            let parameters = &uniforms[call.uniform_offset as usize..][..call.shader.params_size as usize];
            let dispatch = super::Dispatch { groups: call.groups, parameters: parameters.to_vec() };
            dispatches.entry(call.shader.name).or_default().push(dispatch);
        }
    }
}

#[derive(Clone)]
struct Pipeline {
    pipeline: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
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
            required_features: adapter.features() & Timestamps::FEATURE,
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
            host_times: Arc::default(),
            profile: None,
        })
    }

    /// The same engine, with a record of the time that the device spends in each shader.
    pub(super) fn profiled(self) -> Self {
        let timestamps = Timestamps::new(&self.device, &self.queue).map(Arc::new);
        let profiling = Profiling {
            times: Arc::default(),
            timestamps,
            #[cfg(not(target_arch = "wasm32"))]
            dispatches: Arc::default(),
        };
        Self { profile: Some(profiling), ..self }
    }

    /// Calls and time by shader of all that the device has run by now.
    pub(super) fn profile(&self) -> Profile {
        let Some(profile) = &self.profile else { return Profile::new() };
        // A lost device has nothing to add, and the next call of `run` reports it.
        let _ = self.wait();
        lock(&profile.times).clone()
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn take_dispatches(&self) -> super::Dispatches {
        self.profile
            .as_ref()
            .map(|profile| std::mem::take(&mut *lock(&profile.dispatches)))
            .unwrap_or_default()
    }

    /// Whether the device reports the time that it spends in each dispatch.
    pub(super) fn times_kernels(&self) -> bool {
        self.device.features().contains(Timestamps::FEATURE)
    }

    /// Time of the host by what it did for the device.
    pub(super) fn host_times(&self) -> HostTimes {
        lock(&self.host_times).clone()
    }

    /// Compiles a shader ahead of its first use.
    ///
    /// # Errors
    /// [`Error::Device`] if the driver refuses it.
    #[cfg(all(feature = "internals", not(target_arch = "wasm32")))]
    #[doc(hidden)]
    pub fn prepare(&self, shader: &'static Shader) -> Result<()> {
        self.pipeline(shader);
        self.status()
    }

    /// The adapter behind the device.
    pub fn adapter(&self) -> &AdapterInfo {
        &self.info
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

    pub(super) fn run(&self, recording: &Recording) -> Result<()> {
        self.status()?;
        #[cfg(all(feature = "internals", not(target_arch = "wasm32")))]
        self.count_down();
        let mut clock = Clock::new();
        let mut calls = Calls::new(self);
        for kernel in recording.kernels() {
            kernel.gpu(&mut calls);
        }
        let (uniforms, calls) = calls.finish()?;
        clock.lap("list dispatches");
        #[cfg(not(target_arch = "wasm32"))]
        if let Some(profile) = &self.profile {
            profile.keep(&calls, &uniforms);
        }
        // Locked until the recording is submitted: a recording of another thread would overwrite the
        // parameters.
        let mut memory = lock(&self.uniforms);
        let uniforms = self.upload_uniforms(&mut memory, &uniforms);
        clock.lap("upload parameters");
        match &self.profile {
            None => self.submit(&calls, &uniforms, &mut clock)?,
            Some(Profiling { times, timestamps: Some(timestamps), .. }) => {
                self.submit_timed(&calls, &uniforms, timestamps, times);
            }
            Some(Profiling { times, timestamps: None, .. }) => {
                for call in &calls {
                    lock(times).entry(call.shader.name).or_default().0 += 1;
                }
                self.submit(&calls, &uniforms, &mut clock)?;
            }
        }
        clock.add_to(&self.host_times);
        self.status()
    }

    fn submit(&self, calls: &[Call], uniforms: &wgpu::Buffer, clock: &mut Clock) -> Result<()> {
        let groups = self.groups(calls, uniforms);
        clock.lap("bind buffers");
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        for (call, group) in calls.iter().zip(&groups) {
            group.encode(call, &mut pass);
        }
        drop(pass);
        let commands = encoder.finish();
        clock.lap("encode");
        let index = self.queue.submit([commands]);
        clock.lap("submit");
        self.limit_in_flight(index)?;
        clock.lap("wait for the device");
        Ok(())
    }

    /// As [`GpuEngine::submit`], with each dispatch in a pass of its own between two timestamps.
    fn submit_timed(
        &self,
        calls: &[Call],
        uniforms: &wgpu::Buffer,
        timestamps: &Timestamps,
        times: &Arc<Mutex<Profile>>,
    ) {
        for calls in calls.chunks(timestamps::DISPATCHES) {
            let groups = self.groups(calls, uniforms);
            let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            for (index, (call, group)) in calls.iter().zip(&groups).enumerate() {
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                    label: Some(call.shader.name),
                    timestamp_writes: Some(timestamps.around(index)),
                });
                group.encode(call, &mut pass);
            }
            let staging = timestamps.resolve(&self.device, &mut encoder, calls.len());
            self.queue.submit([encoder.finish()]);
            timestamps.add(staging, calls, times);
        }
    }

    /// What each dispatch needs to be encoded.
    fn groups(&self, calls: &[Call], uniforms: &wgpu::Buffer) -> Vec<Ready> {
        let mut made = lock(&self.bind_groups);
        let ready = |call: &Call| {
            let Pipeline { pipeline, layout } = self.pipeline(call.shader);
            let group = made.get(call.shader.name, &call.buffers, || self.bind(call, &layout, uniforms));
            Ready { pipeline, group }
        };
        calls.iter().map(ready).collect()
    }

    fn bind(&self, call: &Call, layout: &wgpu::BindGroupLayout, uniforms: &wgpu::Buffer) -> wgpu::BindGroup {
        let parameters = wgpu::BufferBinding {
            buffer: uniforms,
            offset: 0,
            size: wgpu::BufferSize::new(call.shader.params_size.into()),
        };
        let resources = std::iter::once(wgpu::BindingResource::Buffer(parameters))
            .chain(call.buffers.iter().map(|bound| bound.buffer.as_entire_binding()));
        let entries: Vec<_> = (0..)
            .zip(resources)
            .map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource })
            .collect();
        self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(call.shader.name),
            layout,
            entries: &entries,
        })
    }

    /// Waits until fewer than [`IN_FLIGHT`] submissions are before the device; in a browser, whose event loop alone can
    /// wait, it returns at once.
    fn limit_in_flight(&self, submitted: wgpu::SubmissionIndex) -> Result<()> {
        let mut in_flight = lock(&self.in_flight);
        in_flight.push_back(submitted);
        if in_flight.len() >= IN_FLIGHT {
            let submission_index = in_flight.pop_front();
            let poll = wgpu::PollType::Wait { submission_index, timeout: None };
            self.device.poll(poll).map_err(|error| self.lost(&error))?;
        }
        Ok(())
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

    fn upload_uniforms(&self, current: &mut Option<wgpu::Buffer>, bytes: &[u8]) -> wgpu::Buffer {
        let size = bytes.len() as u64;
        if current.as_ref().is_none_or(|buffer| buffer.size() < size) {
            lock(&self.bind_groups).clear();
            *current = Some(self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("parameters"),
                size: size.next_power_of_two().max(4096),
                usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            }));
        }
        let buffer = current.clone().expect("made above");
        if !bytes.is_empty() {
            // The write is queued: recordings submitted before still read their own parameters.
            self.queue.write_buffer(&buffer, 0, bytes);
        }
        buffer
    }

    fn pipeline(&self, shader: &'static Shader) -> Pipeline {
        lock(&self.pipelines).entry(shader.name).or_insert_with(|| self.compile(shader)).clone()
    }

    fn compile(&self, shader: &'static Shader) -> Pipeline {
        let label = Some(shader.name);
        let entry = |binding, ty, has_dynamic_offset, size: u32| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty,
                has_dynamic_offset,
                min_binding_size: wgpu::BufferSize::new(size.into()),
            },
            count: None,
        };
        let mut entries = vec![entry(0, wgpu::BufferBindingType::Uniform, true, shader.params_size)];
        for (index, binding) in (1..).zip(shader.bindings) {
            let ty = wgpu::BufferBindingType::Storage { read_only: binding.read_only };
            entries.push(entry(index, ty, false, 0));
        }
        let layout = self
            .device
            .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label, entries: &entries });
        let pipeline_layout = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label,
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label,
            source: wgpu::ShaderSource::Wgsl(shader.source.into()),
        });
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label,
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                // Kernels write their workgroup memory before they read it.
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache: None,
        });
        Pipeline { pipeline, layout }
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

/// A dispatch's pipeline and buffers.
struct Ready {
    pipeline: wgpu::ComputePipeline,
    group: wgpu::BindGroup,
}

impl Ready {
    fn encode(&self, call: &Call, pass: &mut wgpu::ComputePass<'_>) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.group, &[call.uniform_offset]);
        let [x, y] = call.groups;
        pass.dispatch_workgroups(x, y, 1);
    }
}

/// Times the stages of a submission.
struct Clock {
    last: web_time::Instant,
    laps: Vec<(&'static str, web_time::Duration)>,
}

impl Clock {
    fn new() -> Self {
        Self { last: web_time::Instant::now(), laps: Vec::with_capacity(6) }
    }

    fn lap(&mut self, stage: &'static str) {
        let now = web_time::Instant::now();
        self.laps.push((stage, now - self.last));
        self.last = now;
    }

    fn add_to(self, times: &Mutex<HostTimes>) {
        let mut times = lock(times);
        for (stage, spent) in self.laps {
            *times.entry(stage).or_default() += spent;
        }
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
