//! `RUN/report.html`: one self-contained page with a run's numbers, settings and curves. It has no scripts
//! and loads nothing; it supports light and dark.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    path::Path,
};

use serde_json::Value;

use crate::{
    chart::{self, Escaped, Frame, Series},
    labels,
};
use fastvae::{
    Result,
    config::Method,
    file,
    model::ModelKind,
    run::{EpochMetrics, RunMetrics},
};

/// Writes the report of a run; the file is replaced whole or not at all.
///
/// # Errors
/// [`fastvae::Error::Io`] if the folder cannot be written.
pub fn write(path: &Path, run: &RunMetrics) -> Result<()> {
    file::write(path, html(run).as_bytes())
}

/// Returns the report as HTML text.
pub fn html(run: &RunMetrics) -> String {
    let settings = flatten(&run.config);
    let sampler = method(&settings);
    let title = format!("{sampler}: {} users × {} items", grouped(run.users), grouped(run.items));
    let what = if is_sampled(&settings) { "Sampler" } else { "Model" };
    let line =
        format!("{what} {sampler} · engine {} · seed {} · version {}", run.engine, run.seed, run.version);
    let mut page = open("FastVAE run", &title, chart::colour_of(sampler), &line);
    headline(&mut page, run);
    if run.closed_form.is_none() {
        let label = if is_sampled(&settings) { "nll + β KL, a user" } else { "a user" };
        curves(&mut page, run, sampler, label);
    }
    page.push_str("<div class=\"columns\">\n");
    section(&mut page, "Test set", &metric_table(&run.test, labels::ACCURACY));
    section(&mut page, "Data", &rows(&data(run)));
    if !run.beyond.is_empty() {
        section(&mut page, "Beyond accuracy", &metric_table(&run.beyond, labels::BEYOND));
    }
    page.push_str("</div>\n");
    section(&mut page, "Settings", &format!("<div class=\"settings\">{}</div>", rows(&settings)));
    match &run.closed_form {
        None => {
            let table = format!("<details><summary>Every epoch</summary>{}</details>", epochs(run));
            section(&mut page, "Epochs", &table);
        }
        Some(fit) => {
            let seconds = format!("<p>Computed in closed form in {}.</p>", duration(fit.seconds));
            section(&mut page, "Fit", &seconds);
            if let Some(validation) = &fit.validation {
                section(&mut page, "Validation set", &metric_table(validation, labels::ACCURACY));
            }
        }
    }
    section(&mut page, "Notes", &notes(run));
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

/// The page up to its first section: kind of report, title under a rule of the given colour, subtitle.
pub(crate) fn open(kind: &str, title: &str, colour: &str, line: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{0} – FastVAE</title>\n{STYLE}\n</head>\n<body>\n<main>\n<header>\n<p class=\"kicker\">{1}</p>\n\
         <h1 style=\"border-color:{colour}\">{0}</h1>\n<p>{2}</p>\n</header>\n",
        Escaped(title),
        Escaped(kind),
        Escaped(line)
    )
}

const STYLE: &str = "<style>
:root{color-scheme:light dark;--page:#f5f6f8;--card:#fff;--ink:#1f2328;--soft:#59636e;--rule:#e3e7ec}
@media (prefers-color-scheme:dark){:root{--page:#0d0f13;--card:#15181e;--ink:#e6e9ee;--soft:#a0aab6;--rule:#2c323c}}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}
main{max-width:1080px;margin:0 auto;padding:28px 20px 48px}
h1{font-size:26px;line-height:1.25;margin:2px 0 6px;padding-left:12px;border-left:5px solid}
h2{font-size:17px;margin:0 0 10px}header p{margin:0;color:var(--soft)}.kicker{font-weight:600}
section,.cards div{background:var(--card);border-radius:8px;padding:16px 18px}section{margin-top:16px;overflow-x:auto}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:20px 0 16px}
.cards div{display:flex;flex-direction:column;justify-content:space-between}
.cards dt{color:var(--soft);font-size:13px}.cards dd{margin:2px 0 0;font-size:21px;font-weight:600;white-space:nowrap}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(420px,100%),1fr));gap:16px}
.charts svg{width:100%;height:auto;display:block}
.columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(340px,100%),1fr));column-gap:16px;align-items:start}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:4px 10px 4px 0;border-bottom:1px solid var(--rule);text-align:right;font-weight:400}
th:first-child{text-align:left}thead th,tbody th{color:var(--soft)}td{overflow-wrap:anywhere}
.settings tbody{display:block;columns:2 300px;column-gap:36px}.settings tr{display:flex;break-inside:avoid}
.settings th{flex:1;text-align:left}summary{cursor:pointer}ul{margin:0;padding-left:20px}
</style>";

/// A card with a heading.
pub(crate) fn section(page: &mut String, heading: &str, body: &str) {
    let _ = writeln!(page, "<section>\n<h2>{heading}</h2>\n{body}\n</section>");
}

