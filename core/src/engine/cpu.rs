//! The CPU engine: runs each kernel's twin on threads.

#[cfg(not(target_arch = "wasm32"))]
use std::sync::{Arc, Mutex};

#[cfg(not(target_arch = "wasm32"))]
use super::Profile;
use super::{Recording, parallel};

/// Runs recordings on the threads of this machine.
///
/// Work is divided by the data, never by the number of threads, and every sum has a fixed order, so the same
/// seed gives the same bits for any number of threads.
#[derive(Clone, Default)]
pub struct CpuEngine {
    #[cfg(not(target_arch = "wasm32"))]
    profile: Option<Arc<Mutex<Profile>>>,
}

impl CpuEngine {
    /// An engine on all threads that rayon offers.
    pub fn new() -> Self {
        Self::default()
    }

    /// As above, with a record of the time spent in each kernel.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn profiled(self) -> Self {
        Self { profile: Some(Arc::default()) }
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn profile(&self) -> Profile {
        self.profile.as_ref().map(|p| p.lock().unwrap_or_else(|e| e.into_inner()).clone()).unwrap_or_default()
    }

    /// `CPU, 2 threads, avx2+fma`.
    pub fn describe(&self) -> String {
        let threads = parallel::threads();
        let plural = if threads == 1 { "" } else { "s" };
        format!("CPU, {threads} thread{plural}, {}", crate::simd::describe())
    }

    /// # Safety
    /// All kernels of the recording must have passed [`super::Kernel::check`] on this engine.
    pub(super) unsafe fn run(&self, recording: &Recording) {
        for kernel in recording.kernels() {
            #[cfg(not(target_arch = "wasm32"))]
            let start = self.profile.is_some().then(std::time::Instant::now);
            // SAFETY: checked, as the caller promises.
            unsafe { kernel.cpu() };
            #[cfg(not(target_arch = "wasm32"))]
            if let (Some(profile), Some(start)) = (&self.profile, start) {
                let mut profile = profile.lock().unwrap_or_else(|e| e.into_inner());
                let entry = profile.entry(kernel.name()).or_default();
                *entry = (entry.0 + 1, entry.1 + start.elapsed());
            }
        }
    }
}
