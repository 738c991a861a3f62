//! The inverted multi-index (paper, section 4): a few codebooks whose codewords add up to nearly the item
//! vectors, and for each combination of codewords the items nearest to it.

mod lists;
mod moment;
mod quantise;
mod space;

use self::{
    lists::{Lists, capacity},
    moment::Moments,
    quantise::{Book, Quantiser},
    space::Space,
};
use super::Catalogue;
use crate::{
    Error, Result,
    config::{CodewordWeights, LossConfig, Quantisation},
    engine::{Buffer, Engine, Recording},
    kernels::{AliasTable, Cells, MatMul, Points, ResidualNorms, View},
    rng::Rng,
};

/// What a refresh found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IndexReport {
    /// Cells that hold at least one item.
    pub occupied_cells: usize,
    /// Items of the fullest cell.
    pub largest_cell: usize,
    /// Mean over items of the squared norm of the residual, item vector less codewords.
    pub distortion: f64,
    /// The largest norm of a residual: C of the paper's theorems 5.3 and 5.4.
    pub largest_residual: f64,
    /// Root mean square over items and recent queries of query . residual, what the index gets wrong of a
    /// logit; where the quantisation knows the queries.
    pub logit_error: Option<f64>,
}

/// The index as a checkpoint keeps it; it determines every draw.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// Codewords as queries meet them, codebook by codebook: m K x width. Those of a product quantiser are
    /// zero outside of their own columns.
    pub codewords: Vec<f32>,
    /// Codeword of each item in each codebook, M x m.
    pub codes: Vec<u32>,
    /// ln w of each item when the index was built: its static weight, its bias, and what its residual adds for
    /// the queries seen, M.
    pub log_weights: Vec<f32>,
    /// Whether the codewords were made for the queries of a run. The first refresh that has seen queries
    /// starts anew.
    pub aware: bool,
}

/// Beyond this variance of a logit's error the correction of an item's weight grows no more.
const MOST_VARIANCE: f64 = 4.0;

/// The index on an engine.
pub struct MidxIndex {
    config: LossConfig,
    items: usize,
    width: usize,
    books: Vec<BookBuffers>,
    /// Items in the geometry of the queries, M x dimensions.
    mapped: Option<Buffer<f32>>,
    /// m K x width, so that one product scores all codebooks.
    stacked: Buffer<f32>,
    /// Rows of `stacked` that make up each item, M x m.
    rows: Buffer<u32>,
    norms: Buffer<f32>,
    projections: Buffer<f32>,
    cells: Cells,
    moments: Moments,
    /// What items weigh when codewords are made, M, where they differ.
    weights: Option<(Vec<f32>, Buffer<f32>)>,
    built: bool,
    kept: Kept,
}

/// What k-means works on for one codebook.
struct BookBuffers {
    codewords: Buffer<f32>,
    codes: Buffer<u32>,
}

