//! Measures one data set: a new model and a trained one, every sampler, and sweeps over settings.

use fastvae::{
    Error, Result,
    config::{Config, Objective, ProposalKind},
    data::Csr,
    engine::Engine,
    state::State,
    train::Trainer,
};
use web_time::Instant;

use super::{
    Curve, GradientError, Model, Row, Sampler, Study, Subject, Sweep,
    curve::curve,
    divergence::{divergences, mean},
    gradient::gradient,
    subject::Ready,
};

/// What to measure.
#[derive(Clone, Debug)]
pub struct Options {
    /// The samplers to compare; their settings hold for divergences and curves.
    pub samplers: Vec<Sampler>,
    /// Users over whom divergences are averaged.
    pub users: usize,
    /// Users over whom gradients are averaged: the first so many of them.
    pub gradient_users: usize,
    /// Replicates: sampled gradients of each user.
    pub replicates: u32,
    /// Draws of a cumulative curve; 0: no curves.
    pub draws: usize,
    /// The training row of the user whose curves are drawn.
    pub chosen: usize,
    /// Values of K for the sweep, for samplers with an index.
    pub codewords: Vec<usize>,
    /// Numbers of codebooks for the sweep, for samplers with an index.
    pub codebooks: Vec<usize>,
    /// Numbers of negatives for the sweep.
    pub negatives: Vec<usize>,
    /// Epochs of further training after which an index that was built before them is measured.
    pub staleness: Vec<u32>,
}

/// Measures a new model, then the one in `trained` (or trains one as in `config`), then out-of-date indexes.
/// Calls `tell` with progress messages.
///
/// # Errors
/// [`Error::Setting`] if settings do not fit each other or the catalogue; otherwise the errors of training.
pub async fn study(
    engine: &Engine,
    train: &Csr,
    config: &Config,
    options: &Options,
    trained: Option<State>,
    tell: &mut dyn FnMut(&str),
) -> Result<Study> {
    check(config, options, train)?;
    let mut config = config.clone();
    let longer = options.staleness.iter().copied().max().unwrap_or(0);
    let epochs = trained.as_ref().map_or(config.training.epochs, |state| state.progress.epoch);
    config.training.epochs = (epochs + longer).max(1);
    config.training.patience = 0;
    let mut bench = Bench {
        engine,
        counts: train.column_counts(),
        seed: config.training.seed,
        options,
        train,
        study: Study {
            users: options.users.min(train.rows()),
            gradient_users: options.gradient_users.min(options.users).min(train.rows()),
            replicates: options.replicates,
            draws: options.draws,
            items: train.columns(),
            epochs,
            trained_with: config.method().name().into(),
            engine: engine.describe(),
            training_rows: rows(train.rows(), options),
            ..Study::default()
        },
    };
    let mut trainer = Trainer::new(engine.clone(), &config, train, None).await?;
    bench.compare(&trainer, Model::Random, tell).await?;
    if let Some(mut state) = trained {
        state.progress.finished = longer == 0;
        trainer = Trainer::resume(engine.clone(), &config, train, None, &state).await?;
    }
    bench.advance(&mut trainer, epochs, tell).await?;
    bench.compare(&trainer, Model::Trained, tell).await?;
    bench.sweep_settings(&trainer, tell).await?;
    bench.sweep_staleness(&mut trainer, tell).await?;
    Ok(bench.study)
}

fn check(config: &Config, options: &Options, train: &Csr) -> Result<()> {
    for (field, value) in [("users", options.users), ("gradient-users", options.gradient_users)] {
        if value == 0 {
            return Err(Error::setting(field, "is 0; give at least 1"));
        }
    }
    if options.replicates < 2 {
        return Err(Error::setting("replicates", "a variance takes at least 2"));
    }
    for sampler in &options.samplers {
        if sampler.objective.kind == Objective::FullSoftmax {
            return Err(Error::setting(
                "samplers",
                "full draws nothing; softmax draws from the distribution that it sums over",
            ));
        }
        let with = sampler.settings(config);
        with.validate(train.columns()).map_err(|error| match error {
            Error::Setting { field, problem } => {
                Error::setting("samplers", format!("`{}`: {field}: {problem}", sampler.label))
            }
            other => other,
        })?;
        check_sweeps(&with, options, train.columns())?;
    }
    Ok(())
}

