//! A short campaign of damaged inputs; `cargo run --release -p tests --bin soak` runs long ones.

use tests::mutation::{Campaign, samples};

#[test]
fn damaged_inputs_give_errors_or_valid_results() {
    let samples = samples();
    let mut campaign = Campaign::new(20, &samples, None);
    let accepted = (0..6000).filter(|_| campaign.step()).count();
    // Most damaged inputs are refused, some are still valid, and the corpus grows by both.
    assert!(accepted > 100 && accepted < 5000, "{accepted}");
    assert!(campaign.kept() > 2 * samples.len(), "{}", campaign.kept());
}
