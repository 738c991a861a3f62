//! Stored results: short runs of every loss end in the same bits as before, and files of earlier versions can be
//! read.
//!
//! `FASTVAE_WRITE_GOLDEN=1 cargo test --workspace --test golden` replaces the stored hashes and files after a change that
//! intentionally changes results; the commit explains why. After an addition, only the new line of hashes.txt is committed.

use std::{collections::BTreeMap, fmt::Write as _, path::PathBuf};

use fastvae::{
    config::{
        CodewordWeights, Config, Decoder, DropoutOn, Kmeans, Method, Mix, Partition, ProposalKind,
        Quantisation, RowUpdates,
    },
    data::{self, SplitOptions, SyntheticOptions},
    engine::Engine,
    recommend::{Filter, Recommender},
    run::checkpoint::{self, Checkpoint},
    state::{State, TensorData},
    train::Trainer,
};
use pollster::block_on;

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "fixtures", "golden"].iter().collect()
}

/// Every loss by its name, and settings that between them reach every branch of a step.
fn runs() -> Vec<(String, Config)> {
    let mut base = Config::default();
    (base.model.hidden, base.model.latent, base.model.linear) = (16, 6, 0);
    (base.proposal.negatives, base.proposal.codewords) = (12, 4);
    (base.training.epochs, base.training.batch, base.training.anneal_steps) = (3, 32, 6);
    let mut runs: Vec<(String, Config)> = Method::all()
        .map(|method| {
            let mut config = base.clone();
            method.apply(&mut config);
            (method.name().to_owned(), config)
        })
        .collect();
    let mut add = |name: &str, change: fn(&mut Config)| {
        let mut config = base.clone();
        change(&mut config);
        runs.push((name.to_owned(), config));
    };
    add("full, dense rows, bag", |c| {
        Method::Full.apply(c);
        (c.optimizer.row_updates, c.model.dropout_on) = (RowUpdates::Dense, DropoutOn::Bag);
    });
    add("full, two samples, direct", |c| {
        Method::Full.apply(c);
        (c.model.latent_samples, c.model.decoder) = (2, Decoder::Direct);
    });
    add("uniform, lazy rows", |c| {
        (c.proposal.kind, c.optimizer.row_updates) = (ProposalKind::Uniform, RowUpdates::Lazy);
    });
    add("popularity, dense rows, decay", |c| {
        (c.proposal.kind, c.optimizer.row_updates, c.optimizer.weight_decay) =
            (ProposalKind::Popularity, RowUpdates::Dense, 0.01);
    });
    add("shared, exact positives, direct", |c| {
        (c.proposal.group_size, c.objective.partition, c.model.decoder) =
            (5, Partition::ExactPositives, Decoder::Direct);
    });
    add("product, three codebooks, balanced", |c| {
        (c.proposal.quantisation, c.proposal.codebooks, c.proposal.kmeans) =
            (Quantisation::Product, 3, Kmeans::Balanced);
        c.model.hidden = 18;
    });
    add("refreshed by steps", |c| {
        (c.proposal.refresh_steps, c.proposal.codeword_weights) = (3, CodewordWeights::Root);
    });
    add("no bias, l2", |c| {
        (c.optimizer.l2, c.model.item_bias) = (0.01, false);
    });
    add("dns mixed with midx-uniform", |c| {
        c.proposal.kind = ProposalKind::Dns;
        c.proposal.mix = Some(Mix { with: ProposalKind::MidxUniform, probability: 0.5 });
    });
    runs
}

fn end_of(config: &Config) -> State {
    let options = SyntheticOptions { users: 120, items: 110, shortest: 6, longest: 30, ..Default::default() };
    let set = data::synthetic(&options).expect("a set");
    let split =
        data::split(&set, &SplitOptions { validation_users: 30, ..Default::default() }).expect("a split");
    let new = Trainer::new(Engine::cpu(), config, &split.train, Some(&split.validation));
    let mut trainer = block_on(new).expect("starts");
    while block_on(trainer.next()).expect("trains").is_some() {}
    block_on(trainer.state()).expect("freezes")
}