/// Checks every value of the sweeps. More codewords or negatives than items are skipped, as in the sweeps.
fn check_sweeps(config: &Config, options: &Options, items: usize) -> Result<()> {
    let refuse = |flag: &'static str, value: usize, config: &Config| {
        config.validate(items).map_err(|error| match error {
            Error::Setting { field, problem } => Error::setting(flag, format!("{value}: {field}: {problem}")),
            other => other,
        })
    };
    let mut with = config.clone();
    // In the sweep over negatives, users do not share them.
    with.proposal.group_size = 1;
    for &negatives in options.negatives.iter().filter(|&&negatives| negatives <= items) {
        with.proposal.negatives = negatives;
        refuse("sweep-negatives", negatives, &with)?;
    }
    if !config.proposal.parts().any(ProposalKind::indexed) {
        return Ok(());
    }
    let mut with = config.clone();
    for &codewords in options.codewords.iter().filter(|&&codewords| codewords <= items) {
        with.proposal.codewords = codewords;
        refuse("sweep-codewords", codewords, &with)?;
    }
    let mut with = config.clone();
    for &codebooks in &options.codebooks {
        with.proposal.codebooks = codebooks;
        refuse("sweep-codebooks", codebooks, &with)?;
    }
    Ok(())
}

/// The chosen row first, then rows spread evenly over the data.
fn rows(users: usize, options: &Options) -> Vec<u32> {
    let count = options.users.min(users);
    let mut rows: Vec<u32> = (0..count).map(|at| (at * users / count) as u32).collect();
    let chosen = options.chosen as u32;
    let place = rows.binary_search(&chosen).unwrap_or(0);
    rows[place] = chosen;
    rows.swap(0, place);
    rows
}

/// Context shared by all measurements.
struct Bench<'a> {
    engine: &'a Engine,
    counts: Vec<u32>,
    seed: u64,
    options: &'a Options,
    train: &'a Csr,
    study: Study,
}

