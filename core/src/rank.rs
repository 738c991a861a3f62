//! Exact ranking of all items for many users, in pieces that fit in memory.

#[cfg(feature = "baselines")]
use crate::model::{Alike, alike};
use crate::{
    Error, Result,
    data::Csr,
    engine::{Buffer, Engine, Recording},
    kernels::{MaskSeen, TopK},
    model::{Batch, Scorer},
    watch,
};

/// The best items of each user.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranking {
    /// Users x k, best first; `u32::MAX` in the places of a user with fewer than k ranked items.
    pub ids: Vec<u32>,
    /// The scores of these items, in the same order.
    pub scores: Vec<f32>,
    /// Ranks per user, k.
    pub k: usize,
}

impl Ranking {
    /// The ranked items of one user, without the empty places at the end.
    pub fn row(&self, user: usize) -> &[u32] {
        let row = &self.ids[user * self.k..][..self.k];
        &row[..row.iter().position(|&id| id == u32::MAX).unwrap_or(self.k)]
    }
}

/// Which items may be ranked.
#[derive(Clone, Debug)]
pub struct RankOptions {
    /// Leave out the items of a user's own history.
    pub mask_seen: bool,
    /// One flag per item, `false` to exclude it; `None` allows all items.
    pub allowed: Option<Vec<bool>>,
    /// Row `n`: further items to leave out of the list of history `n`; `None`: no others.
    pub excluded: Option<Csr>,
}

impl Default for RankOptions {
    fn default() -> Self {
        Self { mask_seen: true, allowed: None, excluded: None }
    }
}

/// Fails if histories are not over the catalogue of a model of `items` items.
pub(crate) fn same_catalogue(what: &str, rows: &Csr, items: usize) -> Result<()> {
    if rows.columns() == items {
        return Ok(());
    }
    Err(Error::Data(format!(
        "{what} over a catalogue of {} items cannot be used with a model of {items}: read the set that it is trained on, \
         with the same filters",
        rows.columns()
    )))
}

/// Scores held at once: 64 MiB.
const SCORES: usize = 1 << 24;
/// The most users scored at once, however small the catalogue.
const USERS: usize = 1024;
/// Pieces whose results are read from the engine in one transfer.
const PIECES: usize = 8;

/// The `k` best items for each history.
///
/// # Errors
/// [`Error::Data`] if the histories are over another catalogue than the model's; [`Error::Device`] if the engine cannot
/// hold a piece of the scores, is not the model's, or is lost.
pub async fn rank(
    engine: &Engine,
    model: &dyn Scorer,
    histories: &Csr,
    k: usize,
    options: &RankOptions,
) -> Result<Ranking> {
    let (items, users) = (model.items(), histories.rows());
    same_catalogue("histories", histories, items)?;
    if let Some(allowed) = options.allowed.as_ref().filter(|allowed| allowed.len() != items) {
        let problem = format!("{} flags for the {items} items of the model; give one an item", allowed.len());
        return Err(Error::Data(problem));
    }
    if let Some(excluded) = &options.excluded {
        same_catalogue("excluded items", excluded, items)?;
        if excluded.rows() != users {
            return Err(Error::Data(format!(
                "{} rows of excluded items for {users} histories; give one a history",
                excluded.rows()
            )));
        }
    }
    #[cfg(feature = "baselines")]
    if let Some(groups) = alike(model, histories) {
        return rank_apart(engine, model, histories, &groups, k, options).await;
    }
    rank_alike(engine, model, histories, None, k, options).await
}

/// As [`rank`], for histories of training users and of others, each in batches of their own.
#[cfg(feature = "baselines")]
async fn rank_apart(
    engine: &Engine,
    model: &dyn Scorer,
    histories: &Csr,
    groups: &[Alike],
    k: usize,
    options: &RankOptions,
) -> Result<Ranking> {
    let (users, k) = (histories.rows(), k.min(model.items()));
    let mut ranking = Ranking { ids: vec![u32::MAX; users * k], scores: vec![0.0; users * k], k };
    for Alike { rows, known } in groups {
        let excluded = options.excluded.as_ref().map(|excluded| excluded.select(rows)).transpose()?;
        let options = RankOptions { excluded, ..options.clone() };
        let of_group = histories.select(rows)?;
        let part = rank_alike(engine, model, &of_group, known.as_deref(), k, &options).await?;
        for (at, &row) in rows.iter().enumerate() {
            let (from, to) = (at * k, row as usize * k);
            ranking.ids[to..to + k].copy_from_slice(&part.ids[from..from + k]);
            ranking.scores[to..to + k].copy_from_slice(&part.scores[from..from + k]);
        }
    }
    Ok(ranking)
}

