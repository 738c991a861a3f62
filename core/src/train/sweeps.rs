//! The full softmax of query rows: loss and gradient of the queries, in two sweeps over blocks of items.

use crate::{
    Result,
    engine::{Buffer, Engine, Recording},
    kernels::{MatMul, SoftmaxAccumulate, SoftmaxGradient, View},
    model::Batch,
    proposal::Catalogue,
};

/// The most logits of a step that are stored whole (64 MiB). If they fit, the second sweep need not compute
/// them again, which saves a quarter of the products of a step.
const STORED_LOGITS: usize = 1 << 24;
/// Logits per block of items on the CPU: a block fits a second-level cache.
const CPU_BLOCK_LOGITS: usize = 1 << 18;
/// Logits per block of items on a GPU: a block (32 MiB) occupies a large one and fits its second-level cache.
const GPU_BLOCK_LOGITS: usize = 1 << 23;

/// The buffers of two sweeps.
pub(crate) struct Sweeps {
    logits: Buffer<f32>,
    maximum: Buffer<f32>,
    sum: Buffer<f32>,
    /// M.
    items: usize,
    /// Items per block.
    block: usize,
}

/// The inputs and outputs of two sweeps.
pub(crate) struct Sweep<'a> {
    /// The histories, B.
    pub batch: &'a Batch,
    /// Query rows per user, L.
    pub samples: usize,
    /// R x width.
    pub queries: &'a Buffer<f32>,
    /// Out: d loss / d query, R x width.
    pub query_gradients: &'a Buffer<f32>,
    /// Item vectors and biases.
    pub catalogue: &'a Catalogue,
    /// Factor of all gradients.
    pub scale: f32,
    /// Out: loss of each row, R.
    pub nll: &'a Buffer<f32>,
}

impl Sweeps {
    /// For at most `rows` query rows over `items` items.
    ///
    /// # Errors
    /// If the engine cannot hold the buffers.
    pub fn new(engine: &Engine, rows: usize, items: usize) -> Result<Self> {
        let logits = if engine.is_cpu() { CPU_BLOCK_LOGITS } else { GPU_BLOCK_LOGITS };
        let block = if rows * items <= STORED_LOGITS { items } else { (logits / rows).max(64).min(items) };
        Ok(Self {
            logits: engine.zeros("logits of a block", rows * block)?,
            maximum: engine.zeros("largest logits", rows)?,
            sum: engine.zeros("partition sums", rows)?,
            items,
            block,
        })
    }

    /// Items per block.
    pub fn block(&self) -> usize {
        self.block
    }

    /// Appends two sweeps over blocks of items. `with_gradient` gets, for each block in the second one, d loss / d logit
    /// (R x items of the block), the first item, and the number of items. With a single block, the second sweep reuses
    /// the logits of the first.
    pub fn record(
        &self,
        recording: &mut Recording,
        sweep: &Sweep<'_>,
        mut with_gradient: impl FnMut(&mut Recording, &Buffer<f32>, usize, usize),
    ) {
        let Self { logits, maximum, sum, items, block } = self;
        let &Sweep { batch, samples, queries, query_gradients, catalogue, scale, nll } = sweep;
        let (rows, width) = (batch.users * samples, catalogue.width);
        let blocks = || (0..*items).step_by(*block).map(|start| (start, (*block).min(*items - start)));
        let score = |start: usize, count: usize| {
            let rows_of_block = View::rows(&catalogue.table, width).skip_rows(start).transposed();
            let mut product = MatMul::new(
                rows,
                count,
                width,
                View::rows(queries, width),
                rows_of_block,
                View::rows(logits, count),
            );
            product.bias = catalogue.bias.clone();
            product.bias_offset = start;
            product
        };
        for (start, count) in blocks() {
            recording.push(score(start, count));
            recording.push(SoftmaxAccumulate {
                logits: logits.clone(),
                rows,
                block: count,
                first: start == 0,
                maximum: maximum.clone(),
                sum: sum.clone(),
            });
        }
        for (start, count) in blocks() {
            if *block < *items {
                recording.push(score(start, count));
            }
            recording.push(SoftmaxGradient {
                logits: logits.clone(),
                batch: batch.users,
                samples,
                block: count,
                block_start: start,
                maximum: maximum.clone(),
                sum: sum.clone(),
                batch_offsets: batch.offsets.clone(),
                batch_items: batch.items.clone(),
                scale,
                nll: nll.clone(),
            });
            let mut to_queries = MatMul::new(
                rows,
                width,
                count,
                View::rows(logits, count),
                View::rows(&catalogue.table, width).skip_rows(start),
                View::rows(query_gradients, width),
            );
            to_queries.beta = if start == 0 { 0.0 } else { 1.0 };
            recording.push(to_queries);
            with_gradient(recording, logits, start, count);
        }
    }
}
