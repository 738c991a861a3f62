//! The dispatches of a recording, collected before they are encoded.

use fastvae_shaders::{Memory, Parameters, Shader};

use super::{Bound, GpuEngine, lock};
use crate::{
    Error, Result,
    engine::{Buffer, Element},
};

/// The most workgroups along an axis that every implementation allows.
const MAX_GROUPS: usize = 65_535;

/// The dispatches of one recording.
pub struct Calls<'e> {
    engine: &'e GpuEngine,
    /// Distance in the uniform buffer between the parameters of two dispatches.
    slot: usize,
    uniforms: Vec<u8>,
    list: Vec<Call>,
    failure: Option<Error>,
}

/// One dispatch.
pub(super) struct Call {
    pub(super) shader: &'static Shader,
    pub(super) uniform_offset: u32,
    pub(super) buffers: Vec<Bound>,
    pub(super) groups: [u32; 2],
}

/// The size of a dispatch. Shaders compute their position with `linear_group` and skip surplus workgroups.
#[derive(Clone, Copy, Debug)]
pub enum Work {
    /// At least this many invocations, in linear order.
    Threads(usize),
    /// At least this many workgroups, in linear order.
    Groups(usize),
}

impl Work {
    fn grid(self, shader: &Shader) -> [u32; 2] {
        let count = match self {
            Self::Threads(threads) => {
                threads.div_ceil(shader.workgroup_size.iter().product::<u32>() as usize)
            }
            Self::Groups(groups) => groups,
        };
        let rows = count.div_ceil(MAX_GROUPS).max(1);
        [count.div_ceil(rows) as u32, rows as u32]
    }
}

/// The handle types of this crate in a shader's bindings.
#[derive(Debug)]
pub struct Handles<'a>(std::marker::PhantomData<&'a ()>);

impl<'a> Memory for Handles<'a> {
    type F32 = &'a Buffer<f32>;
    type U32 = &'a Buffer<u32>;
    type Any = Bound;
}

impl<T: Element> From<&Buffer<T>> for Bound {
    fn from(buffer: &Buffer<T>) -> Self {
        buffer.gpu().bound().clone()
    }
}

impl<'e> Calls<'e> {
    /// An empty list.
    pub(super) fn new(engine: &'e GpuEngine) -> Self {
        let slot = engine.device.limits().min_uniform_buffer_offset_alignment as usize;
        Self { engine, slot, uniforms: Vec::new(), list: Vec::new(), failure: None }
    }

    /// Appends a dispatch of the shader that `params` belong to; zero work is skipped.
    pub fn dispatch<'a, P: Parameters>(&mut self, params: P, bindings: P::Bindings<Handles<'a>>, work: Work) {
        self.push(P::SHADER, bytemuck::bytes_of(&params), P::in_order(bindings), work);
    }

    /// As [`Calls::dispatch`]; compiled once, not once for each shader.
    fn push(&mut self, shader: &'static Shader, params: &[u8], buffers: Vec<Bound>, work: Work) {
        let groups = work.grid(shader);
        if groups.contains(&0) {
            return;
        }
        let uniform_offset = self.uniforms.len() as u32;
        self.uniforms.extend_from_slice(params);
        self.uniforms.resize(self.uniforms.len().next_multiple_of(self.slot), 0);
        self.list.push(Call { shader, uniform_offset, buffers, groups });
    }

    /// Whether the adapter runs shaders on a CPU, where workgroup memory costs more than it saves.
    pub fn is_software(&self) -> bool {
        self.engine.info.software
    }

    /// A placeholder for a buffer that a kernel does not use.
    pub fn empty<T: Element>(&self) -> Buffer<T> {
        Buffer::on_gpu("nothing", 0, self.engine.placeholder.clone())
    }

    /// Scratch memory of at least `len` elements, to pass results between the dispatches of one kernel. Later
    /// kernels that request scratch memory of the same name get the same memory with its old contents.
    pub fn scratch<T: Element>(&mut self, name: &'static str, len: usize) -> Buffer<T> {
        let mut pool = lock(&self.engine.scratch);
        let bytes = (len * size_of::<T>()) as u64;
        if let Some(memory) = pool.get(name)
            && memory.buffer().size() >= bytes
        {
            return Buffer::on_gpu(name, len, memory.clone());
        }
        // Allocates more than requested, so that steps that grow a little do not each allocate anew.
        let roomy = self.engine.zeros::<T>(name, len.next_power_of_two());
        match roomy.or_else(|_| self.engine.zeros::<T>(name, len)) {
            Ok(buffer) => {
                pool.insert(name, buffer.gpu().clone());
                buffer
            }
            Err(error) => {
                self.failure.get_or_insert(error);
                Buffer::on_gpu(name, len, self.engine.placeholder.clone())
            }
        }
    }

    /// Uniforms and dispatches in order.
    ///
    /// # Errors
    /// If the device could not allocate scratch memory.
    pub(super) fn finish(self) -> Result<(Vec<u8>, Vec<Call>)> {
        self.failure.map_or(Ok((self.uniforms, self.list)), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::Work;
    use fastvae_shaders::matmul::SHADER;

    #[test]
    fn a_long_line_becomes_rows_that_cover_it() {
        assert_eq!(Work::Groups(0).grid(&SHADER)[0], 0);
        assert_eq!(Work::Groups(65_535).grid(&SHADER), [65_535, 1]);
        assert_eq!(Work::Groups(65_536).grid(&SHADER), [32_768, 2]);
        assert_eq!(Work::Threads(65).grid(&SHADER), [2, 1]);
        let [x, y] = Work::Groups(10_000_019).grid(&SHADER);
        assert!(x <= 65_535 && x * y >= 10_000_019 && x * y - 10_000_019 < y);
    }
}
