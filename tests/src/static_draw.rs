//! Draws from fixed distributions: alias tables computed in f64, and the kernel that draws from them.

use fastvae::{
    engine::Engine,
    kernels::{AliasTable, DrawStatic, Groups},
    rng::Rng,
};

use crate::device::{read, run, unset, upload};

/// Thresholds and aliases of one distribution (Vose, 1991); an item of weight 0 is never drawn.
pub fn alias_table(weights: &[f64]) -> (Vec<u32>, Vec<u32>) {
    let (n, total) = (weights.len(), weights.iter().sum::<f64>());
    if total == 0.0 {
        return (vec![u32::MAX; n], (0..n as u32).collect());
    }
    let mut rest: Vec<f64> = weights.iter().map(|w| w / total * n as f64).collect();
    let (mut thresholds, mut aliases) = (vec![u32::MAX; n], (0..n as u32).collect::<Vec<u32>>());
    let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..n).partition(|&i| rest[i] < 1.0);
    while let (Some(&low), Some(&high)) = (small.last(), large.last()) {
        small.pop();
        thresholds[low] = (rest[low] * 4_294_967_296.0) as u32;
        aliases[low] = high as u32;
        rest[high] -= 1.0 - rest[low];
        if rest[high] < 1.0 {
            large.pop();
            small.push(high);
        }
    }
    (thresholds, aliases)
}

/// Draws the candidates of all groups from the alias table; without a table, uniformly.
pub fn draw_static(
    engine: &Engine,
    groups: Groups,
    items: usize,
    table: Option<&(Vec<u32>, Vec<u32>)>,
    seed: u64,
    step: u32,
) -> Vec<u32> {
    let negatives = unset(engine, groups.total());
    let table = table.map(|(t, a)| AliasTable { thresholds: upload(engine, t), aliases: upload(engine, a) });
    let rng = Rng::new(seed);
    run(engine, DrawStatic { groups, items, table, rng, step, negatives: negatives.clone() });
    read(engine, &negatives)
}
