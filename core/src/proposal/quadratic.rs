//! The quadratic kernel as a proposal (Blanc and Rendle, 2018); its tree is rebuilt at every refresh.
//!
//! Between refreshes the tree becomes stale, but it remains an exact proposal: q is defined by the item rows
//! at the time when the tree was built.

use super::{BoxFuture, Catalogue, Draw, IndexReport, Proposal, Structure, Wanted, not_refreshed};
use crate::{
    Error, Result,
    config::ProposalConfig,
    engine::{Buffer, Engine, Recording, parallel},
    kernels::{QuadraticDraw, QuadraticLogQ, QuadraticNormalise, QuadraticTree},
    rng::Rng,
    simd,
    state::{State, StatePart},
};

/// The most memory of a tree: 2 GiB.
const MOST_BYTES: usize = 2 << 30;

/// Name of the saved tensor with the item rows from which a tree was built.
const SNAPSHOT: &str = "proposal.rows";

/// q(i) ~ alpha o_i^2 + 1.
pub struct Quadratic {
    tree: Tree,
    /// R.
    log_z: Buffer<f32>,
}

/// The tree, which exists from the first refresh on. It holds the item rows that it was built from.
struct Tree {
    items: usize,
    alpha: f32,
    built: Option<QuadraticTree>,
}

impl Quadratic {
    /// For `items` vectors of width `width`; `queries` is the largest number of query rows in a step.
    ///
    /// # Errors
    /// [`Error::Device`] if the engine cannot hold one number per row.
    pub fn new(engine: &Engine, config: &ProposalConfig, items: usize, queries: usize) -> Result<Self> {
        let log_z = engine.zeros("log partition", queries)?;
        Ok(Self { tree: Tree { items, alpha: config.kernel_alpha, built: None }, log_z })
    }
}

impl Tree {
    /// The tree; before the first refresh, `None`, and the recording fails.
    fn get(&self, recording: &mut Recording) -> Option<&QuadraticTree> {
        if self.built.is_none() {
            recording.fail(not_refreshed("kernel"));
        }
        self.built.as_ref()
    }

    /// Computes the nodes from the item rows, M x W, leaves first.
    fn build(&mut self, engine: &Engine, rows: &[f32], has_bias: bool) -> Result<()> {
        let (items, width) = (self.items, rows.len() / self.items);
        let shape = shape(items, width)?;
        let node = QuadraticTree::node(width);
        let mut nodes = vec![0.0f32; 2 * shape.leaves * node];
        let (inner, leaves) = nodes.split_at_mut(shape.leaves * node);
        parallel::for_each_chunk(leaves, node, |leaf, sum| {
            simd::dispatch(
                #[inline(always)]
                || {
                    for item in (leaf * shape.leaf).min(items)..((leaf + 1) * shape.leaf).min(items) {
                        add_square(&rows[item * width..][..width], sum);
                    }
                },
            );
        });
        let mut below: &[f32] = leaves;
        let mut rest = inner;
        while rest.len() > node {
            // A level has as many nodes as all levels above it plus the unused index 0.
            let half = rest.len() / 2;
            let (above, level) = std::mem::take(&mut rest).split_at_mut(half);
            parallel::for_each_chunk(level, node, |at, sum| {
                let (left, right) = below[2 * at * node..][..2 * node].split_at(node);
                for ((sum, left), right) in sum.iter_mut().zip(left).zip(right) {
                    *sum = left + right;
                }
            });
            (rest, below) = (above, &*level);
        }
        match &self.built {
            Some(tree) => {
                engine.write(&tree.nodes, 0, &nodes)?;
                engine.write(&tree.rows, 0, rows)?;
            }
            None => {
                self.built = Some(QuadraticTree {
                    nodes: engine.upload("kernel tree", &nodes)?,
                    rows: engine.upload("kernel rows", rows)?,
                    leaves: shape.leaves,
                    leaf: shape.leaf,
                    items,
                    width,
                    has_bias,
                    alpha: self.alpha,
                });
            }
        }
        Ok(())
    }
}

/// How items are divided among leaves.
struct Shape {
    leaves: usize,
    leaf: usize,
}

