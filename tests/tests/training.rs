//! Whole runs: the same bits twice and after a resume, a simple pattern is learned, engines agree.

use fastvae::{
    Error,
    config::{
        AdaptiveLambda, CodewordWeights, Config, Decoder, DropoutOn, Method, Mix, Partition, ProposalKind,
        Quantisation, RowUpdates, Schedule,
    },
    data::{self, Csr, EvaluationSet, SplitOptions, SyntheticOptions},
    engine::Engine,
    event::Event,
    rank::{RankOptions, rank},
    state::{State, TensorData},
    train::Trainer,
};
use pollster::block_on;
use tests::engines;

fn small() -> (Config, Csr, EvaluationSet) {
    let set = data::synthetic(&SyntheticOptions {
        users: 120,
        items: 110,
        shortest: 6,
        longest: 30,
        ..Default::default()
    })
    .expect("a set");
    let split =
        data::split(&set, &SplitOptions { validation_users: 30, ..Default::default() }).expect("a split");
    let mut config = Config::default();
    (config.model.hidden, config.model.latent) = (16, 6);
    (config.proposal.negatives, config.proposal.codewords) = (12, 4);
    (config.training.epochs, config.training.batch, config.training.anneal_steps) = (3, 32, 6);
    (config, split.train, split.validation)
}

/// Settings that between them reach every branch of a step.
fn variants(base: &Config) -> Vec<(&'static str, Config)> {
    let of = |change: fn(&mut Config)| {
        let mut config = base.clone();
        change(&mut config);
        config
    };
    vec![
        ("midx-popularity", base.clone()),
        ("full", of(|c| Method::Full.apply(c))),
        (
            "uniform, lazy",
            of(|c| (c.proposal.kind, c.optimizer.row_updates) = (ProposalKind::Uniform, RowUpdates::Lazy)),
        ),
        (
            "popularity, dense, decay",
            of(|c| {
                (c.proposal.kind, c.optimizer.row_updates, c.optimizer.weight_decay) =
                    (ProposalKind::Popularity, RowUpdates::Dense, 0.01)
            }),
        ),
        (
            "midx, two samples, linear",
            of(|c| {
                (c.proposal.kind, c.model.latent_samples, c.optimizer.schedule) =
                    (ProposalKind::Midx, 2, Schedule::Linear)
            }),
        ),
        (
            "shared, exact positives, direct",
            of(|c| {
                (c.proposal.group_size, c.objective.partition, c.model.decoder) =
                    (5, Partition::ExactPositives, Decoder::Direct)
            }),
        ),
        (
            "residual codebooks, refreshed by steps",
            of(|c| {
                (c.proposal.quantisation, c.proposal.refresh_steps, c.proposal.codeword_weights) =
                    (Quantisation::Residual, 3, CodewordWeights::Root)
            }),
        ),
        (
            "query-aware, three codebooks",
            of(|c| (c.proposal.quantisation, c.proposal.codebooks) = (Quantisation::QueryAware, 3)),
        ),
        (
            "bag, l2, no bias, rare refresh",
            of(|c| {
                (c.model.dropout_on, c.optimizer.l2, c.model.item_bias) = (DropoutOn::Bag, 0.01, false);
                (c.proposal.kind, c.proposal.refresh_every) = (ProposalKind::MidxUniform, 2);
            }),
        ),
        (
            "kernel, rare refresh, direct",
            of(|c| {
                (c.proposal.kind, c.proposal.refresh_every, c.model.decoder) =
                    (ProposalKind::Quadratic, 2, Decoder::Direct);
            }),
        ),
        (
            "dns mixed with midx-uniform, two samples",
            of(|c| {
                (c.proposal.kind, c.model.latent_samples) = (ProposalKind::Dns, 2);
                c.proposal.mix = Some(Mix { with: ProposalKind::MidxUniform, probability: 0.5 });
            }),
        ),
        ("softmax", of(|c| c.proposal.kind = ProposalKind::Softmax)),
        ("tied", of(|c| (c.model.tied_items, c.model.latent_samples) = (true, 2))),
    ]
}

