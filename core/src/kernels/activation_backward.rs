//! The gradient through an activation.

use fastvae_shaders::activation_backward;

use super::{Activation, elementwise::derivative};
use crate::{
    Result,
    engine::{Buffer, Check, Kernel, gpu, parallel},
};

/// `gradient *= activation'(.)`, with the derivative computed from the activation's output.
pub struct ActivationBackward {
    /// The activation.
    pub activation: Activation,
    /// The activation's output, `len` elements.
    pub output: Buffer<f32>,
    /// In: d loss / d output. Out: d loss / d input.
    pub gradient: Buffer<f32>,
    /// Elements.
    pub len: usize,
}

impl Kernel for ActivationBackward {
    fn name(&self) -> &'static str {
        "activation_backward"
    }

    fn check(&self, check: &Check) -> Result<()> {
        check.holds(&self.output, &[self.len])?;
        check.holds(&self.gradient, &[self.len])
    }

    unsafe fn cpu(&self) {
        const PIECE: usize = 8192;
        let output = self.output.read();
        let mut gradient = self.gradient.write();
        parallel::for_each_chunk(&mut gradient[..self.len], PIECE, |piece, gradient| {
            for (g, &y) in gradient.iter_mut().zip(&output[piece * PIECE..]) {
                *g *= derivative(self.activation, y);
            }
        });
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        calls.dispatch(
            activation_backward::Params { len: self.len as u32, activation: self.activation as u32 },
            activation_backward::Bindings { output: &self.output, gradient: &self.gradient },
            gpu::Work::Threads(self.len),
        );
    }
}
