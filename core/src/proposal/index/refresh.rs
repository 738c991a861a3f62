//! A refresh of the index: k-means in the geometry of the queries, and corrections of the items' weights for
//! residuals.

use super::{
    BookBuffers, IndexReport, IndexState, MidxIndex,
    quantise::{Book, Quantiser},
    space::Space,
};
use crate::{
    Result,
    config::Quantisation,
    engine::{Buffer, Engine, Recording},
    kernels::{GatherRows, MatMul, Points, ResidualNorms, View},
    proposal::Catalogue,
    rng::Rng,
};

/// The correction of an item's weight is limited to that for a logit error of this variance.
const MOST_VARIANCE: f64 = 4.0;

/// The result of k-means, and the items' biases (empty if there are none).
struct Found {
    codewords: Vec<f32>,
    codes: Vec<u32>,
    crowding: Vec<f32>,
    biases: Vec<f32>,
    /// Of the residuals, in the geometry of the queries: squared norms, and inner products with the mean
    /// query.
    norms: Vec<f32>,
    projections: Vec<f32>,
}

/// A [`Space`] on the engine.
struct OnEngine {
    space: Space,
    /// Width x dimensions.
    map: Buffer<f32>,
    /// Dimensions x width.
    back: Buffer<f32>,
    /// The mean query in this geometry, dimensions.
    mean: Buffer<f32>,
    /// Whether it was computed from queries.
    aware: bool,
}

