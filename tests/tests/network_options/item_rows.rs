//! One table of item rows for encoder and decoder, and item rows that move to those of EASE.

use fastvae::{
    config::{
        Config, Decoder, HiddenLayer, ImplicitSlimEvery, ImplicitSlimLambda, Method, Prior, ProposalKind,
        RowUpdates,
    },
    data::Csr,
    engine::Engine,
    event::Event,
    train::Trainer,
};
use pollster::block_on;
use tests::{assert_close, device::wide, engines};

use super::{Truth, floats, goes_on, small, start};

#[test]
fn one_table_of_item_rows() {
    let changes: [fn(&mut Config); 4] = [
        |config| config.model.tied_items = true,
        |config| {
            (config.model.tied_items, config.model.decoder, config.model.latent) = (true, Decoder::Direct, 5);
        },
        |config| {
            (config.model.tied_items, config.model.decoder, config.model.latent) =
                (true, Decoder::Direct, 10);
            config.model.hidden_layer = HiddenLayer::Gated;
        },
        |config| (config.model.tied_items, config.model.prior) = (true, Prior::Composite),
    ];
    for change in changes {
        Truth::new(change).check();
    }
    for method in [Method::Full, Method::Sampled(ProposalKind::MidxPopularity)] {
        for prior in [Prior::Normal, Prior::Composite] {
            let (mut config, ..) = small();
            method.apply(&mut config);
            (config.model.tied_items, config.model.prior, config.training.average) = (true, prior, 0.5);
            engines().into_iter().for_each(|engine| goes_on(engine, &config));
        }
    }
    let refused = |change: fn(&mut Config)| {
        let (mut config, ..) = small();
        config.model.tied_items = true;
        change(&mut config);
        config.validate(110).unwrap_err().to_string()
    };
    let (mut config, train, validation) = small();
    (config.model.tied_items, config.model.decoder) = (true, Decoder::Direct);
    let trainer = Trainer::new(Engine::cpu(), &config, &train, Some(&validation));
    assert!(block_on(trainer).err().unwrap().to_string().starts_with("tied-items: "));
    let direct = refused(|config| config.model.decoder = Decoder::Direct);
    assert!(direct.starts_with("tied-items: ") && direct.contains("`latent = 16` or"), "{direct}");
    let gated = refused(|config| config.model.hidden_layer = HiddenLayer::Gated);
    assert!(gated.contains("`decoder = direct` with `latent = 32`"), "{gated}");
}

/// The first step of one table has the sum of the gradients of two tables with the same rows.
#[test]
fn one_table_has_the_gradients_of_two() {
    let (_, train, validation) = small();
    for engine in engines() {
        for (kind, rows) in [
            (ProposalKind::Uniform, RowUpdates::Dense),
            (ProposalKind::Popularity, RowUpdates::Lazy),
            (ProposalKind::MidxPopularity, RowUpdates::Replay),
        ] {
            for (group_size, samples) in [(1, 2), (5, 1)] {
                let (mut config, ..) = small();
                (config.proposal.kind, config.optimizer.row_updates) = (kind, rows);
                (config.proposal.group_size, config.model.latent_samples) = (group_size, samples);
                config.model.tied_items = true;
                let mut one = start(engine, &config);
                let mut state = block_on(one.state()).unwrap();
                for end in ["", ".first", ".second", ".last_step"] {
                    let rows = state.tensors[&format!("items{end}")].clone();
                    assert!(state.tensors.insert(format!("encoder{end}"), rows).is_none());
                }
                config.model.tied_items = false;
                let two = Trainer::resume(engine.clone(), &config, &train, Some(&validation), &state);
                let mut two = block_on(two).unwrap();
                let after = |trainer: &mut Trainer| {
                    while trainer.progress().step < 1 {
                        block_on(trainer.next()).unwrap();
                    }
                    block_on(trainer.state()).unwrap()
                };
                let (one, two) = (after(&mut one), after(&mut two));
                let parts = [floats(&two, "items.first"), floats(&two, "encoder.first")].map(wide);
                let want: Vec<f64> = parts[0].iter().zip(&parts[1]).map(|(x, y)| x + y).collect();
                let name = format!("{}, {rows:?}, {}", kind.name(), engine.describe());
                assert!(parts[1].iter().any(|x| x.abs() > 1e-4), "{name}: the encoder has a gradient");
                assert_close(&name, floats(&one, "items.first"), &want, 1e-6, 1e-5);
                let biases = wide(floats(&two, "item_bias.first"));
                assert_close(&name, floats(&one, "item_bias.first"), &biases, 1e-7, 1e-6);
                let same = floats(&one, "to_latent.first") == floats(&two, "to_latent.first");
                assert!(same, "{name}: the other gradients");
            }
        }
    }
}

