//! BPR against the same descent in float64.

use fastvae::{
    model::BprConfig,
    rng::{Rng, Stream, below},
};

use super::*;

/// An item outside of a history: the first such draw.
fn outside(history: &[u32], rng: Rng, step: u32, row: u32) -> usize {
    let words = (0..).flat_map(|block| rng.block(Stream::Negatives, step, row, block));
    let draw = words.map(|word| below(word, ITEMS as u32)).find(|item| !history.contains(item));
    draw.unwrap() as usize
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[test]
fn bpr_follows_its_gradient() {
    let (rate, lambda) = (0.1, 0.02);
    let mut config = config_of(ModelConfig::Bpr(BprConfig { factors: 5, regularisation: lambda as f32 }));
    (config.training.epochs, config.training.evaluate_every, config.training.seed) = (3, 1, 4);
    (config.optimizer.learning_rate, config.optimizer.schedule) =
        (rate as f32, fastvae::config::Schedule::Constant);
    config.split.validation_users = 0;
    let run = train(config);
    let setup = Setup {
        engine: Engine::cpu(),
        context: run.context.clone(),
        split: &run.split,
        saves: Saves::default(),
    };
    let mut start = block_on(Run::start(setup, || Ok(Memory::default()))).unwrap();
    block_on(start.save()).unwrap();
    let start = start.into_storage().last.unwrap();
    let (mut users, mut items) = (table(&start, "fit.users"), table(&start, "items"));
    let mut bias = vec![0.0; ITEMS];
    let x = &run.split.train;
    let pairs: Vec<(usize, usize)> =
        x.iter().enumerate().flat_map(|(u, row)| row.iter().map(move |&i| (u, i as usize))).collect();
    let rng = Rng::new(4);
    let mut losses = Vec::new();
    for epoch in 0..3u32 {
        let mut order: Vec<usize> = (0..pairs.len()).collect();
        for i in (1..order.len()).rev() {
            order.swap(i, below(rng.block(Stream::Shuffle, epoch, 0, i as u32)[0], i as u32 + 1) as usize);
        }
        let mut loss = 0.0;
        for at in order {
            let (user, liked) = pairs[at];
            let other = outside(x.row(user), rng, epoch, at as u32);
            let (w, up, down) = (users[user].clone(), items[liked].clone(), items[other].clone());
            let difference = dot(&w, &up) - dot(&w, &down) + bias[liked] - bias[other];
            let slope = 1.0 / (1.0 + difference.exp());
            loss += (1.0 + (-difference).exp()).ln();
            for k in 0..5 {
                users[user][k] += rate * (slope * (up[k] - down[k]) - lambda * w[k]);
                items[liked][k] += rate * (slope * w[k] - lambda * up[k]);
                items[other][k] += rate * (-slope * w[k] - lambda * down[k]);
            }
            bias[liked] += rate * (slope - lambda * bias[liked]);
            bias[other] += rate * (-slope - lambda * bias[other]);
        }
        losses.push(loss / pairs.len() as f64);
    }
    let last = run.storage.last.as_ref().unwrap();
    assert_table(&table(last, "items"), &items, 1e-4);
    assert_table(&table(last, "fit.users"), &users, 1e-4);
    let reported = run.storage.metrics.as_ref().unwrap().epochs.iter().map(|epoch| epoch.loss);
    for (found, want) in reported.zip(losses) {
        assert!((found - want).abs() < 1e-5, "{found}, not {want}");
    }

    // A history is folded in by the same rule, from zero, with the items fixed.
    let fold_in = |history: &[u32]| -> Vec<f64> {
        let mut w = vec![0.0; 5];
        for pass in 0..30 {
            let rate = 0.1 * (1.0 - f64::from(pass) / 30.0);
            for (at, &liked) in history.iter().enumerate() {
                let other = outside(history, Rng::new(0), pass, at as u32);
                let (up, down) = (&items[liked as usize], &items[other]);
                let difference = dot(&w, up) - dot(&w, down) + bias[liked as usize] - bias[other];
                let slope = 1.0 / (1.0 + difference.exp());
                (0..5).for_each(|k| w[k] += rate * (slope * (up[k] - down[k]) - lambda * w[k]));
            }
        }
        (0..ITEMS).map(|item| dot(&w, &items[item]) + bias[item]).collect()
    };
    let want: Vec<Vec<f64>> = run.split.test.fold_in.iter().map(fold_in).collect();
    assert_close(&run.scores(), &want, 1e-3);
}
