//! The dispatches of a recording, collected before they are encoded.

use fastvae_shaders::{Memory, Parameters, Shader};

use super::Buffer;

/// Workgroups along an axis that every implementation allows.
const MAX_GROUPS: usize = 65_535;

/// The dispatches of one recording.
pub struct Calls {
    slot: usize,
    uniforms: Vec<u8>,
    list: Vec<Call>,
}

/// One dispatch.
pub(super) struct Call {
    pub(super) shader: &'static Shader,
    pub(super) uniform_offset: u32,
    pub(super) buffers: Vec<wgpu::Buffer>,
    pub(super) groups: [u32; 2],
}

/// How much work a dispatch is. Shaders find their place with `linear_group` and skip a surplus.
#[derive(Clone, Copy, Debug)]
pub enum Groups {
    /// At least so many invocations in a line.
    Threads(usize),
    /// At least so many workgroups in a line.
    Linear(usize),
}

impl Groups {
    fn grid(self, shader: &Shader) -> [u32; 2] {
        let count = match self {
            Self::Threads(threads) => {
                threads.div_ceil(shader.workgroup_size.iter().product::<u32>() as usize)
            }
            Self::Linear(groups) => groups,
        };
        let rows = count.div_ceil(MAX_GROUPS).max(1);
        [count.div_ceil(rows) as u32, rows as u32]
    }
}

/// Handles of this crate in the bindings of a shader.
#[derive(Debug)]
pub struct Handles<'a>(std::marker::PhantomData<&'a ()>);

impl<'a> Memory for Handles<'a> {
    type F32 = &'a Buffer<f32>;
    type U32 = &'a Buffer<u32>;
    type Any = wgpu::Buffer;
}

impl<T: super::Element> From<&Buffer<T>> for wgpu::Buffer {
    fn from(buffer: &Buffer<T>) -> Self {
        buffer.gpu().clone()
    }
}

impl Calls {
    /// An empty list whose uniforms lie at multiples of `alignment`.
    pub(super) fn new(alignment: u32) -> Self {
        Self { slot: alignment as usize, uniforms: Vec::new(), list: Vec::new() }
    }

    /// Appends a dispatch of the shader that `params` belong to; no work is no dispatch.
    pub fn dispatch<'a, P: Parameters>(
        &mut self,
        params: P,
        bindings: P::Bindings<Handles<'a>>,
        groups: Groups,
    ) {
        let shader = P::SHADER;
        let groups = groups.grid(shader);
        if groups.contains(&0) {
            return;
        }
        let uniform_offset = self.uniforms.len() as u32;
        self.uniforms.extend_from_slice(bytemuck::bytes_of(&params));
        self.uniforms.resize(self.uniforms.len().next_multiple_of(self.slot), 0);
        self.list.push(Call { shader, uniform_offset, buffers: P::in_order(bindings), groups });
    }

    pub(super) fn uniforms(&self) -> &[u8] {
        &self.uniforms
    }

    pub(super) fn list(&self) -> &[Call] {
        &self.list
    }
}

#[cfg(test)]
mod tests {
    use super::Groups;
    use fastvae_shaders::matmul::SHADER;

    #[test]
    fn a_long_line_becomes_rows_that_cover_it() {
        assert_eq!(Groups::Linear(0).grid(&SHADER)[0], 0);
        assert_eq!(Groups::Linear(65_535).grid(&SHADER), [65_535, 1]);
        assert_eq!(Groups::Linear(65_536).grid(&SHADER), [32_768, 2]);
        assert_eq!(Groups::Threads(65).grid(&SHADER), [2, 1]);
        let [x, y] = Groups::Linear(10_000_019).grid(&SHADER);
        assert!(x <= 65_535 && x * y >= 10_000_019 && x * y - 10_000_019 < y);
    }
}
