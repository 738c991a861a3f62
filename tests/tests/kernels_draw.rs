//! Draws from static distributions, and their probabilities.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use fastvae::{
    engine::Engine,
    kernels::{Groups, Lookup},
};
use tests::{
    Proposals, assert_close, assert_equal,
    device::{integers, numbers, read, run, unwritten, upload},
    engines, fixture,
    static_draw::{alias_table, draw_static},
    statistics::{assert_drawn_from, histogram},
};

#[test]
fn static_draws_follow_their_distribution() {
    let truth: Proposals = fixture("proposals_2x16");
    let popular = truth.popularity();
    let total: f64 = popular.iter().sum();
    for engine in engines() {
        for (group_size, candidates) in [(1, 5001), (3, 9001)] {
            let groups = Groups { batch: 4, samples: 1, size: group_size, candidates };
            let draws = draw_static(engine, groups, truth.items, None, 3, 9);
            let flat = vec![truth.log_q.uniform.exp(); truth.items];
            assert_drawn_from("uniform", &histogram(draws, truth.items), &flat);
            let draws = draw_static(engine, groups, truth.items, Some(&alias_table(&popular)), 3, 9);
            let want: Vec<f64> = popular.iter().map(|w| w / total).collect();
            assert_close(
                "log q",
                &want.iter().map(|p| p.ln()).collect::<Vec<_>>(),
                &truth.log_q.popularity.data,
                1e-12,
                1e-12,
            );
            assert_drawn_from("popularity", &histogram(draws, truth.items), &want);
        }
        assert_eq!(
            draw_static(engine, Groups { batch: 1, samples: 1, size: 1, candidates: 3 }, 1, None, 0, 0),
            [0; 3]
        );
    }
}

/// All of 1.5 million items can be drawn; from 24 bits of a float, some residues would never occur.
#[test]
fn static_draws_reach_every_item_of_a_large_catalogue() {
    let items = 1_500_000;
    for engine in engines() {
        let groups = Groups { batch: 65, samples: 1, size: 1, candidates: 4096 };
        let draws = draw_static(engine, groups, items, None, 1, 0);
        assert!(draws.iter().all(|&item| (item as usize) < items));
        let residues = histogram(draws.iter().map(|item| item % 11), 11);
        assert_drawn_from("residues", &residues, &[1.0 / 11.0; 11]);
        let ranges = histogram(draws.iter().map(|item| item / 1500), 1000);
        assert_drawn_from("ranges", &ranges, &[1e-3; 1000]);
    }
}

/// Static draws use only integers, so they are the same on every engine.
#[test]
fn static_draws_are_the_same_on_every_engine() {
    let weights: Vec<f64> = numbers(1, 345).iter().map(|&x| f64::from(x).exp()).collect();
    let table = alias_table(&weights);
    for groups in [
        Groups { batch: 7, samples: 3, size: 1, candidates: 345 },
        Groups { batch: 7, samples: 2, size: 3, candidates: 65 },
        Groups { batch: 65_537, samples: 1, size: 1, candidates: 1 },
    ] {
        for table in [None, Some(&table)] {
            let draw = |engine: &Engine| draw_static(engine, groups, 345, table, u64::MAX - 5, 17);
            let want = draw(&Engine::cpu());
            for engine in engines() {
                assert_equal(&format!("{}: {groups:?}", engine.describe()), &draw(engine), &want);
            }
        }
    }
}

#[test]
fn lookup_repeats_the_table() {
    for engine in engines() {
        for (len, repeats) in [(1, 1), (7, 3), (345, 2), (65_537, 1)] {
            let table = numbers(0, 29);
            let items = integers(1, len, 29);
            let output = unwritten(engine, repeats * len);
            let (table_in, items_in) = (upload(engine, &table), upload(engine, &items));
            run(engine, Lookup { table: table_in, items: items_in, len, repeats, output: output.clone() });
            let once: Vec<f32> = items.iter().map(|&item| table[item as usize]).collect();
            assert_equal("looked up", &read(engine, &output), &once.repeat(repeats));
        }
    }
}
