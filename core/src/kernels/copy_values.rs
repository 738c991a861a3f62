//! A copy, to measure the bandwidth of a device.

use fastvae_shaders::copy_values;

use crate::{
    Result,
    engine::{Buffer, Check, Kernel, gpu, parallel},
};

/// `output = input`.
pub struct CopyValues {
    /// `len` elements.
    pub input: Buffer<f32>,
    /// `len` elements.
    pub output: Buffer<f32>,
    /// Elements, a multiple of four.
    pub len: usize,
}

impl CopyValues {
    /// Bytes read and written.
    pub fn bytes(&self) -> f64 {
        8.0 * self.len as f64
    }
}

impl Kernel for CopyValues {
    fn name(&self) -> &'static str {
        "copy_values"
    }

    fn check(&self, check: &Check) -> Result<()> {
        check.that(self.len.is_multiple_of(4), || format!("{} is no multiple of four", self.len))?;
        check.holds(&self.input, &[self.len])?;
        check.holds(&self.output, &[self.len])
    }

    unsafe fn cpu(&self) {
        const PIECE: usize = 1 << 16;
        let input = self.input.read();
        let mut output = self.output.write();
        parallel::for_each_chunk(&mut output[..self.len], PIECE, |piece, output| {
            output.copy_from_slice(&input[piece * PIECE..][..output.len()]);
        });
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        calls.dispatch(
            copy_values::Params { vectors: (self.len / 4) as u32 },
            copy_values::Bindings { input: &self.input, output: &self.output },
            gpu::Work::Threads(self.len / 4),
        );
    }
}
