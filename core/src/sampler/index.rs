//! The inverted multi-index (paper, section 4): two codebooks over the halves of the item vectors, and for
//! each pair of codewords the items nearest to it.

use super::{Catalogue, alias};
use crate::{
    Error, Result,
    engine::{Buffer, Engine, Recording},
    kernels::{AliasTable, Cells, KmeansAssign, KmeansUpdate, Points},
    rng::{Rng, Stream, below},
};

/// What a refresh found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexReport {
    /// Cells that hold at least one item.
    pub occupied_cells: usize,
    /// Items of the fullest cell.
    pub largest_cell: usize,
}

/// The index as a checkpoint keeps it; it determines every draw.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// Codewords, 2 x K x half.
    pub codewords: Vec<f32>,
    /// Cell of each item, M.
    pub cells: Vec<u32>,
    /// ln w of each item when the index was built, M.
    pub log_weights: Vec<f32>,
}

/// The index on an engine.
pub struct MidxIndex {
    /// K.
    codewords: usize,
    items: usize,
    half: usize,
    /// One K x half a codebook.
    books: [Buffer<f32>; 2],
    codes: [Buffer<u32>; 2],
    /// 2K x width, each codeword in its own half and zero in the other, so that one product scores both.
    stacked: Buffer<f32>,
    cells: Cells,
    built: bool,
    kept: Kept,
}

impl MidxIndex {
    /// Room for an index of `items` vectors of `width` with K codewords a codebook.
    ///
    /// # Errors
    /// If the engine cannot hold it.
    pub fn new(engine: &Engine, items: usize, width: usize, codewords: usize) -> Result<Self> {
        let half = width / 2;
        let cells = Cells {
            codewords,
            items,
            cell_of: engine.zeros("cell of item", items)?,
            starts: engine.zeros("cell starts", codewords * codewords + 1)?,
            members: engine.zeros("cell members", items)?,
            table: AliasTable {
                thresholds: engine.zeros("cell thresholds", items)?,
                aliases: engine.zeros("cell aliases", items)?,
            },
            log_weights: engine.zeros("cell log weights", codewords * codewords)?,
            item_log_weights: engine.zeros("item log weights", items)?,
        };
        Ok(Self {
            codewords,
            items,
            half,
            books: [
                engine.zeros("codebook 1", codewords * half)?,
                engine.zeros("codebook 2", codewords * half)?,
            ],
            codes: [engine.zeros("codes 1", items)?, engine.zeros("codes 2", items)?],
            stacked: engine.zeros("codebooks", 2 * codewords * width)?,
            cells,
            built: false,
            kept: Kept { codewords: Vec::new(), cells: Vec::new(), log_weights: Vec::new() },
        })
    }

    /// An index that a checkpoint kept.
    ///
    /// # Errors
    /// If it does not fit the catalogue or the number of codewords.
    pub fn restore(engine: &Engine, items: usize, codewords: usize, kept: Kept) -> Result<Self> {
        let width = kept.codewords.len() / codewords.max(1);
        let mut index = Self::new(engine, items, width, codewords)?;
        index.install(engine, kept)?;
        Ok(index)
    }

    /// What the kernels read.
    pub fn cells(&self) -> &Cells {
        &self.cells
    }

    /// Both codebooks, 2K x width: `queries . stacked' = [r1 | r2]`.
    pub fn stacked(&self) -> &Buffer<f32> {
        &self.stacked
    }

    /// What a checkpoint keeps.
    pub fn kept(&self) -> &Kept {
        &self.kept
    }

    /// Runs k-means, from the codewords in use or from random items the first time, and files every item.
    /// `weights` are the static weights of the items; their biases join them.
    ///
    /// # Errors
    /// If the device is lost.
    pub async fn refresh(
        &mut self,
        engine: &Engine,
        catalogue: &Catalogue,
        weights: &[f64],
        iterations: u32,
        rng: Rng,
        step: u32,
    ) -> Result<IndexReport> {
        let half = self.half;
        let points = |book: usize| Points {
            values: catalogue.table.clone(),
            count: catalogue.items,
            stride: catalogue.width,
            column: book * half,
            dimensions: half,
        };
        if !self.built {
            self.first_codewords(engine, catalogue, rng, step).await?;
        }
        for iteration in 0..iterations {
            let mut recording = Recording::new();
            for book in 0..2 {
                let (points, codewords, codes) =
                    (points(book), self.books[book].clone(), self.codes[book].clone());
                let tag = step.wrapping_mul(1000).wrapping_add(iteration * 2 + book as u32 + 2);
                let k = self.codewords;
                recording.push(KmeansAssign {
                    points: points.clone(),
                    codewords: codewords.clone(),
                    k,
                    codes: codes.clone(),
                });
                recording.push(KmeansUpdate { points, codes, k, rng, step: tag, codewords });
            }
            engine.run(&recording)?;
        }
        let mut recording = Recording::new();
        for book in 0..2 {
            let (codewords, codes) = (self.books[book].clone(), self.codes[book].clone());
            recording.push(KmeansAssign { points: points(book), codewords, k: self.codewords, codes });
        }
        engine.run(&recording)?;
        let (first, second) = (engine.read(&self.codes[0]).await?, engine.read(&self.codes[1]).await?);
        let k = self.codewords as u32;
        let cells = first.iter().zip(&second).map(|(a, b)| a * k + b).collect();
        let mut codewords = engine.read(&self.books[0]).await?;
        codewords.extend(engine.read(&self.books[1]).await?);
        let bias = match &catalogue.bias {
            Some(bias) => engine.read_range(bias, 0..self.items).await?,
            None => vec![0.0; self.items],
        };
        let log_weights = weights.iter().zip(&bias).map(|(w, b)| (w.ln() + f64::from(*b)) as f32).collect();
        self.install(engine, Kept { codewords, cells, log_weights })
    }

