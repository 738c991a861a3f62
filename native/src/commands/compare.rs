//! `fastvae compare`: trains samplers side by side.

use fastvae::{Error, Result, data};
use fastvae_study::{
    compare::{Comparison, compare},
    fidelity::Sampler,
};
use pollster::block_on;

use crate::{
    Outcome,
    args::fidelity::CompareArgs,
    commands::results::Results,
    output::{Table, duration, note, print, print_json},
    settings,
};

/// Runs `fastvae compare`.
///
/// # Errors
/// Errors of data, engine and training; [`Error::Setting`] for invalid samplers.
pub fn run(args: &CompareArgs) -> Result<Outcome> {
    let mut config = settings::new_run(None, &args.settings)?;
    settings::network_alone(&mut config, &settings::asked(None, &args.settings)?);
    let samplers = Sampler::parse_all(&args.samplers, &config.training()?)?;
    let dataset = settings::load_run(&config)?;
    let split = data::split(&dataset, &config.split)?;
    let (part, set) = if args.validation { ("validation", &split.validation) } else { ("test", &split.test) };
    if set.users.is_empty() {
        return Err(Error::setting("validation", "this split has no validation part; leave it out"));
    }
    let (engine, why) = settings::engine(&args.engine)?;
    let results = Results::create(args.output.out.as_deref(), "compare", &dataset.name)?;
    if !args.output.quiet {
        note(&format!("engine: {}, because {why}", engine.describe()));
    }
    let training = config.training()?;
    let metric = &training.training.metric;
    let mut tell = |sampler: &str, point: &fastvae_study::compare::Point| {
        if !args.output.quiet {
            let value = point.metrics.get(metric).copied().unwrap_or(f64::NAN);
            let seconds = duration(point.seconds);
            note(&format!("epoch {:>3}  {sampler:<28} {metric} {value:.4}  after {seconds}", point.epoch));
        }
    };
    let mut comparison = block_on(compare(&engine, &training, &samplers, &split.train, set, &mut tell))?;
    (comparison.data, comparison.part) = (dataset.name.clone(), part.into());
    results.write("compare.csv", &comparison.csv())?;
    for (name, svg) in comparison.figures() {
        results.write(&format!("{name}.svg"), &svg)?;
    }
    results.write("report.html", &comparison.html())?;
    if args.output.csv {
        print(&comparison.csv())?;
    } else if args.output.json {
        print_json(&comparison)?;
    } else {
        print(&format!("{}\n{}", summary(&comparison), results.told()))?;
    }
    Ok(Outcome::Done)
}

fn summary(comparison: &Comparison) -> String {
    let mut table = Table::new(["sampler", comparison.metric.as_str(), "epochs", "seconds", "an epoch"]);
    for line in &comparison.lines {
        let Some(last) = line.points.last() else {
            table.row([line.label.as_str(), "–", "0"]);
            continue;
        };
        table.row([
            line.label.clone(),
            format!("{:.4}", last.metrics.get(&comparison.metric).copied().unwrap_or(f64::NAN)),
            last.epoch.to_string(),
            format!("{:.1}", last.seconds),
            format!("{:.2}", last.seconds / f64::from(last.epoch)),
        ]);
    }
    let stopped = comparison.lines.iter().filter_map(|line| Some((&line.label, line.stopped.as_ref()?)));
    let stopped: String = stopped.map(|(label, why)| format!("{label}: {why}\n")).collect();
    format!("{}, the {} part\n\n{table}{stopped}", comparison.data, comparison.part)
}
