//! Splits into training, validation and test, and the built-in data set.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use fastvae::data::{
    Csr, Dataset, EvaluationSet, LoadOptions, Protocol, Split, SplitOptions, SyntheticOptions, load_bytes,
    split, synthetic,
};

fn set() -> Dataset {
    synthetic(&SyntheticOptions { users: 500, ..SyntheticOptions::default() }).expect("a set")
}

fn merged(parts: [&[u32]; 2]) -> Vec<u32> {
    let mut all = parts.concat();
    all.sort_unstable();
    all
}

fn row_of<'a>(users: &[u32], csr: &'a Csr, user: u32) -> Option<&'a [u32]> {
    users.binary_search(&user).ok().map(|at| csr.row(at))
}

fn sound(set: &Dataset, split: &Split) {
    for EvaluationSet { users, fold_in, held_out, .. } in [&split.validation, &split.test] {
        assert_eq!((users.len(), users.len()), (fold_in.rows(), held_out.rows()));
        assert_eq!((fold_in.columns(), held_out.columns()), (set.items.len(), set.items.len()));
        assert!(users.is_sorted_by(|a, b| a < b));
        for (seen, hidden) in fold_in.iter().zip(held_out.iter()) {
            assert!(!seen.is_empty() && !hidden.is_empty());
            assert!(hidden.iter().all(|item| seen.binary_search(item).is_err()));
        }
    }
    assert_eq!(split.train.rows(), split.train_users.len());
    assert!(split.train.iter().all(|row| !row.is_empty()));
}

#[test]
fn weak_divides_every_history() {
    let set = set();
    let options = SplitOptions { validation_users: 100, ..SplitOptions::default() };
    let weak = split(&set, &options).unwrap();
    sound(&set, &weak);
    assert_eq!((weak.train_users.len(), weak.validation.users.len(), weak.test.skipped), (500, 100, 0));
    for user in 0..500u32 {
        let all = set.interactions.row(user as usize);
        let train = row_of(&weak.train_users, &weak.train, user).unwrap();
        let known = row_of(&weak.test.users, &weak.test.fold_in, user).unwrap();
        let hidden = row_of(&weak.test.users, &weak.test.held_out, user).unwrap();
        assert_eq!(known.len(), (0.8 * all.len() as f64).round() as usize);
        assert_eq!(merged([known, hidden]), all);
        match row_of(&weak.validation.users, &weak.validation.held_out, user) {
            Some(validating) => {
                assert_eq!(merged([train, validating]), known);
                assert_eq!(validating.len(), known.len() - (0.8 * known.len() as f64).round() as usize);
                assert_eq!(row_of(&weak.validation.users, &weak.validation.fold_in, user), Some(train));
            }
            None => assert_eq!(train, known),
        }
    }
    // The same for any number of threads; different for another seed.
    assert_eq!(split(&set, &options).unwrap(), weak);
    assert_ne!(split(&set, &SplitOptions { seed: 1, ..options.clone() }).unwrap().test, weak.test);
    // Without validation all these items are training items, and the test items are the same.
    let bare = split(&set, &SplitOptions { validation_users: 0, ..options.clone() }).unwrap();
    assert_eq!((&bare.train, &bare.test), (&bare.test.fold_in, &weak.test));
    assert!(bare.validation.users.is_empty());
    assert_eq!(split(&set, &SplitOptions { validation_share: 0.0, ..options }).unwrap().train, bare.train);
}

#[test]
fn test_items_are_drawn_evenly() {
    // 20 users x 500 seeds with 10 items each: each position is held out in a fifth of the cases.
    let rows: String = (0..20).flat_map(|user| (0..10).map(move |item| format!("{user},{item}\n"))).collect();
    let set = load_bytes("a.csv", rows.as_bytes(), &LoadOptions::default()).unwrap();
    let mut counts = [0u32; 10];
    for seed in 0..500 {
        let split =
            split(&set, &SplitOptions { seed, validation_users: 0, ..SplitOptions::default() }).unwrap();
        split.test.held_out.items().iter().for_each(|&item| counts[item as usize] += 1);
    }
    assert_eq!(counts.iter().sum::<u32>(), 20_000);
    // Mean 2,000, deviation 40.
    assert!(counts.iter().all(|count| count.abs_diff(2000) < 180), "{counts:?}");
}

#[test]
fn short_histories_are_skipped_and_counted() {
    let set = load_bytes("a.csv", b"1,1\n2,1\n2,2\n3,1\n3,2\n3,3\n", &LoadOptions::default()).unwrap();
    let weak = split(&set, &SplitOptions::default()).unwrap();
    sound(&set, &weak);
    // round(.8 x 1) = 1, round(.8 x 2) = 2, round(.8 x 3) = 2.
    assert_eq!((&weak.test.users[..], weak.test.skipped), (&[2][..], 2));
    // Two of them have two training items, one of which becomes a validation item.
    assert_eq!((&weak.validation.users[..], weak.validation.held_out.nnz()), (&[1, 2][..], 2));
    let tiny = load_bytes("a.csv", b"1,1\n2,1\n", &LoadOptions::default()).unwrap();
    assert!(
        split(&tiny, &SplitOptions::default()).unwrap_err().to_string().contains("no user has enough items")
    );
}