    async fn first_codewords(
        &mut self,
        engine: &Engine,
        catalogue: &Catalogue,
        rng: Rng,
        step: u32,
    ) -> Result<()> {
        for book in 0..2 {
            let mut codewords = Vec::with_capacity(self.codewords * self.half);
            for item in
                distinct(self.items, self.codewords, rng, step.wrapping_mul(1000).wrapping_add(book as u32))
            {
                let start = item * catalogue.width + book * self.half;
                codewords.extend(engine.read_range(&catalogue.table, start..start + self.half).await?);
            }
            engine.write(&self.books[book], 0, &codewords);
        }
        Ok(())
    }

    /// Puts codewords and codes in place and builds the lists of the cells.
    ///
    /// # Errors
    /// If the sizes are not this index's.
    pub fn install(&mut self, engine: &Engine, kept: Kept) -> Result<IndexReport> {
        let (k, half, width) = (self.codewords, self.half, 2 * self.half);
        let fits = kept.codewords.len() == k * width
            && kept.cells.len() == self.items
            && kept.log_weights.len() == self.items;
        if !fits || kept.cells.iter().any(|&cell| cell as usize >= k * k) {
            return Err(Error::Data(
                "the kept index does not fit the catalogue or the number of codewords".into(),
            ));
        }
        let lists = Lists::new(&kept, k);
        let mut stacked = vec![0.0; 2 * k * width];
        for (row, codeword) in kept.codewords.chunks_exact(half).enumerate() {
            let column = if row < k { 0 } else { half };
            stacked[row * width + column..][..half].copy_from_slice(codeword);
        }
        engine.write(&self.books[0], 0, &kept.codewords[..k * half]);
        engine.write(&self.books[1], 0, &kept.codewords[k * half..]);
        engine.write(&self.stacked, 0, &stacked);
        engine.write(&self.cells.cell_of, 0, &kept.cells);
        engine.write(&self.cells.item_log_weights, 0, &kept.log_weights);
        engine.write(&self.cells.starts, 0, &lists.starts);
        engine.write(&self.cells.members, 0, &lists.members);
        engine.write(&self.cells.table.thresholds, 0, &lists.thresholds);
        engine.write(&self.cells.table.aliases, 0, &lists.aliases);
        engine.write(&self.cells.log_weights, 0, &lists.log_weights);
        self.built = true;
        self.kept = kept;
        Ok(lists.report())
    }
}

/// The items of each cell with their alias tables.
struct Lists {
    starts: Vec<u32>,
    members: Vec<u32>,
    thresholds: Vec<u32>,
    aliases: Vec<u32>,
    log_weights: Vec<f32>,
}

impl Lists {
    fn new(kept: &Kept, k: usize) -> Self {
        let mut starts = vec![0u32; k * k + 1];
        for &cell in &kept.cells {
            starts[cell as usize + 1] += 1;
        }
        for cell in 0..k * k {
            starts[cell + 1] += starts[cell];
        }
        let mut cursors = starts.clone();
        let mut members = vec![0; kept.cells.len()];
        for (item, &cell) in kept.cells.iter().enumerate() {
            let cursor = &mut cursors[cell as usize];
            members[*cursor as usize] = item as u32;
            *cursor += 1;
        }
        let (mut thresholds, mut aliases) = (vec![0; members.len()], vec![0; members.len()]);
        let mut log_weights = vec![f32::NEG_INFINITY; k * k];
        for cell in 0..k * k {
            let range = starts[cell] as usize..starts[cell + 1] as usize;
            let logs = members[range.clone()].iter().map(|&i| f64::from(kept.log_weights[i as usize]));
            let top = logs.clone().fold(f64::NEG_INFINITY, f64::max);
            if top == f64::NEG_INFINITY {
                continue;
            }
            let weights: Vec<f64> = logs.map(|w| (w - top).exp()).collect();
            log_weights[cell] = (top + weights.iter().sum::<f64>().ln()) as f32;
            let (threshold, alias) = alias::build(&weights);
            thresholds[range.clone()].copy_from_slice(&threshold);
            aliases[range].copy_from_slice(&alias);
        }
        Self { starts, members, thresholds, aliases, log_weights }
    }

    fn report(&self) -> IndexReport {
        let sizes = || self.starts.windows(2).map(|w| (w[1] - w[0]) as usize);
        IndexReport {
            occupied_cells: sizes().filter(|&n| n > 0).count(),
            largest_cell: sizes().max().unwrap_or(0),
        }
    }
}

/// `count` different items (fewer items repeat), a function of the seed alone.
fn distinct(items: usize, count: usize, rng: Rng, step: u32) -> Vec<usize> {
    let mut taken = std::collections::BTreeSet::new();
    let mut chosen = Vec::with_capacity(count);
    let mut draw = 0;
    while chosen.len() < count {
        let item = below(rng.block(Stream::Codewords, step, u32::MAX, draw)[0], items as u32) as usize;
        draw += 1;
        if taken.insert(item) || taken.len() >= items {
            chosen.push(item);
        }
    }
    chosen
}