/// The headline numbers.
fn headline(page: &mut String, run: &RunMetrics) {
    let mut cards = Vec::new();
    if let Some(k) = main_cutoff(&run.test) {
        for (name, label) in [
            ("ndcg", format!("NDCG@{k}")),
            ("recall", format!("Recall@{k}, hits / |test|")),
            ("recall_min_k", format!("Recall@{k}, hits / min(k, |test|)")),
        ] {
            if let Some(value) = run.test.get(&format!("{name}@{k}")) {
                cards.push((label, format!("{value:.4}")));
            }
        }
    }
    if let Some(best) = run.best_epoch {
        cards.push(("Best epoch".into(), format!("{best} of {}", run.epochs.len())));
    }
    cards.push(("Training".into(), duration(run.total_seconds)));
    if let Some(bytes) = run.peak_memory_bytes {
        cards.push(("Peak memory".into(), format!("{} MB", grouped((bytes + 500_000) / 1_000_000))));
    }
    page.push_str("<dl class=\"cards\">\n");
    for (label, value) in cards {
        let _ = writeln!(page, "<div><dt>{label}</dt><dd>{value}</dd></div>");
    }
    page.push_str("</dl>\n");
}

/// Curves of loss, KL, validation and seconds by epoch, in the sampler's colour.
fn curves(page: &mut String, run: &RunMetrics, sampler: &str, loss: &str) {
    let metric = run.epochs.iter().find_map(|epoch| {
        let validation = epoch.validation.as_ref()?;
        main_cutoff(validation).map(|k| format!("ndcg@{k}")).or_else(|| validation.keys().next().cloned())
    });
    page.push_str("<div class=\"charts\">\n");
    let mut draw = |title: &str, label: &str, value: &dyn Fn(&EpochMetrics) -> Option<f64>| {
        let points = run.epochs.iter().filter_map(|epoch| Some((f64::from(epoch.epoch), value(epoch)?)));
        let frame = Frame {
            title: title.into(),
            description: format!("{title}, by epoch."),
            x_label: "epoch".into(),
            y_label: label.into(),
            size: (520, 320),
            ..Frame::default()
        };
        page.push_str(&chart::lines(&frame, &[Series::new(sampler, points)]));
    };
    draw("Loss", loss, &|epoch| Some(epoch.loss));
    if run.epochs.iter().any(|epoch| epoch.parts.contains_key("kl")) {
        draw("KL divergence from the prior", "nats a user", &|epoch| epoch.parts.get("kl").copied());
    }
    if let Some(metric) = metric {
        let label = metric.replacen("ndcg", "NDCG", 1);
        draw(&format!("Validation {label}"), &label, &|epoch| {
            epoch.validation.as_ref()?.get(&metric).copied()
        });
    }
    draw("Time of training", "seconds", &|epoch| Some(epoch.seconds));
    page.push_str("</div>\n");
}

/// A table with metrics as rows and cut-offs as columns.
fn metric_table(values: &BTreeMap<String, f64>, labels: &[(&str, &str)]) -> String {
    let parts = || values.keys().filter_map(|key| key.split_once('@'));
    let cutoffs: BTreeSet<u64> = parts().filter_map(|(_, k)| k.parse().ok()).collect();
    let present: BTreeSet<&str> = parts().map(|(name, _)| name).collect();
    if present.is_empty() {
        return "<p>The test set was not evaluated.</p>".into();
    }
    let mut table = String::from("<table><thead><tr><th>at</th>");
    for k in &cutoffs {
        let _ = write!(table, "<th>{k}</th>");
    }
    table.push_str("</tr></thead><tbody>\n");
    for (name, label) in labels {
        if !present.contains(name) {
            continue;
        }
        let _ = write!(table, "<tr><th>{label}</th>");
        for k in &cutoffs {
            let value =
                values.get(&format!("{name}@{k}")).map_or("–".into(), |value| format!("{value:.4}"));
            let _ = write!(table, "<td>{value}</td>");
        }
        table.push_str("</tr>\n");
    }
    table + "</tbody></table>"
}

fn data(run: &RunMetrics) -> Vec<(String, String)> {
    let (users, items, interactions) = (run.users as f64, run.items as f64, run.interactions as f64);
    let mut rows = vec![
        ("Users".into(), grouped(run.users)),
        ("Items".into(), grouped(run.items)),
        ("Interactions".into(), grouped(run.interactions)),
    ];
    if run.users > 0 && run.items > 0 {
        rows.push(("Density".into(), format!("{:.3} %", 100.0 * interactions / (users * items))));
        rows.push(("Interactions a user".into(), format!("{:.1}", interactions / users)));
        rows.push(("Interactions an item".into(), format!("{:.1}", interactions / items)));
    }
    rows.push(("Test users skipped".into(), grouped(run.test_users_skipped)));
    if let Some(data) = &run.data {
        if !data.form.is_empty() {
            rows.push(("Form".into(), data.form.clone()));
        }
        let read = data.lines(grouped).into_iter();
        rows.extend(read.map(|(name, value)| match name.strip_prefix("- ") {
            Some(left_out) => (format!("Rows left out: {left_out}"), value),
            None => (name[..1].to_uppercase() + &name[1..], value),
        }));
    }
    rows
}

