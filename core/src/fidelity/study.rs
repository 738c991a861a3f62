//! All of it for one set: a new model and a trained one, every sampler, and what each setting changes.

use std::fmt::Write;

use serde::Serialize;
use web_time::Instant;

use super::{
    Curve, Divergence, GradientError, Sampler, Subject,
    curve::curve,
    divergence::{divergences, mean},
    gradient::gradient,
    subject::Ready,
};
use crate::{
    Error, Result,
    config::{Config, Objective, ProposalKind},
    data::Csr,
    engine::Engine,
    state::State,
    train::Trainer,
};

/// What to look at.
#[derive(Clone, Debug)]
pub struct Options {
    /// The samplers to compare; their settings hold for divergences and curves.
    pub samplers: Vec<Sampler>,
    /// Users that divergences are averaged over.
    pub users: usize,
    /// Users that gradients are averaged over, the first of them.
    pub gradient_users: usize,
    /// Draws of a whole set of negatives a user.
    pub replicates: u32,
    /// Draws of a cumulative curve; 0: no curves.
    pub draws: usize,
    /// The training row whose curves are drawn.
    pub chosen: usize,
    /// Values of K to try, for samplers that have an index.
    pub codewords: Vec<usize>,
    /// Numbers of codebooks to try, for samplers that have an index.
    pub codebooks: Vec<usize>,
    /// Numbers of negatives to try.
    pub negatives: Vec<usize>,
    /// Epochs of training on, after which an index that was built before them is measured.
    pub staleness: Vec<u32>,
}

/// Which parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Model {
    /// As initialised.
    Random,
    /// After training.
    Trained,
}

impl Model {
    /// As tables name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Trained => "trained",
        }
    }
}

/// The setting that a row varies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sweep {
    /// None: the sampler as it was asked for.
    None,
    /// K.
    Codewords(usize),
    /// m.
    Codebooks(usize),
    /// S.
    Negatives(usize),
    /// Epochs since the index was built.
    Staleness(u32),
}

impl Sweep {
    /// Name and value, as tables have them.
    pub fn parts(self) -> (&'static str, Option<u64>) {
        match self {
            Self::None => ("", None),
            Self::Codewords(k) => ("codewords", Some(k as u64)),
            Self::Codebooks(m) => ("codebooks", Some(m as u64)),
            Self::Negatives(s) => ("negatives", Some(s as u64)),
            Self::Staleness(epochs) => ("staleness", Some(epochs.into())),
        }
    }
}

/// One measurement.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Which parameters.
    pub model: Model,
    /// The sampler's label.
    pub sampler: String,
    /// What was varied.
    pub sweep: Sweep,
    /// The mean over users.
    pub divergence: Option<Divergence>,
    /// Over users and replicates.
    pub gradient: Option<GradientError>,
    /// What it took to build the proposal: k-means, trees, tables.
    pub build_seconds: f64,
}

/// What was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Study {
    /// The data set.
    pub data: String,
    /// Users that divergences are averaged over.
    pub users: usize,
    /// Users that gradients are averaged over.
    pub gradient_users: usize,
    /// Replicates of a gradient.
    pub replicates: u32,
    /// Draws of a curve.
    pub draws: usize,
    /// Items.
    pub items: usize,
    /// Epochs that the trained model has seen.
    pub epochs: u32,
    /// Method that it was trained with.
    pub trained_with: String,
    /// What it ran on.
    pub engine: String,
    /// Measurements.
    pub rows: Vec<Row>,
    /// The softmax and each sampler, for one user, under each model.
    pub curves: Vec<(Model, Vec<Curve>)>,
    /// Training rows of the users; the first is the one whose curves are drawn.
    pub training_rows: Vec<u32>,
    /// What `rows` has means of: each user's divergence, by model and sampler.
    #[serde(skip)]
    pub by_user: Vec<(Model, String, Vec<Divergence>)>,
}

/// Measures a new model, then the one of `trained` (or trains one as `config` says), then lets indexes go stale.
/// `tell` hears what is going on.
///
/// # Errors
/// [`Error::Setting`] if settings cannot work together or with the catalogue; otherwise as training does.
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

/// Every value that a setting is going to take. Numbers of codewords or negatives above that of items are skipped.
fn check_sweeps(config: &Config, options: &Options, items: usize) -> Result<()> {
    let refuse = |flag: &'static str, value: usize, config: &Config| {
        config.validate(items).map_err(|error| match error {
            Error::Setting { field, problem } => Error::setting(flag, format!("{value}: {field}: {problem}")),
            other => other,
        })
    };
    let mut with = config.clone();
    // Users draw on their own here.
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

