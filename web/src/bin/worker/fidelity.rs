//! Proposals against the softmax of one user, item by item (paper, figure 2 and theorem 5.3).

use fastvae::{
    Result,
    config::{ProposalConfig, ProposalKind, Quantisation},
    engine::Engine,
    proposal::{self, Catalogue, item_weights},
    rng::Rng,
    simd,
};
use web::{Closeness, FidelityQuestion, Report, theory};

use crate::{draw, runs, runs::Group};

/// Places of the curves, evenly over the ranks.
const PLACES: usize = 160;

/// Answers a question.
pub async fn measure(engine: &Engine, group: &Group, question: &FidelityQuestion) -> Result<Report> {
    let (epoch, model) = group.model(engine, 0, Some(question.epoch))?;
    let (index_epoch, index_model) = group.model(engine, 0, Some(question.index_epoch))?;
    let train = group.train();
    let user = question.user as usize % train.rows().max(1);
    let (_, query) = runs::encode(engine, &model, train.row(user)).await?;
    let width = model.config.item_width();
    let rows = engine.read(model.item_rows()).await?;
    let bias = match &model.values().item_bias {
        Some(bias) => engine.read_range(bias, 0..model.items).await?,
        None => vec![0.0; model.items],
    };
    let logits: Vec<f32> =
        rows.chunks_exact(width).zip(&bias).map(|(row, bias)| simd::dot(row, &query) + bias).collect();
    let log_p = theory::log_softmax(&logits);

    let counts = train.column_counts();
    let mut order: Vec<usize> = (0..model.items).collect();
    order.sort_by_key(|&item| (std::cmp::Reverse(counts[item]), item));
    let places: Vec<usize> = (1..=PLACES).map(|n| n * model.items / PLACES).filter(|&n| n > 0).collect();
    let cumulative = |log_q: &[f64]| -> Vec<f64> {
        let (mut sum, mut next) = (0.0, 0);
        places
            .iter()
            .map(|&place| {
                sum += order[next..place].iter().map(|&item| log_q[item].exp()).sum::<f64>();
                next = place;
                // Rounding must not make more of it than there is.
                f64::min(sum, 1.0)
            })
            .collect()
    };

    let mut proposals = Vec::new();
    for &sampler in &question.samplers {
        let Some(kind) = sampler.proposal() else { continue };
        let codewords = (question.codewords as usize).min(model.items);
        let config = ProposalConfig {
            kind,
            codewords,
            quantisation: Quantisation::Product,
            ..ProposalConfig::default()
        };
        let mut proposal = proposal::build(engine, &config, &counts, 1)?;
        let catalogue = |model: &fastvae::model::Model| Catalogue {
            table: model.item_rows().clone(),
            bias: model.values().item_bias.clone(),
            items: model.items,
            width,
        };
        let rng = Rng::new(question.seed.into());
        proposal.attach(&catalogue(&model));
        proposal.refresh(engine, &catalogue(&index_model), rng, 0).await?;
        let (_, log_q) = draw::ask(engine, proposal.as_ref(), &query, model.items, (1, 0), rng, 0).await?;
        // Exactly normalised: float32 leaves a rest in the last digits.
        let log_q = theory::log_softmax(&log_q);
        let mut one = Closeness {
            sampler,
            divergence: theory::divergence(&log_q, &log_p).max(0.0),
            reverse: theory::divergence(&log_p, &log_q).max(0.0),
            bound: None,
            fifths: Vec::new(),
            curve: cumulative(&log_q),
        };
        if let Some(index) = proposal.index() {
            let kept = index.kept();
            let residuals = residuals(&rows, width, &kept.codewords, &kept.codes, codewords);
            let longest = residuals.iter().copied().fold(0.0, f64::max);
            let length = query.iter().map(|&x| f64::from(x * x)).sum::<f64>().sqrt();
            one.bound = match kind {
                ProposalKind::MidxUniform => Some(2.0 * longest * length),
                ProposalKind::MidxPopularity => {
                    let weights = item_weights(&counts, config.popularity);
                    let most = weights.iter().copied().fold(0.0, f64::max);
                    let least = weights.iter().copied().fold(f64::INFINITY, f64::min);
                    Some(2.0 * longest * length + (most / least).ln())
                }
                _ => None,
            };
            one.fifths = fifths(&residuals, &log_q, &log_p);
        }
        proposals.push(one);
    }
    Ok(Report::Fidelity {
        epochs: (epoch, index_epoch),
        user: question.user,
        codewords: question.codewords,
        truth: cumulative(&log_p),
        places: places.iter().map(|&place| place as u32).collect(),
        proposals,
    })
}

/// Length of what the two codewords leave of each item vector.
fn residuals(rows: &[f32], width: usize, codewords: &[f32], codes: &[u32], k: usize) -> Vec<f64> {
    let codeword = |at: usize| &codewords[at * width..][..width];
    let length = |(row, [first, second]): (&[f32], &[u32; 2])| {
        let (first, second) = (codeword(*first as usize), codeword(k + *second as usize));
        let squares =
            row.iter().zip(first.iter().zip(second)).map(|(x, (a, b))| f64::from(x - a - b).powi(2));
        squares.sum::<f64>().sqrt()
    };
    rows.chunks_exact(width).zip(codes.as_chunks::<2>().0).map(length).collect()
}

/// The terms of the divergence, summed over items of each fifth of the residuals.
fn fifths(residuals: &[f64], log_q: &[f64], log_p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..residuals.len()).collect();
    order.sort_by(|&a, &b| residuals[a].total_cmp(&residuals[b]));
    // q ln(q/p) - q + p has the same sum and no negative terms, so that parts can be compared.
    let term = |item: usize| {
        let (q, p) = (log_q[item].exp(), log_p[item].exp());
        q * (log_q[item] - log_p[item]) - q + p
    };
    (0..5)
        .map(|n| order[n * order.len() / 5..(n + 1) * order.len() / 5].iter().map(|&item| term(item)).sum())
        .collect()
}
