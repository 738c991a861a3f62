//! Divergences, bounds, gradients and curves: against fixtures and enumeration, and on models.

use fastvae::{
    config::{Config, Method, Partition},
    data::{self, Csr, Split, SplitOptions, SyntheticOptions},
    engine::Engine,
    proposal::Catalogue,
    train::Trainer,
};
use fastvae_study::{
    compare::{Point, compare},
    fidelity::{
        Curve, Model, Options, Sampler, Subject, Sweep, curve, divergences, gradient, html, mean, study,
    },
};
use pollster::block_on;
use tests::{Proposals, assert_close, device::upload, engines, fixture, fixtures::PROPOSALS, proposal::Case};

fn sampler(text: &str) -> Sampler {
    let mut base = Config::default();
    (base.proposal.codewords, base.proposal.negatives) = (8, 20);
    Sampler::parse(text, &base).expect("a sampler")
}

/// Users with given queries over given items; user u has the single item u.
fn subject<'a>(engine: &'a Engine, case: &Case) -> Subject<'a> {
    let rows: Vec<Vec<u32>> = (0..case.users() as u32).map(|user| vec![user]).collect();
    let logits: Vec<Vec<f64>> = (0..case.users()).map(|user| case.logits(user)).collect();
    Subject {
        engine,
        catalogue: Catalogue {
            table: upload(engine, &case.table),
            bias: case.bias.as_ref().map(|bias| upload(engine, bias)),
            items: case.items(),
            width: case.width,
        },
        histories: Csr::from_rows(&rows, case.items() as u32).expect("rows"),
        queries: case.queries.clone(),
        log_z: logits.iter().map(|o| o.iter().map(|o| o.exp()).sum::<f64>().ln()).collect(),
        logits: logits.into_iter().flatten().map(|o| o as f32).collect(),
    }
}

fn of_fixture(truth: &Proposals) -> Case {
    Case {
        queries: truth.queries.f32(),
        table: truth.q.f32(),
        bias: None,
        width: truth.hidden,
        counts: truth.counts.clone(),
        seed: 1,
        step: 1,
    }
}

fn small() -> (Config, Split) {
    let options =
        SyntheticOptions { users: 200, items: 150, shortest: 6, longest: 30, ..SyntheticOptions::default() };
    let set = data::synthetic(&options).expect("a set");
    let split = data::split(&set, &SplitOptions { validation_users: 0, ..SplitOptions::default() });
    let mut config = Config::default();
    (config.model.hidden, config.model.latent) = (16, 6);
    (config.proposal.negatives, config.proposal.codewords) = (20, 4);
    (config.training.epochs, config.training.batch, config.training.anneal_steps) = (8, 32, 20);
    config.optimizer.learning_rate = 0.01;
    (config, split.expect("a split"))
}

#[test]
fn divergences_are_those_of_the_fixtures() {
    for file in PROPOSALS {
        let truth: Proposals = fixture(file);
        let case = of_fixture(&truth);
        for engine in engines() {
            let subject = subject(engine, &case);
            for (name, want) in
                [("uniform", &truth.kl_from_softmax.uniform), ("kernel", &truth.kl_from_softmax.kernel)]
            {
                let ready = block_on(subject.prepare(&sampler(name), &case.counts, 0)).expect("builds");
                let got = block_on(divergences(&subject, &ready)).expect("measures");
                let got: Vec<f64> = got.iter().map(|d| d.kl_qp).collect();
                assert_close(&format!("{file}, {name}, {}", engine.describe()), &got, &want.data, 1e-4, 1e-4);
            }
        }
    }
}

#[test]
fn exact_samplers_are_at_no_distance() {
    let case = of_fixture(&fixture("proposals_2x16"));
    for engine in engines() {
        let subject = subject(engine, &case);
        for name in ["softmax", "midx"] {
            let ready = block_on(subject.prepare(&sampler(name), &case.counts, 0)).expect("builds");
            let got = mean(&block_on(divergences(&subject, &ready)).expect("measures"));
            assert!(got.kl_qp.abs() < 1e-5 && got.kl_pq.abs() < 1e-5, "{name}: {got:?}");
            assert!(got.total_variation < 1e-5 && (got.effective_sample_size - 1.0).abs() < 1e-4, "{got:?}");
            assert!(got.bound.is_nan(), "{got:?}");
        }
    }
}

