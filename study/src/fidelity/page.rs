//! The report: figures and tables of a [`Study`], one self-contained page.

use std::fmt::Write;

use super::{Curve, Model, Row, Study, Sweep};
use crate::{
    chart::{self, Escaped, Frame, Scale, Series},
    report::{self, grouped, section},
};

/// Returns the report as HTML text.
pub fn html(study: &Study) -> String {
    let title = format!("How close samplers come to the softmax: {}", study.data);
    let line = format!(
        "{} items · {} users · trained {} epochs with {} · engine {}",
        grouped(study.items as u64),
        grouped(study.users as u64),
        study.epochs,
        study.trained_with,
        study.engine
    );
    let mut page = report::open("FastVAE fidelity", &title, chart::colour_of("midx"), &line);
    for model in [Model::Trained, Model::Random] {
        let heading = match model {
            Model::Trained => "Trained model",
            Model::Random => "New model",
        };
        section(&mut page, heading, &table(study, model));
    }
    page.push_str("<div class=\"charts\">\n");
    for (_, svg) in figures(study) {
        page.push_str(&svg);
    }
    page.push_str("</div>\n");
    section(&mut page, "Notes", &notes(study));
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

/// Returns every figure with its file name.
pub fn figures(study: &Study) -> Vec<(String, String)> {
    let mut figures = Vec::new();
    for (model, curves) in &study.curves {
        figures.push((format!("cumulative-{}", model.name()), cumulative(study, *model, curves)));
    }
    figures.push(("divergence".into(), divergence_bars(study)));
    figures.push(("gradient-bias".into(), bias_bars(study)));
    for (name, label, scale, pick) in SWEEPS {
        let series = swept(study, name, pick);
        if series.is_empty() {
            continue;
        }
        let measured = if name == "negatives" { "Gradient bias" } else { "KL(q | p)" };
        let frame = Frame {
            title: format!("{measured} by {label}"),
            description: format!("{measured} of each sampler on the trained model, by {label}."),
            x_label: label.into(),
            y_label: if name == "negatives" { "|E g' - g| / |g|, by the query" } else { "nats" }.into(),
            x_scale: scale,
            y_scale: Scale::Log,
            size: (520, 380),
            ..Frame::default()
        };
        figures.push((format!("by-{name}"), chart::lines(&frame, &series)));
    }
    figures
}

/// The quantity that a sweep plots.
type Pick = fn(&Row) -> Option<f64>;

/// Sweeps: name, axis label and scale.
const SWEEPS: [(&str, &str, Scale, Pick); 4] = [
    ("codewords", "codewords of a codebook, K", Scale::Log, kl),
    ("codebooks", "codebooks, m", Scale::Linear, kl),
    ("negatives", "negatives, S", Scale::Log, bias),
    ("staleness", "epochs since the index was built", Scale::Linear, kl),
];

fn kl(row: &Row) -> Option<f64> {
    row.divergence.map(|divergence| divergence.kl_qp)
}

fn bias(row: &Row) -> Option<f64> {
    // A bias below its standard error is left out, because a log axis would show noise. With one user there
    // is no standard error (NaN); `max` then gives 0.
    row.gradient.filter(|g| g.query_bias > g.query_bias_error.max(0.0)).map(|gradient| gradient.query_bias)
}

/// The rows of a sweep, one line per sampler; lines of staleness start with a newly built index at age 0.
fn swept(study: &Study, name: &str, pick: Pick) -> Vec<Series> {
    let mut series: Vec<Series> = Vec::new();
    for row in &study.rows {
        let ((sweep, Some(value)), Some(y)) = (row.sweep.parts(), pick(row)) else { continue };
        if sweep != name {
            continue;
        }
        let at = series.iter().position(|one| one.name == row.sampler).unwrap_or_else(|| {
            let fresh = study.row(Model::Trained, &row.sampler).and_then(pick);
            let start = fresh.filter(|_| name == "staleness").map(|y| (0.0, y));
            series.push(Series::new(row.sampler.clone(), start));
            series.len() - 1
        });
        series[at].points.push((value as f64, y));
    }
    // Exact samplers differ from the softmax only by rounding and would stretch the log axis.
    series.retain(|one| one.points.iter().any(|point| point.1 > 1e-4));
    series
}

/// Cumulative curves (figure 2 of the paper).
fn cumulative(study: &Study, model: Model, curves: &[Curve]) -> String {
    let places = Curve::places(study.items);
    let of = |curve: &Curve, name: &str| {
        let points = places.iter().zip(&curve.cumulative).map(|(&place, &share)| (place as f64, share));
        Series::new(name, std::iter::once((0.0, 0.0)).chain(points))
    };
    let truth = curves.first().map(|curve| Series { broad: true, ..of(curve, "exact") });
    let samplers = curves.iter().skip(1).map(|curve| of(curve, &curve.label));
    let series: Vec<Series> = truth.into_iter().chain(samplers).collect();
    let which = match model {
        Model::Random => "a new model",
        Model::Trained => "a trained model",
    };
    let frame = Frame {
        title: format!("Cumulative probability, {which}"),
        description: format!(
            "Share of {} draws for one user of {which} that fall on the most popular items, by their number.",
            grouped(study.draws as u64)
        ),
        x_label: "items, the most popular first".into(),
        y_label: "share of the draws".into(),
        size: (720, 460),
        ..Frame::default()
    };
    chart::lines(&frame, &series)
}

fn divergence_bars(study: &Study) -> String {
    let frame = Frame {
        title: "Divergence from the softmax, trained model".into(),
        description: "KL(q | p) of each sampler, the mean over users.".into(),
        x_label: "KL(q | p), nats".into(),
        x_scale: Scale::Log,
        size: (620, 400),
        ..Frame::default()
    };
    chart::bars(&frame, &bars(study, |row| kl(row).filter(|kl| *kl > 1e-4)))
}

fn bias_bars(study: &Study) -> String {
    let frame = Frame {
        title: "Bias of the sampled gradient, trained model".into(),
        description: "Norm of the bias of the gradient by the query, relative to the full gradient.".into(),
        x_label: "|E g' - g| / |g|".into(),
        x_scale: Scale::Log,
        size: (620, 400),
        ..Frame::default()
    };
    chart::bars(&frame, &bars(study, bias))
}

fn bars(study: &Study, pick: impl Fn(&Row) -> Option<f64>) -> Vec<(String, f64)> {
    let plain = |row: &&Row| row.model == Model::Trained && row.sweep == Sweep::None;
    study.rows.iter().filter(plain).filter_map(|row| Some((row.sampler.clone(), pick(row)?))).collect()
}

fn table(study: &Study, model: Model) -> String {
    let mut table = String::from(
        "<table><thead><tr><th>sampler</th><th>KL(q | p)</th><th>one user</th><th>bound</th><th>KL(p | q)</th>\
         <th>total variation</th><th>effective sample size</th><th>gradient bias</th><th>deviation</th>\
         <th>by logits: bias</th><th>deviation</th><th>curve, largest distance</th></tr></thead><tbody>\n",
    );
    let curves = study.curves.iter().find(|(of, _)| *of == model).map(|(_, curves)| &curves[1..]);
    for row in study.rows.iter().filter(|row| row.model == model && row.sweep == Sweep::None) {
        let (Some(d), Some(g)) = (row.divergence, row.gradient) else { continue };
        let _ = write!(
            table,
            "<tr><th><span style=\"color:{}\">■</span> {}</th>",
            chart::colour_of(&row.sampler),
            Escaped(&row.sampler)
        );
        let distance = curves
            .and_then(|curves| curves.iter().find(|curve| curve.label == row.sampler))
            .map_or(f64::NAN, |curve| curve.distance);
        let one_user = study.of_first_user(model, &row.sampler).map_or(f64::NAN, |one| one.kl_qp);
        let numbers = [d.kl_qp, one_user, d.bound, d.kl_pq, d.total_variation, d.effective_sample_size];
        for number in numbers {
            let _ = write!(table, "<td>{}</td>", short(number));
        }
        for (bias, error, deviation) in [
            (g.query_bias, g.query_bias_error, g.query_deviation),
            (g.logit_bias, g.logit_bias_error, g.logit_deviation),
        ] {
            let _ = write!(table, "<td>{} ± {}</td><td>{}</td>", short(bias), short(error), short(deviation));
        }
        let _ = write!(table, "<td>{}</td>", short(distance));
        table.push_str("</tr>\n");
    }
    table + "</tbody></table>"
}

/// Formats with three decimals, or two if numbers are large.
fn short(number: f64) -> String {
    if number.is_nan() {
        "–".into()
    } else if number.abs() >= 100.0 {
        format!("{number:.0}")
    } else if number.abs() >= 10.0 {
        format!("{number:.2}")
    } else {
        format!("{:.3}", if number.abs() < 5e-4 { 0.0 } else { number })
    }
}

fn notes(study: &Study) -> String {
    let notes = [
        "q is the sampler, p the softmax over all items; divergences are sums over all items, in nats, averaged \
         over users. Nothing of them is sampled."
            .to_owned(),
        "The bound is that of theorems 5.3 (MIDX_Uni) and 5.4 (MIDX_Pop) on KL(q | p): twice the largest residual \
         times the norm of the query, and the logarithm of the largest over the smallest popularity."
            .into(),
        "One user: KL(q | p) of the user whose curves are drawn; users.csv has all of them.".into(),
        "Effective sample size: what one draw is worth against one from p, 1 / sum of p² / q.".into(),
        format!(
            "Gradients: {} users, {} replicates each; relative to the norm of the full gradient, the noise of the \
             replicates taken off the bias. ±: what a standard error over users adds. A bias within it is left out \
             of the figures.",
            grouped(study.gradient_users as u64),
            grouped(study.replicates.into())
        ),
        format!("Curves: {} draws for one user.", grouped(study.draws as u64)),
    ];
    let items: String = notes.iter().map(|note| format!("<li>{note}</li>\n")).collect();
    format!("<ul>\n{items}</ul>")
}
