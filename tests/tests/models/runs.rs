//! Runs, checkpoints and errors of every kind of model.

use std::path::Path;

use fastvae::{
    model::{BprConfig, ElsaConfig, IalsConfig, Scorer, WrmfConfig},
    recommend::{Filter, Recommender},
    run::{
        Saved,
        checkpoint::{self, Checkpoint},
    },
};

use super::*;

/// Stopped after any step and resumed, a fit ends in the same bits and the same metrics.
#[test]
fn a_fit_by_steps_goes_on_with_the_same_bits() {
    let kinds = [
        ModelKind::Ials,
        ModelKind::Wrmf,
        ModelKind::Elsa,
        ModelKind::Bpr,
        ModelKind::Mf,
        ModelKind::Warp,
        ModelKind::Aobpr,
        ModelKind::Dns,
        ModelKind::Pris,
        ModelKind::SelfAdversarial,
    ];
    for kind in kinds {
        let mut config = config_of(match kind {
            ModelKind::Ials => ModelConfig::Ials(IalsConfig { factors: 8, block: 3, ..Default::default() }),
            ModelKind::Wrmf => ModelConfig::Wrmf(WrmfConfig { factors: 8, ..Default::default() }),
            ModelKind::Bpr => ModelConfig::Bpr(BprConfig { factors: 8, ..Default::default() }),
            ModelKind::Elsa => ModelConfig::Elsa(ElsaConfig { factors: 8 }),
            other => ModelConfig::new(other),
        });
        (config.training.epochs, config.training.batch) = (3, 64);
        let whole = train(config.clone());
        let set = set();
        let setup = || Setup {
            engine: Engine::cpu(),
            context: whole.context.clone(),
            split: &whole.split,
            saves: Saves::default(),
        };
        for stop in [2, 3, 4, 6] {
            let mut run = block_on(Run::start(setup(), || Ok(Memory::default()))).unwrap();
            let mut events = 0;
            while events < stop || !run.can_stop() {
                block_on(run.next()).unwrap().expect("the run is longer");
                events += 1;
            }
            let storage = block_on(run.stop()).unwrap();
            let save = Checkpoint {
                context: Context::new(config.clone(), &set),
                state: storage.last.clone().unwrap(),
            };
            let saved = Saved::new(save, &config, "run".as_ref(), false).unwrap();
            let mut run = block_on(Run::resume(setup(), saved, storage)).unwrap();
            while block_on(run.next()).unwrap().is_some() {}
            let metrics = block_on(run.measure()).unwrap();
            assert_eq!(metrics.test, whole.storage.metrics.as_ref().unwrap().test, "{} {stop}", kind.name());
            let storage = run.into_storage();
            assert!(storage.last.unwrap().tensors == whole.storage.last.as_ref().unwrap().tensors);
            assert!(storage.model.unwrap().tensors == whole.storage.model.as_ref().unwrap().tensors);
        }
        let finished =
            Checkpoint { context: whole.context.clone(), state: whole.storage.last.clone().unwrap() };
        let error = Saved::new(finished, &config, "run".as_ref(), true).unwrap_err().to_string();
        assert!(error.contains("is finished after 3 epochs"), "{error}");
    }
}

#[test]
fn settings_are_checked_before_anything_starts() {
    let mut config = config_of(ModelConfig::Elsa(ElsaConfig { factors: 8 }));
    config.optimizer.learning_rate = f32::NAN;
    assert!(config.validate(ITEMS).unwrap_err().to_string().starts_with("learning-rate"));
    let config = config_of(ModelConfig::Ials(IalsConfig { factors: 0, ..Default::default() }));
    assert!(config.validate(ITEMS).unwrap_err().to_string().starts_with("factors: is 0"));
    let mut config = config_of(ModelConfig::new(ModelKind::Ease));
    config.training.metric = "ndgc@50".into();
    assert!(config.validate(ITEMS).unwrap_err().to_string().starts_with("metric"));
}