/// Theorems 5.3 and 5.4, on a new model, on a trained one, and with an index that is out of date.
#[test]
fn the_bounds_of_the_paper_hold() {
    let (config, split) = small();
    let counts = split.train.column_counts();
    for engine in engines() {
        let new = Trainer::new(engine.clone(), &config, &split.train, None);
        let mut trainer = block_on(new).expect("starts");
        let mut stale = None;
        loop {
            let rows: Vec<u32> = (0..40).collect();
            let histories = split.train.select(&rows).expect("rows");
            let model = trainer.model().trained_part();
            let subject = Subject::new(engine, &model, histories);
            let subject = block_on(subject).expect("measures");
            let mut checked = 0;
            for name in [
                "midx-uniform",
                "midx-popularity",
                "midx-popularity:popularity=count",
                "midx-uniform:codewords=2",
            ] {
                let ready = block_on(subject.prepare(&sampler(name), &counts, 0)).expect("builds");
                for one in block_on(divergences(&subject, &ready)).expect("measures") {
                    assert!(one.kl_qp >= -1e-6 && one.kl_qp <= one.bound + 1e-5, "{name}: {one:?}");
                    checked += usize::from(one.kl_qp > 1e-3);
                }
                if name == "midx-uniform" && stale.is_none() {
                    stale = Some(ready);
                }
            }
            assert!(checked > 40, "nearly nothing was at any distance: {checked}");
            for one in block_on(divergences(&subject, stale.as_ref().expect("kept"))).expect("measures") {
                assert!(one.kl_qp <= one.bound + 1e-5, "stale: {one:?}");
            }
            if trainer.progress().finished {
                break;
            }
            while block_on(trainer.next()).expect("trains").is_some() {}
        }
    }
}

/// Between a refresh and the measurement the biases drift by as much as 6: bounds without the drift would be too
/// small.
#[test]
fn the_bounds_of_a_stale_index_hold_what_became_of_the_biases() {
    for engine in engines() {
        let mut case = Case {
            queries: tests::device::numbers(1, 4 * 8),
            table: tests::device::numbers(2, 60 * 8),
            bias: Some(vec![0.0; 60]),
            width: 8,
            counts: (0..60).map(|item| item % 7 + 1).collect(),
            seed: 0,
            step: 0,
        };
        let before = subject(engine, &case).catalogue;
        case.bias = Some(tests::device::numbers(4, 60).iter().map(|bias| 3.0 * bias).collect());
        let now = subject(engine, &case);
        for name in ["midx-uniform:quantisation=product", "midx-popularity:quantisation=product"] {
            let ask = |before| block_on(now.prepare_from(before, &sampler(name), &case.counts, 0)).unwrap();
            let bounds = |ready| block_on(divergences(&now, ready)).expect("measures");
            let (stale, fresh) = (bounds(&ask(&before)), bounds(&ask(&now.catalogue)));
            for (stale, fresh) in stale.iter().zip(&fresh) {
                assert!(stale.kl_qp <= stale.bound + 1e-5, "{name}: {stale:?}");
                assert!(fresh.kl_qp <= fresh.bound + 1e-5, "{name}: {fresh:?}");
                assert!(stale.bound > fresh.bound + 1.0, "{name}: {stale:?} and {fresh:?}");
            }
            assert!(mean(&stale).kl_qp > mean(&fresh).kl_qp + 0.1, "{name}");
        }
    }
}

/// With one negative and one positive the expected gradient is a sum over the items.
#[test]
fn the_bias_of_the_gradient_is_that_of_enumeration() {
    let case = Case {
        queries: tests::device::numbers(1, 2 * 4),
        table: tests::device::numbers(2, 12 * 4),
        bias: None,
        width: 4,
        counts: vec![1; 12],
        seed: 0,
        step: 0,
    };
    let (mut bias, mut full) = (0.0, 0.0);
    for user in 0..2 {
        let logits = case.logits(user);
        let log_z = logits.iter().map(|o| o.exp()).sum::<f64>().ln();
        let mut expected = [0.0; 12];
        for (j, o) in logits.iter().enumerate() {
            // The positive is item `user`; uniform log q cancels.
            let weight = o.exp() / (o.exp() + logits[user].exp());
            expected[j] += weight / 12.0;
            expected[user] -= weight / 12.0;
        }
        for (j, o) in logits.iter().enumerate() {
            let exact = (o - log_z).exp() - f64::from(u8::from(j == user));
            bias += (expected[j] - exact).powi(2);
            full += exact * exact;
        }
    }
    let want = (bias / full).sqrt();
    for engine in engines() {
        let subject = subject(engine, &case);
        let ready = block_on(subject.prepare(&sampler("uniform"), &case.counts, 0)).expect("builds");
        let got = block_on(gradient(&subject, &ready, 2, 1, 4000, Partition::Paper)).expect("measures");
        assert!((got.logit_bias - want).abs() < 0.03 * want, "{} and not {want}", got.logit_bias);
        assert!(got.logit_deviation > 0.1 && got.query_deviation > 0.1, "{got:?}");
    }
}