/// 64 bits of FNV-1a over names and values.
fn hash(state: &State) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut add = |bytes: &[u8]| {
        for &byte in bytes {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for (name, tensor) in &state.tensors {
        add(name.as_bytes());
        match &tensor.data {
            TensorData::F32(values) => values.iter().for_each(|value| add(&value.to_le_bytes())),
            TensorData::U32(values) => values.iter().for_each(|value| add(&value.to_le_bytes())),
        }
    }
    format!("{hash:016x}")
}

#[test]
fn short_runs_end_in_the_stored_bits() {
    let file = folder().join("hashes.txt");
    let writing = std::env::var("FASTVAE_WRITE_GOLDEN").is_ok_and(|value| value == "1");
    // Whether products are fused with sums depends on the processor, so bits are compared on one kind of machine.
    if fastvae::simd::describe() != "AVX2" {
        println!("NOT RUN: the stored hashes are of a processor with AVX2 and FMA");
        return;
    }
    let mut found = String::new();
    for (name, config) in runs() {
        writeln!(found, "{} {name}", hash(&end_of(&config))).expect("a string takes everything");
    }
    if writing {
        std::fs::write(&file, &found).expect("hashes are stored");
    }
    let stored = std::fs::read_to_string(&file).expect("stored hashes");
    let lines = |text: &str| -> BTreeMap<String, String> {
        let pairs = text.lines().filter_map(|line| line.split_once(' '));
        pairs.map(|(hash, name)| (name.to_owned(), hash.to_owned())).collect()
    };
    assert_eq!(lines(&found), lines(&stored));
}

fn checkpoint_of(version: &str, name: &str) -> Checkpoint {
    let path = folder().join(format!("{version}-{name}.safetensors"));
    checkpoint::read(&path).unwrap_or_else(|error| panic!("{error}"))
}

/// The files of version 2 are those of version 1, read and written by version 2.
#[test]
fn later_versions_hold_what_the_first_one_holds() {
    let writing = std::env::var("FASTVAE_WRITE_GOLDEN").is_ok_and(|value| value == "1");
    for name in ["model", "last"] {
        let first = checkpoint_of("v1", name);
        if writing {
            let path = folder().join(format!("v2-{name}.safetensors"));
            checkpoint::write(&path, &first.context, &first.state).expect("a checkpoint is stored");
        }
        assert_eq!(checkpoint_of("v2", name), first, "{name}");
    }
}

/// Files that earlier versions of the command line wrote, from 60 users and 40 films:
/// `fastvae train --data films --hidden 16 --latent 6 --batch 16 --epochs 3 --negatives 8 --codewords 4
/// --validation-users 20 --seed 7`.
#[test]
fn checkpoints_of_every_version_are_read_and_go_on() {
    for version in ["v1", "v2"] {
        let read = |name: &str| checkpoint_of(version, name);
        let model = read("model");
        assert_eq!((model.context.users.len(), model.context.items.len()), (60, 40), "{version}");
        let titles = model.context.titles.as_ref().expect("titles");
        assert_eq!(titles[0], "Film 0, The (1950)", "{version}");
        let recommender = Recommender::new(model, Engine::cpu()).expect("a model");
        let history = recommender.history_of("7").expect("a user").to_vec();
        let best = block_on(recommender.recommend(&[history], 3, &Filter::default())).expect("ranks");
        assert_eq!(best[0].len(), 3, "{version}");

        let last = read("last");
        let mut config = last.context.config.training().expect("a network");
        config.training.epochs += 1;
        let mut state = last.state;
        assert_eq!((state.progress.epoch, state.progress.step, state.progress.finished), (3, 12, true));
        state.progress.finished = false;
        let train = &last.context.histories;
        let resumed = Trainer::resume(Engine::cpu(), &config, train, None, &state);
        let mut trainer = block_on(resumed).unwrap_or_else(|error| panic!("{version}: {error}"));
        while block_on(trainer.next()).expect("trains").is_some() {}
        assert_eq!(trainer.progress().step, 16, "{version}");
    }
}