#[test]
fn a_closed_form_has_no_steps_and_epochs() {
    for kind in [ModelKind::Popularity, ModelKind::ItemKnn, ModelKind::Ease] {
        let run = train(RunConfig { split: config_of(ModelConfig::new(kind)).split, ..RunConfig::of(kind) });
        let names: Vec<&str> = run
            .storage
            .events
            .iter()
            .map(|event| match event {
                Event::Started { steps_per_epoch: 0, users: 150, items: ITEMS, .. } => "started",
                Event::Fitted { .. } => "fitted",
                Event::Evaluated { epoch: 0, best: true, .. } => "evaluated",
                Event::Done { epochs: 0, best_epoch: None, stopped_early: false } => "done",
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(names, ["started", "fitted", "evaluated", "done"], "{}", kind.name());
        let metrics = run.storage.metrics.as_ref().unwrap();
        let validation = metrics.closed_form.as_ref().unwrap().validation.as_ref().unwrap();
        assert!(metrics.epochs.is_empty() && metrics.best_epoch.is_none());
        assert!(validation["ndcg@50"] > 0.0 && metrics.test["ndcg@50"] > 0.0);
        assert!(run.storage.last.is_none(), "there is nothing to go on with");
        // Two runs write the same file, so it holds no measured times.
        assert_eq!(run.storage.model.as_ref().unwrap().progress.epoch_seconds, 0.0);
        // Settings that the model does not use are not written.
        assert!(metrics.config.get("proposal").is_none() && metrics.config["model"]["kind"] == kind.name());
    }
}

/// Every kind but Mult-VAE, small.
fn all() -> Vec<RunConfig> {
    let others =
        ModelKind::NAMED.into_iter().map(|(_, kind)| kind).filter(|kind| *kind != ModelKind::MultVae);
    others.map(|kind| config_of(ModelConfig::new(kind))).collect()
}

#[test]
fn a_checkpoint_brings_the_same_model_back() {
    for config in all() {
        let kind = config.model.kind();
        let run = train(config);
        let bytes = checkpoint::to_bytes(&run.context, run.storage.model.as_ref().unwrap()).unwrap();
        let read = checkpoint::from_bytes(Path::new("model"), &bytes).unwrap();
        assert_eq!(read.context.config, run.context.config);
        let model =
            AnyModel::from_state(&Engine::cpu(), &read.context.config.model, ITEMS, &read.state).unwrap();
        assert_eq!(model.kind(), kind);
        assert_eq!(scores(&model, &run.split.test.fold_in), run.scores(), "{}", kind.name());

        let recommender = Recommender::new(read, Engine::cpu()).unwrap();
        let best = block_on(recommender.recommend(&[[3u32, 8, 21]], 5, &Filter::default())).unwrap();
        assert!(best[0].len() == 5 && best[0].iter().all(|one| ![3, 8, 21].contains(&one.item)));
        let similar = block_on(recommender.similar(7, 4));
        if model.relates_items() {
            let similar = similar.unwrap();
            assert!(similar.len() == 4 && similar.iter().all(|one| one.item != 7), "{}", kind.name());
            assert!(similar.is_sorted_by(|a, b| a.score >= b.score), "{}", kind.name());
        } else {
            let error = similar.unwrap_err().to_string();
            assert!(error.contains("does not relate items"), "{error}");
        }
    }
}

#[test]
fn a_damaged_state_is_refused() {
    for config in all() {
        let run = train(config);
        let kind = run.context.config.model.kind().name();
        let load = |state: &State| {
            AnyModel::from_state(&Engine::cpu(), &run.context.config.model, ITEMS, state).map(drop)
        };
        let model = run.storage.model.as_ref().unwrap();
        for name in model.tensors.keys() {
            let mut lost = model.clone();
            lost.tensors.remove(name);
            let error = load(&lost).expect_err(kind).to_string();
            assert!(error.contains(&format!("`{name}` is missing")), "{kind}: {error}");
            let mut cut = model.clone();
            let tensor = cut.tensors.get_mut(name).unwrap();
            match &mut tensor.data {
                TensorData::F32(values) => values.truncate(values.len() - 1),
                TensorData::U32(values) => values.truncate(values.len() - 1),
            }
            tensor.shape = vec![tensor.data.len()];
            assert!(load(&cut).is_err(), "{kind}: {name} cut short");
        }
    }
    let mut run = train(config_of(ModelConfig::new(ModelKind::ItemKnn)));
    let state = run.storage.model.as_mut().unwrap();
    let Some(TensorData::U32(items)) = state.tensors.get_mut("neighbour_items").map(|t| &mut t.data) else {
        panic!("no neighbours")
    };
    items[3] = ITEMS as u32;
    let loaded = AnyModel::from_state(&Engine::cpu(), &run.context.config.model, ITEMS, state);
    assert!(loaded.err().unwrap().to_string().contains("lists of neighbours"));
}

#[test]
fn a_header_and_settings_of_two_kinds_are_refused() {
    let run = train(config_of(ModelConfig::new(ModelKind::Popularity)));
    let state = run.storage.model.clone().unwrap();
    let bytes = checkpoint::to_bytes(&run.context, &state).unwrap();
    let (from, to) = (br#"\"kind\":\"popularity\",\"config\""#, br#"\"kind\":\"mult-vae\"  ,\"config\""#);
    assert_eq!(from.len(), to.len());
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    let mut changed = bytes.clone();
    changed[at..at + from.len()].copy_from_slice(to);
    let error = checkpoint::from_bytes(Path::new("m"), &changed).unwrap_err().to_string();
    assert!(error.contains("it says it holds a mult-vae"), "{error}");
}

#[test]
fn models_of_the_cpu_refuse_a_gpu() {
    let run = train(config_of(ModelConfig::new(ModelKind::ItemKnn)));
    for engine in tests::engines().into_iter().filter(|engine| !engine.is_cpu()) {
        let error = run.model().scoring(engine, 1, 1).err().unwrap().to_string();
        assert!(error.starts_with("engine: a model of kind item-knn ranks on the CPU"), "{error}");
        let setup = Setup {
            engine: engine.clone(),
            context: run.context.clone(),
            split: &run.split,
            saves: Saves::default(),
        };
        let started = block_on(Run::start(setup, || Ok(Memory::default())));
        let error = started.err().unwrap().to_string();
        assert!(error.starts_with("engine: item-knn is fitted on the CPU"), "{error}");
    }
}
