//! The fixtures have the shapes and properties that their structs document.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use tests::{
    MultVae, Proposals, Tensor, csr, fixture,
    fixtures::{MULT_VAE, PROPOSALS},
};

#[test]
fn mult_vae_shapes_follow_the_configuration() {
    for name in MULT_VAE {
        let truth: MultVae = fixture(name);
        let c = &truth.config;
        let (users, items, hidden, latent, samples) =
            (c.users, c.items, c.hidden, c.latent, c.latent_samples);
        let same =
            |what: &str, tensor: &Tensor, shape: &[usize]| assert_eq!(tensor.shape, shape, "{name}: {what}");
        for p in [&truth.params, &truth.grads] {
            same("E", &p.e, &[items, hidden]);
            same("W1", &p.w1, &[hidden, 2 * latent]);
            same("b1", &p.b1, &[2 * latent]);
            same("W2", &p.w2, &[latent, hidden]);
            same("Q", &p.q, &[items, hidden]);
            assert_eq!(p.c.is_some(), c.item_bias, "{name}: c");
        }
        same("eps", &truth.eps, &[samples, users, latent]);
        same("mu", &truth.mu, &[users, latent]);
        same("logits", &truth.logits, &[samples, users, items]);
        same("nll", &truth.nll, &[users]);
        assert_eq!((truth.histories.len(), truth.keep_mask.len()), (users, users), "{name}");
        assert_eq!(truth.negatives.is_some(), c.sampled, "{name}");
        if let (Some(negatives), Some(log_q)) = (&truth.negatives, truth.corrected_log_q()) {
            same("log q", log_q, &[samples, users, items]);
            assert!(negatives.iter().flatten().all(|row| row.len() == c.negatives * c.share), "{name}");
        }
        let mean = truth.nll.data.iter().zip(&truth.kl.data).map(|(nll, kl)| nll + c.beta * kl).sum::<f64>();
        tests::assert_close(name, &[mean / users as f64], &[truth.loss], 1e-12, 1e-12);
    }
}

#[test]
fn proposals_are_distributions() {
    for name in PROPOSALS {
        let truth: Proposals = fixture(name);
        let queries = truth.queries.shape[0];
        assert_eq!(truth.q.shape, [truth.items, truth.hidden]);
        assert_eq!(truth.centroids.shape, [truth.codebooks, truth.codewords, truth.hidden / truth.codebooks]);
        assert_eq!(truth.stages.is_some(), truth.codebooks == 2);
        let q = &truth.log_q;
        for log_q in [&q.softmax, &q.midx, &q.midx_uniform, &q.midx_popularity, &q.kernel] {
            assert_eq!(log_q.shape, [queries, truth.items]);
            for query in 0..queries {
                let total: f64 = log_q.at(query).iter().map(|value| value.exp()).sum();
                tests::assert_close(name, &[total], &[1.0], 1e-12, 0.0);
            }
        }
        // An item without interactions is never proposed by popularity: null in the file.
        assert_eq!((truth.counts[0], q.popularity.data[0]), (0, f64::NEG_INFINITY));
    }
}

#[test]
fn lists_become_compressed_rows() {
    assert_eq!(csr(&[vec![4, 2], vec![], vec![7]]), (vec![0, 2, 2, 3], vec![4, 2, 7]));
    assert_eq!(csr(&[]), (vec![0], vec![]));
}

#[test]
fn ragged_lists_are_no_tensor() {
    let read = serde_json::from_str::<Tensor>;
    assert_eq!(read("[[1, 2], [3, null]]").unwrap().shape, [2, 2]);
    assert_eq!(read("2.5").unwrap(), Tensor { shape: vec![], data: vec![2.5] });
    for ragged in ["[[1, 2], [3]]", "[1, [2]]", "[[1], 2]", "[\"a\"]"] {
        assert!(read(ragged).is_err(), "{ragged}");
    }
}
