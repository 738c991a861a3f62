//! A gated hidden layer after its products (Dauphin et al., 2017; Kim and Suh, 2019).

use fastvae_shaders::{gate, gate_backward};

use super::elementwise::sigmoid;
use crate::{
    Result,
    engine::{Buffer, Check, Kernel, gpu, parallel},
};

/// `output[r, d] = product[r, d] * sigmoid(product[r, width + d])`.
pub struct Gate {
    /// The values, then the gates of each row: rows x 2 width.
    pub product: Buffer<f32>,
    /// Rows.
    pub rows: usize,
    /// Columns of the output.
    pub width: usize,
    /// Out: rows x width.
    pub output: Buffer<f32>,
}

impl Kernel for Gate {
    fn name(&self) -> &'static str {
        "gate"
    }

    fn check(&self, check: &Check) -> Result<()> {
        check.holds(&self.product, &[self.rows, self.width, 2])?;
        check.holds(&self.output, &[self.rows, self.width])
    }

    unsafe fn cpu(&self) {
        let (product, mut output, width) = (self.product.read(), self.output.write(), self.width);
        parallel::for_each_chunk(&mut output[..self.rows * width], width, |row, output| {
            let (values, gates) = product[2 * row * width..][..2 * width].split_at(width);
            for ((output, value), gate) in output.iter_mut().zip(values).zip(gates) {
                *output = value * sigmoid(*gate);
            }
        });
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        calls.dispatch(
            gate::Params { rows: self.rows as u32, width: self.width as u32 },
            gate::Bindings { product: &self.product, output: &self.output },
            gpu::Work::Threads(self.rows * self.width),
        );
    }
}

/// The gradient of [`Gate`].
pub struct GateBackward {
    /// The input of [`Gate`], rows x 2 width.
    pub product: Buffer<f32>,
    /// d loss / d output, rows x width.
    pub output_gradient: Buffer<f32>,
    /// Rows.
    pub rows: usize,
    /// Columns of the output.
    pub width: usize,
    /// Out: d loss / d product, rows x 2 width.
    pub product_gradient: Buffer<f32>,
}

impl Kernel for GateBackward {
    fn name(&self) -> &'static str {
        "gate_backward"
    }

    fn check(&self, check: &Check) -> Result<()> {
        check.holds(&self.product, &[self.rows, self.width, 2])?;
        check.holds(&self.output_gradient, &[self.rows, self.width])?;
        check.holds(&self.product_gradient, &[self.rows, self.width, 2])
    }

    unsafe fn cpu(&self) {
        let (product, of_output, width) = (self.product.read(), self.output_gradient.read(), self.width);
        let mut of_product = self.product_gradient.write();
        parallel::for_each_chunk(&mut of_product[..2 * self.rows * width], 2 * width, |row, of_product| {
            let (values, gates) = product[2 * row * width..][..2 * width].split_at(width);
            let (of_values, of_gates) = of_product.split_at_mut(width);
            for (d, of_output) in of_output[row * width..][..width].iter().enumerate() {
                let open = sigmoid(gates[d]);
                of_values[d] = of_output * open;
                of_gates[d] = of_output * values[d] * open * (1.0 - open);
            }
        });
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        calls.dispatch(
            gate_backward::Params { rows: self.rows as u32, width: self.width as u32 },
            gate_backward::Bindings {
                product: &self.product,
                output_gradient: &self.output_gradient,
                product_gradient: &self.product_gradient,
            },
            gpu::Work::Threads(self.rows * self.width),
        );
    }
}
