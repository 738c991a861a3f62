//! The report of a device as one page.

use std::fmt::Write;

use super::{Report, Run, ShaderUse, Way};
use crate::{
    chart::{self, Escaped, Frame, Scale, Series},
    report::{self, grouped, section},
};

/// The page.
pub fn html(report: &Report) -> String {
    let adapter = &report.adapter;
    let line = format!(
        "{} · {} · {} · {} threads · version {}",
        adapter.backend, adapter.driver, report.system, report.threads, report.version
    );
    let mut page = report::open("FastVAE on a GPU", &adapter.name, "#1f7fd1", &line);
    section(&mut page, "Device", &device(report));
    section(&mut page, "Epochs", &(epochs(report) + &table(report)));
    for run in report.runs.iter().filter(|run| !run.shaders.is_empty()) {
        let title = format!("A step: {}, {} items", run.way, grouped(run.items as u64));
        section(&mut page, &title, &(roofline(report, run) + &shaders(run) + &host(run)));
    }
    if !report.left_out.is_empty() {
        let list: String = report.left_out.iter().map(|line| format!("<li>{}</li>", Escaped(line))).collect();
        section(&mut page, "Left out", &format!("<ul>{list}</ul>"));
    }
    let limits = adapter.limits.iter().map(|(name, value)| row(&[(*name).to_owned(), value.to_string()]));
    let features = Escaped(&adapter.features.join(", ")).to_string();
    section(
        &mut page,
        "Limits and features",
        &format!("<table>{}</table><p>{features}</p>", limits.collect::<String>()),
    );
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn row(cells: &[String]) -> String {
    let (first, rest) = cells.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    let rest: String = rest.iter().map(|cell| format!("<td>{}</td>", Escaped(cell))).collect();
    format!("<tr><th>{}</th>{rest}</tr>", Escaped(first))
}

fn head(cells: &[&str]) -> String {
    let cells: String = cells.iter().map(|cell| format!("<th>{}</th>", Escaped(cell))).collect();
    format!("<thead><tr>{cells}</tr></thead>")
}

fn device(report: &Report) -> String {
    let mut rows = String::new();
    if let Some(tested) = &report.selftest {
        rows += &row(&["self-tests passed".into(), tested.passed.to_string()]);
        for (name, problem) in &tested.failed {
            rows += &row(&[format!("failed: {name}"), problem.clone()]);
        }
        let same = if tested.same_integers { "yes" } else { "NO" };
        rows += &row(&["the integers of the CPU engine".into(), same.into()]);
    }
    if let Some(peaks) = &report.peaks {
        let copied = format!("{:.0} GB/s", peaks.copy_bytes_per_second / 1e9);
        rows += &row(&[format!("copy of {} MiB, read and written", peaks.copied_bytes >> 20), copied]);
        rows += &row(&[
            "multiply-adds, two operations each".into(),
            format!("{:.2} Tflop/s", peaks.flops_per_second / 1e12),
        ]);
    }
    let crossover = report.crossover_items.map_or("not between the sizes below".into(), |items| {
        format!("{} items", grouped(items.round() as u64))
    });
    rows += &row(&["samples pay off from".into(), crossover]);
    format!("<table>{rows}</table>")
}

fn epochs(report: &Report) -> String {
    let series: Vec<Series> = Way::ALL
        .into_iter()
        .map(|way| {
            let runs = report.runs.iter().filter(|run| run.way == way.name());
            let mut series = Series::new(way.name(), runs.map(|run| (run.items as f64, run.epoch_seconds)));
            series.colour = colour(way.name()).into();
            series
        })
        .filter(|series| !series.points.is_empty())
        .collect();
    let frame = Frame {
        title: format!("An epoch of {} users", grouped(report.epoch_users as u64)),
        description: "Seconds of an epoch by the size of the catalogue, one line for each way to train"
            .into(),
        x_label: "items".into(),
        y_label: "seconds".into(),
        x_scale: Scale::Log,
        y_scale: Scale::Log,
        ..Frame::default()
    };
    chart::lines(&frame, &series)
}

fn colour(way: &str) -> &'static str {
    match way {
        "full" => "#8759e0",
        "plain" => "#d93a6e",
        "shared" => "#1f7fd1",
        _ => "#06958b",
    }
}

