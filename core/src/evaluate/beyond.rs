//! What lists recommend, beside whether it is right.
//!
//! | key | value |
//! |---|---|
//! | `gini@k` | the Gini coefficient of how often each item of the catalogue is in a list: 0 if all are alike |
//! | `popularity@k` | the mean number of training interactions of the items of a list |
//! | `novelty@k` | the mean self-information of the items of a list, -log2 of the share of users who have them |
//! | `intra_list_distance@k` | the mean of 1 - cosine over the pairs of items of a list |
//! | `ndcg_short_histories@k`, `.._middle_..`, `.._long_..` | NDCG of the third of users with the shortest, .., longest histories |
//! | `ndcg_head_items@k`, `.._middle_..`, `.._tail_..` | NDCG if only items of one class are held out; classes hold a third of the training interactions each, from the most popular item down |

use std::collections::BTreeMap;

use crate::{
    Result,
    data::{Csr, EvaluationSet},
    metrics::Metrics,
    rank::Ranking,
};

/// What the lists are compared with.
#[derive(Clone, Copy, Debug)]
pub struct Background<'a> {
    /// The training interactions.
    pub train: &'a Csr,
    /// The item vectors, M x width, and their width, for models that have them.
    pub vectors: Option<(&'a [f32], usize)>,
}

/// Means over the lists by name, at each cut-off.
///
/// # Errors
/// As [`super::measure`].
pub fn beyond(
    ranking: &Ranking,
    set: &EvaluationSet,
    background: &Background,
    at: &[usize],
) -> Result<BTreeMap<String, f64>> {
    let mut means = BTreeMap::new();
    let counts = background.train.column_counts();
    let users = background.train.rows() as f64;
    let units = background.vectors.map(|(vectors, width)| (units(vectors, width), width));
    for &k in at {
        let (mut shown, mut lists) = (vec![0u64; counts.len()], 0u64);
        let (mut popularity, mut novelty) = (0.0, 0.0);
        let (mut distance, mut pairs) = (0.0, 0u64);
        for user in 0..set.fold_in.rows() {
            let list = ranking.row(user);
            let list = &list[..list.len().min(k)];
            if list.is_empty() {
                continue;
            }
            lists += 1;
            let mut sums = (0.0, 0.0);
            for &item in list {
                shown[item as usize] += 1;
                let count = f64::from(counts[item as usize]);
                // An item that nobody has is as surprising as one that half a user has.
                sums = (sums.0 + count, sums.1 - (count.max(0.5) / users.max(1.0)).log2());
            }
            popularity += sums.0 / list.len() as f64;
            novelty += sums.1 / list.len() as f64;
            if let (Some((units, width)), true) = (&units, list.len() > 1) {
                distance += mean_distance(list, units, *width);
                pairs += 1;
            }
        }
        let lists = lists.max(1) as f64;
        means.insert(format!("gini@{k}"), gini(&mut shown));
        means.insert(format!("popularity@{k}"), popularity / lists);
        means.insert(format!("novelty@{k}"), novelty / lists);
        if pairs > 0 {
            means.insert(format!("intra_list_distance@{k}"), distance / pairs as f64);
        }
    }
    let classes = classes(&counts);
    for (class, name) in ["head", "middle", "tail"].into_iter().enumerate() {
        let held_out = |user: usize| {
            let row = set.held_out.row(user).iter().copied();
            row.filter(|&item| classes[item as usize] as usize == class).collect()
        };
        add_ndcg(&mut means, &format!("ndcg_{name}_items"), ranking, set, at, held_out)?;
    }
    let lengths: Vec<usize> = set.fold_in.iter().map(<[u32]>::len).collect();
    let mut sorted = lengths.clone();
    sorted.sort_unstable();
    let third = |part: usize| sorted.get(sorted.len() * part / 3).copied().unwrap_or(0);
    let bounds = [(0, third(1)), (third(1), third(2)), (third(2), usize::MAX)];
    for ((least, below), name) in bounds.into_iter().zip(["short", "middle", "long"]) {
        let held_out = |user: usize| {
            let fits = (least..below).contains(&lengths[user]);
            if fits { set.held_out.row(user).to_vec() } else { Vec::new() }
        };
        add_ndcg(&mut means, &format!("ndcg_{name}_histories"), ranking, set, at, held_out)?;
    }
    Ok(means)
}

