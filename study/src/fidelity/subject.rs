//! The users over whom proposals are measured: their queries, and the exact softmax.

use fastvae::{
    Error, Result,
    config::Quantisation,
    data::Csr,
    engine::{Buffer, Engine, Recording, parallel},
    kernels::{Groups, ItemsOf},
    model::{Batch, Scorer, record_products},
    proposal::{self, Catalogue, Draw, Proposal, Wanted},
    rng::Rng,
};

use super::Sampler;

/// Most logits or lookups computed at once.
const AT_ONCE: usize = 1 << 22;

/// A sample of a model's users.
pub struct Subject<'a> {
    /// Engine that holds the model.
    pub engine: &'a Engine,
    /// Item vectors and biases; the buffers are shared with the model.
    pub catalogue: Catalogue,
    /// Histories of the users, N rows.
    pub histories: Csr,
    /// Queries: the decoded mean of each user's latent code, N x width.
    pub queries: Vec<f32>,
    /// Logits, N x M.
    pub logits: Vec<f32>,
    /// `ln sum exp o` of each user, N.
    pub log_z: Vec<f64>,
}

impl<'a> Subject<'a> {
    /// Computes queries of these users, without dropout or noise, and the logits of all items.
    ///
    /// # Errors
    /// If the engine has not enough memory for a piece, or the device is lost.
    pub async fn new(engine: &'a Engine, model: &dyn Scorer, histories: Csr) -> Result<Self> {
        let catalogue = model.item_vectors().ok_or_else(no_vectors)?;
        let (users, items, width) = (histories.rows(), catalogue.items, catalogue.width);
        let piece = piece(items, users);
        let starts: Vec<usize> = (0..users).step_by(piece).collect();
        let entries_of = |start: usize| {
            (histories.offsets()[(start + piece).min(users)] - histories.offsets()[start]) as usize
        };
        let entries = starts.iter().map(|&start| entries_of(start)).max().unwrap_or(0);
        let scoring = model.scoring(engine, piece, entries)?;
        let offsets: Buffer<u32> = engine.zeros("history offsets", piece + 1)?;
        let seen: Buffer<u32> = engine.zeros("history items", entries.max(1))?;
        let scores: Buffer<f32> = engine.zeros("logits", piece * items)?;
        let (mut queries, mut logits) =
            (Vec::with_capacity(users * width), Vec::with_capacity(users * items));
        for start in starts {
            let count = piece.min(users - start);
            let first = histories.offsets()[start];
            let local: Vec<u32> =
                histories.offsets()[start..=start + count].iter().map(|offset| offset - first).collect();
            let end = local[count] as usize;
            engine.write(&offsets, 0, &local)?;
            engine.write(&seen, 0, &histories.items()[first as usize..first as usize + end])?;
            let batch = Batch {
                offsets: offsets.clone(),
                items: seen.clone(),
                // Only training reads the row of each entry.
                rows: seen.clone(),
                users: count,
                entries: end,
                longest: end,
                known: None,
            };
            let mut recording = Recording::new();
            let of_users = scoring.record_queries(&mut recording, &batch).ok_or_else(no_vectors)?;
            record_products(&mut recording, count, &of_users, &catalogue, &scores);
            engine.run(&recording)?;
            queries.extend(engine.read_range(&of_users, 0..count * width).await?);
            logits.extend(engine.read_range(&scores, 0..count * items).await?);
        }
        let log_z = logits.chunks_exact(items).map(log_sum_exp).collect();
        Ok(Self { engine, catalogue, histories, queries, logits, log_z })
    }

    /// Number of users, N.
    pub fn users(&self) -> usize {
        self.log_z.len()
    }

    /// Number of items, M.
    pub fn items(&self) -> usize {
        self.catalogue.items
    }

    /// Query of a user.
    pub fn query(&self, user: usize) -> &[f32] {
        &self.queries[user * self.catalogue.width..][..self.catalogue.width]
    }

