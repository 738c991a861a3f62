//! The self-tests that the page offers, natively.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use tests::{engines, engines_and_divisions};

#[test]
fn every_engine_passes_its_self_tests() {
    for engine in engines_and_divisions() {
        let results = pollster::block_on(fastvae_study::selftest::run(engine));
        let failures: Vec<String> = results
            .iter()
            .filter_map(|(name, result)| result.as_ref().err().map(|problem| format!("{name}: {problem}")))
            .collect();
        assert!(failures.is_empty(), "{}:\n{}", engine.describe(), failures.join("\n"));
        println!("{}: {} self-tests passed", engine.describe(), results.len());
    }
}

#[test]
fn every_engine_draws_the_same_integers() {
    let drawn: Vec<u32> = engines()
        .iter()
        .map(|engine| {
            let drawn = pollster::block_on(fastvae_study::selftest::draws(engine)).unwrap();
            println!("{}: {drawn:08x}", engine.describe());
            drawn
        })
        .collect();
    assert!(drawn.windows(2).all(|pair| pair[0] == pair[1]), "{drawn:08x?}");
}
