//! A hidden layer of RecVAE after its product: swish and a normalisation of each row (Ba et al., 2016), with the outputs of
//! all layers before added to the product.

use fastvae_shaders::{swish_norm, swish_norm_backward};

use super::elementwise::sigmoid;
use crate::{
    Result,
    engine::{Buffer, Check, Kernel, gpu, parallel, parallel::Rows},
};

/// `x = product + skip`, `n = (swish(x) - mean) / sqrt(variance + .1)` in each row, `output = (1 + gain) n + shift`.
pub struct SwishNorm {
    /// In: the product with the layer before. Out: x. Rows x width.
    pub product: Buffer<f32>,
    /// The sum of the outputs of all layers before, rows x width.
    pub skip: Buffer<f32>,
    /// Width.
    pub gain: Buffer<f32>,
    /// Width.
    pub shift: Buffer<f32>,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub width: usize,
    /// Out: rows x width.
    pub output: Buffer<f32>,
    /// Out: n, rows x width.
    pub normalised: Buffer<f32>,
    /// Out: 1 / sqrt(variance + .1) of each row.
    pub scale: Buffer<f32>,
    /// Out: `skip + output`, rows x width.
    pub sum: Buffer<f32>,
}

impl SwishNorm {
    /// What is added to the variance of a row, as in the authors' code.
    pub const EPSILON: f32 = 0.1;
}

impl Kernel for SwishNorm {
    fn name(&self) -> &'static str {
        "swish_norm"
    }

    fn check(&self, check: &Check) -> Result<()> {
        let all = [self.rows, self.width];
        [&self.product, &self.skip, &self.output, &self.normalised, &self.sum]
            .into_iter()
            .try_for_each(|buffer| check.holds(buffer, &all))?;
        check.holds(&self.gain, &[self.width])?;
        check.holds(&self.shift, &[self.width])?;
        check.holds(&self.scale, &[self.rows])
    }

    unsafe fn cpu(&self) {
        let (skip, gain, shift) = (self.skip.read(), self.gain.read(), self.shift.read());
        let (mut product, mut output) = (self.product.write(), self.output.write());
        let (mut normalised, mut scale, mut sum) =
            (self.normalised.write(), self.scale.write(), self.sum.write());
        let (width, all) = (self.width, self.rows * self.width);
        let output = Rows::new(&mut output[..all], width);
        let normalised = Rows::new(&mut normalised[..all], width);
        let (sum, scale) = (Rows::new(&mut sum[..all], width), Rows::new(&mut scale[..self.rows], 1));
        parallel::for_each_chunk(&mut product[..all], width, |row, x| {
            // SAFETY: each row is passed once.
            let (output, n, sum, scale) =
                unsafe { (output.row(row), normalised.row(row), sum.row(row), scale.row(row)) };
            let skip = &skip[row * width..][..width];
            for d in 0..width {
                x[d] += skip[d];
                n[d] = x[d] * sigmoid(x[d]);
            }
            let mean = n.iter().sum::<f32>() / width as f32;
            n.iter_mut().for_each(|n| *n -= mean);
            let variance = n.iter().map(|n| n * n).sum::<f32>() / width as f32;
            scale[0] = 1.0 / (variance + Self::EPSILON).sqrt();
            for d in 0..width {
                n[d] *= scale[0];
                output[d] = (1.0 + gain[d]) * n[d] + shift[d];
                sum[d] = skip[d] + output[d];
            }
        });
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        calls.dispatch(
            swish_norm::Params { rows: self.rows as u32, width: self.width as u32, epsilon: Self::EPSILON },
            swish_norm::Bindings {
                product: &self.product,
                skip: &self.skip,
                gain: &self.gain,
                shift: &self.shift,
                output: &self.output,
                normalised: &self.normalised,
                scale: &self.scale,
                sum: &self.sum,
            },
            gpu::Work::Groups(self.rows),
        );
    }
}

