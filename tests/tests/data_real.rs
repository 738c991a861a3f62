//! The public data sets are read with exactly the published numbers. `FASTVAE_DATA` names their folder.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use std::{
    env,
    path::{Path, PathBuf},
    time::Instant,
};

use fastvae::data::{Counts, Dataset, LoadOptions, load, load_bytes};

/// The file or folder, if it exists on this machine.
fn real(name: &str) -> Option<PathBuf> {
    let path = env::var_os("FASTVAE_DATA").map(|folder| Path::new(&folder).join(name));
    let path = path.filter(|path| path.exists());
    if path.is_none() {
        println!("not run: set FASTVAE_DATA to a folder that holds {name}");
    }
    path
}

fn read(path: &Path, core: u32) -> Dataset {
    let start = Instant::now();
    let set = load(path, &LoadOptions { core, ..LoadOptions::default() }).expect("loads");
    println!("{}: {:.2?}, {:?}", path.display(), start.elapsed(), set.report);
    set
}

fn counts(users: u64, items: u64, interactions: u64) -> Counts {
    Counts { users, items, interactions }
}

#[test]
fn movielens_10m_and_its_core() {
    let Some(path) = real("ml-10m-positive.csv.gz") else { return };
    let set = read(&path, 10);
    assert_eq!(set.report.before_core, counts(60_655, 8_641, 2_105_971));
    let statistics = set.statistics();
    assert_eq!(statistics.counts, counts(47_292, 5_942, 2_001_164));
    assert_eq!(format!("{:.4}", statistics.sparsity), "99.2879");
    assert!(set.interactions.column_counts().iter().all(|&count| count >= 10));
    assert!(set.interactions.iter().all(|row| row.len() >= 10));
}

#[test]
fn gowalla_is_its_own_core() {
    let Some(path) = real("gowalla-10core.csv.gz") else { return };
    for core in [0, 10] {
        assert_eq!(read(&path, core).statistics().counts, counts(29_858, 40_988, 1_027_464));
    }
}

#[test]
fn movielens_100k_with_latin1_titles() {
    let Some(path) = real("ml-100k") else { return };
    let set = read(&path, 0);
    assert_eq!(set.statistics().counts, counts(943, 1_682, 100_000));
    assert_eq!(set.users[..3], ["1", "2", "3"]);
    let titles = set.titles.as_ref().unwrap();
    let genres = set.genres.as_ref().unwrap();
    assert_eq!(titles[0], "Toy Story (1995)");
    assert_eq!(genres[0], ["Animation", "Children's", "Comedy"]);
    let accented = titles.iter().position(|title| title.starts_with("Visitors, The (Visiteurs")).unwrap();
    assert_eq!(titles[accented], "Visitors, The (Visiteurs, Les) (1993)");
    assert!(titles.iter().any(|title| title.contains('é')), "Latin-1 became UTF-8");
    // The file alone finds the titles next to it; the same bytes without a folder have no titles.
    let alone = load(&path.join("u.data"), &LoadOptions::default()).unwrap();
    assert_eq!(alone.titles, set.titles);
    assert_eq!(alone.interactions, set.interactions);
    let bytes = std::fs::read(path.join("u.data")).unwrap();
    let bytes = load_bytes("u.data", &bytes, &LoadOptions::default()).unwrap();
    assert_eq!((bytes.titles, &bytes.interactions), (None, &set.interactions));
    // As counted with grep and sort: 82,520 ratings of at least 3.
    let liked = load(&path, &LoadOptions { min_rating: Some(3.0), ..LoadOptions::default() }).unwrap();
    assert_eq!(liked.interactions.nnz(), 82_520);
    assert_eq!(liked.report.below_min_rating, 17_480);
}

#[test]
fn movielens_latest_small_with_quoted_titles() {
    let Some(path) = real("ml-latest-small") else { return };
    let set = read(&path, 0);
    assert_eq!(set.statistics().counts, counts(610, 9_724, 100_836));
    let titles = set.titles.as_ref().unwrap();
    let at = set.items.iter().position(|item| item == "11").unwrap();
    assert_eq!(titles[at], "American President, The (1995)");
    assert_eq!(set.genres.as_ref().unwrap()[at], ["Comedy", "Drama", "Romance"]);
    assert_eq!(set.items[..4], ["1", "2", "3", "4"]);
}
