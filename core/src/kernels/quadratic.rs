//! The quadratic kernel (Blanc and Rendle, 2018): `q(i) ~ alpha o_i^2 + 1`, drawn by divide and conquer.
//!
//! The sum of the kernel over a set of items is a quadratic form of the query, `alpha z' A z + n` with `A =
//! sum of q_i q_i'` and n the number of items. So a draw descends a binary tree whose nodes store their A,
//! and evaluates two children per level: O(D^2 log M) per draw, O(D^2) numbers per node.
//!
//! If the model has item biases, each row ends with its bias and each query with 1, so that the kernel uses
//! the whole logit.

use super::{
    groups::Groups,
    items_of::ItemsOf,
    running_sums::{cumulate, search},
};
use crate::{
    Result,
    engine::{Buffer, Check, Kernel, gpu, parallel},
    rng::{Rng, Stream, unit},
    simd,
};
use fastvae_shaders::{quadratic_draw, quadratic_log_q, quadratic_normalise};

/// The tree: a heap of nodes with root 1, in which node n has the children 2n and 2n + 1. Leaf l of P covers
/// the items `l leaf .. (l + 1) leaf`.
#[derive(Clone, Debug)]
pub struct QuadraticTree {
    /// A of each node, 2P x W (W + 1) / 2: the upper triangle by rows, with elements off the diagonal
    /// doubled.
    pub nodes: Buffer<f32>,
    /// Item rows at the time when the tree was built, M x W.
    pub rows: Buffer<f32>,
    /// P, a power of two.
    pub leaves: usize,
    /// Items per leaf; the last leaves may have fewer, or none.
    pub leaf: usize,
    /// M.
    pub items: usize,
    /// W, the width of a row, including the bias if there is one.
    pub width: usize,
    /// Whether rows end with a bias, so that 1 is appended to queries.
    pub has_bias: bool,
    /// Alpha, the weight of the square.
    pub alpha: f32,
}

impl QuadraticTree {
    /// Numbers per node.
    pub fn node(width: usize) -> usize {
        width * (width + 1) / 2
    }

    /// Width of the queries.
    fn query_width(&self) -> usize {
        self.width - usize::from(self.has_bias)
    }

    /// Levels below the root.
    fn depth(&self) -> u32 {
        self.leaves.trailing_zeros()
    }

    /// Number of items below a node.
    fn count(&self, node: usize) -> usize {
        let level = self.depth() - node.ilog2();
        let (first, end) = (((node << level) - self.leaves), (((node + 1) << level) - self.leaves));
        (end * self.leaf).min(self.items) - (first * self.leaf).min(self.items)
    }

    fn check(&self, check: &Check) -> Result<()> {
        let whole = self.leaves.is_power_of_two()
            && self.items > 0
            && self.width > usize::from(self.has_bias)
            && self.leaves.checked_mul(self.leaf).is_some_and(|places| places >= self.items);
        check.that(whole, || format!("no tree of {} leaves for {} items", self.leaves, self.items))?;
        check.holds(&self.rows, &[self.items, self.width])?;
        check.at_most(usize::MAX, &[self.width, self.width.saturating_add(1)])?;
        check.holds(&self.nodes, &[2, self.leaves, Self::node(self.width)])
    }

    /// `alpha z' A z + n` of a node, at least n in spite of rounding.
    #[inline(always)]
    fn weight(&self, nodes: &[f32], node: usize, query: &[f32]) -> f32 {
        let count = self.count(node);
        if count == 0 {
            return 0.0;
        }
        let size = Self::node(self.width);
        let (mut triangle, mut sum) = (&nodes[node * size..][..size], 0.0);
        for (row, &z) in query.iter().enumerate() {
            let (line, rest) = triangle.split_at(self.width - row);
            sum += z * simd::dot(line, &query[row..]);
            triangle = rest;
        }
        self.alpha * sum.max(0.0) + count as f32
    }

    /// The kernel of one item.
    #[inline(always)]
    fn kernel(&self, rows: &[f32], item: usize, query: &[f32]) -> f32 {
        let logit = simd::dot(&rows[item * self.width..][..self.width], query);
        self.alpha * logit * logit + 1.0
    }

    /// ln of the kernel of one item, for a query without the appended 1.
    #[inline(always)]
    fn log_kernel(&self, rows: &[f32], item: usize, query: &[f32]) -> f32 {
        let (row, bias) = rows[item * self.width..][..self.width].split_at(query.len());
        let logit = simd::dot(query, row) + bias.first().copied().unwrap_or(0.0);
        (self.alpha * logit * logit + 1.0).ln()
    }

