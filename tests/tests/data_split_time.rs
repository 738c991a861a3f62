//! Splits in time: nothing of the test or the validation is known in training.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use fastvae::data::{Dataset, LoadOptions, Protocol, SplitOptions, TimesRead, load_bytes, split};
use proptest::prelude::*;

fn set(text: &str) -> Dataset {
    let options = LoadOptions { times: TimesRead::Each, ..LoadOptions::default() };
    load_bytes("set.csv", text.as_bytes(), &options).unwrap()
}

fn options(protocol: Protocol, from: &str) -> SplitOptions {
    SplitOptions { protocol, test_from: from.parse().unwrap(), ..SplitOptions::default() }
}

/// Rows of user, item and time.
fn table(rows: &[(u32, u32, u32)]) -> String {
    let rows: String = rows.iter().map(|(user, item, time)| format!("{user},{item},{time}\n")).collect();
    format!("user,item,timestamp\n{rows}")
}

#[test]
fn the_last_items_are_the_test_and_those_before_validate() {
    let rows = [(1, 10, 5), (1, 11, 1), (1, 12, 9), (1, 13, 3), (2, 10, 7), (2, 11, 7), (3, 12, 1)];
    let set = set(&table(&rows));
    let found = split(&set, &options(Protocol::Last, "90%")).unwrap();
    let ids =
        |row: &[u32]| row.iter().map(|&item| set.items[item as usize].as_str()).collect::<Vec<_>>().join(" ");
    // User 1: 11 13 10 12 in time; user 2: 10 before 11 by the order of the file; user 3 has too few.
    assert_eq!(found.test.users, [0, 1]);
    assert_eq!(found.test.held_out.iter().map(ids).collect::<Vec<_>>(), ["12", "11"]);
    assert_eq!(found.test.fold_in.iter().map(ids).collect::<Vec<_>>(), ["10 11 13", "10"]);
    assert_eq!(
        (found.validation.users.clone(), found.validation.held_out.iter().map(ids).collect::<Vec<_>>()),
        (vec![0], vec!["10".into()])
    );
    assert_eq!(found.train.iter().map(ids).collect::<Vec<_>>(), ["11 13", "10", "12"]);
    let two = SplitOptions { test_items: 2, ..options(Protocol::Last, "90%") };
    assert_eq!(split(&set, &two).unwrap().test.held_out.iter().map(ids).collect::<Vec<_>>(), ["10 12"]);
    // Without times, the order of the file counts; a split by time needs them.
    let untimed = load_bytes(
        "set.csv",
        b"user,item\na,x\na,z\na,y\nb,x\nb,y\n",
        &LoadOptions { times: TimesRead::Each, ..LoadOptions::default() },
    )
    .unwrap();
    let found = split(&untimed, &options(Protocol::Last, "90%")).unwrap();
    assert_eq!(found.test.held_out.items(), [1, 1]);
    let error = split(&untimed, &options(Protocol::Time, "90%")).unwrap_err();
    assert!(error.is_usage() && error.to_string().contains("has no times"), "{error}");
}

#[test]
fn a_moment_or_a_share_begins_the_test() {
    let rows: Vec<(u32, u32, u32)> = (0..100).map(|n| (n % 7, n % 23, 1_700_000_000 + n * 86_400)).collect();
    let set = set(&table(&rows));
    let by_share = split(&set, &options(Protocol::Time, "80%")).unwrap();
    let by_date = split(&set, &options(Protocol::Time, "2024-02-02T22:13:20Z")).unwrap();
    let by_number = split(&set, &options(Protocol::Time, "1706912000")).unwrap();
    assert_eq!((&by_share, &by_date), (&by_date, &by_number));
    let skipped = options(Protocol::Time, "2030-01-01");
    let error = split(&set, &skipped).unwrap_err();
    assert!(
        error.to_string().starts_with("test-from: 100 of 100") || error.to_string().contains("100 of 100"),
        "{error}"
    );
    for wrong in ["0%", "100%", "soon", ""] {
        assert!(wrong.parse::<fastvae::data::TestFrom>().is_err(), "{wrong}");
    }
}

proptest! {
    #[test]
    fn nothing_later_is_known(
        rows in prop::collection::vec((0u32..12, 0u32..30, 0u32..200), 20..200),
        share in 30u32..95,
        seed: u64,
    ) {
        let set = set(&table(&rows));
        let times = set.times.clone().unwrap();
        let time = |user: u32, item: u32| {
            let at = set.interactions.row(user as usize).binary_search(&item).unwrap();
            times.times[set.interactions.offsets()[user as usize] as usize + at]
        };
        for protocol in [Protocol::Time, Protocol::Last] {
            let options = SplitOptions { seed, ..options(protocol, &format!("{share}%")) };
            let Ok(found) = split(&set, &options) else { continue };
            let rows = |users: &[u32], rows: &fastvae::data::Csr| -> Vec<(u32, u32)> {
                users.iter().zip(rows.iter()).flat_map(|(&user, row)| row.iter().map(move |&item| (user, item))).collect()
            };
            let train = rows(&found.train_users, &found.train);
            let (validation, test) = (
                rows(&found.validation.users, &found.validation.held_out),
                rows(&found.test.users, &found.test.held_out),
            );
            for pair in train.iter() {
                prop_assert!(!validation.contains(pair) && !test.contains(pair));
            }
            prop_assert!(!validation.iter().any(|pair| test.contains(pair)));
            if protocol == Protocol::Time {
                let of = |pairs: &[(u32, u32)]| pairs.iter().map(|&(user, item)| time(user, item)).collect::<Vec<_>>();
                let (train, validation, test) = (of(&train), of(&validation), of(&test));
                let latest = train.iter().max().copied().unwrap_or(i64::MIN);
                prop_assert!(validation.iter().chain(&test).all(|&later| later > latest));
                let latest = validation.iter().max().copied().unwrap_or(i64::MIN);
                prop_assert!(test.iter().all(|&later| later > latest));
            } else {
                for (at, &user) in found.test.users.iter().enumerate() {
                    let least = found.test.held_out.row(at).iter().map(|&item| time(user, item)).min();
                    let most = found.test.fold_in.row(at).iter().map(|&item| time(user, item)).max();
                    prop_assert!(most <= least);
                }
            }
        }
    }
}