    /// Log softmax of a user, all items.
    pub fn log_p(&self, user: usize) -> impl Iterator<Item = f64> + '_ {
        let log_z = self.log_z[user];
        self.logits[user * self.items()..][..self.items()].iter().map(move |&o| f64::from(o) - log_z)
    }

    /// Builds a proposal for the current item vectors; query-aware ones also observe these users' queries.
    /// `counts` are the training interactions of each item.
    ///
    /// # Errors
    /// If the settings are invalid, or the engine has not enough memory.
    pub async fn prepare(&self, sampler: &Sampler, counts: &[u32], seed: u64) -> Result<Ready> {
        self.prepare_from(&self.catalogue, sampler, counts, seed).await
    }

    /// The same, but the index is built from `before`, earlier vectors of the same items: the state of a run
    /// after its last refresh.
    ///
    /// # Errors
    /// As [`Subject::prepare`].
    pub async fn prepare_from(
        &self,
        before: &Catalogue,
        sampler: &Sampler,
        counts: &[u32],
        seed: u64,
    ) -> Result<Ready> {
        let most_queries = piece(self.items(), self.users());
        let mut proposal = proposal::build(self.engine, &sampler.proposal, counts, most_queries)?;
        proposal.attach(&self.catalogue);
        proposal.refresh(self.engine, before, Rng::new(seed), 0).await?;
        if sampler.proposal.quantisation != Quantisation::Product {
            let queries = self.engine.upload("queries", &self.queries)?;
            let mut recording = Recording::new();
            proposal.observe(&mut recording, &queries, self.users());
            self.engine.run(&recording)?;
            proposal.refresh(self.engine, before, Rng::new(seed), 1).await?;
        }
        Ok(Ready { sampler: sampler.clone(), proposal, rng: Rng::new(seed), most_queries })
    }

    /// Computes log q of every item for queries, `queries x M` values, one piece at a time. `see` gets the
    /// number of the first query of the piece and the values.
    ///
    /// # Errors
    /// If the device is lost.
    pub async fn log_q_of_all(
        &self,
        ready: &Ready,
        queries: &[f32],
        mut see: impl FnMut(usize, &[f32]),
    ) -> Result<()> {
        let (items, width) = (self.items(), self.catalogue.width);
        let count = queries.len() / width;
        let most = ready.most_queries.min(count);
        let each: Vec<u32> = (0..most * items).map(|e| (e % items) as u32).collect();
        let rows: Vec<u32> = (0..most * items).map(|e| (e / items) as u32).collect();
        let (each, rows) =
            (self.engine.upload("all items", &each)?, self.engine.upload("rows of all items", &rows)?);
        let input = self.engine.zeros("queries", most * width)?;
        let groups = ready.groups(most, ready.sampler.proposal.negatives);
        let log_q = self.engine.zeros("log q of all items", most * items)?;
        for start in (0..count).step_by(most) {
            let users = most.min(count - start);
            self.engine.write(&input, 0, &queries[start * width..][..users * width])?;
            let draw = Draw {
                queries: &input,
                groups: ready.groups(users, groups.candidates),
                rng: ready.rng,
                step: 0,
            };
            let mut recording = Recording::new();
            let all = ItemsOf::Entries { items: each.clone(), rows: rows.clone(), entries: users * items };
            ready.proposal.prepare(&mut recording, &draw);
            ready.proposal.log_q(&mut recording, &draw, &[Wanted { items: all, log_q: log_q.clone() }]);
            self.engine.run(&recording)?;
            see(start, &self.engine.read_range(&log_q, 0..users * items).await?);
        }
        Ok(())
    }
}

/// A proposal that has been built and can draw.
pub struct Ready {
    /// The sampler's settings.
    pub sampler: Sampler,
    /// The proposal.
    pub proposal: Box<dyn Proposal>,
    /// Generator of its draws.
    pub rng: Rng,
    /// Most queries in one step.
    pub most_queries: usize,
}

impl Ready {
    /// Groups of `users` users under the sampler's group size.
    pub fn groups(&self, users: usize, candidates: usize) -> Groups {
        Groups { batch: users, samples: 1, size: self.sampler.proposal.group_size, candidates }
    }
}

fn no_vectors() -> Error {
    Error::Data("this model has no item vectors, so no proposal can be measured on it".into())
}

/// Number of users whose logits fit in one piece.
fn piece(items: usize, users: usize) -> usize {
    (AT_ONCE / items.max(1)).clamp(1, 256).min(users.max(1))
}

fn log_sum_exp(logits: &[f32]) -> f64 {
    let top = logits.iter().fold(f64::NEG_INFINITY, |top, &o| top.max(f64::from(o)));
    top + logits.iter().map(|&o| (f64::from(o) - top).exp()).sum::<f64>().ln()
}

/// Calls `body` for every index on threads and returns the results in order.
pub(super) fn map<T: Clone + Default + Send>(
    count: usize,
    body: impl Fn(usize) -> T + Sync + Send,
) -> Vec<T> {
    let mut results = vec![T::default(); count];
    parallel::for_each_chunk(&mut results, 1, |index, result| result[0] = body(index));
    results
}
