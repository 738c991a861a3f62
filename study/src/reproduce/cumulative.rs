//! Figure 2: cumulative probability of samplers over items by popularity, for a new model and a trained one.

use fastvae::{
    Result,
    event::Event,
    model::ModelKind,
    run::{
        Folder, Run, Saved, Saves, Setup,
        checkpoint::{self, Context},
    },
    state::State,
    watch,
};
use pollster::block_on;
use serde::{Deserialize, Serialize};

use super::{
    Experiment,
    lab::Lab,
    report::{Measured, Report, Row, Verdict},
};
use crate::fidelity::{self, Model, Options, Sampler, study};

/// What was measured of a sampler on a model.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Closeness {
    model: String,
    sampler: String,
    /// KL(q | p), mean over users.
    divergence: f64,
    /// The largest distance between the curves.
    distance: f64,
}

/// Rows, and the two figures.
#[derive(Serialize, Deserialize)]
struct Measurement {
    rows: Vec<Closeness>,
    figures: Vec<(String, String)>,
}

/// The samplers of the figure: title and name.
const SAMPLERS: [(&str, &str); 7] = [
    ("Uniform", "uniform"),
    ("Popularity", "popularity"),
    ("DNS", "dns"),
    ("Kernel", "kernel"),
    ("MIDX", "midx"),
    ("MIDX_Uni", "midx-uniform"),
    ("MIDX_Pop", "midx-popularity"),
];

/// Figure 2.
///
/// # Errors
/// As [`super::reproduce`].
pub(super) fn fig2(lab: &mut Lab<'_>) -> Result<Report> {
    let set = lab.sets.iter().position(|set| set.name == "ml-10m").unwrap_or(0);
    let keys = ["training", "measuring"].map(|what| format!("{}/{what}", lab.sets[set].name));
    lab.announce(keys.clone());
    let _: u32 = lab.cell(&keys[0], |lab| Ok(trained(lab, set)?.progress.epoch))?;
    let measured: Measurement = lab.cell(&keys[1], |lab| measure(lab, set))?;
    Ok(report(lab, set, measured))
}

/// Trains the model in a folder of its own, where an interrupted training goes on.
fn trained(lab: &Lab<'_>, set: usize) -> Result<State> {
    let path = lab.plan.folder.join("model");
    let set = &lab.sets[set];
    let config = lab.config(ModelKind::MultVae, None, set, 0);
    let epochs = config.training.epochs;
    let split = set.split(0)?;
    let context = Context::new(config, &set.dataset);
    let setup =
        Setup { engine: lab.engine.clone(), context, split: &split, saves: Saves { every: 1, best: true } };
    let last = path.join("last.safetensors");
    if last.is_file() {
        let save = checkpoint::read(&last)?;
        if save.state.progress.finished && save.context.fingerprint == setup.context.fingerprint {
            return Ok(save.state);
        }
    }
    block_on(async {
        let mut run = if last.is_file() {
            let folder = Folder::open(&path)?;
            let saved = Saved::new(folder.checkpoint()?, &setup.context.config, &path, false)?;
            Run::resume(setup, saved, folder).await?
        } else {
            let (data, config) = (setup.context.data.clone(), setup.context.config.clone());
            Run::start(setup, || Folder::create(Some(&path), false, &data, &config)).await?
        };
        while let Some(event) = run.next().await? {
            watch::check()?;
            if let Event::Epoch { epoch, .. } = event {
                lab.at(&format!("training, epoch {epoch}/{epochs}"));
            }
        }
        Ok(checkpoint::read(&last)?.state)
    })
}