#[test]
fn closer_samplers_have_less_bias_and_more_negatives_too() {
    let case = of_fixture(&fixture("proposals_2x16"));
    let engine = engines()[0];
    let subject = subject(engine, &case);
    let bias = |name: &str, negatives: usize| {
        let ready = block_on(subject.prepare(&sampler(name), &case.counts, 0)).expect("builds");
        let error = block_on(gradient(&subject, &ready, 4, negatives, 400, Partition::Paper));
        error.expect("measures").query_bias
    };
    let (softmax, index, uniform) = (bias("softmax", 20), bias("midx-uniform", 20), bias("uniform", 20));
    // The index is so close to the softmax here that the order of the two is noise.
    assert!(softmax < uniform / 4.0 && index < uniform / 4.0, "{softmax} {index} {uniform}");
    assert!(bias("uniform", 200) < uniform / 2.0);
}

#[test]
fn curves_of_exact_draws_lie_on_that_of_the_softmax() {
    let case = of_fixture(&fixture("proposals_2x16"));
    let order: Vec<u32> = (0..400).rev().collect();
    for engine in engines() {
        let subject = subject(engine, &case);
        let exact = Curve::exact(&subject, 1, &order);
        let drawn = |name: &str| {
            let ready = block_on(subject.prepare(&sampler(name), &case.counts, 0)).expect("builds");
            block_on(curve(&subject, &ready, 1, &order, 100_000)).expect("draws")
        };
        for name in ["softmax", "midx"] {
            let curve = drawn(name);
            // Kolmogorov's test: the distance exceeds 1.95 / sqrt(n) once in a thousand times.
            assert!(curve.distance < 1.95 / 100_000f64.sqrt(), "{name}: {}", curve.distance);
            assert_close(name, &curve.cumulative, &exact.cumulative, 0.0062, 0.0);
            assert!((curve.cumulative.last().expect("points") - 1.0).abs() < 1e-9);
            assert!(curve.cumulative.windows(2).all(|pair| pair[0] <= pair[1] + 1e-12));
        }
        assert!(drawn("uniform").distance > 0.05);
        assert_eq!(Curve::places(400).last(), Some(&400));
    }
}

#[test]
fn a_study_measures_what_it_was_asked_for() {
    let (config, split) = small();
    let options = Options {
        samplers: ["uniform", "kernel", "midx-popularity", "dns:mix=uniform=0.5"].map(sampler).to_vec(),
        users: 30,
        gradient_users: 10,
        replicates: 8,
        draws: 2000,
        chosen: 7,
        codewords: vec![2, 16],
        codebooks: vec![],
        negatives: vec![5, 40],
        staleness: vec![2, 1],
    };
    for engine in engines() {
        let mut told = 0;
        let study = block_on(study(engine, &split.train, &config, &options, None, &mut |_| told += 1))
            .expect("measures");
        assert!(told > 20 && study.epochs == 8);
        let count = |sweep: fn(Sweep) -> bool| study.rows.iter().filter(|row| sweep(row.sweep)).count();
        assert_eq!(count(|sweep| sweep == Sweep::None), 8);
        assert_eq!(count(|sweep| matches!(sweep, Sweep::Codewords(_))), 2);
        assert_eq!(count(|sweep| matches!(sweep, Sweep::Negatives(_))), 8);
        // The kernel's tree and the index get out of date; the other proposals have no such structure.
        assert_eq!(count(|sweep| matches!(sweep, Sweep::Staleness(_))), 4);
        let divergence =
            |model, name| study.row(model, name).and_then(|row| row.divergence).expect("measured");
        // Training moves the softmax away from proposals that do not depend on it.
        assert!(
            divergence(Model::Trained, "uniform").kl_qp > 2.0 * divergence(Model::Random, "uniform").kl_qp
        );
        assert!(
            divergence(Model::Trained, "midx-popularity").kl_qp < divergence(Model::Trained, "uniform").kl_qp
        );
        assert_eq!(study.csv().lines().count(), 1 + study.rows.len());
        assert_eq!(study.curves_csv().lines().count(), 1 + 2 * 5 * 150);
        let page = html(&study);
        assert_eq!(page.matches("<svg").count(), 7, "two curves, two bars, three sweeps");
        assert!(page.contains("dns mix=uniform=0.5") && page.ends_with("</html>\n"));
        let again = block_on(fastvae_study::fidelity::study(
            engine,
            &split.train,
            &config,
            &options,
            None,
            &mut |_| (),
        ));
        let numbers = |study: &fastvae_study::fidelity::Study| {
            let line = |line: &str| line.rsplit_once(',').map(|(most, _)| most.to_owned());
            study.csv().lines().filter_map(line).collect::<Vec<_>>()
        };
        assert_eq!(numbers(&again.expect("measures")), numbers(&study), "{}", engine.describe());
    }
}

