//! ELSA against its numeric gradient.

use fastvae::model::ElsaConfig;

use super::*;

#[test]
fn elsa_follows_its_gradient() {
    let mut config = config_of(ModelConfig::Elsa(ElsaConfig { factors: 6 }));
    (config.training.epochs, config.training.batch) = (1, 1000);
    (config.optimizer.learning_rate, config.split.validation_users) = (0.05, 0);
    let first = train(config.clone());
    let vectors = table(first.storage.model.as_ref().unwrap(), "items");
    let norm = |row: &[f64]| row.iter().map(|x| x * x).sum::<f64>().sqrt();
    assert!(vectors.iter().all(|row| (norm(row) - 1.0).abs() < 1e-5));
    let unit = |w: &[Vec<f64>]| -> Vec<Vec<f64>> {
        w.iter().map(|row| row.iter().map(|x| x / norm(row)).collect()).collect()
    };
    let scores = |x: &[Vec<f64>], a: &[Vec<f64>]| -> Vec<Vec<f64>> {
        let y = product(&product(x, a), &transposed(a));
        y.iter().zip(x).map(|(y, x)| y.iter().zip(x).map(|(y, x)| y - x).collect()).collect()
    };
    let histories = dense(&first.split.test.fold_in);
    assert_close(&first.scores(), &scores(&histories, &vectors), 1e-5);

    // From the weights after one step, the second step of the run is one of Adam along the numeric gradient.
    let x = dense(&first.split.train);
    let loss = |w: &[Vec<f64>]| -> f64 {
        let rows = scores(&x, &unit(w)).into_iter().zip(&x).map(|(y, x)| {
            let (of_y, of_x) = (norm(&y), norm(x));
            y.iter().zip(x).map(|(y, x)| (y / of_y - x / of_x).powi(2)).sum::<f64>()
        });
        rows.sum::<f64>() / x.len() as f64
    };
    let before = first.storage.last.as_ref().unwrap();
    config.training.epochs = 2;
    config.optimizer.schedule = fastvae::config::Schedule::Constant;
    let second = train(config);
    let after = second.storage.last.as_ref().unwrap();
    let mut w = table(before, "fit.weights");
    let reported = second.storage.events.iter().find_map(|event| match event {
        Event::Epoch { epoch: 2, loss, .. } => Some(*loss),
        _ => None,
    });
    let want = loss(&w);
    assert!((reported.unwrap() - want).abs() < 1e-5 * want, "{reported:?}, not {want}");
    let (first_moments, later) = (table(before, "fit.weights.first"), table(after, "fit.weights.first"));
    for (item, dimension) in [(0, 0), (3, 5), (40, 2), (109, 1)] {
        let at = w[item][dimension];
        let step = 1e-4;
        w[item][dimension] = at + step;
        let above = loss(&w);
        w[item][dimension] = at - step;
        let below = loss(&w);
        w[item][dimension] = at;
        let numeric = (above - below) / (2.0 * step);
        let found = (later[item][dimension] - 0.9 * first_moments[item][dimension]) / 0.1;
        assert!((found - numeric).abs() < 1e-5 + 1e-3 * numeric.abs(), "item {item}: {found}, not {numeric}");
    }
}
