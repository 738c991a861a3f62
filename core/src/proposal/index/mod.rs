//! The inverted multi-index (paper, section 4): a few codebooks whose codewords add up to approximations of
//! the item vectors, and for each combination of codewords (a cell) the items that it approximates.

mod lists;
mod moment;
mod quantise;
mod refresh;
mod space;
mod state;

use std::borrow::Cow;

pub use self::state::IndexState;

use self::{
    lists::{Lists, capacity},
    moment::Moments,
};
use crate::{
    Error, Result,
    config::{CodewordWeights, Kmeans, ProposalConfig, Quantisation},
    engine::{Buffer, Engine, Recording},
    kernels::{AliasTable, Balance, Cells},
    state::{State, StatePart},
};

/// The result of a refresh.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IndexReport {
    /// Number of cells that hold at least one item.
    pub occupied_cells: usize,
    /// Number of items in the fullest cell.
    pub largest_cell: usize,
    /// Mean over items of the squared norm of the residual (item vector minus codewords).
    pub distortion: f64,
    /// The largest norm of a residual: C of the paper's theorems 5.3 and 5.4.
    pub largest_residual: f64,
    /// Root mean square over items and recent queries of query . residual, the error of a logit computed from
    /// codewords; only if the quantisation uses the queries.
    pub logit_error: Option<f64>,
}

/// The index on an engine.
pub struct MidxIndex {
    config: ProposalConfig,
    items: usize,
    width: usize,
    books: Vec<BookBuffers>,
    /// Items in the geometry of the queries, M x dimensions.
    mapped: Option<Buffer<f32>>,
    /// m K x width, so that one product scores all codebooks.
    stacked: Buffer<f32>,
    /// Rows of `stacked` that are the codewords of each item, M x m.
    codewords_of: Buffer<u32>,
    norms: Buffer<f32>,
    projections: Buffer<f32>,
    cells: Cells,
    moments: Moments,
    /// Weight of each item in k-means, M, if they differ.
    weights: Option<(Vec<f32>, Buffer<f32>)>,
    built: bool,
    state: IndexState,
}

/// The data that k-means works on for one codebook.
struct BookBuffers {
    codewords: Buffer<f32>,
    codes: Buffer<u32>,
    balance: Option<Balance>,
}

impl MidxIndex {
    /// Allocates an index for items with training `counts`, vectors of width `width`, and the codebooks that
    /// `config` describes.
    ///
    /// # Errors
    /// If the engine cannot hold it.
    pub fn new(engine: &Engine, config: &ProposalConfig, counts: &[u32], width: usize) -> Result<Self> {
        let items = counts.len();
        let (k, m) = (config.codewords, config.codebooks);
        let (most_cells, _) = capacity(items, k, m);
        let codes = if m > 2 { (most_cells + 1) * (m + 1) } else { 1 };
        let cells = Cells {
            codebooks: m,
            codewords: k,
            items,
            blocks: 0,
            columns: 0,
            cell_of: engine.zeros("cell of item", items)?,
            starts: engine.zeros("cell starts", most_cells + 1)?,
            members: engine.zeros("cell members", items)?,
            table: AliasTable {
                thresholds: engine.zeros("cell thresholds", items)?,
                aliases: engine.zeros("cell aliases", items)?,
            },
            log_weights: engine.zeros("cell log weights", most_cells)?,
            item_log_weights: engine.zeros("item log weights", items)?,
            codes: engine.zeros("cell codes", codes)?,
        };
        let weigh = |count: &u32| match config.codeword_weights {
            CodewordWeights::Even => 1.0,
            CodewordWeights::Root => (*count.max(&1) as f32).sqrt(),
            CodewordWeights::Count => *count.max(&1) as f32,
        };
        let weights = if config.codeword_weights == CodewordWeights::Even {
            None
        } else {
            let weights: Vec<f32> = counts.iter().map(weigh).collect();
            let on_engine = engine.upload("weights of items", &weights)?;
            Some((weights, on_engine))
        };
        let total = weights.as_ref().map_or(items as f32, |(weights, _)| weights.iter().sum());
        let balance = || {
            let crowding = engine.upload("crowding of codewords", &vec![1.0; k])?;
            Ok(Balance { crowding, even_weight: total / k as f32 })
        };
        let book = |_| {
            Ok(BookBuffers {
                codewords: engine.zeros("codebook", k * width)?,
                codes: engine.zeros("codes", items)?,
                balance: (config.kmeans == Kmeans::Balanced).then(balance).transpose()?,
            })
        };
        Ok(Self {
            config: config.clone(),
            items,
            width,
            books: (0..m).map(book).collect::<Result<_>>()?,
            mapped: None,
            stacked: engine.zeros("codebooks", m * k * width)?,
            codewords_of: engine.zeros("codewords of items", items * m)?,
            norms: engine.zeros("residual norms", items)?,
            projections: engine.zeros("residuals of the mean query", items)?,
            cells,
            moments: Moments::new(engine, width)?,
            weights,
            built: false,
            state: IndexState::default(),
        })
    }

