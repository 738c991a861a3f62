//! `fastvae bench gpu`: measures a GPU for a report that its owner can send.

use fastvae::{
    Error, Result,
    engine::{Engine, GpuEngine},
    file,
};
use fastvae_study::device::{Plan, Report};
use pollster::block_on;

use crate::{
    args::bench::GpuArgs,
    output::{Table, duration, grouped, note, print, print_json},
};

/// Smallest and largest catalogue: samplers need a few items, and ids have 32 bits.
const SIZES: std::ops::RangeInclusive<usize> = 100..=100_000_000;

/// Runs `fastvae bench gpu`.
///
/// # Errors
/// [`Error::Setting`] for sizes out of bounds; [`Error::Device`] without a GPU, if it is lost, or if a self-test fails;
/// [`Error::Io`] if a file cannot be written.
pub fn run(args: &GpuArgs) -> Result<()> {
    if let Some(size) = args.items.iter().find(|size| !SIZES.contains(size)) {
        let problem = format!("{size} is outside of {} to {}", SIZES.start(), grouped(*SIZES.end() as u64));
        return Err(Error::setting("items", problem));
    }
    if args.seconds <= 0.0 {
        return Err(Error::setting("seconds", format!("{} is not above 0", args.seconds)));
    }
    let gpu = block_on(GpuEngine::new(args.adapter.as_deref()))?;
    let info = gpu.adapter().clone();
    note(&format!("{info}"));
    let mut items = args.items.clone();
    items.sort_unstable();
    items.dedup();
    let plan = Plan { items, seconds: args.seconds };
    let report = Report::measure(&Engine::Gpu(gpu), &info, args.adapter.as_deref(), &plan, |part| {
        note(&format!("  {part}"))
    })?;
    if let Some(path) = &args.out {
        let text = serde_json::to_string_pretty(&report)
            .map_err(|error| Error::Data(format!("the report cannot be written as JSON: {error}")))?;
        file::write(path, text.as_bytes())?;
    }
    if let Some(path) = &args.html {
        file::write(path, report.html().as_bytes())?;
    }
    match (&args.out, &args.html) {
        (None, None) => print_json(&report)?,
        _ => summary(&report)?,
    }
    report.verdict()
}

fn summary(report: &Report) -> Result<()> {
    let mut text = String::new();
    if let Some(peaks) = &report.peaks {
        text += &format!(
            "copy: {:.0} GB/s; multiply-adds: {:.2} Tflop/s\n\n",
            peaks.copy_bytes_per_second / 1e9,
            peaks.flops_per_second / 1e12
        );
    }
    let mut table = Table::new(["items", "way", "ms a step", "dispatches", "first index", "an epoch"]);
    for run in &report.runs {
        let calls: f64 = run.shaders.iter().map(|one| one.calls).sum();
        table.row([
            grouped(run.items as u64),
            run.way.to_owned(),
            format!("{:.3}", run.step_seconds * 1e3),
            if run.shaders.is_empty() { "–".into() } else { format!("{calls:.1}") },
            run.first_index_seconds.map_or("–".into(), duration),
            duration(run.epoch_seconds),
        ]);
    }
    text += &table.to_string();
    text += &match report.crossover_items {
        Some(items) => format!("\nsamples pay off from {} items\n", grouped(items.round() as u64)),
        None => "\nfull softmax and samples do not cross between these sizes\n".into(),
    };
    for line in &report.left_out {
        text += &format!("left out: {line}\n");
    }
    text += &format!("{} in all\n", duration(report.seconds));
    print(&text)
}
