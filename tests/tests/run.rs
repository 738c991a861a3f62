//! The driver of a run: after a stop at any point it ends in the same bits, and no event is lost.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use fastvae::{
    config::MultVaeConfig,
    data::{self, Dataset, Split, SplitOptions, SyntheticOptions},
    engine::Engine,
    event::Event,
    run::{
        Memory, Run, RunConfig, Saved, Saves, Setup,
        checkpoint::{Checkpoint, Context},
    },
};
use pollster::block_on;
use tests::engines;

fn small() -> (RunConfig, Dataset, Split) {
    let options = SyntheticOptions { users: 120, items: 110, shortest: 6, longest: 30, ..Default::default() };
    let set = data::synthetic(&options).unwrap();
    let mut config = RunConfig {
        split: SplitOptions { validation_users: 30, ..Default::default() },
        ..Default::default()
    };
    config.model = MultVaeConfig { hidden: 16, latent: 6, ..Default::default() }.into();
    (config.proposal.negatives, config.proposal.codewords) = (12, 4);
    (config.training.epochs, config.training.batch, config.training.anneal_steps) = (3, 32, 6);
    let split = data::split(&set, &config.split).unwrap();
    (config, set, split)
}

fn setup<'a>(context: &Context, split: &'a Split) -> Setup<'a> {
    Setup { engine: Engine::cpu(), context: context.clone(), split, saves: Saves::default() }
}

fn train(run: &mut Run<Memory>) {
    while block_on(run.next()).unwrap().is_some() {}
}

/// The steps whose losses were logged.
fn steps(events: &[Event]) -> Vec<u64> {
    let of = |event: &Event| match event {
        Event::Losses { first_step, parts } => (*first_step..).take(parts["nll"].len()).collect(),
        _ => Vec::new(),
    };
    events.iter().flat_map(of).collect()
}

#[test]
fn a_run_that_was_stopped_ends_in_the_same_bits_and_has_all_its_events() {
    let (config, set, split) = small();
    let context = Context::new(config.clone(), &set);
    let mut whole = block_on(Run::start(setup(&context, &split), || Ok(Memory::default()))).unwrap();
    train(&mut whole);
    let metrics = block_on(whole.measure()).unwrap();
    whole.finish(&metrics).unwrap();
    let whole = block_on(whole.stop()).unwrap();
    assert_eq!(whole.metrics.as_ref(), Some(&metrics));
    let all: Vec<u64> = (1..=whole.last.as_ref().unwrap().progress.step).collect();
    assert_eq!(steps(&whole.events), all);

    for stop in [2, 4, 7, 9, 12] {
        let mut run = block_on(Run::start(setup(&context, &split), || Ok(Memory::default()))).unwrap();
        let mut events = 0;
        while events < stop || !run.can_stop() {
            block_on(run.next()).unwrap().expect("the run is longer");
            events += 1;
        }
        let storage = block_on(run.stop()).unwrap();
        let state = storage.last.clone().unwrap();
        let save = Checkpoint { context: context.clone(), state };
        let saved = Saved::new(save, &config, "run".as_ref(), false).unwrap();
        let mut run = block_on(Run::resume(setup(&context, &split), saved, storage)).unwrap();
        train(&mut run);
        let again = block_on(run.measure()).unwrap();
        let run = block_on(run.stop()).unwrap();
        let (last, model) = (run.last.unwrap(), run.model.unwrap());
        assert!(last.tensors == whole.last.as_ref().unwrap().tensors, "stopped after {stop} events");
        assert!(model.tensors == whole.model.as_ref().unwrap().tensors, "stopped after {stop} events");
        assert_eq!(steps(&run.events), all, "stopped after {stop} events");
        let epochs = |metrics: &fastvae::run::RunMetrics| {
            let of =
                |e: &fastvae::run::EpochMetrics| (e.epoch, e.loss, e.parts.clone(), e.validation.clone());
            metrics.epochs.iter().map(of).collect::<Vec<_>>()
        };
        assert_eq!((epochs(&again), &again.test), (epochs(&metrics), &metrics.test));
    }
}

#[test]
fn the_best_model_is_saved_without_what_only_a_resume_needs() {
    let (mut config, set, split) = small();
    // The network alone, so that no epoch ranks exactly as the best one does.
    config.model = MultVaeConfig { hidden: 16, latent: 6, linear: 0, ..Default::default() }.into();
    let context = Context::new(config, &set);
    let mut run = block_on(Run::start(setup(&context, &split), || Ok(Memory::default()))).unwrap();
    while let Some(event) = block_on(run.next()).unwrap() {
        if let Event::Evaluated { best, metrics, epoch, .. } = event {
            let model = run.storage().model.as_ref().unwrap();
            assert!(model.tensors.keys().all(|name| !name.contains('.')), "{:?}", model.tensors.keys());
            assert_eq!(model.progress.epoch == epoch, best);
            assert_eq!(run.context().metrics == metrics, best);
        }
    }
    let last = run.storage().last.clone().unwrap();
    assert!(last.tensors.contains_key("items.first"));
    let parameters: Vec<_> = last.clone().into_model().tensors.into_keys().collect();
    let saved: Vec<_> = run.storage().model.as_ref().unwrap().tensors.keys().cloned().collect();
    assert_eq!(parameters, saved);
}