/// The chosen row first, then rows spread evenly.
fn rows(users: usize, options: &Options) -> Vec<u32> {
    let count = options.users.min(users);
    let mut rows: Vec<u32> = (0..count).map(|at| (at * users / count) as u32).collect();
    let chosen = options.chosen as u32;
    let place = rows.binary_search(&chosen).unwrap_or(0);
    rows[place] = chosen;
    rows.swap(0, place);
    rows
}

/// What all measurements share.
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
        Subject::new(self.engine, &trainer.model(), trainer.catalogue(), histories).await
    }

    /// Builds a proposal, and tells how long it took.
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

    /// Every sampler as it is, and its curve.
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

    /// K, m and S, on the trained model.
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

    /// Proposals that keep something of the items are built, and the model goes on without them.
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
            if ready.proposal.index().is_some() || ready.proposal.snapshot().is_some() {
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

    /// Trains until so many epochs are done.
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

impl Study {
    /// The row of a sampler as it was asked for.
    pub fn row(&self, model: Model, sampler: &str) -> Option<&Row> {
        let wanted = |row: &&Row| row.model == model && row.sampler == sampler && row.sweep == Sweep::None;
        self.rows.iter().find(wanted)
    }

    /// Every measurement, one a line; what was not measured is empty.
    pub fn csv(&self) -> String {
        let mut text = String::from(
            "model,sampler,sweep,value,kl_q_p,kl_p_q,total_variation,effective_sample_size,bound,query_bias,\
             query_deviation,logit_bias,logit_deviation,query_bias_error,logit_bias_error,build_seconds\n",
        );
        for row in &self.rows {
            let (sweep, value) = row.sweep.parts();
            let value = value.map_or_else(String::new, |value| value.to_string());
            let _ = write!(text, "{},{},{sweep},{value}", row.model.name(), row.sampler);
            let divergence = row.divergence.map_or([f64::NAN; 5], |d| {
                [d.kl_qp, d.kl_pq, d.total_variation, d.effective_sample_size, d.bound]
            });
            let gradient = row.gradient.map_or([f64::NAN; 6], |g| {
                [
                    g.query_bias,
                    g.query_deviation,
                    g.logit_bias,
                    g.logit_deviation,
                    g.query_bias_error,
                    g.logit_bias_error,
                ]
            });
            for number in divergence.into_iter().chain(gradient).chain([row.build_seconds]) {
                text.push(',');
                if !number.is_nan() {
                    let _ = write!(text, "{:.6}", positive(number));
                }
            }
            text.push('\n');
        }
        text
    }

    /// The divergence that a sampler has for the user whose curves are drawn.
    pub fn of_first_user(&self, model: Model, sampler: &str) -> Option<&Divergence> {
        let wanted = |(of, label, _): &&(Model, String, Vec<Divergence>)| *of == model && label == sampler;
        self.by_user.iter().find(wanted)?.2.first()
    }

    /// Divergences of every user: model, sampler, user, then as in [`Study::csv`]. `ids` are those of training rows.
    ///
    /// # Errors
    /// [`Error::Data`] if it cannot be written as csv.
    pub fn users_csv(&self, ids: impl Fn(u32) -> String) -> Result<String> {
        let failed = |error: csv::Error| Error::Data(format!("users cannot be written as csv: {error}"));
        let mut writer = csv::Writer::from_writer(Vec::new());
        let header =
            ["model", "sampler", "user", "kl_q_p", "kl_p_q", "total_variation", "effective_sample_size"];
        writer.write_record(header).map_err(failed)?;
        for (model, sampler, users) in &self.by_user {
            for (&row, one) in self.training_rows.iter().zip(users) {
                let numbers = [one.kl_qp, one.kl_pq, one.total_variation, one.effective_sample_size];
                let [a, b, c, d] = numbers.map(|number| format!("{:.6}", positive(number)));
                writer.write_record([model.name(), sampler, &ids(row), &a, &b, &c, &d]).map_err(failed)?;
            }
        }
        let bytes = writer.into_inner().map_err(|error| failed(error.into_error().into()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The curves: model, sampler, number of the most popular items, share of the probability on them.
    pub fn curves_csv(&self) -> String {
        let mut text = String::from("model,sampler,items,cumulative\n");
        let places = Curve::places(self.items);
        for (model, curves) in &self.curves {
            for curve in curves {
                // The first curve is the truth, whether or not a sampler of the same name was drawn from.
                let label = if std::ptr::eq(curve, &curves[0]) { "exact" } else { &curve.label };
                for (place, share) in places.iter().zip(&curve.cumulative) {
                    let _ = writeln!(text, "{},{label},{place},{share:.6}", model.name());
                }
            }
        }
        text
    }
}

/// What rounding has left a little below zero is zero.
fn positive(number: f64) -> f64 {
    if number > -1e-5 { number.max(0.0) } else { number }
}
