//! Adam (Kingma and Ba, 2015) on a whole tensor, and the arithmetic that the row-wise kernels share.

use fastvae_shaders::adam;

use crate::{
    Result,
    engine::{Buffer, Check, Kernel, gpu, parallel},
    simd,
};

/// Adam's coefficients for one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// Learning rate divided by the first bias correction: `lr / (1 - b1^t)`.
    pub rate: f32,
    /// Decay of the first moment, b1.
    pub beta1: f32,
    /// Decay of the second moment, b2.
    pub beta2: f32,
    /// Square root of the inverse second bias correction: `1 / sqrt(1 - b2^t)`.
    pub root: f32,
    /// Epsilon, which keeps the quotient finite.
    pub epsilon: f32,
    /// Decoupled decay: `1 - lr * weight_decay`, the factor of the value.
    pub keep: f32,
    /// Coupled decay, added to the gradient as `l2 * value`; the authors use it.
    pub l2: f32,
}

impl AdamStep {
    /// Updates one element.
    #[inline(always)]
    pub fn apply(&self, gradient: f32, value: &mut f32, first: &mut f32, second: &mut f32) {
        let gradient = gradient + self.l2 * *value;
        *first = self.beta1 * *first + (1.0 - self.beta1) * gradient;
        *second = self.beta2 * *second + (1.0 - self.beta2) * gradient * gradient;
        *value = *value * self.keep - self.rate * *first / (second.sqrt() * self.root + self.epsilon);
    }

    /// Updates slices of equal lengths.
    #[inline(always)]
    pub fn apply_slice(&self, gradient: &[f32], value: &mut [f32], first: &mut [f32], second: &mut [f32]) {
        let n = gradient.len();
        let (value, first, second) = (&mut value[..n], &mut first[..n], &mut second[..n]);
        for i in 0..n {
            self.apply(gradient[i], &mut value[i], &mut first[i], &mut second[i]);
        }
    }
}

/// A tensor with its two Adam moments.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// The values.
    pub value: Buffer<f32>,
    /// Running mean of gradients.
    pub first: Buffer<f32>,
    /// Running mean of squared gradients.
    pub second: Buffer<f32>,
}

/// One step of Adam on `len` elements of the parameter, from element `offset`.
pub struct Adam {
    /// d loss / d value, the first `len` elements.
    pub gradient: Buffer<f32>,
    /// The parameter to update.
    pub parameter: Parameter,
    /// First element of the parameter.
    pub offset: usize,
    /// Elements.
    pub len: usize,
    /// Adam's coefficients for this step.
    pub step: AdamStep,
}

impl Kernel for Adam {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn check(&self, check: &Check) -> Result<()> {
        check.holds(&self.gradient, &[self.len])?;
        let Parameter { value, first, second } = &self.parameter;
        [value, first, second]
            .iter()
            .try_for_each(|buffer| check.holds_after(buffer, self.offset, &[self.len]))
    }

    unsafe fn cpu(&self) {
        const PIECE: usize = 8192;
        let gradient = &self.gradient.read()[..self.len];
        let range = self.offset..self.offset + self.len;
        let (mut value, mut first, mut second) =
            (self.parameter.value.write(), self.parameter.first.write(), self.parameter.second.write());
        let first = parallel::Rows::new(&mut first[range.clone()], 1);
        let second = parallel::Rows::new(&mut second[range.clone()], 1);
        parallel::for_each_chunk(&mut value[range], PIECE, |piece, value| {
            let (start, end) = (piece * PIECE, piece * PIECE + value.len());
            // SAFETY: pieces do not overlap.
            let (first, second) = unsafe { (first.range(start, end), second.range(start, end)) };
            simd::dispatch(
                #[inline(always)]
                || self.step.apply_slice(&gradient[start..end], value, first, second),
            );
        });
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let AdamStep { rate, beta1, beta2, root, epsilon, keep, l2 } = self.step;
        calls.dispatch(
            adam::Params {
                len: self.len as u32,
                offset: self.offset as u32,
                rate,
                beta1,
                beta2,
                root,
                epsilon,
                keep,
                l2,
            },
            adam::Bindings {
                gradient: &self.gradient,
                value: &self.parameter.value,
                first: &self.parameter.first,
                second: &self.parameter.second,
            },
            gpu::Work::Threads(self.len),
        );
    }
}
