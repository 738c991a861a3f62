//! Ranking metrics against float64 truth, direct definitions, and properties of all rankings.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use std::collections::{BTreeMap, BTreeSet};

use fastvae::{Error, metrics::Metrics};
use proptest::{collection::vec, prelude::*, sample::subsequence};
use serde::Deserialize;
use tests::{Tensor, assert_close, fixture};

#[derive(Deserialize)]
struct Truth {
    scores: Tensor,
    seen: Vec<Vec<usize>>,
    held_out: Vec<Vec<u32>>,
    per_user: Vec<Option<BTreeMap<usize, BTreeMap<String, f64>>>>,
    users_skipped: u64,
    mean: BTreeMap<usize, BTreeMap<String, f64>>,
}

impl Truth {
    /// Unseen items, best first.
    fn ranked(&self, user: usize) -> Vec<u32> {
        let scores = self.scores.at(user);
        let mut items: Vec<u32> = (0..scores.len() as u32).collect();
        items.retain(|&item| !self.seen[user].contains(&(item as usize)));
        items.sort_by(|&a, &b| scores[b as usize].total_cmp(&scores[a as usize]));
        items
    }
}

/// Compares every value that the fixture names.
fn compare(name: &str, got: &BTreeMap<String, f64>, want: &BTreeMap<usize, BTreeMap<String, f64>>) {
    for (k, row) in want {
        for (metric, want) in row {
            let key = format!("{metric}@{k}");
            assert_close(&format!("{name} {key}"), &[got[&key]], &[*want], 1e-12, 1e-12);
        }
    }
}

#[test]
fn agree_with_the_fixture_by_user_and_in_the_mean() {
    let truth: Truth = fixture("metrics");
    let cutoffs: Vec<usize> = truth.mean.keys().copied().collect();
    let mut all = Metrics::new(&cutoffs, truth.scores.shape[1]).unwrap();
    for (user, held_out) in truth.held_out.iter().enumerate() {
        let mut one = Metrics::new(&cutoffs, truth.scores.shape[1]).unwrap();
        for metrics in [&mut one, &mut all] {
            metrics.add(&truth.ranked(user), held_out).unwrap();
        }
        match &truth.per_user[user] {
            Some(want) => compare(&format!("user {user}"), &one.means().unwrap(), want),
            None => assert_eq!(one.skipped(), 1),
        }
    }
    assert_eq!(all.skipped(), truth.users_skipped);
    assert_eq!(all.users(), truth.per_user.iter().flatten().count() as u64);
    compare("mean", &all.means().unwrap(), &truth.mean);
}

#[test]
fn a_worked_example() {
    let mut metrics = Metrics::new(&[4], 10).unwrap();
    metrics.add(&[5, 3, 8, 1, 9], &[3, 1, 9]).unwrap(); // hits at ranks 2 and 4; 9 comes too late
    let means = metrics.means().unwrap();
    let ideal = 1.0 + 1.0 / 3f64.log2() + 0.5;
    for (key, want) in [
        ("ndcg@4", (1.0 / 3f64.log2() + 1.0 / 5f64.log2()) / ideal),
        ("recall@4", 2.0 / 3.0),
        ("recall_min_k@4", 2.0 / 3.0),
        ("precision@4", 0.5),
        ("map@4", (1.0 / 2.0 + 2.0 / 4.0) / 3.0),
        ("mrr@4", 0.5),
        ("hit_rate@4", 1.0),
        ("coverage@4", 0.4),
    ] {
        assert_close(key, &[means[key]], &[want], 1e-15, 1e-15);
    }
    assert_eq!(means.len(), 8);
}

#[test]
fn users_without_held_out_items_are_counted_not_averaged() {
    let mut metrics = Metrics::new(&[1], 3).unwrap();
    metrics.add(&[2], &[]).unwrap();
    assert!(matches!(metrics.means(), Err(Error::Data(_))));
    metrics.add(&[0], &[0]).unwrap();
    assert_eq!((metrics.users(), metrics.skipped()), (1, 1));
    assert_eq!(metrics.means().unwrap()["ndcg@1"], 1.0);
    assert_close(
        "only the averaged user covers",
        &[metrics.means().unwrap()["coverage@1"]],
        &[1.0 / 3.0],
        0.0,
        1e-15,
    );
}

#[test]
fn wrong_input_is_refused() {
    for cutoffs in [&[][..], &[0, 5], &[usize::MAX]] {
        assert!(Metrics::new(cutoffs, 3).unwrap_err().is_usage());
    }
    let mut metrics = Metrics::new(&[2], 3).unwrap();
    assert!(matches!(metrics.add(&[0, 3], &[1]), Err(Error::Data(_))));
    assert!(matches!(metrics.add(&[0], &[7]), Err(Error::Data(_))));
    assert_eq!((metrics.users(), metrics.skipped()), (0, 0));
    assert!(metrics.merge(&Metrics::new(&[3], 3).unwrap()).is_err());
}

const ITEMS: usize = 40;

/// A ranking of some items and a set of held-out items in any order.
fn user() -> impl Strategy<Value = (Vec<u32>, Vec<u32>)> {
    let items: Vec<u32> = (0..ITEMS as u32).collect();
    (subsequence(items.clone(), 0..=ITEMS).prop_shuffle(), subsequence(items, 0..=ITEMS).prop_shuffle())
}

fn measured(k: usize, users: &[(Vec<u32>, Vec<u32>)]) -> Metrics {
    let mut metrics = Metrics::new(&[k], ITEMS).expect("a cut-off above 0");
    for (ranked, held_out) in users {
        metrics.add(ranked, held_out).expect("items of the catalogue");
    }
    metrics
}

