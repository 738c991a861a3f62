//! A short campaign of damaged inputs; `cargo run --release -p tests --bin soak` runs long ones.

use tests::mutation::{Campaign, samples};

#[test]
fn damaged_inputs_of_every_form_end_in_words() {
    let samples = samples();
    let mut campaign = Campaign::new(20, &samples);
    let accepted = (0..6000).filter(|_| campaign.step()).count();
    // Most damage is seen, some leaves a sound input, and the corpus has learned from both.
    assert!(accepted > 100 && accepted < 5000, "{accepted}");
    assert!(campaign.kept() > 2 * samples.len(), "{}", campaign.kept());
}