fn steps(trainer: &mut Trainer, limit: u64) -> Vec<Event> {
    let mut events = Vec::new();
    while trainer.progress().step < limit || limit == u64::MAX {
        match block_on(trainer.next()).expect("trains") {
            Some(event) => events.push(event),
            None => break,
        }
    }
    events
}

fn run(engine: &Engine, config: &Config, train: &Csr, validation: &EvaluationSet) -> (State, Vec<f32>) {
    let mut trainer =
        block_on(Trainer::new(engine.clone(), config, train, Some(validation))).expect("starts");
    let events = steps(&mut trainer, u64::MAX);
    (block_on(trainer.state()).expect("freezes"), losses(&events))
}

fn losses(events: &[Event]) -> Vec<f32> {
    let of = |event: &Event| match event {
        Event::Losses { parts, .. } => parts["nll"].clone(),
        _ => Vec::new(),
    };
    events.iter().flat_map(of).collect()
}

#[test]
fn the_same_seed_gives_the_same_bits_and_another_seed_others() {
    let (config, train, validation) = small();
    for engine in engines() {
        let first = run(engine, &config, &train, &validation).0.tensors;
        assert!(first == run(engine, &config, &train, &validation).0.tensors, "{}", engine.describe());
        let mut other = config.clone();
        other.training.seed = 1;
        assert!(first != run(engine, &other, &train, &validation).0.tensors);
    }
}

/// Does one piece of work: a step, an index or the end of an epoch. False when the run is over.
fn advance(trainer: &mut Trainer) -> bool {
    let next = |trainer: &mut Trainer| block_on(trainer.next()).expect("trains");
    // Pending events report work that is already done.
    while trainer.has_events() {
        next(trainer);
    }
    let more = next(trainer).is_some();
    while trainer.has_events() {
        next(trainer);
    }
    more
}

/// One run is saved and resumed after every piece of work, another is saved as often and continues. Both pass through
/// the
/// same states and end like a run that was never saved.
#[test]
fn a_resumed_run_ends_in_the_same_bits() {
    let (base, train, validation) = small();
    for engine in engines() {
        for (name, config) in variants(&base) {
            let new = || Trainer::new(engine.clone(), &config, &train, Some(&validation));
            let mut straight = block_on(new()).expect("starts");
            let mut resumed = block_on(new()).expect("starts");
            let mut pieces = 0;
            let ended = loop {
                let want = block_on(straight.state()).expect("freezes");
                let state = block_on(resumed.state()).expect("freezes");
                let at = format!("{name}, after {pieces} pieces, {}", engine.describe());
                assert!(state.tensors == want.tensors, "{at}");
                assert_eq!(state.progress.step, want.progress.step, "{at}");
                assert_eq!(state.progress.best, want.progress.best, "{at}");
                let again = Trainer::resume(engine.clone(), &config, &train, Some(&validation), &state);
                resumed = block_on(again).expect("resumes");
                let more = advance(&mut straight);
                assert_eq!(advance(&mut resumed), more, "{at}");
                if !more {
                    break state;
                }
                pieces += 1;
            };
            // Three epochs of four steps.
            assert!(pieces >= 15, "{name}: {pieces} pieces");
            let whole = run(engine, &config, &train, &validation).0;
            assert!(ended.tensors == whole.tensors, "{name}, {}", engine.describe());
            assert_eq!(ended.progress.best, whole.progress.best, "{name}");
        }
    }
}

