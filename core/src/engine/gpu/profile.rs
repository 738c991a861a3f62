//! What a profiled engine writes down: dispatches and the time of each shader; and the time of the host.

use std::sync::{Arc, Mutex};

use super::{
    GpuEngine,
    calls::Call,
    lock,
    timestamps::{DISPATCHES, Timestamps},
};
use crate::engine::{Dispatch, Dispatches, HostTimes, Profile};

/// What a profiled engine writes down.
#[derive(Clone)]
pub(super) struct Profiling {
    times: Arc<Mutex<Profile>>,
    /// Nothing if the device has no timestamps: dispatches are then counted only.
    timestamps: Option<Arc<Timestamps>>,
    /// Since they were last asked for.
    dispatches: Arc<Mutex<Dispatches>>,
}

impl Profiling {
    fn keep(&self, calls: &[Call], uniforms: &[u8]) {
        let mut dispatches = lock(&self.dispatches);
        for call in calls {
            let parameters = &uniforms[call.uniform_offset as usize..][..call.shader.params_size as usize];
            let dispatch = Dispatch { groups: call.groups, parameters: parameters.to_vec() };
            dispatches.entry(call.shader.name).or_default().push(dispatch);
        }
    }

    /// Submits `calls` with a record of them. False if the device has no timestamps: the calls are then counted, and still
    /// to be submitted.
    pub(super) fn submit(
        &self,
        engine: &GpuEngine,
        calls: &[Call],
        uniforms: &[u8],
        buffer: &wgpu::Buffer,
    ) -> bool {
        self.keep(calls, uniforms);
        let Some(timestamps) = &self.timestamps else {
            for call in calls {
                lock(&self.times).entry(call.shader.name).or_default().0 += 1;
            }
            return false;
        };
        engine.submit_timed(calls, buffer, timestamps, &self.times);
        true
    }
}

impl GpuEngine {
    /// The same engine, with a record of the time that the device spends in each shader.
    pub(in crate::engine) fn profiled(self) -> Self {
        let timestamps = Timestamps::new(&self.device, &self.queue).map(Arc::new);
        let profiling = Profiling { times: Arc::default(), timestamps, dispatches: Arc::default() };
        Self { profile: Some(profiling), ..self }
    }

    /// Calls and time by shader of all that the device has run by now.
    pub(in crate::engine) fn profile(&self) -> Profile {
        let Some(profile) = &self.profile else { return Profile::new() };
        // A lost device has nothing to add, and the next call of `run` reports it.
        let _ = self.wait();
        lock(&profile.times).clone()
    }

    pub(in crate::engine) fn take_dispatches(&self) -> Dispatches {
        self.profile
            .as_ref()
            .map(|profile| std::mem::take(&mut *lock(&profile.dispatches)))
            .unwrap_or_default()
    }

    /// Whether the device reports the time that it spends in each dispatch.
    pub(in crate::engine) fn times_kernels(&self) -> bool {
        self.device.features().contains(Timestamps::FEATURE)
    }

    /// Time of the host by what it did for the device.
    pub(in crate::engine) fn host_times(&self) -> HostTimes {
        lock(&self.host_times).clone()
    }

    /// As [`GpuEngine::submit`], with each dispatch in a pass of its own between two timestamps.
    fn submit_timed(
        &self,
        calls: &[Call],
        uniforms: &wgpu::Buffer,
        timestamps: &Timestamps,
        times: &Arc<Mutex<Profile>>,
    ) {
        for calls in calls.chunks(DISPATCHES) {
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
}
