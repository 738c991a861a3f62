//! Ranking metrics over held-out items, averaged over users at several cut-offs.
//!
//! The input for a user is a ranked list (item ids, best first, training items already removed) and a set of
//! held-out items. Let `hits` be the held-out items among the first `k`, and `test` all held-out items:
//!
//! | key | value of one user |
//! |---|---|
//! | `ndcg@k` | sum over hits of `1 / log2(rank + 1)`, divided by that of the best order of `min(k, \|test\|)` hits |
//! | `recall@k` | `hits / \|test\|` (the FastVAE paper) |
//! | `recall_min_k@k` | `hits / min(k, \|test\|)` (the Mult-VAE paper) |
//! | `precision@k` | `hits / k`, also where the list is shorter than `k` |
//! | `map@k` | average precision: sum over hits of the precision at the hit's rank, divided by `min(k, \|test\|)` |
//! | `mrr@k` | `1 / rank` of the first hit, 0 without one |
//! | `hit_rate@k` | 1 with at least one hit, else 0 |
//!
//! and one of the catalogue: `coverage@k`, the share of all items that occur in at least one user's first
//! `k`. Ranks count from 1. Users without held-out items have no defined value: they are left out and
//! counted.

use std::{borrow::Cow, collections::BTreeMap};

use crate::{Error, Result};

/// Names of the per-user metrics, in the order of the sums.
const NAMES: [&str; 7] = ["ndcg", "recall", "recall_min_k", "precision", "map", "mrr", "hit_rate"];

/// The cut-off in a metric's name: 50 in `ndcg@50`.
///
/// # Errors
/// [`Error::Setting`] for a name that no metric has.
pub fn cutoff(metric: &str) -> Result<usize> {
    let parts = metric.split_once('@').map(|(name, at)| (name, at.parse().unwrap_or(0)));
    match parts {
        Some((name, at))
            if (1..NOWHERE as usize).contains(&at) && (NAMES.contains(&name) || name == COVERAGE) =>
        {
            Ok(at)
        }
        _ => Err(Error::setting(
            "metric",
            format!(
                "`{metric}` is none; take one of {}, {COVERAGE} with a cut-off, as in ndcg@50",
                NAMES.join(", ")
            ),
        )),
    }
}

/// The only metric of the catalogue rather than of a user.
const COVERAGE: &str = "coverage";

/// Position of an item that is in no list.
const NOWHERE: u32 = u32::MAX;

/// Running means over users. Sums are f64 and follow the order of the calls: the same order gives the same bits.
///
/// ```
/// let mut metrics = fastvae::metrics::Metrics::new(&[2], 10)?;
/// metrics.add(&[4, 7, 1], &[7, 9])?; // one of two held-out items, at rank 2
/// metrics.add(&[4, 7, 1], &[])?; // nothing held out: skipped
/// assert_eq!(metrics.means()?["recall@2"], 0.5);
/// assert_eq!((metrics.users(), metrics.skipped()), (1, 1));
/// # Ok::<(), fastvae::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Metrics {
    cutoffs: Vec<usize>,
    /// One row per cut-off.
    sums: Vec<[f64; NAMES.len()]>,
    /// `1 / log2(rank + 1)` at index rank - 1, up to the largest cut-off.
    discount: Vec<f64>,
    /// For each item: its best position (from 0) in any user's list, or [`NOWHERE`].
    best_position: Vec<u32>,
    users: u64,
    skipped: u64,
}

impl Metrics {
    /// Metrics at `cutoffs` (any order, repeats collapse) over a catalogue of `items` items.
    ///
    /// # Errors
    /// [`Error::Setting`] without a cut-off or with one that is zero or above [`u32::MAX`].
    pub fn new(cutoffs: &[usize], items: usize) -> Result<Self> {
        let mut cutoffs = cutoffs.to_vec();
        cutoffs.sort_unstable();
        cutoffs.dedup();
        let (Some(&first), Some(&last)) = (cutoffs.first(), cutoffs.last()) else {
            return Err(Error::setting("at", "name at least one cut-off, such as 10,20,50"));
        };
        if first == 0 {
            return Err(Error::setting("at", "a list cut off at 0 is empty; cut-offs start at 1"));
        }
        if last >= NOWHERE as usize {
            return Err(Error::setting("at", format!("the cut-off {last} is longer than any list can be")));
        }
        // There are no ranks beyond the catalogue, so the table need not be longer than that for a huge
        // cut-off.
        let discount = (0..last.min(items)).map(|position| ((position + 2) as f64).log2().recip()).collect();
        Ok(Self {
            sums: vec![[0.0; NAMES.len()]; cutoffs.len()],
            cutoffs,
            discount,
            best_position: vec![NOWHERE; items],
            users: 0,
            skipped: 0,
        })
    }

