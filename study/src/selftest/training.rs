//! Checks of whole training steps, with all kernels together.

use super::Output;
use fastvae::{
    Result,
    config::{Config, Decoder, Method, Partition, ProposalKind},
    data::{SplitOptions, SyntheticOptions, split, synthetic},
    engine::Engine,
    event::Event,
    train::Trainer,
};

/// Losses of ten steps for four configurations, on a small set with sizes that are not powers of two.
pub async fn ten_steps(engine: &Engine) -> Result<Vec<Output>> {
    let set = synthetic(&SyntheticOptions { users: 181, items: 130, shortest: 5, longest: 40, seed: 1 })?;
    let split = split(&set, &SplitOptions::default())?;
    let mut outputs = Vec::new();
    for (method, group_size, partition, decoder) in [
        (Method::Full, 1, Partition::Paper, Decoder::Dense),
        (Method::Sampled(ProposalKind::Midx), 2, Partition::Paper, Decoder::Dense),
        (Method::Sampled(ProposalKind::MidxPopularity), 1, Partition::Paper, Decoder::Dense),
        (Method::Sampled(ProposalKind::MidxUniform), 3, Partition::ExactPositives, Decoder::Direct),
    ] {
        let mut config = Config::default();
        (config.model.hidden, config.model.latent, config.model.decoder) = (22, 10, decoder);
        method.apply(&mut config);
        (config.proposal.group_size, config.objective.partition) = (group_size, partition);
        (config.proposal.negatives, config.proposal.codewords) = (17, 5);
        // Four full batches of 37 users and a smaller one, for two epochs: the second has a refreshed
        // index.
        (config.training.batch, config.training.epochs) = (37, 2);
        let mut trainer = Trainer::new(engine.clone(), &config, &split.train, None).await?;
        let (mut reconstruction, mut divergence) = (Vec::new(), Vec::new());
        while let Some(event) = trainer.next().await? {
            if let Event::Losses { mut parts, .. } = event {
                let (nll, kl) =
                    (parts.remove("nll").unwrap_or_default(), parts.remove("kl").unwrap_or_default());
                reconstruction.extend(nll.into_iter().map(f64::from));
                divergence.extend(kl.into_iter().map(f64::from));
            }
        }
        for (what, got) in [("loss", reconstruction), ("divergence", divergence)] {
            outputs.push(Output {
                name: format!("{what}, {}", method.name()),
                got,
                want: None,
                agreement: 1e-3.into(),
            });
        }
    }
    Ok(outputs)
}
