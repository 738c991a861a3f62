//! Settings of the linear path that follow the data: how many columns it needs, how strongly it is regularised, and how
//! much its scores count beside the logits of the network.

use rand_core::Rng as _;

use super::{super::outputs, spectrum::Spectrum};
use crate::{
    Result,
    config::MultVaeConfig,
    data::Csr,
    engine::{Engine, Recording, parallel},
    kernels::{MaskSeen, MatMul, TopK, View},
    metrics::Metrics,
    model::Batch,
    rng::{self, Rng, Stream},
    simd, watch,
};

/// Columns of the trial by which the others are chosen.
const TRIAL: usize = 512;
/// A path of that many columns has enough of them if they have this share of the trace of G.
const ENOUGH: f64 = 0.9;
/// The regularisations that are tried, from the middle in the direction in which they get better.
const LADDER: [f32; 7] = [1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0];
const MIDDLE: usize = 2;
/// Interactions an item up to which a path beside a network is regularised as it would be alone.
const FEW: f64 = 10.0;
/// The least regularisation beside a network, in units of the best one of the path alone.
const LEAST: f64 = 0.3;
/// The most users by whose held-out items the regularisation is chosen, and who the mean score is taken of.
const USERS: usize = 2000;
/// The share of a user's items that is held out.
const SHARE: usize = 5;
/// Ranks that count.
const RANKS: usize = 50;
/// Scores that are computed at once.
const SCORES: usize = 1 << 24;
/// The mean score of a training item, predicted without it, beside logits of the network. From 4 to 8 the ranking was best
/// on small sets of 10 to 64 items a user; the network of a large set is better and wants less (BENCHMARKS.md, "Out of the
/// box").
const MEAN_SCORE: f64 = 4.0;
/// The weight for data without any such score.
const WEIGHT: f32 = 10.0;

/// What was chosen, or given by the settings.
pub(super) struct Choice {
    pub columns: usize,
    pub regularisation: f32,
}

/// Chooses what the settings leave open, for a path of at most `most` columns.
///
/// # Errors
/// As [`Spectrum::new`] and [`Spectrum::solve`].
pub(super) fn choose(config: &MultVaeConfig, train: &Csr, most: usize, rng: Rng) -> Result<Choice> {
    let given = config.linear_regularisation;
    if given > 0.0 && most <= TRIAL {
        return Ok(Choice { columns: most, regularisation: given });
    }
    let trial = Trial::new(train, rng)?;
    let spectrum = Spectrum::new(&trial.known, config.linear_popularity, most.min(TRIAL), rng)?;
    let columns = if spectrum.share() >= ENOUGH { spectrum.width() } else { most };
    if given > 0.0 {
        return Ok(Choice { columns, regularisation: given });
    }
    let value = |at: usize| trial.ndcg(&spectrum, LADDER[at]);
    let mut best = (MIDDLE, value(MIDDLE)?);
    for ladder in [&[3, 4, 5, 6][..], &[1, 0]] {
        for &at in ladder {
            let ndcg = value(at)?;
            if ndcg <= best.1 {
                break;
            }
            best = (at, ndcg);
        }
        if best.0 != MIDDLE {
            break;
        }
    }
    Ok(Choice { columns, regularisation: LADDER[best.0] * beside_a_network(train) })
}

/// The regularisation of a path beside a network, in units of the best one of the path alone: it falls with the
/// interactions an item, from which the network learns the smooth part of the scores, which a stronger one keeps
/// (BENCHMARKS.md, "Out of the box").
fn beside_a_network(train: &Csr) -> f32 {
    let interactions = train.nnz() as f64 / train.columns().max(1) as f64;
    (FEW / interactions.max(1.0)).clamp(LEAST, 1.0) as f32
}

