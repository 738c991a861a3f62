//! The kernels of one training step, in order, against PyTorch in f64: loss and every gradient.
//!
//! Only dropout, noise, negatives and log q come from the fixture.

use fastvae::engine::Engine;
use tests::{
    MultVae, assert_close, device::read, engines_and_divisions, fixture, fixtures::MULT_VAE, step::Step,
};

fn check(engine: &Engine, name: &str, block: Option<usize>) {
    let truth: MultVae = fixture(name);
    let mut step = Step::new(engine, &truth);
    let results = step.record(block);
    engine.run(&step.recording).unwrap_or_else(|error| panic!("{name}: {error}"));

    let label = |what: &str| format!("{}: {name}, block {block:?}: {what}", engine.describe());
    let close = |what: &str, got: &[f32], want: &[f64]| assert_close(&label(what), got, want, 1e-6, 5e-5);
    let config = &truth.config;
    let (batch, latent) = (config.users, config.latent);

    let posterior = read(engine, &results.posterior);
    let halves = |from: usize| {
        let rows = posterior.chunks_exact(2 * latent);
        rows.flat_map(move |row| row[from..from + latent].to_vec()).collect::<Vec<f32>>()
    };
    close("mu", &halves(0), &truth.mu.data);
    close("log-variance", &halves(latent), &truth.logvar.data);
    let by_row = read(engine, &results.nll);
    let mean = |user: usize| {
        let of_user = by_row.iter().skip(user).step_by(batch);
        of_user.sum::<f32>() / config.latent_samples as f32
    };
    close("nll", &(0..batch).map(mean).collect::<Vec<f32>>(), &truth.nll.data);
    close("kl", &read(engine, &results.kl), &truth.kl.data);
    let losses = read(engine, &results.losses);
    close("loss", &[losses[0] + config.beta as f32 * losses[1]], &[truth.loss]);

    let want = &truth.grads;
    for (what, got, want) in [
        ("E", &results.e, &want.e),
        ("b0", &results.b0, &want.b0),
        ("W1", &results.w1, &want.w1),
        ("b1", &results.b1, &want.b1),
        ("W2", &results.w2, &want.w2),
        ("b2", &results.b2, &want.b2),
        ("Q", &results.q, &want.q),
    ] {
        close(&format!("gradient of {what}"), &read(engine, got), &want.data);
    }
    assert_eq!(results.c.is_some(), want.c.is_some());
    if let (Some(got), Some(want)) = (&results.c, &want.c) {
        close("gradient of c", &read(engine, got), &want.data);
    }
}

#[test]
fn sampled_softmax() {
    let sampled: Vec<&str> = MULT_VAE.into_iter().filter(|name| !name.contains("full")).collect();
    assert_eq!(sampled.len(), 5);
    for engine in engines_and_divisions() {
        for name in &sampled {
            check(engine, name, None);
        }
    }
}

/// Blocks of one item, of sizes that divide the catalogue or not, of the whole catalogue, and larger.
#[test]
fn full_softmax_in_blocks() {
    for engine in engines_and_divisions() {
        for (name, items) in [("mult_vae_full", 53), ("mult_vae_full_bias", 37)] {
            for block in [1, 7, 16, items - 1, items, 64] {
                check(engine, name, Some(block));
            }
        }
    }
}