/// On a model and a catalogue so large that every loop and product of the CPU engine uses several threads.
#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let (mut base, ..) = small();
    let options =
        SyntheticOptions { users: 150, items: 3000, shortest: 20, longest: 60, ..Default::default() };
    let set = data::synthetic(&options).expect("a set");
    let split = SplitOptions { validation_users: 20, ..Default::default() };
    let split = data::split(&set, &split).expect("a split");
    (base.model.hidden, base.model.latent) = (64, 32);
    (base.proposal.negatives, base.proposal.codewords) = (50, 16);
    (base.training.epochs, base.training.batch) = (2, 64);
    for (name, config) in variants(&base) {
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            pool.install(|| {
                let engine = Engine::cpu();
                assert!(engine.describe().contains(&format!("{threads} thread")), "{}", engine.describe());
                let (state, losses) = run(&engine, &config, &split.train, &split.validation);
                (state.tensors, losses)
            })
        };
        let (one, one_losses) = on(1);
        for threads in [2, 5] {
            let (tensors, losses) = on(threads);
            assert!(losses == one_losses, "{name}: losses with {threads} threads");
            for (tensor, values) in &one {
                assert!(*values == tensors[tensor], "{name}: {tensor} with {threads} threads");
            }
        }
    }
}

#[test]
fn the_engines_take_the_same_steps() {
    let (base, train, validation) = small();
    let engines = engines();
    for (name, config) in variants(&base) {
        let want = run(engines[0], &config, &train, &validation).1;
        assert_eq!(want.len(), 12, "{name}");
        for engine in &engines[1..] {
            let got = run(engine, &config, &train, &validation).1;
            // Near the edge of a running sum, another engine may draw the neighbouring item.
            tests::assert_close(name, &got, &want, 0.0, 5e-3);
        }
    }
}

/// Losses, parameters and moments after four epochs on a catalogue of which a step touches few rows. With this seed,
/// no draw
/// is so close to the edge of a running sum that rounding would change it.
#[test]
fn replayed_rows_end_where_dense_updates_end() {
    let (mut config, ..) = small();
    let options =
        SyntheticOptions { users: 120, items: 1500, shortest: 6, longest: 30, ..Default::default() };
    let set = data::synthetic(&options).expect("a set");
    let split = SplitOptions { validation_users: 0, ..Default::default() };
    let split = data::split(&set, &split).expect("a split");
    (config.training.epochs, config.training.seed, config.optimizer.weight_decay) = (4, 1, 0.01);
    // Rounding swaps items whose values of a factor are nearly equal. All ranks alike, this does not change log q.
    config.proposal.adaptive_lambda = AdaptiveLambda(1e9);
    for engine in engines() {
        let tied = [Method::Full, Method::Sampled(ProposalKind::Uniform)].map(|method| (method, true));
        for (method, tied_items) in Method::all().map(|method| (method, false)).chain(tied) {
            let name = if tied_items { format!("{}, tied", method.name()) } else { method.name().into() };
            method.apply(&mut config);
            config.model.tied_items = tied_items;
            let ended = |rows: RowUpdates| {
                let mut config = config.clone();
                config.optimizer.row_updates = rows;
                run(engine, &config, &split.train, &split.validation)
            };
            let (dense, dense_losses) = ended(RowUpdates::Dense);
            let (replay, replay_losses) = ended(RowUpdates::Replay);
            let place = |tensor: &str| format!("{name}, {tensor}, {}", engine.describe());
            tests::assert_close(&place("losses"), &replay_losses, &dense_losses, 0.0, 1e-5);
            for (tensor, dense) in floats(&dense) {
                // Values absolutely, moments relative to the largest of their tensor, because they may all be tiny.
                let scale = if tensor.contains('.') { largest(dense) } else { 1.0 };
                let replayed =
                    floats(&replay).find(|(other, _)| *other == tensor).expect("the same tensors").1;
                tests::assert_close(&place(tensor), replayed, dense, 1e-6 * f64::from(scale), 0.0);
            }
            // Rows without the skipped steps end with other values, so the comparison can fail.
            if method == Method::Sampled(ProposalKind::Uniform) && !tied_items {
                let (lazy, _) = ended(RowUpdates::Lazy);
                let encoder =
                    |state: &State| floats(state).find(|(name, _)| *name == "encoder").unwrap().1.to_vec();
                let off: Vec<f32> = encoder(&lazy).iter().zip(encoder(&dense)).map(|(a, b)| a - b).collect();
                assert!(largest(&off) > 1e-4, "{}", place("encoder, lazy"));
            }
        }
    }
}