/// The weight with which the scores of a path, A (M x l) and the diagonal of D (M), have the size of logits.
pub(super) fn weight(train: &Csr, table: &[f32], scale: &[f32]) -> f32 {
    let width = table.len() / scale.len();
    let row = |item: u32| &table[item as usize * width..][..width];
    let (mut sum, mut count) = (0.0, 0);
    for user in (0..train.rows()).step_by(train.rows().div_ceil(USERS)) {
        let query = query(train.row(user), table, width);
        for &item in train.row(user) {
            let own = simd::dot(row(item), row(item));
            sum += f64::from((simd::dot(&query, row(item)) - own) * scale[item as usize]);
            count += 1;
        }
    }
    let weight = MEAN_SCORE * f64::from(count) / sum;
    if weight > 0.0 && weight.is_finite() { (weight as f32).clamp(1e-3, 1e5) } else { WEIGHT }
}

/// The sum of the rows of a history.
fn query(history: &[u32], table: &[f32], width: usize) -> Vec<f32> {
    let mut query = vec![0.0; width];
    for &item in history {
        let row = &table[item as usize * width..][..width];
        query.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    query
}

/// Users some of whose training items are held out, to compare regularisations on.
struct Trial {
    /// The training set without the held-out items, N x M.
    known: Csr,
    /// Users, and their held-out items.
    held_out: Vec<(usize, Vec<u32>)>,
}

impl Trial {
    fn new(train: &Csr, rng: Rng) -> Result<Self> {
        let mut rows: Vec<Vec<u32>> = train.iter().map(<[u32]>::to_vec).collect();
        let mut held_out = Vec::new();
        for user in (0..rows.len()).step_by(rows.len().div_ceil(USERS)) {
            let row = &mut rows[user];
            if row.len() < 2 {
                continue;
            }
            let count = row.len().div_ceil(SHARE).min(row.len() - 1);
            let mut words = rng.words(Stream::Linear, 1, user as u32);
            let mut take = |_| row.remove(rng::below(words.next_u32(), row.len() as u32) as usize);
            held_out.push((user, (0..count).map(&mut take).collect()));
        }
        Ok(Self { known: Csr::from_rows(&rows, train.columns() as u32)?, held_out })
    }

    /// NDCG@50 of a path on the held-out items, as a mean over the users.
    fn ndcg(&self, spectrum: &Spectrum, regularisation: f32) -> Result<f64> {
        let (table, scale) = spectrum.solve(regularisation)?;
        let (width, items) = (spectrum.width(), scale.len());
        let (engine, ranks) = (Engine::cpu(), RANKS.min(items));
        let block = (SCORES / items).clamp(1, self.held_out.len().max(1));
        let outputs = engine.upload("items of the linear path", &outputs(&table, &scale))?;
        let queries = engine.zeros("queries of the linear path", block * width)?;
        let scores = engine.zeros("scores of the linear path", block * items)?;
        let (ids, values) =
            (engine.zeros("best items", block * ranks)?, engine.zeros("scores", block * ranks)?);
        let mut metrics = Metrics::new(&[RANKS], items)?;
        for users in self.held_out.chunks(block) {
            watch::check()?;
            parallel::for_each_chunk(&mut queries.write()[..users.len() * width], width, |at, out| {
                out.copy_from_slice(&query(self.known.row(users[at].0), &table, width));
            });
            let rows: Vec<u32> = users.iter().map(|(user, _)| *user as u32).collect();
            let known = Batch::new(&engine, &self.known.select(&rows)?)?;
            let (a, b) = (View::rows(&queries, width), View::rows(&outputs, width).transposed());
            let (rows, scores) = (users.len(), &scores);
            let mut recording = Recording::new();
            recording.push(MatMul::new(rows, items, width, a, b, View::rows(scores, items)));
            recording.push(MaskSeen {
                scores: scores.clone(),
                rows,
                items,
                offsets: known.offsets,
                seen: known.items,
                allowed: None,
            });
            let (ids, values) = (ids.clone(), values.clone());
            recording.push(TopK { scores: scores.clone(), rows, items, k: ranks, ids: ids.clone(), values });
            engine.run(&recording)?;
            for (ranked, (_, held_out)) in ids.read().chunks_exact(ranks).zip(users) {
                let ranked =
                    ranked.iter().position(|&id| id == u32::MAX).map_or(ranked, |end| &ranked[..end]);
                metrics.add(ranked, held_out)?;
            }
        }
        Ok(if metrics.users() > 0 { metrics.means()?[&format!("ndcg@{RANKS}")] } else { 0.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Users with eight items each of one of four groups, and `noise` of a thousand items of others.
    fn groups(noise: u32) -> Csr {
        let rng = Rng::new(11);
        let word = |user: u32, item: u32| rng.block(Stream::Shuffle, 3, user, item)[0];
        let likes =
            |user: u32, item: u32| word(user, item) % 1000 < if item % 4 == user % 4 { 300 } else { noise };
        let rows: Vec<Vec<u32>> =
            (0..400).map(|user| (0..100).filter(|&item| likes(user, item)).collect()).collect();
        Csr::from_rows(&rows, 100).expect("items of the catalogue")
    }

    #[test]
    fn the_choice_follows_the_regularisation_that_is_better_than_its_neighbours() {
        let (train, rng) = (groups(40), Rng::new(2));
        let config = MultVaeConfig::default();
        let choice = choose(&config, &train, 60, rng).expect("a choice");
        let trial = Trial::new(&train, rng).expect("items of the catalogue");
        let spectrum = Spectrum::new(&trial.known, config.linear_popularity, 60, rng).expect("memory");
        let is_chosen = |value: &f32| value * beside_a_network(&train) == choice.regularisation;
        let at = LADDER.iter().position(is_chosen).expect("a value of the ladder");
        let best = trial.ndcg(&spectrum, LADDER[at]).expect("finite");
        for near in [at.checked_sub(1), Some(at + 1)].into_iter().flatten().filter(|&at| at < LADDER.len()) {
            let other = trial.ndcg(&spectrum, LADDER[near]).expect("finite");
            assert!(best >= other, "{} has {best}, {} has {other}", LADDER[at], LADDER[near]);
        }
        assert!(best > 0.3, "{best}");
    }

    #[test]
    fn a_path_beside_a_network_is_regularised_less_where_items_have_many_interactions() {
        for (users, share) in [(4, 1.0), (10, 1.0), (20, 0.5), (400, 0.3)] {
            let train = Csr::from_rows(&vec![vec![0, 1]; users], 2).expect("items of the catalogue");
            assert_eq!(beside_a_network(&train), share, "{users} interactions an item");
        }
    }

    #[test]
    fn what_is_given_is_not_chosen() {
        let config = MultVaeConfig { linear_regularisation: 7.0, ..MultVaeConfig::default() };
        let choice = choose(&config, &groups(40), 60, Rng::new(2)).expect("a choice");
        assert_eq!((choice.columns, choice.regularisation), (60, 7.0));
    }

    #[test]
    fn weighted_scores_have_the_mean_of_logits() {
        let train = groups(20);
        let spectrum = Spectrum::new(&train, 0.0, 40, Rng::new(4)).expect("memory");
        let (table, scale) = spectrum.solve(5.0).expect("finite");
        let weight = f64::from(weight(&train, &table, &scale));
        let (mut sum, mut count) = (0.0, 0);
        for row in train.iter() {
            for &item in row {
                let score = |other: &u32| {
                    let [a, b] = [item, *other].map(|at| &table[at as usize * 40..][..40]);
                    f64::from(simd::dot(a, b)) * f64::from(scale[item as usize])
                };
                sum += row.iter().filter(|&&other| other != item).map(score).sum::<f64>();
                count += 1;
            }
        }
        let mean = weight * sum / f64::from(count);
        assert!((mean - MEAN_SCORE).abs() < 1e-3, "{mean}");
    }

    #[test]
    fn a_set_without_anything_to_hold_out_has_its_defaults() {
        let train = Csr::from_rows(&[vec![0], vec![1], vec![1]], 2).expect("items of the catalogue");
        let choice = choose(&MultVaeConfig::default(), &train, 2, Rng::new(0)).expect("a choice");
        assert_eq!(choice.regularisation, LADDER[MIDDLE]);
        assert_eq!(weight(&train, &[1.0, 1.0], &[1.0, 1.0]), WEIGHT);
    }
}
