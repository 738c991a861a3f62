//! The public sets come out exactly as published. `FASTVAE_DATA` names the folder that holds them.

use std::{
    env,
    path::{Path, PathBuf},
    time::Instant,
};

use fastvae::data::{Counts, Dataset, LoadOptions, load};

/// The file or folder, if the machine has it.
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
    let set = load(path, &LoadOptions { core, ..LoadOptions::default() }).unwrap();
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