    /// The query with 1 appended if rows end with a bias.
    #[inline(always)]
    fn extend(&self, query: &[f32], out: &mut Vec<f32>) {
        out.clear();
        out.extend_from_slice(query);
        if self.has_bias {
            out.push(1.0);
        }
    }
}

/// `ln sum over all items of (alpha o^2 + 1)` of each row.
pub struct QuadraticNormalise {
    /// R x query width.
    pub queries: Buffer<f32>,
    /// R.
    pub rows: usize,
    /// The tree.
    pub tree: QuadraticTree,
    /// Out: R.
    pub log_z: Buffer<f32>,
}

impl Kernel for QuadraticNormalise {
    fn name(&self) -> &'static str {
        "quadratic_normalise"
    }

    fn check(&self, check: &Check) -> Result<()> {
        self.tree.check(check)?;
        check.holds(&self.queries, &[self.rows, self.tree.query_width()])?;
        check.holds(&self.log_z, &[self.rows])
    }

    unsafe fn cpu(&self) {
        let (queries, nodes, width) = (self.queries.read(), self.tree.nodes.read(), self.tree.query_width());
        let mut log_z = self.log_z.write();
        parallel::for_each_chunk_with(&mut log_z[..self.rows], 1, Vec::new, |query, row, log_z| {
            simd::dispatch(
                #[inline(always)]
                || {
                    self.tree.extend(&queries[row * width..][..width], query);
                    log_z[0] = self.tree.weight(&nodes, 1, query).ln();
                },
            );
        });
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        calls.dispatch(
            quadratic_normalise::Params {
                rows: self.rows as u32,
                items: self.tree.items as u32,
                width: self.tree.width as u32,
                has_bias: self.tree.has_bias.into(),
                alpha: self.tree.alpha,
            },
            quadratic_normalise::Bindings {
                queries: &self.queries,
                nodes: &self.tree.nodes,
                log_z: &self.log_z,
            },
            gpu::Work::Groups(self.rows),
        );
    }
}

/// Draws every group's candidates; slot c of a group is drawn by its member `c % size`.
pub struct QuadraticDraw {
    /// Which query rows share which candidates.
    pub groups: Groups,
    /// R x query width.
    pub queries: Buffer<f32>,
    /// The tree.
    pub tree: QuadraticTree,
    /// The run's random numbers.
    pub rng: Rng,
    /// Step of the run.
    pub step: u32,
    /// Out: groups x C.
    pub negatives: Buffer<u32>,
}

impl Kernel for QuadraticDraw {
    fn name(&self) -> &'static str {
        "quadratic_draw"
    }

    fn check(&self, check: &Check) -> Result<()> {
        self.groups.check(check)?;
        self.tree.check(check)?;
        check.holds(&self.queries, &[self.groups.rows(), self.tree.query_width()])?;
        check.holds(&self.negatives, &[self.groups.total()])
    }

    unsafe fn cpu(&self) {
        let (queries, width, groups) = (self.queries.read(), self.tree.query_width(), self.groups);
        let (nodes, rows) = (self.tree.nodes.read(), self.tree.rows.read());
        let mut negatives = self.negatives.write();
        let scratch = || (Vec::new(), Vec::new(), vec![0.0; self.tree.leaf]);
        parallel::for_each_chunk_with(
            &mut negatives[..groups.total()],
            groups.candidates,
            scratch,
            |(query, waiting, leaf), group, slots| {
                let members = groups.rows_of(group);
                let size = members.len();
                for (member, row) in members.enumerate() {
                    self.tree.extend(&queries[row * width..][..width], query);
                    waiting.clear();
                    waiting.extend((member..groups.candidates).step_by(size).map(|slot| slot as u32));
                    let mut descent =
                        Descent { draw: self, nodes: &nodes, rows: &rows, query, row, leaf, slots };
                    descent.descend(1, waiting);
                }
            },
        );
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let (groups, tree) = (self.groups, &self.tree);
        calls.dispatch(
            quadratic_draw::Params {
                batch: groups.batch as u32,
                group_size: groups.size as u32,
                candidates: groups.candidates as u32,
                total: groups.total() as u32,
                items: tree.items as u32,
                width: tree.width as u32,
                has_bias: tree.has_bias.into(),
                leaf: tree.leaf as u32,
                leaves: tree.leaves as u32,
                depth: tree.depth(),
                alpha: tree.alpha,
                key_low: self.rng.key()[0],
                key_high: self.rng.key()[1],
                step: self.step,
                row_offset: self.rng.rows().offset,
                row_period: self.rng.rows().period,
                row_gap: self.rng.rows().gap,
            },
            quadratic_draw::Bindings {
                queries: &self.queries,
                nodes: &tree.nodes,
                table: &tree.rows,
                negatives: &self.negatives,
            },
            gpu::Work::Groups(groups.total()),
        );
    }
}