/// As [`rank`], for histories that a batch may hold together: of the training users of these rows, or of others.
async fn rank_alike(
    engine: &Engine,
    model: &dyn Scorer,
    histories: &Csr,
    known_rows: Option<&[u32]>,
    k: usize,
    options: &RankOptions,
) -> Result<Ranking> {
    let (items, users) = (model.items(), histories.rows());
    let masked = match &options.excluded {
        None => None,
        Some(excluded) => Some(masked_rows(histories, excluded, options.mask_seen)?),
    };
    let k = k.min(items);
    let piece = (SCORES / items.max(1)).clamp(1, USERS).min(users.max(1));
    let starts: Vec<usize> = (0..users).step_by(piece).collect();
    let most_entries = |rows: &Csr| {
        let offsets = rows.offsets();
        let of = |&start: &usize| (offsets[(start + piece).min(users)] - offsets[start]) as usize;
        starts.iter().map(of).max().unwrap_or(0)
    };
    let entries = most_entries(histories);
    let scoring = model.scoring(engine, piece, entries)?;
    let offsets: Buffer<u32> = engine.zeros("rank offsets", piece + 1)?;
    let seen: Buffer<u32> = engine.zeros("rank items", entries.max(1))?;
    let known = match known_rows {
        Some(_) => Some(engine.zeros("known users", piece)?),
        None => None,
    };
    let mask = match &masked {
        None => None,
        Some(masked) => Some((
            engine.zeros("masked offsets", piece + 1)?,
            engine.zeros("masked items", most_entries(masked).max(1))?,
        )),
    };
    let nothing: Buffer<u32> = engine.zeros("nothing seen", piece + 1)?;
    let scores: Buffer<f32> = engine.zeros("scores", piece * items)?;
    let best = (0..PIECES.min(starts.len()))
        .map(|_| Ok((engine.zeros("best items", piece * k)?, engine.zeros("best scores", piece * k)?)))
        .collect::<Result<Vec<(Buffer<u32>, Buffer<f32>)>>>()?;
    let mut waiting = Vec::new();
    let allowed = match &options.allowed {
        Some(flags) => {
            Some(engine.upload("allowed items", &flags.iter().map(|&f| u32::from(f)).collect::<Vec<_>>())?)
        }
        None => None,
    };
    let mut ranking =
        Ranking { ids: Vec::with_capacity(users * k), scores: Vec::with_capacity(users * k), k };
    watch::begin("ranking", "users", users as u64);
    for start in starts {
        watch::check()?;
        watch::advance(piece.min(users - start) as u64);
        let (ids, values) = &best[waiting.len()];
        let count = piece.min(users - start);
        let end = upload_rows(engine, histories, start, count, &offsets, &seen)?;
        if let (Some(known), Some(rows)) = (&known, known_rows) {
            engine.write(known, 0, &rows[start..start + count])?;
        }
        if let (Some(masked), Some((offsets, items))) = (&masked, &mask) {
            upload_rows(engine, masked, start, count, offsets, items)?;
        }
        let batch = Batch {
            offsets: offsets.clone(),
            items: seen.clone(),
            // The batch row of each entry is read in training only.
            rows: seen.clone(),
            users: count,
            entries: end,
            longest: end,
            known: known.clone(),
        };
        let mut recording = Recording::new();
        scoring.record_scores(&mut recording, &batch, &scores);
        if options.mask_seen || allowed.is_some() || mask.is_some() {
            let (offsets, seen) = match &mask {
                Some((offsets, items)) => (offsets, items),
                None if options.mask_seen => (&offsets, &seen),
                None => (&nothing, &seen),
            };
            recording.push(MaskSeen {
                scores: scores.clone(),
                rows: count,
                items,
                offsets: offsets.clone(),
                seen: seen.clone(),
                allowed: allowed.clone(),
            });
        }
        recording.push(TopK {
            scores: scores.clone(),
            rows: count,
            items,
            k,
            ids: ids.clone(),
            values: values.clone(),
        });
        engine.run(&recording)?;
        waiting.push((ids.clone(), values.bits(), count * k));
        if waiting.len() < best.len() && start + count < users {
            continue;
        }
        let parts: Vec<_> =
            waiting.iter().flat_map(|(ids, values, len)| [(ids, 0..*len), (values, 0..*len)]).collect();
        for found in engine.read_ranges(&parts).await?.chunks_exact(2) {
            let scores = || found[0].iter().zip(&found[1]).filter(|(id, _)| **id != u32::MAX);
            if scores().any(|(_, score)| !f32::from_bits(*score).is_finite()) {
                return Err(Error::Data(
                    "the model's scores are not finite numbers: it has diverged, or its weights are damaged"
                        .into(),
                ));
            }
            ranking.ids.extend(&found[0]);
            ranking.scores.extend(found[1].iter().copied().map(f32::from_bits));
        }
        waiting.clear();
    }
    Ok(ranking)
}

/// The items that are left out of each list: the excluded ones, and those of the history where it is masked.
fn masked_rows(histories: &Csr, excluded: &Csr, mask_seen: bool) -> Result<Csr> {
    if !mask_seen {
        return Ok(excluded.clone());
    }
    let rows: Vec<Vec<u32>> =
        histories.iter().zip(excluded.iter()).map(|(seen, others)| [seen, others].concat()).collect();
    Csr::from_rows(&rows, histories.columns() as u32)
}

/// Writes `count` rows from `start` on to the engine, and returns the number of their items.
fn upload_rows(
    engine: &Engine,
    rows: &Csr,
    start: usize,
    count: usize,
    offsets: &Buffer<u32>,
    items: &Buffer<u32>,
) -> Result<usize> {
    let first = rows.offsets()[start];
    let local: Vec<u32> = rows.offsets()[start..=start + count].iter().map(|offset| offset - first).collect();
    let end = local[count] as usize;
    engine.write(offsets, 0, &local)?;
    engine.write(items, 0, &rows.items()[first as usize..first as usize + end])?;
    Ok(end)
}