/// Item rows by ImplicitSLIM with all matrices as they are defined, M x M.
fn implicit_slim(train: &Csr, rows: &[f64], width: usize, lambda: f64) -> Vec<f64> {
    let items = train.columns();
    let mean = train.nnz() as f64 / items as f64;
    let lambda = lambda * mean;
    let counts = train.column_counts();
    // C = X'X + lambda I and K = C D^2 C.
    let mut c = vec![vec![0.0; items]; items];
    for history in train.iter() {
        for (&a, &b) in history.iter().flat_map(|a| history.iter().map(move |b| (a, b))) {
            c[a as usize][b as usize] += 1.0;
        }
    }
    (0..items).for_each(|at| c[at][at] += lambda);
    let diagonal: Vec<f64> = counts.iter().map(|&count| 1.0 / (f64::from(count) + lambda)).collect();
    let k =
        |a: usize, b: usize| -> f64 { (0..items).map(|at| c[a][at] * diagonal[at].powi(2) * c[at][b]).sum() };
    // The stationary point of tr V'K^-1 V + |A'(V - E)|^2: (I + K A A') V = K A A' E.
    let anchor = |item: usize, d: usize| {
        if f64::from(counts[item]) < mean { 0.0 } else { rows[item * width + d] }
    };
    let k: Vec<Vec<f64>> = (0..items).map(|a| (0..items).map(|b| k(a, b)).collect()).collect();
    let ka: Vec<Vec<f64>> = k
        .iter()
        .map(|row| (0..width).map(|d| (0..items).map(|b| row[b] * anchor(b, d)).sum()).collect())
        .collect();
    let mut system: Vec<Vec<f64>> = (0..items)
        .map(|a| {
            let of = |b: usize| (0..width).map(|d| ka[a][d] * anchor(b, d)).sum::<f64>();
            let mut row: Vec<f64> = (0..items).map(of).collect();
            let right: Vec<f64> =
                (0..width).map(|d| (0..items).map(|b| row[b] * rows[b * width + d]).sum()).collect();
            row[a] += 1.0;
            row.extend(right);
            row
        })
        .collect();
    // Gauss and Jordan, with pivots.
    for at in 0..items {
        let pivot = (at..items).max_by(|&a, &b| system[a][at].abs().total_cmp(&system[b][at].abs())).unwrap();
        system.swap(at, pivot);
        let line = system[at].clone();
        for (_, values) in system.iter_mut().enumerate().filter(|(row, _)| *row != at) {
            let factor = values[at] / line[at];
            values.iter_mut().zip(&line).for_each(|(value, other)| *value -= factor * other);
        }
    }
    let solution =
        system.iter().enumerate().flat_map(|(at, row)| row[items..].iter().map(move |x| x / row[at]));
    solution.collect()
}

/// Steps of ImplicitSLIM before the epochs that are due, on both tables or the one, and none before others.
#[test]
fn item_rows_that_move_to_those_of_ease() {
    let (weight, lambda) = (0.75, 0.5);
    for engine in engines() {
        for tied in [false, true] {
            let (mut config, train, _) = small();
            config.proposal.kind = ProposalKind::MidxPopularity;
            config.model.tied_items = tied;
            config.model.implicit_slim = weight;
            config.model.implicit_slim_lambda = ImplicitSlimLambda(lambda);
            config.model.implicit_slim_every = ImplicitSlimEvery(2);
            let mut trainer = start(engine, &config);
            let mut before = block_on(trainer.state()).unwrap();
            let (mut moved, mut left) = (0, 0);
            while let Some(event) = block_on(trainer.next()).unwrap() {
                if trainer.has_events() {
                    continue;
                }
                let state = block_on(trainer.state()).unwrap();
                if let Event::Indexed { epoch, .. } = event {
                    for name in ["items", "encoder"].into_iter().take(if tied { 1 } else { 2 }) {
                        let (old, new) = (floats(&before, name), floats(&state, name));
                        if epoch % 2 == 0 {
                            assert!(old == new, "{name} before epoch {epoch}");
                            left += 1;
                            continue;
                        }
                        let target = implicit_slim(&train, &wide(old), 16, f64::from(lambda));
                        let pairs = wide(old).into_iter().zip(target);
                        let want: Vec<f64> =
                            pairs.map(|(old, target)| old + f64::from(weight) * (target - old)).collect();
                        let name = format!("{name} before epoch {epoch}, {}", engine.describe());
                        assert_close(&name, new, &want, 2e-5, 1e-4);
                        moved += 1;
                    }
                }
                before = state;
            }
            assert_eq!([moved, left], if tied { [2, 2] } else { [4, 4] });
            goes_on(engine, &config);
        }
    }
}