impl<'a> Bench<'a> {
    async fn subject(&self, trainer: &Trainer) -> Result<Subject<'a>> {
        let histories = self.train.select(&self.study.training_rows)?;
        Subject::new(self.engine, &trainer.trained_part(), histories).await
    }

    /// Builds a proposal and returns it with the seconds that took.
    async fn ready(&self, subject: &Subject<'_>, sampler: &Sampler) -> Result<(Ready, f64)> {
        let start = Instant::now();
        let ready = subject.prepare(sampler, &self.counts, self.seed).await?;
        Ok((ready, start.elapsed().as_secs_f64()))
    }

    async fn gradient(
        &self,
        subject: &Subject<'_>,
        ready: &Ready,
        negatives: usize,
    ) -> Result<GradientError> {
        let (users, partition) = (self.options.gradient_users, ready.sampler.objective.partition);
        gradient(subject, ready, users, negatives, self.options.replicates, partition).await
    }

    /// Measures every sampler with its own settings, and draws its curve.
    async fn compare(&mut self, trainer: &Trainer, model: Model, tell: &mut dyn FnMut(&str)) -> Result<()> {
        let subject = self.subject(trainer).await?;
        let mut order: Vec<u32> = (0..self.counts.len() as u32).collect();
        order.sort_by_key(|&item| (std::cmp::Reverse(self.counts[item as usize]), item));
        let mut curves = vec![Curve::exact(&subject, 0, &order)];
        for sampler in &self.options.samplers {
            tell(&format!("{} model: {}", model.name(), sampler.label));
            let (ready, build_seconds) = self.ready(&subject, sampler).await?;
            let of_users = divergences(&subject, &ready).await?;
            let divergence = mean(&of_users);
            self.study.by_user.push((model, sampler.label.clone(), of_users));
            let gradient = self.gradient(&subject, &ready, sampler.proposal.negatives).await?;
            if self.options.draws > 0 {
                curves.push(curve(&subject, &ready, 0, &order, self.options.draws).await?);
            }
            self.study.rows.push(Row {
                model,
                sampler: sampler.label.clone(),
                sweep: Sweep::None,
                divergence: Some(divergence),
                gradient: Some(gradient),
                build_seconds,
            });
        }
        if self.options.draws > 0 {
            self.study.curves.push((model, curves));
        }
        Ok(())
    }

    /// Sweeps over K, m and S on the trained model.
    async fn sweep_settings(&mut self, trainer: &Trainer, tell: &mut dyn FnMut(&str)) -> Result<()> {
        let subject = self.subject(trainer).await?;
        for sampler in &self.options.samplers {
            if sampler.proposal.parts().any(ProposalKind::indexed) {
                let mut variants = Vec::new();
                for &k in self.options.codewords.iter().filter(|&&k| k <= self.counts.len()) {
                    variants.extend(sampler.with("codewords", k).map(|one| (Sweep::Codewords(k), one)));
                }
                for &m in &self.options.codebooks {
                    variants.extend(sampler.with("codebooks", m).map(|one| (Sweep::Codebooks(m), one)));
                }
                for (sweep, variant) in variants {
                    let (name, value) = sweep.parts();
                    tell(&format!("{}: {name} {}", sampler.label, value.unwrap_or(0)));
                    let (ready, build_seconds) = self.ready(&subject, &variant).await?;
                    self.study.rows.push(Row {
                        model: Model::Trained,
                        sampler: sampler.label.clone(),
                        sweep,
                        divergence: Some(mean(&divergences(&subject, &ready).await?)),
                        gradient: None,
                        build_seconds,
                    });
                }
            }
            if self.options.negatives.is_empty() {
                continue;
            }
            let (ready, build_seconds) = self.ready(&subject, sampler).await?;
            for &negatives in self.options.negatives.iter().filter(|&&n| n <= self.counts.len()) {
                tell(&format!("{}: {negatives} negatives", sampler.label));
                self.study.rows.push(Row {
                    model: Model::Trained,
                    sampler: sampler.label.clone(),
                    sweep: Sweep::Negatives(negatives),
                    divergence: None,
                    gradient: Some(self.gradient(&subject, &ready, negatives).await?),
                    build_seconds,
                });
            }
        }
        Ok(())
    }

    /// Builds the proposals that need a refresh, then trains without refreshing them and measures them.
    async fn sweep_staleness(&mut self, trainer: &mut Trainer, tell: &mut dyn FnMut(&str)) -> Result<()> {
        let mut ages = self.options.staleness.clone();
        ages.sort_unstable();
        ages.dedup();
        if ages.is_empty() {
            return Ok(());
        }
        let before = self.subject(trainer).await?;
        let mut stale = Vec::new();
        for sampler in &self.options.samplers {
            let (ready, build_seconds) = self.ready(&before, sampler).await?;
            if ready.proposal.needs_refresh() {
                stale.push((ready, build_seconds));
            }
        }
        for age in ages {
            self.advance(trainer, self.study.epochs + age, tell).await?;
            let now = self.subject(trainer).await?;
            for (ready, build_seconds) in &stale {
                tell(&format!("{}: {age} epochs old", ready.sampler.label));
                self.study.rows.push(Row {
                    model: Model::Trained,
                    sampler: ready.sampler.label.clone(),
                    sweep: Sweep::Staleness(age),
                    divergence: Some(mean(&divergences(&now, ready).await?)),
                    gradient: None,
                    build_seconds: *build_seconds,
                });
            }
        }
        Ok(())
    }

    /// Trains until `epochs` epochs are done.
    async fn advance(&self, trainer: &mut Trainer, epochs: u32, tell: &mut dyn FnMut(&str)) -> Result<()> {
        let mut told = trainer.progress().epoch;
        while trainer.progress().epoch < epochs {
            if trainer.next().await?.is_none() {
                break;
            }
            let epoch = trainer.progress().epoch;
            if epoch > told {
                tell(&format!("trained {epoch} of {epochs} epochs"));
                told = epoch;
            }
        }
        Ok(())
    }
}
