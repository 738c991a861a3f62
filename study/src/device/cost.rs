//! What a dispatch moves and computes at least, from the fields of its shader's uniform.
//!
//! Bytes are counted once for every element of an operand, and once for every row that is gathered by an index: a cache
//! may serve a row that is gathered twice, so a share of the bandwidth can exceed one. Shaders whose work depends on
//! data that only the device has (lists of items, cells) have no cost here.

use fastvae::engine::Dispatch;
use serde::Serialize;

/// Bytes and floating-point operations; 0 for operations that are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Cost {
    /// Bytes read and written.
    pub bytes: f64,
    /// Floating-point operations; a multiply-add is two.
    pub flops: f64,
}

impl std::ops::AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.flops += other.flops;
    }
}

/// The fields of the uniform of one dispatch, by name.
struct Fields<'a> {
    offsets: &'static [(&'static str, u32)],
    bytes: &'a [u8],
}

impl Fields<'_> {
    fn get(&self, name: &str) -> Option<f64> {
        let (_, offset) = self.offsets.iter().find(|(field, _)| *field == name)?;
        let bytes = self.bytes.get(*offset as usize..)?.first_chunk::<4>()?;
        Some(u32::from_le_bytes(*bytes).into())
    }

    fn all<const N: usize>(&self, names: [&str; N]) -> Option<[f64; N]> {
        let values: Vec<f64> = names.into_iter().map(|name| self.get(name)).collect::<Option<_>>()?;
        values.try_into().ok()
    }
}

/// The cost of a dispatch of `shader` in a step whose batch has `entries` interactions; nothing if it does not follow
/// from these.
pub fn of(shader: &str, dispatch: &Dispatch, entries: f64) -> Option<Cost> {
    let (_, offsets) = fastvae_shaders::FIELDS.iter().find(|(name, _)| *name == shader)?;
    let fields = Fields { offsets, bytes: &dispatch.parameters };
    let (numbers, flops) = numbers(shader, &fields, entries)?;
    Some(Cost { bytes: 4.0 * numbers, flops })
}

/// Numbers of four bytes that are read and written, and operations.
fn numbers(shader: &str, fields: &Fields<'_>, entries: f64) -> Option<(f64, f64)> {
    Some(match shader {
        _ if shader.starts_with("matmul") => {
            let [m, n, k] = fields.all(["m", "n", "k"])?;
            (m * k + k * n + m * n, 2.0 * m * n * k)
        }
        "gather_batch" => (3.0 * entries, 0.0),
        "dropout_input" => (entries, 0.0),
        "encode_rows" => {
            let [batch, width] = fields.all(["batch", "width"])?;
            (entries * (width + 2.0) + batch * width, 2.0 * entries * width)
        }
        "normal" => {
            let [rows, width] = fields.all(["rows", "width"])?;
            (rows * width, 0.0)
        }
        "dropout_dense" => {
            let [rows, width] = fields.all(["rows", "width"])?;
            (2.0 * rows * width, 0.0)
        }
        "reparameterise" | "reparameterise_backward" => {
            let [batch, latent, samples] = fields.all(["batch", "latent", "samples"])?;
            let backward = if shader == "reparameterise" { 0.0 } else { 2.0 };
            (batch * latent * (2.0 + backward + 2.0 * samples), 0.0)
        }
        "activation_backward" => (3.0 * fields.get("len")?, 0.0),
        "adam" => (7.0 * fields.get("len")?, 0.0),
        "column_sum" => {
            let [rows, columns] = fields.all(["rows", "columns"])?;
            (rows * columns, rows * columns)
        }
        "midx_normalise" => {
            let [rows, k] = fields.all(["rows", "codewords"])?;
            (rows * 3.0 * k + k * k, 0.0)
        }
        "sampled_logits" | "sampled_query_gradient" => {
            let [batch, rows, candidates, width] = fields.all(["batch", "rows", "candidates", "width"])?;
            let gathered = rows / batch * entries + rows * candidates;
            (gathered * (width + 2.0) + rows * width, 2.0 * gathered * width)
        }
        // Without the rows that are updated: how many there are is known on the device alone.
        "update_rows" => {
            let [batch, candidates, width] = fields.all(["batch", "candidates", "width"])?;
            let terms = entries + batch * candidates;
            (terms * (width + 2.0), 2.0 * terms * width)
        }
        "sampled_coefficients" => {
            let [batch, rows, candidates] = fields.all(["batch", "rows", "candidates"])?;
            (3.0 * (rows / batch * entries + rows * candidates), 0.0)
        }
        "softmax_accumulate" => {
            let [rows, block] = fields.all(["rows", "block"])?;
            (rows * block, 0.0)
        }
        "softmax_gradient" => {
            let [rows, block] = fields.all(["rows", "block"])?;
            (2.0 * rows * block, 0.0)
        }
        "copy_values" => (8.0 * fields.get("vectors")?, 0.0),
        "multiply_add" => {
            let [len, rounds] = fields.all(["len", "rounds"])?;
            (2.0 * len, 256.0 * len * rounds)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dispatch(shader: &str, values: &[(&str, u32)]) -> Dispatch {
        let (_, offsets) = fastvae_shaders::FIELDS.iter().find(|(name, _)| *name == shader).unwrap();
        let mut parameters = vec![0; 4 * offsets.len()];
        for (name, value) in values {
            let (_, offset) = offsets.iter().find(|(field, _)| field == name).unwrap();
            parameters[*offset as usize..][..4].copy_from_slice(&value.to_le_bytes());
        }
        Dispatch { groups: [1, 1], parameters }
    }

    #[test]
    fn costs_follow_from_the_shapes() {
        let product = dispatch("matmul", &[("m", 2), ("n", 3), ("k", 5)]);
        let cost = of("matmul", &product, 0.0).unwrap();
        assert_eq!((cost.bytes, cost.flops), (4.0 * 31.0, 60.0));
        let shape = [("batch", 2), ("rows", 2), ("candidates", 10), ("width", 8)];
        let cost = of("sampled_logits", &dispatch("sampled_logits", &shape), 7.0).unwrap();
        assert_eq!((cost.bytes, cost.flops), (4.0 * (27.0 * 10.0 + 16.0), 2.0 * 27.0 * 8.0));
        assert_eq!(of("transpose_sort", &dispatch("transpose_sort", &[]), 7.0), None);
    }

    #[test]
    fn every_formula_finds_the_fields_of_its_shader() {
        let named: Vec<&str> = fastvae_shaders::FIELDS
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| of(name, &dispatch(name, &[]), 1.0).is_some())
            .collect();
        for shader in ["matmul", "encode_rows", "reparameterise", "adam", "column_sum", "midx_normalise"] {
            assert!(named.contains(&shader), "{shader} is not in {named:?}");
        }
        for shader in ["sampled_logits", "sampled_query_gradient", "softmax_gradient", "multiply_add"] {
            assert!(named.contains(&shader), "{shader} is not in {named:?}");
        }
    }
}
