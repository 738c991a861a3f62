//! Draws from proposals that do not depend on the query: uniform, and any fixed distribution.

use fastvae_shaders::{draw_static, lookup};

use super::groups::Groups;
use crate::{
    Result,
    engine::{Buffer, Check, Kernel, gpu, parallel},
    rng::{Rng, Stream, below},
};

/// An alias table (Walker, 1977; Vose, 1991) with integer thresholds: column j gives j with probability
/// `threshold[j] / 2^32`, else `alias[j]`. f32 probabilities would be too coarse for millions of items.
#[derive(Clone, Debug)]
pub struct AliasTable {
    /// One threshold per column.
    pub thresholds: Buffer<u32>,
    /// The alternative item of each column.
    pub aliases: Buffer<u32>,
}

impl AliasTable {
    /// Whether it has this many columns.
    pub(super) fn check(&self, check: &Check, columns: usize) -> Result<()> {
        check.holds(&self.thresholds, &[columns])?;
        check.holds(&self.aliases, &[columns])
    }
}

/// Fills every group's candidates; slot c of a group is drawn by its member `c % size`.
pub struct DrawStatic {
    /// Which query rows share which candidates.
    pub groups: Groups,
    /// M.
    pub items: usize,
    /// The distribution; uniform if not given.
    pub table: Option<AliasTable>,
    /// The run's random numbers.
    pub rng: Rng,
    /// Step of the run.
    pub step: u32,
    /// Out: groups x C.
    pub negatives: Buffer<u32>,
}

impl Kernel for DrawStatic {
    fn name(&self) -> &'static str {
        "draw_static"
    }

    fn check(&self, check: &Check) -> Result<()> {
        self.groups.check(check)?;
        if let Some(table) = &self.table {
            table.check(check, self.items)?;
        }
        check.holds(&self.negatives, &[self.groups.total()])
    }

    unsafe fn cpu(&self) {
        let table = self.table.as_ref().map(|t| (t.thresholds.read(), t.aliases.read()));
        let mut negatives = self.negatives.write();
        let (groups, items) = (self.groups, self.items as u32);
        parallel::for_each_chunk(&mut negatives[..groups.total()], groups.candidates, |group, slots| {
            let rows = groups.rows_of(group);
            for (slot, item) in slots.iter_mut().enumerate() {
                let row = rows.start + slot % rows.len();
                let words = self.rng.block(Stream::Negatives, self.step, row as u32, slot as u32);
                let column = below(words[0], items);
                *item = match &table {
                    Some((thresholds, aliases)) if words[1] >= thresholds[column as usize] => {
                        aliases[column as usize]
                    }
                    _ => column,
                };
            }
        });
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let (groups, empty) = (self.groups, calls.empty());
        calls.dispatch(
            draw_static::Params {
                batch: groups.batch as u32,
                group_size: groups.size as u32,
                candidates: groups.candidates as u32,
                total: groups.total() as u32,
                items: self.items as u32,
                has_table: self.table.is_some().into(),
                key_low: self.rng.key()[0],
                key_high: self.rng.key()[1],
                step: self.step,
                row_offset: self.rng.rows().offset,
                row_period: self.rng.rows().period,
                row_gap: self.rng.rows().gap,
            },
            draw_static::Bindings {
                thresholds: self.table.as_ref().map_or(&empty, |table| &table.thresholds),
                aliases: self.table.as_ref().map_or(&empty, |table| &table.aliases),
                negatives: &self.negatives,
            },
            gpu::Work::Threads(groups.total()),
        );
    }
}

/// `output[i] = table[items[i]]`, repeated `repeats` times: log q of fixed proposals.
pub struct Lookup {
    /// M.
    pub table: Buffer<f32>,
    /// The items to look up, `len`.
    pub items: Buffer<u32>,
    /// Number of items to look up.
    pub len: usize,
    /// Number of copies of the whole result, one after the other.
    pub repeats: usize,
    /// Out: repeats x len.
    pub output: Buffer<f32>,
}

impl Kernel for Lookup {
    fn name(&self) -> &'static str {
        "lookup"
    }

    fn check(&self, check: &Check) -> Result<()> {
        check.lives_here(&self.table)?;
        check.holds(&self.items, &[self.len])?;
        check.holds(&self.output, &[self.repeats, self.len])
    }

    unsafe fn cpu(&self) {
        let (table, items) = (self.table.read(), self.items.read());
        let mut output = self.output.write();
        let items = &items[..self.len];
        for output in output[..self.repeats * self.len].chunks_exact_mut(self.len.max(1)) {
            for (output, &item) in output.iter_mut().zip(items) {
                *output = table[item as usize];
            }
        }
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let total = self.repeats * self.len;
        calls.dispatch(
            lookup::Params { len: self.len as u32, total: total as u32 },
            lookup::Bindings { table: &self.table, items: &self.items, output: &self.output },
            gpu::Work::Threads(total),
        );
    }
}