/// The slots of one query row during the descent.
struct Descent<'a> {
    draw: &'a QuadraticDraw,
    nodes: &'a [f32],
    rows: &'a [f32],
    query: &'a [f32],
    row: usize,
    /// Running sums of a leaf's items.
    leaf: &'a mut [f32],
    slots: &'a mut [u32],
}

impl Descent<'_> {
    /// Distributes the waiting slots over the children of `node`: each node is evaluated once, for all slots
    /// together.
    fn descend(&mut self, node: usize, waiting: &mut [u32]) {
        let tree = &self.draw.tree;
        if waiting.is_empty() {
            return;
        }
        if node >= tree.leaves {
            return self.pick(node - tree.leaves, waiting);
        }
        let (left, right) = simd::dispatch(
            #[inline(always)]
            || {
                (
                    tree.weight(self.nodes, 2 * node, self.query),
                    tree.weight(self.nodes, 2 * node + 1, self.query),
                )
            },
        );
        let mut turned = 0;
        for at in 0..waiting.len() {
            if self.random(node.ilog2(), waiting[at]) * (left + right) < left {
                waiting.swap(turned, at);
                turned += 1;
            }
        }
        let (to_left, to_right) = waiting.split_at_mut(turned);
        self.descend(2 * node, to_left);
        self.descend(2 * node + 1, to_right);
    }

    fn pick(&mut self, leaf: usize, waiting: &[u32]) {
        let tree = &self.draw.tree;
        let first = (leaf * tree.leaf).min(tree.items - 1);
        let inside = &mut self.leaf[..tree.leaf.min(tree.items - first)];
        let (rows, query) = (self.rows, self.query);
        simd::dispatch(
            #[inline(always)]
            || cumulate((first..first + inside.len()).map(|item| tree.kernel(rows, item, query)), inside),
        );
        let inside = &self.leaf[..tree.leaf.min(tree.items - first)];
        for &slot in waiting {
            let u = self.random(tree.depth(), slot) * inside[inside.len() - 1];
            self.slots[slot as usize] = (first + search(inside, u)) as u32;
        }
    }

    /// The random word of a slot at a level; four levels share a block.
    fn random(&self, level: u32, slot: u32) -> f32 {
        let counter = slot + self.draw.groups.candidates as u32 * (level / 4);
        let words = self.draw.rng.block(Stream::Negatives, self.draw.step, self.row as u32, counter);
        unit(words[level as usize % 4])
    }
}

/// log q of items under the kernel, for the mixture of their group.
pub struct QuadraticLogQ {
    /// Which query rows share which candidates.
    pub groups: Groups,
    /// R x query width.
    pub queries: Buffer<f32>,
    /// The tree.
    pub tree: QuadraticTree,
    /// From [`QuadraticNormalise`], R.
    pub log_z: Buffer<f32>,
    /// Items to look up.
    pub items: ItemsOf,
    /// Out: one value per item (for entries, L x E).
    pub output: Buffer<f32>,
}

impl Kernel for QuadraticLogQ {
    fn name(&self) -> &'static str {
        "quadratic_log_q"
    }

    fn check(&self, check: &Check) -> Result<()> {
        self.groups.check(check)?;
        self.tree.check(check)?;
        check.holds(&self.queries, &[self.groups.rows(), self.tree.query_width()])?;
        check.holds(&self.log_z, &[self.groups.rows()])?;
        self.items.check(check, &self.groups, &self.output)
    }

    unsafe fn cpu(&self) {
        let (queries, rows, log_z) = (self.queries.read(), self.tree.rows.read(), self.log_z.read());
        let width = self.tree.query_width();
        let log_q = |row: usize, item: u32| {
            self.tree.log_kernel(&rows, item as usize, &queries[row * width..][..width]) - log_z[row]
        };
        self.items.fill(
            &self.groups,
            &self.output,
            |group| group,
            |&group, item| self.groups.mix(group, |row| log_q(row, item)),
        );
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let (groups, empty) = (self.groups, calls.empty());
        let (items, rows, entries) = self.items.parts(&empty);
        let total = self.items.outputs(&groups);
        calls.dispatch(
            quadratic_log_q::Params {
                batch: groups.batch as u32,
                group_size: groups.size as u32,
                candidates: groups.candidates as u32,
                entries: entries as u32,
                total: total as u32,
                width: self.tree.width as u32,
                has_bias: self.tree.has_bias.into(),
                alpha: self.tree.alpha,
            },
            quadratic_log_q::Bindings {
                queries: &self.queries,
                table: &self.tree.rows,
                log_z: &self.log_z,
                items,
                rows,
                output: &self.output,
            },
            gpu::Work::Threads(total),
        );
    }
}