/// The parameters and moments of a state.
fn floats(state: &State) -> impl Iterator<Item = (&str, &[f32])> {
    state.tensors.iter().filter_map(|(name, tensor)| match &tensor.data {
        TensorData::F32(values) if !name.starts_with("index.") && !name.starts_with("proposal.") => {
            Some((name.as_str(), values.as_slice()))
        }
        _ => None,
    })
}

fn largest(values: &[f32]) -> f32 {
    values.iter().fold(f32::MIN_POSITIVE, |top, value| top.max(value.abs()))
}

/// User i has the items i and i + n; given the first, the second must be ranked first.
#[test]
fn a_checkerboard_is_learned() {
    let n = 24u32;
    let rows: Vec<Vec<u32>> = (0..n * 8).map(|u| vec![u % n, u % n + n]).collect();
    let train = Csr::from_rows(&rows, 2 * n).expect("a set");
    let (mut config, ..) = small();
    (config.training.epochs, config.training.batch, config.training.beta) = (120, 64, 0.0);
    (config.model.hidden, config.model.latent, config.optimizer.learning_rate) = (32, 16, 1e-2);
    for engine in engines() {
        for name in ["full", "midx-popularity", "uniform"] {
            Method::parse(name).expect("a method").apply(&mut config);
            let new = Trainer::new(engine.clone(), &config, &train, None);
            let mut trainer = block_on(new).expect("starts");
            steps(&mut trainer, u64::MAX);
            let histories =
                Csr::from_rows(&(0..n).map(|i| vec![i]).collect::<Vec<_>>(), 2 * n).expect("rows");
            let (model, options) = (trainer.model(), RankOptions::default());
            let best = block_on(rank(engine, &model, &histories, 1, &options)).expect("ranks");
            let want: Vec<u32> = (n..2 * n).collect();
            assert_eq!(best.ids, want, "{name}, {}", engine.describe());
        }
    }
}

#[test]
fn divergence_names_the_step() {
    let (mut config, train, validation) = small();
    (config.optimizer.learning_rate, config.training.epochs) = (10.0, 60);
    config.model.activation = fastvae::config::Activation::Relu;
    config.optimizer.schedule = Schedule::Constant;
    let engine = Engine::cpu();
    let mut trainer = block_on(Trainer::new(engine, &config, &train, Some(&validation))).expect("starts");
    let error = loop {
        match block_on(trainer.next()) {
            Ok(Some(_)) => {}
            Ok(None) => panic!("a learning rate of 10 did not diverge"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Diverged { .. }), "{error}");
    assert!(error.to_string().contains("learning rate 10"), "{error}");
}

/// Runs and the futures of their methods can be sent to other threads. Most of the test is that it compiles.
#[test]
fn runs_move_between_threads() {
    fn sendable<T: Send>(value: T) -> T {
        value
    }
    let (config, train, validation) = small();
    let made = sendable(Trainer::new(Engine::cpu(), &config, &train, Some(&validation)));
    let mut trainer = block_on(made).expect("a run");
    let elsewhere = std::thread::spawn(move || {
        let first = block_on(sendable(trainer.next())).expect("an event");
        (first, block_on(sendable(trainer.state())).expect("a state"))
    });
    let (first, state) = elsewhere.join().expect("no panic");
    assert!(matches!(first, Some(Event::Started { .. })));
    let resumed = sendable(Trainer::resume(Engine::cpu(), &config, &train, Some(&validation), &state));
    let model = block_on(resumed).expect("a run").model();
    let options = RankOptions::default();
    let ranking = block_on(sendable(rank(&Engine::cpu(), &model, &train, 3, &options))).expect("a ranking");
    assert_eq!(ranking.ids.len(), 3 * train.rows());
}