    /// Restores the index of a saved run and the moments of its queries; `None` if the run had no index.
    ///
    /// # Errors
    /// If it is incomplete or does not fit the catalogue or the settings.
    pub fn restore(
        engine: &Engine,
        config: &ProposalConfig,
        counts: &[u32],
        state: &State,
    ) -> Result<Option<Self>> {
        let Some((state, moments)) = IndexState::read(state)? else { return Ok(None) };
        let width = state.codewords.len() / (config.codebooks * config.codewords).max(1);
        let mut index = Self::new(engine, config, counts, width)?;
        if moments.len() != (width + 1) * width {
            return Err(misfit());
        }
        index.moments.restore(engine, moments)?;
        index.install(engine, state)?;
        Ok(Some(index))
    }

    /// The state that a resumed run needs.
    pub fn state(&self) -> StatePart {
        let mut part = self.state.part();
        part.insert_buffer(state::MOMENTS, self.moments.buffer());
        part
    }

    /// Whether the index was built or restored.
    pub fn built(&self) -> bool {
        self.built
    }

    /// The cells as kernels read them.
    pub fn cells(&self) -> &Cells {
        &self.cells
    }

    /// The codewords of all codebooks, m K x width: `queries . stacked' = [r1 | r2 | ..]`.
    pub fn stacked(&self) -> &Buffer<f32> {
        &self.stacked
    }

    /// Everything that determines its draws, except the moments of the queries.
    pub fn installed(&self) -> &IndexState {
        &self.state
    }

    /// Running means of q q' and, in the last row, of q over the queries seen so far, (width + 1) x width.
    pub fn moments(&self) -> &Buffer<f32> {
        self.moments.buffer()
    }

    /// The most cells of an index of `items` items, and the most blocks.
    pub fn capacity(config: &ProposalConfig, items: usize) -> (usize, usize) {
        capacity(items, config.codewords, config.codebooks)
    }

    /// Whether the quantisation uses the queries of the run.
    pub fn observes(&self) -> bool {
        self.config.quantisation != Quantisation::Product
    }

    /// Accumulates `rows` queries for the next refresh, if the quantisation uses them.
    pub fn observe(&self, recording: &mut Recording, queries: &Buffer<f32>, rows: usize) {
        if self.observes() {
            self.moments.observe(recording, queries, rows);
        }
    }

    /// Uploads codewords and codes and builds the lists of the cells; returns the number of occupied cells
    /// and the number of items in the fullest.
    ///
    /// # Errors
    /// If the sizes differ from those of this index.
    pub fn install(&mut self, engine: &Engine, state: IndexState) -> Result<(usize, usize)> {
        let (k, m) = (self.config.codewords, self.config.codebooks);
        let fits = state.codewords.len() == m * k * self.width
            && state.codes.len() == self.items * m
            && state.log_weights.len() == self.items
            && state.crowding.len() == if self.config.kmeans == Kmeans::Balanced { m * k } else { 0 };
        if !fits || state.codes.iter().any(|&code| code as usize >= k) {
            return Err(misfit());
        }
        let lists = Lists::new(&state, k, m);
        for (which, book) in self.books.iter().enumerate() {
            let codes: Vec<u32> =
                state.codes[which.min(state.codes.len())..].iter().step_by(m).copied().collect();
            engine.write(&book.codes, 0, &codes)?;
            if let Some(balance) = &book.balance {
                engine.write(&balance.crowding, 0, &state.crowding[which * k..][..k])?;
            }
        }
        let places: Vec<u32> =
            state.codes.iter().enumerate().map(|(at, code)| (at % m * k) as u32 + code).collect();
        engine.write(&self.codewords_of, 0, &places)?;
        engine.write(&self.stacked, 0, &state.codewords)?;
        (self.cells.blocks, self.cells.columns) = (lists.blocks, lists.columns);
        engine.write(&self.cells.cell_of, 0, &lists.cell_of)?;
        // Also of items without weight, which no draw and no positive of training meets: log q of them is infinite.
        engine.write(&self.cells.item_log_weights, 0, &state.log_weights)?;
        engine.write(&self.cells.starts, 0, &lists.starts)?;
        engine.write(&self.cells.members, 0, &lists.members)?;
        engine.write(&self.cells.table.thresholds, 0, &lists.thresholds)?;
        engine.write(&self.cells.table.aliases, 0, &lists.aliases)?;
        engine.write(&self.cells.log_weights, 0, &logarithms(engine, &lists.log_weights))?;
        engine.write(&self.cells.codes, 0, &lists.codes)?;
        self.built = true;
        self.state = state;
        Ok(lists.occupancy())
    }
}

/// Logarithms as an engine takes them. Compilers of shaders may assume that there are no infinities, so on a GPU the
/// lowest number stands for the logarithm of zero.
fn logarithms<'a>(engine: &Engine, values: &'a [f32]) -> Cow<'a, [f32]> {
    if engine.is_cpu() || values.iter().all(|value| value.is_finite()) {
        return values.into();
    }
    values.iter().map(|value| value.max(f32::MIN)).collect()
}

fn misfit() -> Error {
    Error::Data("the index of the run does not fit the catalogue or the settings of the index".into())
}
