//! Checks every proposal by name: the items it draws, and log q of draws and positives.

use super::{Agreement, Histories, Output, numbers, unset, unwritten, upload_numbers};
use fastvae::{
    Result,
    config::{DnsCorrection, Mix, ProposalConfig, ProposalKind},
    engine::{Engine, Recording},
    kernels::{Groups, ItemsOf},
    proposal::{self, Catalogue, Draw, Samples, index::IndexState},
    rng::Rng,
    state::{Tensor, TensorData},
};

const ITEMS: usize = 345;
const WIDTH: usize = 10;

pub async fn all(engine: &Engine) -> Result<Vec<Output>> {
    let plain = ProposalConfig { codewords: 6, dns_draws: 4, ..ProposalConfig::default() };
    let mut settings: Vec<(String, ProposalConfig)> = ProposalKind::NAMED
        .into_iter()
        .map(|(name, kind)| (name.to_owned(), ProposalConfig { kind, ..plain.clone() }))
        .collect();
    settings.extend([
        (
            "dns without correction".to_owned(),
            ProposalConfig { kind: ProposalKind::Dns, dns_correction: DnsCorrection::None, ..plain.clone() },
        ),
        ("three codebooks".to_owned(), ProposalConfig { codebooks: 3, ..plain.clone() }),
        (
            "a mixture".to_owned(),
            ProposalConfig { mix: Some(Mix { with: ProposalKind::Uniform, probability: 0.3 }), ..plain },
        ),
    ]);
    let mut outputs = Vec::new();
    for (name, config) in settings {
        for (group_size, samples) in [(1, 2), (4, 1)] {
            let groups = Groups { batch: 13, samples, size: group_size, candidates: 21 };
            outputs.extend(one(engine, &format!("{name}, shared by {group_size}"), &config, groups).await?);
        }
    }
    Ok(outputs)
}

async fn one(engine: &Engine, name: &str, config: &ProposalConfig, groups: Groups) -> Result<Vec<Output>> {
    let counts: Vec<u32> = (0..ITEMS as u32).map(|item| item * item % 40).collect();
    let mut proposal = proposal::build(engine, config, &counts, groups.rows())?;
    let catalogue = Catalogue {
        table: upload_numbers(engine, 0, ITEMS * WIDTH)?,
        bias: Some(upload_numbers(engine, 1, ITEMS)?),
        items: ITEMS,
        width: WIDTH,
    };
    proposal.attach(&catalogue);
    // Fixed codes, so that no item on the border of two clusters can change the draws. Most cells are
    // empty.
    let index = IndexState {
        codewords: numbers(2, config.codebooks * config.codewords * WIDTH),
        codes: (0..ITEMS * config.codebooks).map(|at| (at * at % 31 % config.codewords) as u32).collect(),
        log_weights: numbers(3, ITEMS),
        ..IndexState::default()
    };
    let mut state = index.with_moments(&[0.0; (WIDTH + 1) * WIDTH]);
    let snapshot = numbers(4, ITEMS * (WIDTH + 1));
    let shape = vec![snapshot.len()];
    // What `kernel` and `adaptive` were built from.
    for name in ["proposal.rows", "proposal.factors"] {
        let tensor = Tensor { shape: shape.clone(), data: TensorData::F32(snapshot.clone()) };
        state.tensors.insert(name.into(), tensor);
    }
    proposal.restore(engine, &state, &catalogue)?;

    let histories = Histories::new(groups.batch, ITEMS);
    let entries = histories.entries();
    let made = Samples {
        negatives: unset(engine, groups.total())?,
        negative_log_q: unwritten(engine, groups.total())?,
        positive_log_q: unwritten(engine, groups.samples * entries)?,
    };
    let draw = Draw {
        queries: &upload_numbers(engine, 5, groups.rows() * WIDTH)?,
        groups,
        rng: Rng::new(11),
        step: 4,
    };
    let positives = ItemsOf::Entries {
        items: engine.upload("items", &histories.items)?,
        rows: engine.upload("rows", &histories.rows)?,
        entries,
    };
    let mut recording = Recording::new();
    proposal.record(&mut recording, &draw, positives, &made);
    engine.run(&recording)?;
    // These two compare integers only.
    let exact = matches!(config.kind, ProposalKind::Uniform | ProposalKind::Popularity);
    let draws = if exact { Agreement::Exact } else { Agreement::Drawn };
    Ok(vec![
        Output::twin(engine, format!("{name}: draws"), &made.negatives, draws).await?,
        Output::twin(
            engine,
            format!("{name}: log q of draws"),
            &made.negative_log_q,
            Agreement::OfDrawn(1e-5),
        )
        .await?,
        Output::twin(engine, format!("{name}: log q of positives"), &made.positive_log_q, 1e-5).await?,
    ])
}
