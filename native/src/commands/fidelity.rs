//! `fastvae fidelity`: measures how close samplers are to the softmax, for a new model and a trained one.

use std::path::Path;

use fastvae::{
    Error, Result,
    data::{self, Dataset, Split},
    run::{
        RunConfig,
        checkpoint::{self, Checkpoint},
        fingerprint,
    },
    state::State,
};
use fastvae_study::fidelity::{self, Model, Options, Sampler, Study, Sweep, study};
use pollster::block_on;

use crate::{
    Outcome,
    args::fidelity::FidelityArgs,
    commands::results::Results,
    output::{Table, note, print, print_json},
    settings,
};

/// Runs `fastvae fidelity`.
///
/// # Errors
/// Errors of checkpoint, data, engine and training; [`Error::Setting`] for invalid samplers.
pub fn run(args: &FidelityArgs) -> Result<Outcome> {
    let (config, trained) = match &args.run {
        Some(path) => {
            let (config, checkpoint) = open(path, args)?;
            (config, Some(checkpoint))
        }
        None => (settings::new_run(None, &args.settings)?, None),
    };
    // A proposal is measured without shared negatives unless a sampler sets a group size.
    let mut base = config.training()?;
    let proposal = &mut base.proposal;
    (proposal.codewords, proposal.group_size, proposal.mix) = (args.sampler_codewords, 1, None);
    let samplers = Sampler::parse_all(&args.samplers, &base)?;
    let mut dataset = settings::load_run(&config)?;
    if let Some((checkpoint, path)) = &trained {
        dataset.keep_items(checkpoint.context.known_items());
        check_same(checkpoint, path, &dataset)?;
    }
    let split = data::split(&dataset, &config.split)?;
    let options = Options {
        samplers,
        users: args.users,
        gradient_users: args.gradient_users,
        replicates: args.replicates,
        draws: args.draws,
        chosen: chosen(args.user.as_deref(), &dataset, &split)?,
        codewords: args.sweep_codewords.0.clone(),
        codebooks: args.sweep_codebooks.0.clone(),
        negatives: args.sweep_negatives.0.clone(),
        staleness: args.staleness.0.clone(),
    };
    let (engine, why) = settings::engine(&args.engine)?;
    let results = Results::create(args.output.out.as_deref(), "fidelity", &dataset.name)?;
    let mut tell = |text: &str| {
        if !args.output.quiet {
            note(text);
        }
    };
    tell(&format!("engine: {}, because {why}", engine.describe()));
    let state: Option<State> = trained.map(|(checkpoint, _)| checkpoint.state);
    let mut study = block_on(study(&engine, &split.train, &config.training()?, &options, state, &mut tell))?;
    study.data = dataset.name.clone();
    results.write("fidelity.csv", &study.csv())?;
    results.write("curves.csv", &study.curves_csv())?;
    let id = |row: u32| dataset.users[split.train_users[row as usize] as usize].clone();
    results.write("users.csv", &study.users_csv(id)?)?;
    for (name, svg) in fidelity::figures(&study) {
        results.write(&format!("{name}.svg"), &svg)?;
    }
    results.write("report.html", &fidelity::html(&study))?;
    if args.output.csv {
        print(&study.csv())?;
    } else if args.output.json {
        print_json(&study)?;
    } else {
        print(&format!("{}\n{}", summary(&study), results.told()))?;
    }
    Ok(Outcome::Done)
}

/// Reads the settings and the state of an existing run.
fn open(path: &Path, args: &FidelityArgs) -> Result<(RunConfig, (Checkpoint, std::path::PathBuf))> {
    let file = if path.is_dir() { path.join("last.safetensors") } else { path.to_owned() };
    let checkpoint = checkpoint::read(&file)?;
    if !checkpoint.state.tensors.contains_key("items.first") {
        return Err(Error::Checkpoint {
            path: file,
            problem:
                "it holds a model alone; give the folder of the run, whose last.safetensors can be trained on"
                    .into(),
        });
    }
    let config = settings::resumed(&checkpoint.context.config, &args.settings)?;
    Ok((config, (checkpoint, file)))
}

fn check_same(checkpoint: &Checkpoint, path: &Path, dataset: &Dataset) -> Result<()> {
    if fingerprint(dataset) == checkpoint.context.fingerprint {
        return Ok(());
    }
    Err(Error::Checkpoint {
        path: path.into(),
        problem: format!(
            "it was trained on {}, and {} is another set ({}); give the same file and filters, by --data if it has moved",
            checkpoint.context.data,
            dataset.name,
            dataset.statistics().counts
        ),
    })
}

/// The training row of the user whose curves are drawn.
fn chosen(user: Option<&str>, dataset: &Dataset, split: &Split) -> Result<usize> {
    let Some(id) = user else { return Ok(0) };
    let row = dataset.users.iter().position(|known| known == id).ok_or_else(|| {
        Error::setting(
            "user",
            format!("`{id}` is no user of {}; its first is {}", dataset.name, dataset.users[0]),
        )
    })?;
    split
        .train_users
        .binary_search(&(row as u32))
        .map_err(|_| Error::setting("user", format!("`{id}` has no training items under this split")))
}

/// A table of the results for the trained model, one row per sampler.
fn summary(study: &Study) -> String {
    let mut table =
        Table::new(["sampler", "KL(q|p)", "bound", "KL(p|q)", "TV", "ESS", "gradient bias", "deviation"]);
    let number = |value: f64| match value {
        nothing if nothing.is_nan() => "–".to_owned(),
        rounding if rounding.abs() < 5e-5 => "0.0000".into(),
        value => format!("{value:.4}"),
    };
    for row in study.rows.iter().filter(|row| row.model == Model::Trained && row.sweep == Sweep::None) {
        let (Some(d), Some(g)) = (row.divergence, row.gradient) else { continue };
        table.row([
            row.sampler.clone(),
            number(d.kl_qp),
            number(d.bound),
            number(d.kl_pq),
            number(d.total_variation),
            number(d.effective_sample_size),
            format!("{} ± {}", number(g.query_bias), number(g.query_bias_error)),
            number(g.query_deviation),
        ]);
    }
    format!(
        "{}, trained {} epochs with {}: means over {} users, gradients over {}\n\n{table}",
        study.data, study.epochs, study.trained_with, study.users, study.gradient_users
    )
}
