//! Encodes a recording and submits it.

use super::{
    GpuEngine, Pipeline,
    calls::{Call, Calls},
    lock,
};
use crate::{Result, engine::Recording};

/// Submissions that may wait for the device: enough that it never waits for the host, and few enough that the host
/// never runs seconds ahead.
const IN_FLIGHT: usize = 3;

impl GpuEngine {
    pub(in crate::engine) fn run(&self, recording: &Recording) -> Result<()> {
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
        // Locked until the recording is submitted: a recording of another thread would overwrite the
        // parameters.
        let mut memory = lock(&self.uniforms);
        let buffer = self.upload_uniforms(&mut memory, &uniforms);
        clock.lap("upload parameters");
        #[cfg(not(target_arch = "wasm32"))]
        if let Some(profile) = &self.profile
            && profile.submit(self, &calls, &uniforms, &buffer)
        {
            return self.status();
        }
        self.submit(&calls, &buffer, &mut clock)?;
        clock.add_to(self);
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

    /// What each dispatch needs to be encoded.
    pub(super) fn groups(&self, calls: &[Call], uniforms: &wgpu::Buffer) -> Vec<Ready> {
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

    /// Waits until fewer than [`IN_FLIGHT`] submissions wait for the device; in a browser, whose event loop alone can
    /// wait, it returns at once.
    fn limit_in_flight(&self, submitted: wgpu::SubmissionIndex) -> Result<()> {
        if cfg!(target_arch = "wasm32") {
            return Ok(());
        }
        let mut in_flight = lock(&self.in_flight);
        in_flight.push_back(submitted);
        if in_flight.len() >= IN_FLIGHT {
            let submission_index = in_flight.pop_front();
            let poll = wgpu::PollType::Wait { submission_index, timeout: None };
            self.device.poll(poll).map_err(|error| self.lost(&error))?;
        }
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
}

/// A dispatch's pipeline and buffers.
pub(super) struct Ready {
    pipeline: wgpu::ComputePipeline,
    group: wgpu::BindGroup,
}

impl Ready {
    pub(super) fn encode(&self, call: &Call, pass: &mut wgpu::ComputePass<'_>) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.group, &[call.uniform_offset]);
        let [x, y] = call.groups;
        pass.dispatch_workgroups(x, y, 1);
    }
}

/// Times the stages of a submission; not in a browser, where nobody reads the times.
struct Clock {
    #[cfg(not(target_arch = "wasm32"))]
    last: std::time::Instant,
    #[cfg(not(target_arch = "wasm32"))]
    laps: Vec<(&'static str, std::time::Duration)>,
}

#[cfg(not(target_arch = "wasm32"))]
impl Clock {
    fn new() -> Self {
        Self { last: std::time::Instant::now(), laps: Vec::with_capacity(6) }
    }

    fn lap(&mut self, stage: &'static str) {
        let now = std::time::Instant::now();
        self.laps.push((stage, now - self.last));
        self.last = now;
    }

    fn add_to(self, engine: &GpuEngine) {
        let mut times = lock(&engine.host_times);
        for (stage, spent) in self.laps {
            *times.entry(stage).or_default() += spent;
        }
    }
}

#[cfg(target_arch = "wasm32")]
impl Clock {
    fn new() -> Self {
        Self {}
    }

    fn lap(&mut self, _: &'static str) {}

    fn add_to(self, _: &GpuEngine) {}
}