fn measure(lab: &Lab<'_>, set: usize) -> Result<Measurement> {
    let state = trained(lab, set)?;
    let set = &lab.sets[set];
    let split = set.split(0)?;
    let config = lab.config(ModelKind::MultVae, None, set, 0).training()?;
    // The samplers have codebooks of their own size; the model goes on with those that it was trained with.
    let mut base = config.clone();
    let most = (set.dataset.items.len() / 4).max(2);
    base.proposal.codewords = lab.plan.size.of(8, 64, 64).min(most);
    (base.proposal.group_size, base.proposal.mix) = (1, None);
    let names = SAMPLERS.map(|(_, name)| match name {
        "midx-uniform" | "midx-popularity" => format!("{name}:quantisation=product"),
        name => name.into(),
    });
    let users = lab.plan.size.of(10, 200, 1000);
    let options = Options {
        samplers: Sampler::parse_all(&names, &base)?,
        users,
        gradient_users: 1,
        replicates: 2,
        draws: lab.plan.size.of(1000, 100_000, 100_000),
        chosen: 0,
        codewords: Vec::new(),
        codebooks: Vec::new(),
        negatives: Vec::new(),
        staleness: Vec::new(),
    };
    let mut tell = |text: &str| lab.at(text);
    let mut study = block_on(study(&lab.engine, &split.train, &config, &options, Some(state), &mut tell))?;
    study.data.clone_from(&set.name);
    let mut rows = Vec::new();
    for (model, curves) in &study.curves {
        for ((_, name), label) in SAMPLERS.iter().zip(options.samplers.iter().map(|sampler| &sampler.label)) {
            let divergence = study.row(*model, label).and_then(|row| row.divergence);
            let curve = curves.iter().skip(1).find(|curve| curve.label == *label);
            rows.push(Closeness {
                model: model.name().into(),
                sampler: (*name).into(),
                // Rounding can leave a value slightly below zero.
                divergence: divergence.map_or(f64::NAN, |divergence| divergence.kl_qp.max(0.0)),
                distance: curve.map_or(f64::NAN, |curve| curve.distance),
            });
        }
    }
    let figures = fidelity::figures(&study).into_iter().filter(|(name, _)| name.starts_with("cumulative"));
    Ok(Measurement { rows, figures: figures.collect() })
}

fn report(lab: &Lab<'_>, set: usize, measured: Measurement) -> Report {
    let title = lab.sets[set].title();
    let mut report =
        Report::new(Experiment::Fig2, "Figure 2: cumulative probability of samplers", lab.line());
    for row in &measured.rows {
        let shown = SAMPLERS.iter().find(|(_, name)| *name == row.sampler).map_or("", |(title, _)| title);
        for (measure, value) in
            [("KL(q | p)", row.divergence), ("largest distance of the curves", row.distance)]
        {
            let mut out = Row::new(title.clone(), format!("{shown}, {} model", row.model), measure);
            out.ours = Some(Measured::one(value));
            report.rows.push(out);
        }
    }
    let of = |model: Model, sampler: &str, pick: fn(&Closeness) -> f64| {
        let own = measured.rows.iter().find(|row| row.model == model.name() && row.sampler == sampler);
        own.map_or(f64::NAN, pick)
    };
    let kl = |model: Model, sampler: &str| of(model, sampler, |row| row.divergence);
    let exact = [Model::Random, Model::Trained].map(|model| kl(model, "midx"));
    report.claim(
        "1. The MIDX sampler is as accurate as the softmax, for both models",
        format!("KL(q | p) {:.5} and {:.5}", exact[0], exact[1]),
        Verdict::of_all(&exact.map(|value| value < 1e-3)),
    );
    let trained = |sampler: &str| kl(Model::Trained, sampler);
    let pairs: Vec<bool> = ["midx-uniform", "midx-popularity"]
        .into_iter()
        .flat_map(|midx| ["kernel", "dns"].map(|other| trained(midx) < trained(other)))
        .collect();
    report.claim(
        "2. On a trained model, MIDX_Uni and MIDX_Pop are closer to the softmax than Kernel and DNS",
        format!(
            "KL(q | p) {:.3} and {:.3}, against {:.3} and {:.3}",
            trained("midx-uniform"),
            trained("midx-popularity"),
            trained("kernel"),
            trained("dns")
        ),
        Verdict::of_all(&pairs),
    );
    report.claim(
        "3. MIDX_Uni approximates the softmax a little less accurately than MIDX_Pop",
        format!("KL(q | p) {:.3} and {:.3}", trained("midx-uniform"), trained("midx-popularity")),
        Verdict::at_least(Some(trained("midx-uniform") - trained("midx-popularity")), 0.0, -0.02),
    );
    let static_like =
        [("midx-uniform", "uniform"), ("midx-popularity", "popularity")].map(|(midx, plain)| {
            let gain = |model: Model| kl(model, plain) - kl(model, midx);
            (gain(Model::Random), gain(Model::Trained))
        });
    report.claim(
        "4. With a random model, MIDX samplers are similar to the static ones; with a trained one they are closer to the softmax",
        static_like
            .iter()
            .map(|(random, trained)| format!("closer by {random:.3}, trained by {trained:.3}"))
            .collect::<Vec<_>>()
            .join("; "),
        Verdict::of_all(&static_like.map(|(random, trained)| trained > random)),
    );
    report.figures = measured.figures;
    report.notes = vec![
        "q is the sampler, p the softmax; the figures are of one user, as in the paper, and KL(q | p) is a mean over \
         users."
            .into(),
        "Both codebooks are product codebooks, as in the paper.".into(),
    ];
    report
}
