//! Models that are sums over a history: popularity, neighbours, EASE.

use fastvae::model::{EaseConfig, ItemKnnConfig};

use super::*;

#[test]
fn popularity_counts_training_users() {
    let run = train(config_of(ModelConfig::new(ModelKind::Popularity)));
    let counts: Vec<f64> = run.split.train.column_counts().iter().map(|&count| count.into()).collect();
    assert_close(&run.scores(), &vec![counts; run.split.test.fold_in.rows()], 0.0);
}

#[test]
fn item_knn_sums_cosines_of_neighbours() {
    for (neighbours, shrinkage) in [(5, 0.0), (12, 3.5), (500, 20.0)] {
        let run = train(config_of(ModelConfig::ItemKnn(ItemKnnConfig { neighbours, shrinkage })));
        let x = dense(&run.split.train);
        let together = transposed_product(&x, &x);
        let mut weights = vec![vec![0.0; ITEMS]; ITEMS];
        for item in 0..ITEMS {
            let similarity = |other: usize| {
                let product: f64 = together[item][item] * together[other][other];
                let cosine = together[item][other] / (product.sqrt() + f64::from(shrinkage));
                // Ties are broken on single precision.
                if together[item][other] > 0.0 { f64::from(cosine as f32) } else { 0.0 }
            };
            let mut others: Vec<usize> = (0..ITEMS).filter(|&other| other != item).collect();
            others.sort_by(|&a, &b| similarity(b).total_cmp(&similarity(a)).then(a.cmp(&b)));
            for &other in others.iter().take(neighbours) {
                weights[other][item] = similarity(other);
            }
        }
        assert_close(&run.scores(), &product(&dense(&run.split.test.fold_in), &weights), 1e-5);
    }
}

#[test]
fn ease_solves_its_normal_equations() {
    for lambda in [3.0, 300.0] {
        let run = train(config_of(ModelConfig::Ease(EaseConfig { lambda })));
        let x = dense(&run.split.train);
        let mut gram = transposed_product(&x, &x);
        (0..ITEMS).for_each(|item| gram[item][item] += f64::from(lambda));
        let p = solved(gram, identity(ITEMS));
        let weight = |i: usize, j: usize| if i == j { 0.0 } else { -p[i][j] / p[j][j] };
        let weights: Vec<Vec<f64>> = (0..ITEMS).map(|i| (0..ITEMS).map(|j| weight(i, j)).collect()).collect();
        assert_close(&run.scores(), &product(&dense(&run.split.test.fold_in), &weights), 2e-5);
    }
}