    /// Adds one user: `ranked` are distinct item ids, best first (ids beyond the largest cut-off are not
    /// read); `held_out` is the user's test set, processed fastest if it ascends without repeats.
    ///
    /// # Errors
    /// [`Error::Data`] if an item is not in the catalogue; nothing is added in that case.
    pub fn add(&mut self, ranked: &[u32], held_out: &[u32]) -> Result<()> {
        let items = self.best_position.len();
        if let Some(item) = ranked.iter().chain(held_out).find(|&&item| item as usize >= items) {
            return Err(Error::Data(format!("item {item} is not one of the {items} items of the catalogue")));
        }
        if held_out.is_empty() {
            self.skipped += 1;
            return Ok(());
        }
        self.users += 1;
        let held_out = ascending(held_out);
        let ranked = &ranked[..ranked.len().min(self.discount.len())];
        let mut hits = Vec::new();
        for (position, item) in ranked.iter().enumerate() {
            let best = &mut self.best_position[*item as usize];
            *best = (*best).min(position as u32);
            if held_out.binary_search(item).is_ok() {
                hits.push(position);
            }
        }
        for (&k, sums) in self.cutoffs.iter().zip(&mut self.sums) {
            let hits = &hits[..hits.partition_point(|&position| position < k)];
            for (sum, value) in sums.iter_mut().zip(one_user(hits, held_out.len(), k, &self.discount)) {
                *sum += value;
            }
        }
        Ok(())
    }

    /// The keys of the metrics of one user, in the order of [`Metrics::of_user`].
    pub(crate) fn user_keys(&self) -> Vec<String> {
        self.cutoffs.iter().flat_map(|k| NAMES.iter().map(move |name| format!("{name}@{k}"))).collect()
    }

    /// The metrics of one user; none without held-out items.
    pub(crate) fn of_user(&self, ranked: &[u32], held_out: &[u32]) -> Vec<f64> {
        if held_out.is_empty() {
            return Vec::new();
        }
        let held_out = ascending(held_out);
        let ranked = &ranked[..ranked.len().min(self.discount.len())];
        let is_hit =
            |(position, item): (usize, &u32)| held_out.binary_search(item).is_ok().then_some(position);
        let hits: Vec<usize> = ranked.iter().enumerate().filter_map(is_hit).collect();
        let at = |&k: &usize| {
            let hits = &hits[..hits.partition_point(|&position| position < k)];
            one_user(hits, held_out.len(), k, &self.discount)
        };
        self.cutoffs.iter().flat_map(at).collect()
    }

    /// Adds the users of `other`. Sums depend on their order in the last bits: split users into the same
    /// parts and merge these in the same order to get the same bits.
    ///
    /// # Errors
    /// [`Error::Data`] if the two have different cut-offs or catalogues.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if self.cutoffs != other.cutoffs || self.best_position.len() != other.best_position.len() {
            return Err(Error::Data("metrics of different cut-offs or catalogues do not add up".into()));
        }
        for (sum, value) in self.sums.iter_mut().flatten().zip(other.sums.iter().flatten()) {
            *sum += value;
        }
        for (best, &position) in self.best_position.iter_mut().zip(&other.best_position) {
            *best = (*best).min(position);
        }
        self.users += other.users;
        self.skipped += other.skipped;
        Ok(())
    }

    /// Number of users in the means.
    pub fn users(&self) -> u64 {
        self.users
    }

    /// Number of users left out because they have no held-out items.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The means under flat keys, `ndcg@50` and so on, as `metrics.json` holds them.
    ///
    /// # Errors
    /// [`Error::Data`] if no user had held-out items.
    pub fn means(&self) -> Result<BTreeMap<String, f64>> {
        if self.users == 0 {
            return Err(Error::Data(format!(
                "no user has held-out items ({} skipped), so there is nothing to measure; \
                 hold out a larger share or lower the filters",
                self.skipped
            )));
        }
        let mut means = BTreeMap::new();
        for (&k, sums) in self.cutoffs.iter().zip(&self.sums) {
            for (name, sum) in NAMES.iter().zip(sums) {
                means.insert(format!("{name}@{k}"), sum / self.users as f64);
            }
            let covered = self.best_position.iter().filter(|&&position| (position as usize) < k).count();
            means.insert(format!("coverage@{k}"), covered as f64 / self.best_position.len() as f64);
        }
        Ok(means)
    }
}

/// The values of [`NAMES`] for one user. `hits`: ascending positions (from 0) below `k`; `test`: |test| > 0.
fn one_user(hits: &[usize], test: usize, k: usize, discount: &[f64]) -> [f64; NAMES.len()] {
    let reachable = test.min(k);
    let found = hits.len() as f64;
    let gain: f64 = hits.iter().map(|&position| discount[position]).sum();
    let ideal: f64 = discount[..reachable].iter().sum();
    let precisions: f64 =
        hits.iter().zip(1u32..).map(|(&position, nth)| f64::from(nth) / (position + 1) as f64).sum();
    [
        gain / ideal,
        found / test as f64,
        found / reachable as f64,
        found / k as f64,
        precisions / reachable as f64,
        hits.first().map_or(0.0, |&position| 1.0 / (position + 1) as f64),
        f64::from(u8::from(!hits.is_empty())),
    ]
}

/// The same set, sorted and without repeats.
fn ascending(items: &[u32]) -> Cow<'_, [u32]> {
    if items.is_sorted_by(|a, b| a < b) {
        return Cow::Borrowed(items);
    }
    let mut items = items.to_vec();
    items.sort_unstable();
    items.dedup();
    Cow::Owned(items)
}