fn table(report: &Report) -> String {
    let rows: String = report
        .runs
        .iter()
        .map(|run| {
            let optional = |seconds: Option<f64>| seconds.map_or("–".into(), milliseconds);
            row(&[
                format!("{}, {} items", run.way, grouped(run.items as u64)),
                milliseconds(run.step_seconds),
                milliseconds(
                    run.host.iter().filter(|(stage, _)| !stage.contains("wait")).map(|one| one.1).sum(),
                ),
                optional(run.first_index_seconds),
                optional(run.refresh_seconds),
                format!("{:.2} s", run.epoch_seconds),
            ])
        })
        .collect();
    let head = head(&["", "a step", "of it the host", "first index", "a refresh", "an epoch"]);
    format!("<table>{head}<tbody>{rows}</tbody></table>")
}

fn milliseconds(seconds: f64) -> String {
    format!("{:.3} ms", seconds * 1e3)
}

/// Operations a second by operations a byte, under the roof that the measured peaks make.
fn roofline(report: &Report, run: &Run) -> String {
    let Some(peaks) = &report.peaks else { return String::new() };
    let place = |one: &ShaderUse| {
        let (cost, seconds) = (one.cost?, one.seconds.filter(|&seconds| seconds > 0.0)?);
        (cost.flops > 0.0).then(|| (cost.flops / cost.bytes, cost.flops / seconds))
    };
    let points: Vec<(&str, (f64, f64))> =
        run.shaders.iter().filter_map(|one| Some((one.shader, place(one)?))).collect();
    if points.is_empty() {
        return String::new();
    }
    let ridge = peaks.flops_per_second / peaks.copy_bytes_per_second;
    let roof = |intensity: f64| (intensity * peaks.copy_bytes_per_second).min(peaks.flops_per_second);
    let least = points.iter().map(|(_, point)| point.0).fold(ridge / 4.0, f64::min) / 2.0;
    let most = points.iter().map(|(_, point)| point.0).fold(ridge * 4.0, f64::max) * 2.0;
    let grey = "#7f8894";
    let mut series = vec![Series {
        name: "measured peaks".into(),
        points: [least, ridge, most].map(|intensity| (intensity, roof(intensity))).into(),
        colour: grey.into(),
        broad: true,
    }];
    let palette = ["#d93a6e", "#1f7fd1", "#c07200", "#06958b", "#8759e0", "#62912a", "#a5674a", "#b061c4"];
    series.extend(points.into_iter().zip(palette.iter().cycle()).map(|((name, point), colour)| Series {
        name: name.into(),
        points: vec![point],
        colour: (*colour).into(),
        broad: false,
    }));
    let frame = Frame {
        title: "Roofline".into(),
        description: "Operations a second of each shader by its operations a byte, below the measured peaks"
            .into(),
        x_label: "operations a byte".into(),
        y_label: "operations a second".into(),
        x_scale: Scale::Log,
        y_scale: Scale::Log,
        ..Frame::default()
    };
    chart::lines(&frame, &series)
}

fn shaders(run: &Run) -> String {
    let optional = |value: Option<f64>, shown: &dyn Fn(f64) -> String| value.map_or("–".into(), shown);
    let mut rows = String::new();
    for one in &run.shaders {
        rows += &row(&[
            one.shader.to_owned(),
            format!("{:.1}", one.calls),
            grouped(one.workgroups.round() as u64),
            optional(one.seconds, &|seconds| format!("{:.1}", seconds * 1e6)),
            optional(one.cost.map(|cost| cost.bytes), &|bytes| format!("{:.2}", bytes / 1e6)),
            optional(one.cost.map(|cost| cost.flops).filter(|&flops| flops > 0.0), &|flops| {
                format!("{:.1}", flops / 1e6)
            }),
            optional(one.share_of_peak, &|share| format!("{:.0} %", 100.0 * share)),
        ]);
    }
    let calls: f64 = run.shaders.iter().map(|one| one.calls).sum();
    let seconds: Option<f64> = run.shaders.iter().map(|one| one.seconds).sum();
    rows += &row(&[
        "all".into(),
        format!("{calls:.1}"),
        String::new(),
        optional(seconds, &|seconds| format!("{:.1}", seconds * 1e6)),
        String::new(),
        String::new(),
        String::new(),
    ]);
    let head = head(&["shader", "dispatches", "workgroups", "µs", "MB", "Mflop", "of the peak"]);
    format!("<table>{head}<tbody>{rows}</tbody></table>")
}

fn host(run: &Run) -> String {
    let mut text = String::new();
    let _ = write!(text, "<table>{}<tbody>", head(&["host", "µs a step"]));
    for (stage, seconds) in &run.host {
        text += &row(&[(*stage).to_owned(), format!("{:.1}", seconds * 1e6)]);
    }
    text + "</tbody></table>"
}