impl MidxIndex {
    /// Room for an index of items with training `counts`, of vectors of `width` and with the codebooks that
    /// `config` asks for.
    ///
    /// # Errors
    /// If the engine cannot hold it.
    pub fn new(engine: &Engine, config: &LossConfig, counts: &[u32], width: usize) -> Result<Self> {
        let items = counts.len();
        let (k, m) = (config.codewords, config.codebooks);
        let (room, _) = capacity(items, k, m);
        let codes = if m > 2 { (room + 1) * (m + 1) } else { 1 };
        let cells = Cells {
            codebooks: m,
            codewords: k,
            items,
            blocks: 0,
            columns: 0,
            cell_of: engine.zeros("cell of item", items)?,
            starts: engine.zeros("cell starts", room + 1)?,
            members: engine.zeros("cell members", items)?,
            table: AliasTable {
                thresholds: engine.zeros("cell thresholds", items)?,
                aliases: engine.zeros("cell aliases", items)?,
            },
            log_weights: engine.zeros("cell log weights", room)?,
            item_log_weights: engine.zeros("item log weights", items)?,
            codes: engine.zeros("cell codes", codes)?,
        };
        let book = |_| {
            Ok(BookBuffers {
                codewords: engine.zeros("codebook", k * width)?,
                codes: engine.zeros("codes", items)?,
            })
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
        Ok(Self {
            config: config.clone(),
            items,
            width,
            books: (0..m).map(book).collect::<Result<_>>()?,
            mapped: None,
            stacked: engine.zeros("codebooks", m * k * width)?,
            rows: engine.zeros("codewords of items", items * m)?,
            norms: engine.zeros("residual norms", items)?,
            projections: engine.zeros("residuals of the mean query", items)?,
            cells,
            moments: Moments::new(engine, width)?,
            weights,
            built: false,
            kept: Kept::default(),
        })
    }

    /// An index that a checkpoint kept, with the moments of queries that it had seen.
    ///
    /// # Errors
    /// If it does not fit the catalogue or the settings.
    pub fn restore(
        engine: &Engine,
        config: &LossConfig,
        counts: &[u32],
        kept: Kept,
        moments: &[f32],
    ) -> Result<Self> {
        let width = kept.codewords.len() / (config.codebooks * config.codewords).max(1);
        let mut index = Self::new(engine, config, counts, width)?;
        if moments.len() != (width + 1) * width {
            return Err(misfit());
        }
        index.moments.restore(engine, moments);
        index.install(engine, kept)?;
        Ok(index)
    }

    /// What the kernels read.
    pub fn cells(&self) -> &Cells {
        &self.cells
    }

    /// The codewords of all codebooks, m K x width: `queries . stacked' = [r1 | r2 | ..]`.
    pub fn stacked(&self) -> &Buffer<f32> {
        &self.stacked
    }

    /// What a checkpoint keeps.
    pub fn kept(&self) -> &Kept {
        &self.kept
    }

    /// Running means of q q' and, in the last row, of q over the queries seen so far, (width + 1) x width; a
    /// checkpoint keeps them too.
    pub fn moments(&self) -> &Buffer<f32> {
        self.moments.buffer()
    }

    /// The most cells that an index of `items` items may have, and the most blocks of them.
    pub fn capacity(config: &LossConfig, items: usize) -> (usize, usize) {
        capacity(items, config.codewords, config.codebooks)
    }

    /// Takes up `rows` queries for the next refresh, where the quantisation goes by them.
    pub fn observe(&self, recording: &mut Recording, queries: &Buffer<f32>, rows: usize) {
        if self.config.quantisation != Quantisation::Product {
            self.moments.observe(recording, queries, rows);
        }
    }

    /// Runs k-means, from the codewords in use or from new ones the first time, and files every item.
    /// `weights` are the static weights of the items; their biases join them.
    ///
    /// # Errors
    /// If the device is lost or has no room for the mapped items.
    pub async fn refresh(
        &mut self,
        engine: &Engine,
        catalogue: &Catalogue,
        weights: &[f64],
        rng: Rng,
        step: u32,
    ) -> Result<IndexReport> {
        let space = self.space(engine).await?;
        let aware = space.as_ref().is_some_and(|space| space.aware);
        let points = match &space {
            Some(space) => self.map(engine, catalogue, space)?,
            None => all_columns(&catalogue.table, catalogue.items, catalogue.width),
        };
        let quantiser = Quantiser {
            engine,
            books: self.books_over(&points, space.as_ref()),
            k: self.config.codewords,
            residual: self.config.quantisation == Quantisation::Residual,
            initialisation: self.config.initialisation,
            weights: self.weights.clone(),
            rng,
            step,
        };
        if !self.built || (aware && !self.kept.aware) {
            quantiser.begin().await?;
            quantiser.run(self.config.first_iterations)?;
        } else {
            self.go_on_from(engine, &quantiser.books, space.as_ref()).await?;
            quantiser.go_on()?;
            quantiser.run(self.config.refresh_iterations)?;
        }
        let left = match space.as_ref().filter(|_| aware) {
            Some(on) => {
                quantiser.leave()?;
                Some(self.left_over(engine, &points, on).await?)
            }
            None => None,
        };
        let mut log_weights: Vec<f64> = weights.iter().map(|w| w.ln()).collect();
        if let Some(bias) = &catalogue.bias {
            let bias = engine.read_range(bias, 0..self.items).await?;
            log_weights.iter_mut().zip(bias).for_each(|(weight, bias)| *weight += f64::from(bias));
        }
        if let Some((_, corrections)) = &left {
            log_weights.iter_mut().zip(corrections).for_each(|(weight, correction)| *weight += correction);
        }
        let kept = Kept {
            codewords: self.effective(engine, &quantiser.books, space.as_ref()).await?,
            codes: self.codes(engine).await?,
            log_weights: log_weights.into_iter().map(|weight| weight as f32).collect(),
            aware,
        };
        let (occupied_cells, largest_cell) = self.install(engine, kept)?;
        let table = all_columns(&catalogue.table, catalogue.items, catalogue.width);
        let norms = self.residual_norms(engine, table, self.config.codebooks).await?;
        Ok(IndexReport {
            occupied_cells,
            largest_cell,
            distortion: mean(norms.iter().copied()),
            largest_residual: norms.iter().fold(0.0f64, |top, &norm| top.max(f64::from(norm))).sqrt(),
            logit_error: left.map(|(error, _)| error),
        })
    }

    /// The geometry of the queries seen so far, where the quantisation goes by it.
    async fn space(&self, engine: &Engine) -> Result<Option<OnEngine>> {
        if self.config.quantisation == Quantisation::Product {
            return Ok(None);
        }
        let moments = engine.read(self.moments.buffer()).await?;
        let (second, mean) = moments.split_at(self.width * self.width);
        let space = Space::new(second, self.width, self.config.codebooks);
        Ok(Some(OnEngine {
            map: engine.upload("map to query space", &space.map)?,
            back: engine.upload("map from query space", &space.back)?,
            mean: engine.upload("mean query", &space.within(mean))?,
            aware: second.iter().any(|&x| x != 0.0),
            space,
        }))
    }

    /// Items in the geometry of the queries.
    fn map(&mut self, engine: &Engine, catalogue: &Catalogue, to: &OnEngine) -> Result<Points> {
        let d = to.space.dimensions;
        let mapped = match self.mapped.take().filter(|mapped| mapped.len() == self.items * d) {
            Some(mapped) => mapped,
            None => engine.zeros("mapped items", self.items * d)?,
        };
        let mut recording = Recording::new();
        recording.push(MatMul::new(
            self.items,
            d,
            self.width,
            View::rows(&catalogue.table, catalogue.width),
            View::rows(&to.map, d),
            View::rows(&mapped, d),
        ));
        engine.run(&recording)?;
        self.mapped = Some(mapped.clone());
        Ok(all_columns(&mapped, self.items, d))
    }

    /// The effective codewords in the geometry of the queries, m K x dimensions.
    fn map_codewords(&self, engine: &Engine, to: &OnEngine) -> Result<Buffer<f32>> {
        let (rows, d) = (self.config.codebooks * self.config.codewords, to.space.dimensions);
        let mapped = engine.zeros("mapped codewords", rows * d)?;
        let mut recording = Recording::new();
        recording.push(MatMul::new(
            rows,
            d,
            self.width,
            View::rows(&self.stacked, self.width),
            View::rows(&to.map, d),
            View::rows(&mapped, d),
        ));
        engine.run(&recording)?;
        Ok(mapped)
    }

    /// The columns that a codebook quantises.
    fn columns(&self, book: usize, space: Option<&OnEngine>) -> std::ops::Range<usize> {
        let m = self.config.codebooks;
        match space {
            None => book * self.width / m..(book + 1) * self.width / m,
            Some(on) if self.config.quantisation == Quantisation::Residual => 0..on.space.dimensions,
            Some(on) => on.space.part(book, m),
        }
    }

    fn books_over(&self, points: &Points, space: Option<&OnEngine>) -> Vec<Book> {
        let book = |(which, buffers): (usize, &BookBuffers)| {
            let columns = self.columns(which, space);
            Book {
                points: Points { column: columns.start, dimensions: columns.len(), ..points.clone() },
                codewords: buffers.codewords.clone(),
                codes: buffers.codes.clone(),
            }
        };
        self.books.iter().enumerate().map(book).collect()
    }

    /// Puts the codewords in use where k-means finds them.
    async fn go_on_from(&self, engine: &Engine, books: &[Book], space: Option<&OnEngine>) -> Result<()> {
        let mapped = match space {
            Some(on) => Some(engine.read(&self.map_codewords(engine, on)?).await?),
            None => None,
        };
        let (values, width) = match (&mapped, space) {
            (Some(mapped), Some(on)) => (mapped, on.space.dimensions),
            _ => (&self.kept.codewords, self.width),
        };
        let k = self.config.codewords;
        for (which, book) in books.iter().enumerate() {
            let columns = self.columns(which, space);
            let rows = values[which * k * width..][..k * width].chunks_exact(width);
            let own: Vec<f32> = rows.flat_map(|row| &row[columns.clone()]).copied().collect();
            engine.write(&book.codewords, 0, &own);
        }
        Ok(())
    }

    /// Codewords as queries meet them.
    async fn effective(&self, engine: &Engine, books: &[Book], space: Option<&OnEngine>) -> Result<Vec<f32>> {
        let (k, width) = (self.config.codewords, self.width);
        let Some(on) = space else {
            let mut stacked = vec![0.0; books.len() * k * width];
            for (which, book) in books.iter().enumerate() {
                let columns = self.columns(which, None);
                let own = engine.read_range(&book.codewords, 0..k * columns.len()).await?;
                let rows = stacked[which * k * width..].chunks_exact_mut(width);
                for (row, codeword) in rows.zip(own.chunks_exact(columns.len())) {
                    row[columns.clone()].copy_from_slice(codeword);
                }
            }
            return Ok(stacked);
        };
        let mut recording = Recording::new();
        for (which, book) in books.iter().enumerate() {
            let columns = self.columns(which, space);
            recording.push(MatMul::new(
                k,
                width,
                columns.len(),
                View::rows(&book.codewords, columns.len()),
                View::rows(&on.back, width).from_row(columns.start),
                View::rows(&self.stacked, width).from_row(which * k),
            ));
        }
        engine.run(&recording)?;
        engine.read(&self.stacked).await
    }

    async fn codes(&self, engine: &Engine) -> Result<Vec<u32>> {
        let m = self.books.len();
        let mut codes = vec![0; self.items * m];
        for (which, book) in self.books.iter().enumerate() {
            let of_book = engine.read(&book.codes).await?;
            codes[which..].iter_mut().step_by(m).zip(of_book).for_each(|(to, code)| *to = code);
        }
        Ok(codes)
    }

    /// Of the squared norms of residuals in the geometry of the queries: their root mean square, which is the
    /// error of a logit, and what each item's weight makes up for.
    ///
    /// Over the queries, the part r . q of a logit that codewords leave out has mean `r . E q` and variance
    /// `r' S r - (r . E q)^2`. The mean and a quarter of the variance (half of what a normal distribution
    /// would ask for: that favours the divergence from the softmax as much as the effective sample size)
    /// join the item's weight.
    async fn left_over(&self, engine: &Engine, left: &Points, on: &OnEngine) -> Result<(f64, Vec<f64>)> {
        let d = on.space.dimensions;
        let mut recording = Recording::new();
        recording.push(MatMul::new(
            self.items,
            1,
            d,
            View::rows(&left.values, d),
            View::rows(&on.mean, 1),
            View::rows(&self.projections, 1),
        ));
        engine.run(&recording)?;
        let norms = self.residual_norms(engine, left.clone(), 0).await?;
        let means = engine.read(&self.projections).await?;
        let correction = |(norm, mean): (&f32, &f32)| {
            let (norm, mean) = (f64::from(*norm), f64::from(*mean));
            mean + 0.25 * (norm - mean * mean).clamp(0.0, MOST_VARIANCE)
        };
        let error = mean(norms.iter().copied()).sqrt();
        Ok((error, norms.iter().zip(&means).map(correction).collect()))
    }

    async fn residual_norms(&self, engine: &Engine, points: Points, codebooks: usize) -> Result<Vec<f32>> {
        let mut recording = Recording::new();
        recording.push(ResidualNorms {
            points,
            codewords: self.stacked.clone(),
            rows: self.rows.clone(),
            codebooks,
            norms: self.norms.clone(),
        });
        engine.run(&recording)?;
        engine.read(&self.norms).await
    }

    /// Puts codewords and codes in place and builds the lists of the cells; returns how many cells are
    /// occupied, and the items of the fullest.
    ///
    /// # Errors
    /// If the sizes are not this index's.
    pub fn install(&mut self, engine: &Engine, kept: Kept) -> Result<(usize, usize)> {
        let (k, m) = (self.config.codewords, self.config.codebooks);
        let fits = kept.codewords.len() == m * k * self.width
            && kept.codes.len() == self.items * m
            && kept.log_weights.len() == self.items;
        if !fits || kept.codes.iter().any(|&code| code as usize >= k) {
            return Err(misfit());
        }
        let lists = Lists::new(&kept, k, m);
        for (which, book) in self.books.iter().enumerate() {
            let codes: Vec<u32> =
                kept.codes[which.min(kept.codes.len())..].iter().step_by(m).copied().collect();
            engine.write(&book.codes, 0, &codes);
        }
        let rows: Vec<u32> =
            kept.codes.iter().enumerate().map(|(at, code)| (at % m * k) as u32 + code).collect();
        engine.write(&self.rows, 0, &rows);
        engine.write(&self.stacked, 0, &kept.codewords);
        (self.cells.blocks, self.cells.columns) = (lists.blocks, lists.columns);
        engine.write(&self.cells.cell_of, 0, &lists.cell_of);
        engine.write(&self.cells.item_log_weights, 0, &kept.log_weights);
        engine.write(&self.cells.starts, 0, &lists.starts);
        engine.write(&self.cells.members, 0, &lists.members);
        engine.write(&self.cells.table.thresholds, 0, &lists.thresholds);
        engine.write(&self.cells.table.aliases, 0, &lists.aliases);
        engine.write(&self.cells.log_weights, 0, &lists.log_weights);
        engine.write(&self.cells.codes, 0, &lists.codes);
        self.built = true;
        self.kept = kept;
        Ok(lists.occupancy())
    }
}

/// A [`Space`] where kernels find it.
struct OnEngine {
    space: Space,
    /// Width x dimensions.
    map: Buffer<f32>,
    /// Dimensions x width.
    back: Buffer<f32>,
    /// The mean query in this geometry, dimensions.
    mean: Buffer<f32>,
    /// Whether it comes from queries.
    aware: bool,
}

fn all_columns(values: &Buffer<f32>, count: usize, width: usize) -> Points {
    Points { values: values.clone(), count, stride: width, column: 0, dimensions: width }
}

fn mean(values: impl ExactSizeIterator<Item = f32>) -> f64 {
    let count = values.len().max(1) as f64;
    values.map(f64::from).sum::<f64>() / count
}

fn misfit() -> Error {
    Error::Data("the kept index does not fit the catalogue or the settings of the index".into())
}