/// The definitions, implemented literally.
fn direct(k: usize, ranked: &[u32], held_out: &[u32]) -> BTreeMap<String, f64> {
    let top = &ranked[..k.min(ranked.len())];
    let hit = |rank: usize| held_out.contains(&top[rank - 1]);
    let hits_to = |rank: usize| (1..=rank).filter(|&r| hit(r)).count() as f64;
    let ranks: Vec<usize> = (1..=top.len()).filter(|&rank| hit(rank)).collect();
    let gain = |rank: usize| 1.0 / (rank as f64 + 1.0).log2();
    let reachable = k.min(held_out.len());
    let found = ranks.len() as f64;
    [
        ("ndcg", ranks.iter().map(|&rank| gain(rank)).sum::<f64>() / (1..=reachable).map(gain).sum::<f64>()),
        ("recall", found / held_out.len() as f64),
        ("recall_min_k", found / reachable as f64),
        ("precision", found / k as f64),
        ("map", ranks.iter().map(|&rank| hits_to(rank) / rank as f64).sum::<f64>() / reachable as f64),
        ("mrr", ranks.first().map_or(0.0, |&rank| 1.0 / rank as f64)),
        ("hit_rate", if ranks.is_empty() { 0.0 } else { 1.0 }),
        ("coverage", top.len() as f64 / ITEMS as f64),
    ]
    .map(|(name, value)| (format!("{name}@{k}"), value))
    .into()
}

proptest! {
    #[test]
    fn every_value_follows_its_definition((ranked, held_out) in user(), k in 1..=50usize) {
        prop_assume!(!held_out.is_empty());
        let got = measured(k, &[(ranked.clone(), held_out.clone())]).means().unwrap();
        let want = direct(k, &ranked, &held_out);
        prop_assert!(got.keys().eq(want.keys()));
        for (key, value) in &got {
            prop_assert!((0.0..=1.0 + 1e-12).contains(value), "{} = {}", key, value);
        }
        assert_close("all", &got.into_values().collect::<Vec<_>>(), &want.into_values().collect::<Vec<_>>(), 1e-12, 1e-12);
    }

    #[test]
    fn a_perfect_ranking_scores_one((rest, held_out) in user(), k in 1..=ITEMS) {
        prop_assume!(!held_out.is_empty());
        let ranked: Vec<u32> =
            held_out.iter().copied().chain(rest.into_iter().filter(|item| !held_out.contains(item))).collect();
        let means = measured(k, &[(ranked, held_out)]).means().unwrap();
        for name in ["ndcg", "recall_min_k", "map", "mrr", "hit_rate"] {
            assert_close(name, &[means[&format!("{name}@{k}")]], &[1.0], 1e-12, 0.0);
        }
    }

    #[test]
    fn a_ranking_without_held_out_items_scores_zero((ranked, held_out) in user(), k in 1..=ITEMS) {
        prop_assume!(!held_out.is_empty());
        let ranked: Vec<u32> = ranked.into_iter().filter(|item| !held_out.contains(item)).collect();
        let means = measured(k, &[(ranked, held_out)]).means().unwrap();
        for (key, value) in means {
            prop_assert!(value == 0.0 || key.starts_with("coverage"), "{} = {}", key, value);
        }
    }

    #[test]
    fn a_held_out_item_higher_up_never_hurts((ranked, held_out) in user(), at in 1..ITEMS, k in 1..=ITEMS) {
        prop_assume!(at < ranked.len() && held_out.contains(&ranked[at]));
        let before = measured(k, &[(ranked.clone(), held_out.clone())]).means().unwrap();
        let mut better = ranked;
        better.swap(at - 1, at);
        let after = measured(k, &[(better, held_out)]).means().unwrap();
        for (key, value) in before {
            prop_assert!(after[&key] >= value - 1e-12, "{}: {} then {}", key, value, after[&key]);
        }
    }

    #[test]
    fn merged_parts_are_the_whole_and_coverage_is_a_union(users in vec(user(), 1..12), cut in 0..12usize, k in 1..=ITEMS) {
        let (left, right) = users.split_at(cut.min(users.len()));
        let mut merged = measured(k, left);
        merged.merge(&measured(k, right)).unwrap();
        let whole = measured(k, &users);
        prop_assert_eq!((merged.users(), merged.skipped()), (whole.users(), whole.skipped()));
        prop_assume!(whole.users() > 0);
        let (merged, whole) = (merged.means().unwrap(), whole.means().unwrap());
        assert_close("merged", &merged.into_values().collect::<Vec<_>>(), &whole.values().copied().collect::<Vec<_>>(), 1e-12, 0.0);
        let union: BTreeSet<u32> = users
            .iter()
            .filter(|(_, held_out)| !held_out.is_empty())
            .flat_map(|(ranked, _)| ranked.iter().take(k).copied())
            .collect();
        assert_close("coverage", &[whole[&format!("coverage@{k}")]], &[union.len() as f64 / ITEMS as f64], 1e-12, 0.0);
    }

    #[test]
    fn the_same_users_give_the_same_bits(users in vec(user(), 1..12), k in 1..=ITEMS) {
        let bits = |metrics: Metrics| metrics.means().map(|means| means.into_values().map(f64::to_bits).collect::<Vec<_>>()).ok();
        prop_assert_eq!(bits(measured(k, &users)), bits(measured(k, &users)));
    }
}
