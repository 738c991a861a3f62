//! The self-tests that the page offers, natively.

use tests::engines;

#[test]
fn every_engine_passes_its_self_tests() {
    for engine in engines() {
        let results = pollster::block_on(fastvae::selftest::run(engine));
        let failures: Vec<String> = results
            .iter()
            .filter_map(|(name, result)| result.as_ref().err().map(|problem| format!("{name}: {problem}")))
            .collect();
        assert!(failures.is_empty(), "{}:\n{}", engine.describe(), failures.join("\n"));
        println!("{}: {} self-tests passed", engine.describe(), results.len());
    }
}