#[test]
fn a_run_goes_back_to_its_last_save_on_another_engine() {
    let (config, set, split) = small();
    let context = Context::new(config, &set);
    let mut run = block_on(Run::start(setup(&context, &split), || Ok(Memory::default()))).unwrap();
    block_on(run.save()).unwrap();
    while run.progress().epoch < 1 || run.progress().step_in_epoch < 2 {
        block_on(run.next()).unwrap();
    }
    block_on(run.go_back(Engine::cpu())).unwrap();
    assert_eq!((run.progress().epoch, run.progress().step_in_epoch), (1, 0));
    train(&mut run);
    let mut whole = block_on(Run::start(setup(&context, &split), || Ok(Memory::default()))).unwrap();
    train(&mut whole);
    assert!(run.storage().last.as_ref().unwrap().tensors == whole.storage().last.as_ref().unwrap().tensors);
}

#[test]
fn a_lost_device_costs_no_step_of_the_curve() {
    let (config, set, split) = small();
    let context = Context::new(config, &set);
    // On adapters by name: each run opens devices of its own, because a lost one is lost for all.
    let names = engines().into_iter().filter_map(|engine| match engine {
        Engine::Gpu(gpu) => Some(gpu.adapter().name.clone()),
        Engine::Cpu(_) => None,
    });
    for name in names {
        let open = || block_on(Engine::gpu(Some(&name))).unwrap();
        let start = |engine| {
            let setup = Setup { engine, ..setup(&context, &split) };
            let mut run = block_on(Run::start(setup, || Ok(Memory::default()))).unwrap();
            block_on(run.save()).unwrap();
            run
        };
        let mut whole = start(open());
        train(&mut whole);
        let metrics = block_on(whole.measure()).unwrap();
        let want = whole.storage().last.as_ref().unwrap().tensors.clone();
        // In the first index, in steps, in a refresh, in a validation and in the last ranking.
        for recordings in [1, 3, 40, 55, 70, 100, 130] {
            let engine = open();
            let mut run = start(engine.clone());
            let Engine::Gpu(gpu) = &engine else { unreachable!("it was opened as one") };
            gpu.lose_after(recordings);
            let mut losses = 0;
            let again = loop {
                match block_on(run.next()) {
                    Ok(Some(_)) => continue,
                    Ok(None) => match block_on(run.measure()) {
                        Ok(metrics) => break metrics,
                        Err(_) => assert!(run.engine().is_lost()),
                    },
                    Err(error) => assert!(error.to_string().contains("stopped working"), "{error}"),
                }
                assert!(run.engine().is_lost());
                losses += 1;
                block_on(run.go_back(open())).unwrap();
            };
            println!("{name}: lost {losses} times after {recordings} recordings");
            assert!(losses < 2, "{recordings}");
            assert!(run.storage().last.as_ref().unwrap().tensors == want, "{recordings}");
            assert_eq!(again.test, metrics.test, "{recordings}");
        }
    }
}

#[test]
fn another_set_and_other_settings_cannot_go_on() {
    let (config, set, split) = small();
    let context = Context::new(config.clone(), &set);
    let mut run = block_on(Run::start(setup(&context, &split), || Ok(Memory::default()))).unwrap();
    train(&mut run);
    let storage = block_on(run.stop()).unwrap();
    let save = Checkpoint { context: context.clone(), state: storage.last.clone().unwrap() };
    let problem = |config: &RunConfig, finished: bool| {
        let saved = Saved::new(save.clone(), config, "run".as_ref(), finished);
        saved.expect_err("accepted").to_string()
    };
    assert!(problem(&config, true).contains("is finished after 3 epochs"));
    let mut other = config.clone();
    other.model = MultVaeConfig { hidden: 8, latent: 6, ..Default::default() }.into();
    assert!(problem(&other, false).starts_with("hidden: it was 16"));
    let mut longer = config;
    longer.training.epochs = 5;
    let saved = Saved::new(save.clone(), &longer, "run".as_ref(), true).unwrap();
    assert_eq!((saved.epochs(), saved.steps()), (3, 0));
    let options = SyntheticOptions { users: 121, items: 110, shortest: 6, longest: 30, ..Default::default() };
    let changed = Context::new(longer, &data::synthetic(&options).unwrap());
    let error = block_on(Run::resume(setup(&changed, &split), saved, storage)).err().unwrap().to_string();
    assert!(error.contains("is another set"), "{error}");
}
