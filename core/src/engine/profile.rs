//! What an engine spends on kernels, for benchmarks.

use super::Engine;

/// Number of calls of each kernel, and the time spent in them.
pub type Profile = std::collections::BTreeMap<&'static str, (u64, web_time::Duration)>;

/// Time that the host spent on each stage of the submissions to a GPU.
pub type HostTimes = std::collections::BTreeMap<&'static str, web_time::Duration>;

/// One dispatch of a shader.
#[derive(Clone, Debug)]
pub struct Dispatch {
    /// Workgroups along two axes.
    pub groups: [u32; 2],
    /// The bytes of its uniform.
    pub parameters: Vec<u8>,
}

/// Dispatches by shader.
pub type Dispatches = std::collections::BTreeMap<&'static str, Vec<Dispatch>>;

impl Engine {
    /// The same engine, with a record of the time spent in each kernel, on a GPU in each shader. A GPU then runs every
    /// dispatch in a pass of its own, so the total time is a little longer.
    #[must_use]
    pub fn profiled(self) -> Self {
        match self {
            Self::Cpu(cpu) => Self::Cpu(cpu.profiled()),
            Self::Gpu(gpu) => Self::Gpu(gpu.profiled()),
        }
    }

    /// Calls and time by kernel since the engine was [`Engine::profiled`]; empty for other engines. Times are zero
    /// where the engine cannot measure them.
    pub fn profile(&self) -> Profile {
        match self {
            Self::Cpu(cpu) => cpu.profile(),
            Self::Gpu(gpu) => gpu.profile(),
        }
    }

    /// The dispatches since the GPU engine was [`Engine::profiled`], or since the last call of this function; empty for
    /// other engines.
    pub fn take_dispatches(&self) -> Dispatches {
        match self {
            Self::Cpu(_) => Dispatches::new(),
            Self::Gpu(gpu) => gpu.take_dispatches(),
        }
    }

    /// Whether [`Engine::profile`] has times, or counts only: some GPUs do not report the time of a dispatch.
    pub fn times_kernels(&self) -> bool {
        match self {
            Self::Cpu(_) => true,
            Self::Gpu(gpu) => gpu.times_kernels(),
        }
    }

    /// Time of the host by stage of a submission, since the engine was opened; empty on the CPU engine.
    pub fn host_times(&self) -> HostTimes {
        match self {
            Self::Cpu(_) => HostTimes::new(),
            Self::Gpu(gpu) => gpu.host_times(),
        }
    }
}