fn rows(rows: &[(String, String)]) -> String {
    let mut table = String::from("<table><tbody>\n");
    for (name, value) in rows {
        let _ = writeln!(table, "<tr><th>{}</th><td>{}</td></tr>", Escaped(name), Escaped(value));
    }
    table + "</tbody></table>"
}

fn epochs(run: &RunMetrics) -> String {
    let keys: BTreeSet<&String> =
        run.epochs.iter().filter_map(|e| e.validation.as_ref()).flat_map(|v| v.keys()).collect();
    let parts: BTreeSet<&String> = run.epochs.iter().flat_map(|epoch| epoch.parts.keys()).collect();
    let mut table = String::from("<table><thead><tr><th>epoch</th><th>seconds</th><th>loss</th>");
    for part in &parts {
        let _ = write!(table, "<th>{}</th>", Escaped(if *part == "kl" { "KL" } else { part.as_str() }));
    }
    for key in &keys {
        let _ = write!(table, "<th>{}</th>", Escaped(key));
    }
    table.push_str("</tr></thead><tbody>\n");
    for one in &run.epochs {
        let _ =
            write!(table, "<tr><th>{}</th><td>{:.2}</td><td>{:.3}</td>", one.epoch, one.seconds, one.loss);
        for part in &parts {
            let value = one.parts.get(*part);
            let _ = write!(table, "<td>{}</td>", value.map_or("–".into(), |value| format!("{value:.3}")));
        }
        for key in &keys {
            let value = one.validation.as_ref().and_then(|metrics| metrics.get(*key));
            let _ = write!(table, "<td>{}</td>", value.map_or("–".into(), |value| format!("{value:.4}")));
        }
        table.push_str("</tr>\n");
    }
    table + "</tbody></table>"
}

fn notes(run: &RunMetrics) -> String {
    let mut notes = vec![match run.test_users_skipped {
        0 => "Every test user has held-out items; none was skipped.".to_string(),
        1 => "1 test user has no held-out items and is not in the means.".into(),
        many => format!("{} test users have no held-out items and are not in the means.", grouped(many)),
    }];
    notes.push("Recall is given under both definitions in use; compare like with like.".into());
    notes.push("NDCG has binary relevance, log2 discounts, and an ideal list of min(k, |test|) hits.".into());
    notes.push(match run.best_epoch {
        Some(best) => format!("The test set saw the model of epoch {best}, the best on the validation part."),
        None if run.closed_form.is_some() => {
            "The model has a closed form, so there were no epochs to choose from.".into()
        }
        None => "There was no validation part: the test set saw the model of the last epoch.".into(),
    });
    // Notes about the data hold names of its columns.
    notes.extend(run.data.iter().flat_map(|data| &data.notes).map(|note| Escaped(note).to_string()));
    let items: String = notes.iter().map(|note| format!("<li>{note}</li>\n")).collect();
    format!("<ul>\n{items}</ul>")
}

/// The cut-off of the headline: 50 as in the paper, otherwise the largest cut-off of NDCG.
fn main_cutoff(metrics: &BTreeMap<String, f64>) -> Option<u64> {
    let cutoffs = || metrics.keys().filter_map(|key| key.strip_prefix("ndcg@")?.parse().ok());
    cutoffs().find(|&k| k == 50).or_else(|| cutoffs().max())
}

fn value<'a>(settings: &'a [(String, String)], key: &str) -> Option<&'a str> {
    settings.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
}

/// Whether the model is trained with an objective and a proposal, after which it is named.
fn is_sampled(settings: &[(String, String)]) -> bool {
    value(settings, "model.kind").is_none_or(|kind| kind == ModelKind::MultVae.name())
}

/// The method's name on the command line, or that of another model.
fn method(settings: &[(String, String)]) -> &str {
    match (value(settings, "objective.kind"), value(settings, "proposal.kind")) {
        _ if !is_sampled(settings) => value(settings, "model.kind").unwrap_or_default(),
        (Some("full-softmax"), _) => Method::Full.name(),
        (_, Some(proposal)) => proposal,
        _ => "Mult-VAE",
    }
}

/// Flattens nested settings into pairs of `section.name` and value.
fn flatten(config: &Value) -> Vec<(String, String)> {
    fn walk(prefix: &str, value: &Value, out: &mut Vec<(String, String)>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                    walk(&path, value, out);
                }
            }
            Value::Null => out.push((prefix.into(), "–".into())),
            Value::String(text) => out.push((prefix.into(), text.clone())),
            other => out.push((prefix.into(), other.to_string())),
        }
    }
    let mut out = Vec::new();
    walk("", config, &mut out);
    out
}

/// Formats an integer with separators: `2,001,164`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Formats seconds: `8.4 s`, `12 min 05 s`, `3 h 20 min`.
pub(crate) fn duration(seconds: f64) -> String {
    if seconds < 59.95 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    match whole / 3600 {
        0 => format!("{} min {:02} s", whole / 60, whole % 60),
        hours => format!("{hours} h {:02} min", whole % 3600 / 60),
    }
}
