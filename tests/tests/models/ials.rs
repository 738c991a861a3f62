//! Alternating least squares.

use fastvae::model::{IalsConfig, WrmfConfig};

use super::*;

/// Weights of iALS in float64.
struct Ials {
    lambda: f64,
    exponent: f64,
    alpha: f64,
}

impl Ials {
    fn norm_weight(&self, observed: f64, all: usize) -> f64 {
        self.lambda * (observed + self.alpha * all as f64).powf(self.exponent)
    }

    /// The best vectors of the rows of x, given those of its columns.
    fn best(&self, x: &[Vec<f64>], others: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let gram = transposed_product(others, others);
        let of_row = |row: &Vec<f64>| {
            let mut a = gram.clone();
            a.iter_mut().flatten().for_each(|value| *value *= self.alpha);
            let mut b = vec![vec![0.0]; a.len()];
            for (other, _) in others.iter().zip(row).filter(|(_, x)| **x > 0.0) {
                for (i, (line, b)) in a.iter_mut().zip(&mut b).enumerate() {
                    line.iter_mut().zip(other).for_each(|(value, x)| *value += other[i] * x);
                    b[0] += other[i];
                }
            }
            let norm = self.norm_weight(row.iter().sum(), row.len());
            (0..a.len()).for_each(|i| a[i][i] += norm);
            solved(a, b).into_iter().map(|x| x[0]).collect()
        };
        x.iter().map(of_row).collect()
    }

    fn loss(&self, x: &[Vec<f64>], users: &[Vec<f64>], items: &[Vec<f64>]) -> f64 {
        let scores = product(users, &transposed(items));
        let pairs = x.iter().flatten().zip(scores.iter().flatten());
        let errors: f64 = pairs.map(|(x, s)| x * (s - 1.0).powi(2) + self.alpha * s * s).sum();
        let norms = |x: &[Vec<f64>], vectors: &[Vec<f64>]| -> f64 {
            let norm = |vector: &[f64]| vector.iter().map(|v| v * v).sum::<f64>();
            x.iter().zip(vectors).map(|(x, v)| self.norm_weight(x.iter().sum(), x.len()) * norm(v)).sum()
        };
        (errors + norms(x, users) + norms(&transposed(x), items)) / x.len() as f64
    }
}

#[test]
fn ials_alternates_between_least_squares_problems() {
    let ials = IalsConfig {
        factors: 7,
        regularisation: 0.02,
        regularisation_exponent: 0.8,
        unobserved_weight: 0.15,
        block: 7,
    };
    let wrmf = WrmfConfig { factors: 7, regularisation: 0.9, unobserved_weight: 0.15 };
    for (model, truth) in [
        (ModelConfig::Ials(ials), Ials { lambda: 0.02, exponent: 0.8, alpha: 0.15 }),
        (ModelConfig::Wrmf(wrmf), Ials { lambda: 0.9, exponent: 0.0, alpha: 0.15 }),
    ] {
        let mut config = config_of(model);
        config.training.epochs = 2;
        config.split.validation_users = 0;
        let run = train(config);
        let last = run.storage.last.as_ref().unwrap();
        let (users, items) = (table(last, "fit.users"), table(last, "items"));
        let x = dense(&run.split.train);
        // The last step was that of the items, given the users.
        assert_table(&items, &truth.best(&transposed(&x), &users), 1e-4);
        let Some(Event::Epoch { loss, .. }) =
            run.storage.events.iter().rev().find(|event| matches!(event, Event::Epoch { .. }))
        else {
            panic!("no epoch")
        };
        let want = truth.loss(&x, &users, &items);
        assert!((loss - want).abs() < 1e-5 * want, "{loss}, not {want}");
        // A history, known or new, is folded in by one such problem.
        let histories = dense(&run.split.test.fold_in);
        let vectors = truth.best(&histories, &items);
        assert_close(&run.scores(), &product(&vectors, &transposed(&items)), 1e-4);
    }
}

/// Blocks reach the same minimum along another way.
#[test]
fn ials_by_blocks_descends() {
    let losses = |block: usize, epochs: u32| -> Vec<f64> {
        let mut config = config_of(ModelConfig::Ials(IalsConfig { factors: 8, block, ..Default::default() }));
        config.training.epochs = epochs;
        let run = train(config);
        let loss = |event: &Event| if let Event::Epoch { loss, .. } = event { Some(*loss) } else { None };
        run.storage.events.iter().filter_map(loss).collect()
    };
    let (whole, blocks) = (losses(8, 12), losses(3, 12));
    assert!(whole.is_sorted_by(|a, b| a >= b) && blocks.is_sorted_by(|a, b| a >= b), "{whole:?}\n{blocks:?}");
    assert!((whole[11] - blocks[11]).abs() < 0.02 * whole[11], "{whole:?}\n{blocks:?}");
}