#[test]
fn what_cannot_be_studied_is_refused() {
    let (config, split) = small();
    let refusal = |change: fn(&mut Options)| {
        let mut options = Options {
            samplers: vec![sampler("uniform")],
            users: 5,
            gradient_users: 5,
            replicates: 2,
            draws: 0,
            chosen: 0,
            codewords: vec![],
            codebooks: vec![],
            negatives: vec![],
            staleness: vec![],
        };
        change(&mut options);
        let result = block_on(study(engines()[0], &split.train, &config, &options, None, &mut |_| ()));
        result.expect_err("accepted").to_string()
    };
    assert!(refusal(|o| o.users = 0).starts_with("users: is 0"));
    assert!(refusal(|o| o.replicates = 1).starts_with("replicates: "));
    assert!(refusal(|o| o.samplers = vec![sampler("full")]).contains("full draws nothing"));
    let message = refusal(|o| o.samplers = vec![sampler("midx:codewords=200")]);
    assert!(message.contains("`midx codewords=200`: codewords: 200 codewords for 150 items"), "{message}");
}

#[test]
fn compared_samplers_start_alike_and_see_the_same_batches() {
    let (mut config, split) = small();
    (config.training.epochs, config.training.evaluate_every) = (3, 2);
    // A setting that a uniform proposal ignores gives the same run under another name.
    let samplers = ["uniform", "uniform:codewords=5", "full", "midx-popularity"].map(sampler);
    for engine in engines() {
        let mut told = Vec::new();
        let mut tell = |label: &str, point: &Point| told.push((label.to_owned(), point.epoch));
        let result = block_on(compare(engine, &config, &samplers, &split.train, &split.test, &mut tell));
        let comparison = result.expect("compares");
        assert_eq!(told.len(), 8, "two evaluations each: {told:?}");
        let metrics = |line: usize| {
            comparison.lines[line].points.iter().map(|p| (p.epoch, p.metrics.clone())).collect::<Vec<_>>()
        };
        assert_eq!(metrics(0), metrics(1));
        assert_ne!(metrics(0), metrics(2));
        assert_eq!(metrics(3).iter().map(|(epoch, _)| *epoch).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(comparison.csv().lines().count(), 1 + 8);
        assert!(comparison.html().matches("<svg").count() == 2 && comparison.csv().contains("ndcg@50"));
        assert!(comparison.lines.iter().any(|line| line.label == Method::Full.name()));
    }
}

#[test]
fn a_run_that_diverges_does_not_end_the_comparison() {
    let (mut config, split) = small();
    (config.training.epochs, config.training.evaluate_every) = (60, 60);
    config.optimizer.learning_rate = 10.0;
    config.model.activation = fastvae::config::Activation::Relu;
    let samplers = ["uniform", "midx-popularity"].map(sampler);
    let result =
        block_on(compare(engines()[0], &config, &samplers, &split.train, &split.test, &mut |_, _| ()));
    let comparison = result.expect("the comparison itself does not fail");
    let stopped: Vec<&String> = comparison.lines.iter().filter_map(|line| line.stopped.as_ref()).collect();
    assert!(!stopped.is_empty(), "a learning rate of 10 did not diverge");
    assert!(stopped.iter().all(|why| why.contains("training diverged")), "{stopped:?}");
    assert!(comparison.html().contains("training diverged"));
}