/// Leaves have at most W items, so that a search of a leaf costs no more than the evaluation of a node, and
/// all nodes together take between 1 and 2 times M W numbers.
fn shape(items: usize, width: usize) -> Result<Shape> {
    let leaves = items.div_ceil(width).next_power_of_two();
    let node = QuadraticTree::node(width);
    let bytes = 4 * (2 * leaves * node + items * width);
    if bytes > MOST_BYTES {
        return Err(Error::setting(
            "proposal.kind",
            format!(
                "kernel needs {} nodes x {node} numbers for its tree and {items} x {width} for the rows of its leaves, \
                 {} MiB in all and more than {} MiB; `decoder = direct` or a smaller `hidden` has narrower item rows, and \
                 midx-uniform or midx-popularity need no tree",
                2 * leaves,
                bytes >> 20,
                MOST_BYTES >> 20,
            ),
        ));
    }
    Ok(Shape { leaves, leaf: items.div_ceil(leaves) })
}

/// Adds q q' to an upper triangle stored by rows, with elements off the diagonal doubled.
#[inline(always)]
fn add_square(row: &[f32], mut triangle: &mut [f32]) {
    for (at, &q) in row.iter().enumerate() {
        let (line, rest) = std::mem::take(&mut triangle).split_at_mut(row.len() - at);
        line[0] += q * q;
        simd::axpy(2.0 * q, &row[at + 1..], &mut line[1..]);
        triangle = rest;
    }
}

impl Proposal for Quadratic {
    fn prepare(&self, recording: &mut Recording, draw: &Draw<'_>) {
        let Some(tree) = self.tree.get(recording) else { return };
        recording.push(QuadraticNormalise {
            queries: draw.queries.clone(),
            rows: draw.groups.rows(),
            tree: tree.clone(),
            log_z: self.log_z.clone(),
        });
    }

    fn draw(&self, recording: &mut Recording, draw: &Draw<'_>, negatives: &Buffer<u32>) {
        let Some(tree) = self.tree.get(recording) else { return };
        recording.push(QuadraticDraw {
            groups: draw.groups,
            queries: draw.queries.clone(),
            tree: tree.clone(),
            rng: draw.rng,
            step: draw.step,
            negatives: negatives.clone(),
        });
    }

    fn log_q(&self, recording: &mut Recording, draw: &Draw<'_>, wanted: &[Wanted]) {
        let Some(tree) = self.tree.get(recording) else { return };
        for Wanted { items, log_q } in wanted {
            recording.push(QuadraticLogQ {
                groups: draw.groups,
                queries: draw.queries.clone(),
                tree: tree.clone(),
                log_z: self.log_z.clone(),
                items: items.clone(),
                output: log_q.clone(),
            });
        }
    }

    fn structures(&self) -> Vec<&dyn Structure> {
        vec![&self.tree]
    }

    fn structures_mut(&mut self) -> Vec<&mut dyn Structure> {
        vec![&mut self.tree]
    }
}

impl Structure for Tree {
    fn refresh<'a>(
        &'a mut self,
        engine: &'a Engine,
        catalogue: &'a Catalogue,
        _: Rng,
        _: u32,
    ) -> BoxFuture<'a, Result<Option<IndexReport>>> {
        Box::pin(async move {
            let (items, width) = (catalogue.items, catalogue.width);
            shape(items, width + usize::from(catalogue.bias.is_some()))?;
            let table = engine.read_range(&catalogue.table, 0..items * width).await?;
            let rows = match &catalogue.bias {
                None => table,
                Some(bias) => {
                    let bias = engine.read_range(bias, 0..items).await?;
                    let biased = table.chunks_exact(width).zip(&bias);
                    biased.flat_map(|(row, bias)| row.iter().chain([bias])).copied().collect()
                }
            };
            self.build(engine, &rows, catalogue.bias.is_some())?;
            Ok(None)
        })
    }

    fn is_ready(&self) -> bool {
        self.built.is_some()
    }

    fn state(&self) -> StatePart {
        let mut part = StatePart::default();
        if let Some(tree) = &self.built {
            part.insert_buffer(SNAPSHOT, &tree.rows);
        }
        part
    }

    fn restore(&mut self, engine: &Engine, state: &State, catalogue: &Catalogue) -> Result<()> {
        let Some(snapshot) = state.floats(SNAPSHOT)? else { return Ok(()) };
        let width = catalogue.width + usize::from(catalogue.bias.is_some());
        if snapshot.len() != self.items * width {
            return Err(Error::Data(format!(
                "tensor `{SNAPSHOT}` has {} numbers, and {} items x {width} were expected",
                snapshot.len(),
                self.items
            )));
        }
        self.build(engine, snapshot, catalogue.bias.is_some())
    }
}