/// Adds the NDCG if these items are held out; nothing if there are none.
fn add_ndcg(
    means: &mut BTreeMap<String, f64>,
    name: &str,
    ranking: &Ranking,
    set: &EvaluationSet,
    at: &[usize],
    held_out: impl Fn(usize) -> Vec<u32>,
) -> Result<()> {
    let mut metrics = Metrics::new(at, set.held_out.columns())?;
    for user in 0..set.fold_in.rows() {
        metrics.add(ranking.row(user), &held_out(user))?;
    }
    if metrics.users() > 0 {
        let all = metrics.means()?;
        let ndcg = all.iter().filter_map(|(key, value)| Some((key.strip_prefix("ndcg@")?, value)));
        means.extend(ndcg.map(|(k, value)| (format!("{name}@{k}"), *value)));
    }
    Ok(())
}

/// The class of each item: 0 for the most popular ones that hold a third of the interactions, 1 for the next
/// third, 2 for the rest.
fn classes(counts: &[u32]) -> Vec<u8> {
    let mut order: Vec<usize> = (0..counts.len()).collect();
    order.sort_by_key(|&item| std::cmp::Reverse(counts[item]));
    let all: u64 = counts.iter().map(|&count| u64::from(count)).sum();
    let mut classes = vec![2; counts.len()];
    let mut before = 0u64;
    for item in order {
        classes[item] = (before * 3).checked_div(all).unwrap_or(2).min(2) as u8;
        before += u64::from(counts[item]);
    }
    classes
}

/// The Gini coefficient of counts, which are sorted: 0 if all are equal, near 1 if one has everything.
fn gini(counts: &mut [u64]) -> f64 {
    counts.sort_unstable();
    let all: f64 = counts.iter().map(|&count| count as f64).sum();
    if all == 0.0 {
        return 0.0;
    }
    let n = counts.len() as f64;
    let weighted: f64 = (1u64..).zip(counts.iter()).map(|(rank, &count)| rank as f64 * count as f64).sum();
    2.0 * weighted / (n * all) - (n + 1.0) / n
}

/// Each row divided by its length; a row of zeros stays.
fn units(vectors: &[f32], width: usize) -> Vec<f64> {
    let unit = |row: &[f32]| {
        let length = row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        let scale = if length > 0.0 { length.recip() } else { 0.0 };
        row.iter().map(|&x| f64::from(x) * scale).collect::<Vec<f64>>()
    };
    vectors.chunks_exact(width).flat_map(unit).collect()
}

/// The mean of 1 - cosine over all pairs, from the length of the sum of the unit vectors.
fn mean_distance(list: &[u32], units: &[f64], width: usize) -> f64 {
    let mut sum = vec![0.0; width];
    let mut own = 0.0;
    for &item in list {
        let row = &units[item as usize * width..][..width];
        sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
        own += row.iter().map(|x| x * x).sum::<f64>();
    }
    let n = list.len() as f64;
    1.0 - (sum.iter().map(|x| x * x).sum::<f64>() - own) / (n * (n - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lists_recommend_is_described() {
        let train = Csr::from_rows(&[vec![0, 1], vec![0], vec![0, 2], vec![0]], 4).unwrap();
        let rows = |rows: &[Vec<u32>]| Csr::from_rows(rows, 4).unwrap();
        let set = EvaluationSet {
            users: vec![0, 1],
            fold_in: rows(&[vec![3], vec![2, 3]]),
            held_out: rows(&[vec![0], vec![1]]),
            skipped: 0,
        };
        let ranking = Ranking { ids: vec![0, 1, 0, 1], scores: vec![0.0; 4], k: 2 };
        let vectors = [1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 2.0, 0.0];
        let background = Background { train: &train, vectors: Some((&vectors, 2)) };
        let means = beyond(&ranking, &set, &background, &[1, 2]).unwrap();
        let value = |key: &str| means[key];
        // Item 0 is in both lists: all exposure at one of four items.
        assert!((value("gini@1") - 0.75).abs() < 1e-12 && (value("gini@2") - 0.5).abs() < 1e-12, "{means:?}");
        assert_eq!((value("popularity@1"), value("popularity@2")), (4.0, 2.5));
        assert_eq!((value("novelty@1"), value("novelty@2")), (0.0, 1.0));
        assert!((value("intra_list_distance@2") - 1.0).abs() < 1e-12);
        // Item 0 has four of six interactions; item 1 is in the tail.
        assert_eq!(value("ndcg_head_items@2"), 1.0);
        assert!((value("ndcg_tail_items@2") - 3f64.log2().recip()).abs() < 1e-12, "{means:?}");
        assert!(!means.contains_key("ndcg_middle_items@2"));
    }
}