#[test]
fn strong_holds_users_out() {
    let set = set();
    let options = SplitOptions { protocol: Protocol::Strong, seed: 3, ..SplitOptions::default() };
    let strong = split(&set, &options).unwrap();
    sound(&set, &strong);
    assert_eq!(
        (strong.train_users.len(), strong.validation.users.len(), strong.test.users.len()),
        (400, 50, 50)
    );
    let mut all = [&strong.train_users[..], &strong.validation.users, &strong.test.users].concat();
    all.sort_unstable();
    assert!(all.iter().copied().eq(0..500));
    let known = strong.train.column_counts();
    for part in [&strong.validation, &strong.test] {
        assert!(
            part.held_out.items().iter().chain(part.fold_in.items()).all(|&item| known[item as usize] > 0)
        );
    }
    assert_eq!(split(&set, &options).unwrap(), strong);
}

#[test]
fn settings_out_of_range_are_refused() {
    let set = set();
    let default = SplitOptions::default;
    for wrong in [
        SplitOptions { test_share: 0.0, ..default() },
        SplitOptions { test_share: f64::NAN, ..default() },
        SplitOptions { validation_share: -0.1, ..default() },
        SplitOptions { held_out_users: 0.5, ..default() },
        SplitOptions { protocol: Protocol::Given, ..default() },
    ] {
        assert!(split(&set, &wrong).unwrap_err().is_usage(), "{wrong:?}");
    }
    for wrong in [
        SyntheticOptions { users: 0, ..SyntheticOptions::default() },
        SyntheticOptions { items: 10, ..SyntheticOptions::default() },
        SyntheticOptions { shortest: 50, longest: 20, ..SyntheticOptions::default() },
    ] {
        assert!(synthetic(&wrong).unwrap_err().is_usage(), "{wrong:?}");
    }
}

/// FNV-1a, which detects any change of the built-in set on any platform.
fn fingerprint(set: &Dataset) -> u64 {
    let numbers =
        set.interactions.offsets().iter().chain(set.interactions.items()).flat_map(|n| n.to_le_bytes());
    let titles = set.titles.iter().flatten().flat_map(|title| title.bytes());
    numbers
        .chain(titles)
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[test]
fn the_built_in_set_is_always_the_same() {
    let set = synthetic(&SyntheticOptions::default()).unwrap();
    let statistics = set.statistics();
    println!("{statistics:?} {:?}", &set.titles.as_ref().unwrap()[..12]);
    assert_eq!(fingerprint(&set), 0x2732_589f_0e80_fdff);
    assert_eq!(statistics.counts.users, 2000);
    assert!((600..=1000).contains(&statistics.counts.items));
    let titles = set.titles.as_ref().unwrap();
    assert_eq!(titles.iter().collect::<std::collections::HashSet<_>>().len(), titles.len());
    // Zipf: the most popular tenth of the items has a large part of all interactions, but not nearly all.
    let mut counts = set.interactions.column_counts();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let head: u32 = counts[..counts.len() / 10].iter().sum();
    let share = f64::from(head) / set.interactions.nnz() as f64;
    assert!((0.25..0.6).contains(&share), "{share}");
    let other = synthetic(&SyntheticOptions { seed: 1, ..SyntheticOptions::default() }).unwrap();
    assert_ne!(other.interactions, set.interactions);
}

#[test]
fn the_built_in_set_has_more_to_learn_than_popularity() {
    let set = synthetic(&SyntheticOptions::default()).unwrap();
    let weak = split(&set, &SplitOptions { validation_users: 0, ..SplitOptions::default() }).unwrap();
    // Items of users who share items with this one, against popularity: hits among the first 50.
    let popular = weak.train.column_counts();
    let mut by_item = vec![Vec::new(); set.items.len()];
    for (user, row) in weak.train.iter().enumerate() {
        row.iter().for_each(|&item| by_item[item as usize].push(user));
    }
    let recall = |score: &dyn Fn(&[u32]) -> Vec<f64>| {
        let users = weak.test.users.iter().enumerate().step_by(5);
        let recalls: Vec<f64> = users
            .map(|(at, _)| {
                let (seen, hidden) = (weak.test.fold_in.row(at), weak.test.held_out.row(at));
                let scores = score(seen);
                let mut order: Vec<u32> =
                    (0..scores.len() as u32).filter(|item| seen.binary_search(item).is_err()).collect();
                order.sort_by(|&a, &b| scores[b as usize].total_cmp(&scores[a as usize]).then(a.cmp(&b)));
                let hits = order[..50].iter().filter(|item| hidden.binary_search(item).is_ok()).count();
                hits as f64 / hidden.len() as f64
            })
            .collect();
        recalls.iter().sum::<f64>() / recalls.len() as f64
    };
    let popularity = recall(&|_| popular.iter().map(|&count| f64::from(count)).collect());
    let neighbours = recall(&|seen| {
        let mut scores = vec![0.0; popular.len()];
        for &item in seen {
            for &user in &by_item[item as usize] {
                for &other in weak.train.row(user) {
                    scores[other as usize] +=
                        1.0 / f64::from(popular[item as usize] * popular[other as usize]).sqrt();
                }
            }
        }
        scores
    });
    println!("Recall@50: popularity {popularity:.3}, cosine neighbours {neighbours:.3}");
    assert!(neighbours > 1.5 * popularity && neighbours > 0.4, "{popularity} {neighbours}");
}