/// The gradient of [`SwishNorm`], from the last layer to the first: a layer's output has a gradient by the layer after it
/// and one by the sums that all later layers contain.
pub struct SwishNormBackward {
    /// x, rows x width.
    pub product: Buffer<f32>,
    /// n, rows x width.
    pub normalised: Buffer<f32>,
    /// 1 / sqrt(variance + .1) of each row.
    pub scale: Buffer<f32>,
    /// Width.
    pub gain: Buffer<f32>,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub width: usize,
    /// Whether no layer follows: `skip_gradient` is only written.
    pub last: bool,
    /// In: d loss / d output by the layer after it. Out: d loss / d x. Rows x width.
    pub gradient: Buffer<f32>,
    /// In: the sum of d loss / d x of all later layers. Out: with this layer's. Rows x width.
    pub skip_gradient: Buffer<f32>,
    /// Out: what each row contributes to the gradient of `gain`, rows x width.
    pub gain_terms: Buffer<f32>,
    /// Out: what each row contributes to the gradient of `shift`, rows x width.
    pub shift_terms: Buffer<f32>,
}

impl Kernel for SwishNormBackward {
    fn name(&self) -> &'static str {
        "swish_norm_backward"
    }

    fn check(&self, check: &Check) -> Result<()> {
        let all = [self.rows, self.width];
        let tables = [&self.product, &self.normalised, &self.gradient, &self.skip_gradient];
        tables
            .into_iter()
            .chain([&self.gain_terms, &self.shift_terms])
            .try_for_each(|buffer| check.holds(buffer, &all))?;
        check.holds(&self.gain, &[self.width])?;
        check.holds(&self.scale, &[self.rows])
    }

    unsafe fn cpu(&self) {
        let (product, normalised) = (self.product.read(), self.normalised.read());
        let (scale, gain) = (self.scale.read(), self.gain.read());
        let (mut gradient, mut skip_gradient) = (self.gradient.write(), self.skip_gradient.write());
        let (mut gain_terms, mut shift_terms) = (self.gain_terms.write(), self.shift_terms.write());
        let (width, all) = (self.width, self.rows * self.width);
        let skip_gradient = Rows::new(&mut skip_gradient[..all], width);
        let gain_terms = Rows::new(&mut gain_terms[..all], width);
        let shift_terms = Rows::new(&mut shift_terms[..all], width);
        parallel::for_each_chunk(&mut gradient[..all], width, |row, gradient| {
            // SAFETY: each row is passed once.
            let (later, gain_terms, shift_terms) =
                unsafe { (skip_gradient.row(row), gain_terms.row(row), shift_terms.row(row)) };
            let (x, n) = (&product[row * width..][..width], &normalised[row * width..][..width]);
            let (mut mean, mut along) = (0.0, 0.0);
            for d in 0..width {
                if self.last {
                    later[d] = 0.0;
                }
                shift_terms[d] = gradient[d] + later[d];
                gain_terms[d] = shift_terms[d] * n[d];
                let of_n = shift_terms[d] * (1.0 + gain[d]);
                mean += of_n;
                along += of_n * n[d];
            }
            (mean, along) = (mean / width as f32, along / width as f32);
            for d in 0..width {
                let of_n = shift_terms[d] * (1.0 + gain[d]);
                let open = sigmoid(x[d]);
                let slope = open * (1.0 + x[d] * (1.0 - open));
                gradient[d] = scale[row] * (of_n - mean - n[d] * along) * slope;
                later[d] += gradient[d];
            }
        });
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        calls.dispatch(
            swish_norm_backward::Params {
                rows: self.rows as u32,
                width: self.width as u32,
                last: u32::from(self.last),
            },
            swish_norm_backward::Bindings {
                product: &self.product,
                normalised: &self.normalised,
                scale: &self.scale,
                gain: &self.gain,
                gradient: &self.gradient,
                skip_gradient: &self.skip_gradient,
                gain_terms: &self.gain_terms,
                shift_terms: &self.shift_terms,
            },
            gpu::Work::Groups(self.rows),
        );
    }
}
