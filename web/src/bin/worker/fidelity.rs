//! Proposals against the softmax of one user, item by item (paper, figure 2 and theorem 5.3).

use fastvae::{
    Error, Result,
    config::{Config, Quantisation},
    engine::Engine,
    model::{AnyModel, Scorer},
    proposal::Catalogue,
};
use fastvae_study::fidelity::{Sampler, Subject, divergences};
use web::{Closeness, FidelityQuestion, Report};

use crate::runs::Group;

/// Places of the curves, evenly over the ranks.
const PLACES: usize = 160;

/// Answers a question.
pub async fn measure(engine: &Engine, group: &Group, question: &FidelityQuestion) -> Result<Report> {
    let (epoch, model) = group.model(engine, 0, Some(question.epoch))?;
    let model = model.trained_part();
    let (index_epoch, index_model) = group.model(engine, 0, Some(question.index_epoch))?;
    let train = group.train();
    let user = question.user as usize % train.rows().max(1);
    let subject = Subject::new(engine, &model, train.select(&[user as u32])?).await?;
    let items = subject.items();
    let log_p: Vec<f64> = subject.log_p(0).collect();
    let vectors = engine.read(&subject.catalogue.table).await?;
    let before = vectors_of(&index_model.trained_part())?;

    let counts = train.column_counts();
    let mut order: Vec<usize> = (0..items).collect();
    order.sort_by_key(|&item| (std::cmp::Reverse(counts[item]), item));
    let places: Vec<usize> = (1..=PLACES).map(|n| n * items / PLACES).filter(|&n| n > 0).collect();
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

    let mut base = Config::default();
    base.proposal.quantisation = Quantisation::Product;
    base.proposal.codewords = (question.codewords as usize).min(items);
    let mut proposals = Vec::new();
    for &method in question.samplers.iter().filter(|method| method.proposal().is_some()) {
        let sampler = Sampler::parse(method.name(), &base)?;
        let ready = subject.prepare_from(&before, &sampler, &counts, question.seed.into()).await?;
        let divergence = divergences(&subject, &ready).await?[0];
        let mut log_q: Vec<f64> = Vec::new();
        subject
            .log_q_of_all(&ready, &subject.queries, |_, of_user| {
                log_q.extend(of_user.iter().map(|&q| f64::from(q)))
            })
            .await?;
        let fifths = ready.proposal.index().map_or_else(Vec::new, |index| {
            let (index, k) = (index.installed(), sampler.proposal.codewords);
            let residuals = residuals(&vectors, subject.catalogue.width, &index.codewords, &index.codes, k);
            fifths(&residuals, &log_q, &log_p)
        });
        proposals.push(Closeness {
            sampler: method,
            divergence: divergence.kl_qp.max(0.0),
            reverse: divergence.kl_pq.max(0.0),
            bound: Some(divergence.bound).filter(|bound| !bound.is_nan()),
            fifths,
            curve: cumulative(&log_q),
        });
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

fn vectors_of(model: &AnyModel) -> Result<Catalogue> {
    model.item_vectors().ok_or_else(|| Error::Data("this model has no item vectors".into()))
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