impl MidxIndex {
    /// Runs k-means, from the current codewords or, the first time, from new ones, and assigns every item.
    /// `weights` are the static weights of the items; their biases are added here.
    ///
    /// # Errors
    /// If the device is lost or cannot hold the mapped items.
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
        if !self.built || (aware && !self.state.aware) {
            quantiser.begin().await?;
            quantiser.run(self.config.first_iterations)?;
        } else {
            self.go_on_from(engine, &quantiser.books, space.as_ref())?;
            quantiser.go_on()?;
            quantiser.run(self.config.refresh_iterations)?;
        }
        let left = space.as_ref().filter(|_| aware);
        if let Some(on) = left {
            quantiser.leave()?;
            self.project(engine, &points, on)?;
        }
        let Found { codewords, codes, crowding, biases, norms, projections } = self
            .found(engine, &quantiser.books, space.as_ref(), catalogue.bias.as_ref(), left.is_some())
            .await?;
        let mut log_weights: Vec<f64> = weights.iter().map(|w| w.ln()).collect();
        log_weights.iter_mut().zip(biases).for_each(|(weight, bias)| *weight += f64::from(bias));
        let corrections = norms.iter().zip(&projections).map(|(norm, mean)| correction(*norm, *mean));
        log_weights.iter_mut().zip(corrections).for_each(|(weight, correction)| *weight += correction);
        let logit_error = left.map(|_| mean(norms.iter().copied()).sqrt());
        let state = IndexState {
            codewords,
            codes,
            crowding,
            log_weights: log_weights.into_iter().map(|weight| weight as f32).collect(),
            aware,
        };
        let (occupied_cells, largest_cell) = self.install(engine, state)?;
        let table = all_columns(&catalogue.table, catalogue.items, catalogue.width);
        let mut recording = Recording::new();
        recording.push(self.residual_norms(table, self.config.codebooks));
        engine.run(&recording)?;
        let norms = engine.read(&self.norms).await?;
        Ok(IndexReport {
            occupied_cells,
            largest_cell,
            distortion: mean(norms.iter().copied()),
            largest_residual: norms.iter().fold(0.0f64, |top, &norm| top.max(f64::from(norm))).sqrt(),
            logit_error,
        })
    }

    /// The geometry of the queries observed so far, if the quantisation uses it.
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

    /// Maps the items to the geometry of the queries.
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

    /// The columns of the points that a codebook quantises.
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
                balance: buffers.balance.clone(),
            }
        };
        self.books.iter().enumerate().map(book).collect()
    }

    /// Copies the current codewords, in the geometry of the queries if there is one, to the buffers of k-means.
    fn go_on_from(&self, engine: &Engine, books: &[Book], space: Option<&OnEngine>) -> Result<()> {
        let (k, rows) = (self.config.codewords, books.len() * self.config.codewords);
        let mut recording = Recording::new();
        let current = match space {
            None => all_columns(&self.stacked, rows, self.width),
            Some(on) => {
                let d = on.space.dimensions;
                let mapped = engine.zeros("mapped codewords", rows * d)?;
                recording.push(MatMul::new(
                    rows,
                    d,
                    self.width,
                    View::rows(&self.stacked, self.width),
                    View::rows(&on.map, d),
                    View::rows(&mapped, d),
                ));
                all_columns(&mapped, rows, d)
            }
        };
        for (which, book) in books.iter().enumerate() {
            let columns = self.columns(which, space);
            let rows: Vec<u32> = (which * k..(which + 1) * k).map(|row| row as u32).collect();
            recording.push(GatherRows {
                points: Points { column: columns.start, dimensions: columns.len(), ..current.clone() },
                rows: engine.upload("codewords of a codebook", &rows)?,
                len: k,
                output: book.codewords.clone(),
            });
        }
        engine.run(&recording)
    }

    /// Reads the result of k-means in one transfer, with the items' biases and, if `left`, statistics of the
    /// residuals.
    async fn found(
        &self,
        engine: &Engine,
        books: &[Book],
        space: Option<&OnEngine>,
        bias: Option<&Buffer<f32>>,
        left: bool,
    ) -> Result<Found> {
        let (m, k, width) = (books.len(), self.config.codewords, self.width);
        if let Some(on) = space {
            let mut recording = Recording::new();
            for (which, book) in books.iter().enumerate() {
                let columns = self.columns(which, space);
                recording.push(MatMul::new(
                    k,
                    width,
                    columns.len(),
                    View::rows(&book.codewords, columns.len()),
                    View::rows(&on.back, width).skip_rows(columns.start),
                    View::rows(&self.stacked, width).skip_rows(which * k),
                ));
            }
            engine.run(&recording)?;
        }
        let of_books = books.iter().enumerate();
        let codewords: Vec<_> = match space {
            Some(_) => vec![(self.stacked.bits(), m * k * width)],
            None => {
                of_books.map(|(which, b)| (b.codewords.bits(), k * self.columns(which, None).len())).collect()
            }
        };
        let codes = self.books.iter().map(|book| (book.codes.clone(), self.items));
        let crowding = self.books.iter().filter_map(|b| b.balance.as_ref().map(|b| (b.crowding.bits(), k)));
        let rest = [&self.norms, &self.projections].into_iter().filter(|_| left);
        let of_items = bias.into_iter().chain(rest).map(|buffer| (buffer.bits(), self.items));
        let buffers: Vec<_> = codes.chain(of_items).chain(crowding).chain(codewords).collect();
        let parts: Vec<_> = buffers.iter().map(|(buffer, len)| (buffer, 0..*len)).collect();
        let mut read = engine.read_ranges(&parts).await?.into_iter();

        let mut codes = vec![0; self.items * m];
        for (which, of_book) in read.by_ref().take(m).enumerate() {
            codes[which..].iter_mut().step_by(m).zip(of_book).for_each(|(to, code)| *to = code);
        }
        let mut floats = read.map(bytemuck::allocation::cast_vec::<u32, f32>);
        let mut next = |there: bool| if there { floats.next().unwrap_or_default() } else { Vec::new() };
        let (biases, norms, projections) = (next(bias.is_some()), next(left), next(left));
        let balanced = self.books.iter().filter(|book| book.balance.is_some()).count();
        let crowding = floats.by_ref().take(balanced).flatten().collect();
        let codewords = if space.is_some() {
            floats.next().unwrap_or_default()
        } else {
            let mut stacked = vec![0.0; m * k * width];
            for (which, own) in floats.enumerate() {
                let columns = self.columns(which, None);
                let rows = stacked[which * k * width..].chunks_exact_mut(width);
                for (row, codeword) in rows.zip(own.chunks_exact(columns.len())) {
                    row[columns.clone()].copy_from_slice(codeword);
                }
            }
            stacked
        };
        Ok(Found { codewords, codes, crowding, biases, norms, projections })
    }

    /// Squared norms of the items' residuals, in the geometry of the queries, and their inner products with
    /// the mean query.
    fn project(&self, engine: &Engine, left: &Points, on: &OnEngine) -> Result<()> {
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
        recording.push(self.residual_norms(left.clone(), 0));
        engine.run(&recording)
    }

    fn residual_norms(&self, points: Points, codebooks: usize) -> ResidualNorms {
        ResidualNorms {
            points,
            codewords: self.stacked.clone(),
            rows: self.codewords_of.clone(),
            codebooks,
            norms: self.norms.clone(),
        }
    }
}

/// Correction of an item's log weight for its residual, from the residual's squared norm in the geometry of
/// the queries and its inner product with the mean query.
///
/// Over the queries, the part r . q of a logit that codewords do not represent has mean `r . E q` and
/// variance `r' S r - (r . E q)^2`. The mean plus a quarter of the variance is added to the item's log
/// weight. (A normal distribution would give half of the variance; a quarter gives the divergence from the
/// softmax and the effective sample size equal importance.)
fn correction(norm: f32, mean: f32) -> f64 {
    let (norm, mean) = (f64::from(norm), f64::from(mean));
    mean + 0.25 * (norm - mean * mean).clamp(0.0, MOST_VARIANCE)
}

fn all_columns(values: &Buffer<f32>, count: usize, width: usize) -> Points {
    Points { values: values.clone(), count, stride: width, column: 0, dimensions: width }
}

fn mean(values: impl ExactSizeIterator<Item = f32>) -> f64 {
    let count = values.len().max(1) as f64;
    values.map(f64::from).sum::<f64>() / count
}
