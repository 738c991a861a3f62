//! Cost of samplers against the number of items (the paper's table 1), with the exponents of the growth, as
//! csv and as a page.

mod measure;

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::{
    chart::{self, Escaped, Frame, Scale, Series},
    report::{self, grouped, section},
};

pub use measure::Bench;

/// Cost of one sampler on one engine at one size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Engine and device, as shown to the reader.
    pub engine: String,
    /// The sampler: name of its proposal.
    pub sampler: String,
    /// Items, M.
    pub items: usize,
    /// Seconds from construction to the first draw.
    pub setup_seconds: f64,
    /// Seconds a refresh; 0 if none.
    pub refresh_seconds: f64,
    /// Seconds for a thousand draws, including their log q and that of positives.
    pub draw_seconds: f64,
    /// Bytes on the engine in addition to the item vectors: tables, index and scratch of a batch.
    pub bytes: u64,
}

/// Growth of the costs of one sampler on one engine: exponents of the number of items.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Growth {
    /// Engine and device.
    pub engine: String,
    /// The sampler.
    pub sampler: String,
    /// Exponent of the set-up.
    pub setup: Option<f64>,
    /// Exponent of a refresh; `None` if there is none.
    pub refresh: Option<f64>,
    /// Exponent of draws.
    pub draws: Option<f64>,
    /// Exponent of memory.
    pub memory: Option<f64>,
}

/// A column of the table: its name, its unit, and its value.
struct Measure {
    title: &'static str,
    file: &'static str,
    unit: &'static str,
    of: fn(&Cost) -> f64,
}

const MEASURES: [Measure; 4] = [
    Measure { title: "Set-up", file: "setup", unit: "seconds", of: |cost| cost.setup_seconds },
    Measure { title: "Refresh", file: "refresh", unit: "seconds", of: |cost| cost.refresh_seconds },
    Measure { title: "A thousand draws", file: "draws", unit: "seconds", of: |cost| cost.draw_seconds },
    Measure { title: "Memory", file: "memory", unit: "bytes", of: |cost| cost.bytes as f64 },
];

/// All measurements and their settings.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scaling {
    /// Width of item vectors and queries.
    pub width: usize,
    /// Users that draw together.
    pub users: usize,
    /// Draws a user.
    pub negatives: usize,
    /// Codewords a codebook, for samplers with an index.
    pub codewords: usize,
    /// Codebooks, for samplers with an index.
    pub codebooks: usize,
    /// One entry for each engine, sampler and size.
    pub costs: Vec<Cost>,
    /// Measurements that failed, with the reason.
    pub refused: Vec<String>,
}

/// Slope `b` of the least-squares line `ln y = a + b ln x`; `None` with fewer than two sizes.
pub fn exponent(points: &[(f64, f64)]) -> Option<f64> {
    let logs: Vec<(f64, f64)> =
        points.iter().filter(|(x, y)| *x > 0.0 && *y > 0.0).map(|(x, y)| (x.ln(), y.ln())).collect();
    let n = logs.len() as f64;
    let (mean_x, mean_y) =
        logs.iter().fold((0.0, 0.0), |(sum_x, sum_y), (x, y)| (sum_x + x / n, sum_y + y / n));
    let spread: f64 = logs.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    let joint: f64 = logs.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    (logs.len() > 1 && spread > 0.0).then(|| joint / spread)
}

impl Scaling {
    /// Engines and samplers in the order in which they were measured.
    pub fn lines(&self) -> Vec<(&str, &str)> {
        let mut lines: Vec<(&str, &str)> = Vec::new();
        for cost in &self.costs {
            let line = (cost.engine.as_str(), cost.sampler.as_str());
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        lines
    }

    fn points(&self, (engine, sampler): (&str, &str), measure: fn(&Cost) -> f64) -> Vec<(f64, f64)> {
        let of_line = |cost: &&Cost| cost.engine == engine && cost.sampler == sampler;
        self.costs.iter().filter(of_line).map(|cost| (cost.items as f64, measure(cost))).collect()
    }

    /// Exponents of set-up, refresh, draws and memory against the number of items.
    pub fn exponents(&self, line: (&str, &str)) -> [Option<f64>; 4] {
        MEASURES.map(|measure| exponent(&self.points(line, measure.of)))
    }

    /// Exponents of every engine and sampler.
    pub fn growth(&self) -> Vec<Growth> {
        let growth = |line: (&str, &str)| {
            let [setup, refresh, draws, memory] = self.exponents(line);
            Growth { engine: line.0.into(), sampler: line.1.into(), setup, refresh, draws, memory }
        };
        self.lines().into_iter().map(growth).collect()
    }

    /// Exponents as csv, one row for each engine and sampler; a missing exponent is empty.
    pub fn growth_csv(&self) -> String {
        let mut csv = String::from("engine,sampler,setup,refresh,draws,memory\n");
        for line in self.growth() {
            let _ = write!(csv, "\"{}\",{}", line.engine.replace('"', "\"\""), line.sampler);
            for exponent in [line.setup, line.refresh, line.draws, line.memory] {
                let _ = write!(csv, ",{}", exponent.map_or_else(String::new, |b| format!("{b:.4}")));
            }
            csv.push('\n');
        }
        csv
    }

    /// Measurements as csv, one per row.
    pub fn csv(&self) -> String {
        let mut csv =
            String::from("engine,sampler,items,setup_seconds,refresh_seconds,seconds_per_1000_draws,bytes\n");
        for cost in &self.costs {
            let _ = writeln!(
                csv,
                "\"{}\",{},{},{},{},{},{}",
                cost.engine.replace('"', "\"\""),
                cost.sampler,
                cost.items,
                cost.setup_seconds,
                cost.refresh_seconds,
                cost.draw_seconds,
                cost.bytes
            );
        }
        csv
    }

    /// A figure for each measure and engine, with its file name.
    pub fn figures(&self) -> Vec<(String, String)> {
        let mut engines: Vec<&str> = self.lines().iter().map(|line| line.0).collect();
        engines.dedup();
        let mut figures = Vec::new();
        for (which, engine) in engines.iter().enumerate() {
            for measure in &MEASURES {
                let lines = self.lines().into_iter().filter(|line| line.0 == *engine);
                let series: Vec<Series> = lines
                    .map(|line| (line.1, self.points(line, measure.of)))
                    .filter(|(_, points)| points.iter().any(|(_, y)| *y > 0.0))
                    .map(|(sampler, points)| Series::new(sampler, points))
                    .collect();
                let frame = Frame {
                    title: format!("{} · {engine}", measure.title),
                    description: format!(
                        "{} of each sampler in {}, by the number of items, on {engine}.",
                        measure.title, measure.unit
                    ),
                    x_label: "items".into(),
                    y_label: measure.unit.into(),
                    x_scale: Scale::Log,
                    y_scale: Scale::Log,
                    size: (520, 360),
                    ..Frame::default()
                };
                let suffix = if which == 0 { String::new() } else { format!("-{}", which + 1) };
                figures.push((format!("samplers-{}{suffix}", measure.file), chart::lines(&frame, &series)));
            }
        }
        figures
    }

    /// Returns the report as HTML text.
    pub fn html(&self) -> String {
        let line = format!(
            "{} users draw {} each · vectors of {} · K = {}, {} codebooks",
            grouped(self.users as u64),
            grouped(self.negatives as u64),
            self.width,
            self.codewords,
            self.codebooks
        );
        let title = "What samplers cost as the catalogue grows";
        let mut page = report::open("FastVAE samplers", title, chart::colour_of("midx"), &line);
        section(&mut page, "Growth: cost as a power of the number of items", &self.growth_table());
        page.push_str("<div class=\"charts\">\n");
        for (_, svg) in self.figures() {
            page.push_str(&svg);
        }
        page.push_str("</div>\n");
        section(&mut page, "Measurements", &self.measurements());
        section(&mut page, "Notes", &self.notes());
        page.push_str("</main>\n</body>\n</html>\n");
        page
    }

    fn growth_table(&self) -> String {
        let mut table = String::from("<table><thead><tr><th>sampler</th><th>engine</th>");
        for measure in &MEASURES {
            let _ = write!(table, "<th>{}</th>", measure.title.to_lowercase());
        }
        table.push_str("</tr></thead><tbody>\n");
        for line in self.lines() {
            let _ = write!(table, "<tr><th>{}</th><td>{}</td>", Escaped(line.1), Escaped(line.0));
            for exponent in self.exponents(line) {
                let _ = write!(table, "<td>{}</td>", exponent.map_or("–".into(), |b| format!("{b:.2}")));
            }
            table.push_str("</tr>\n");
        }
        table + "</tbody></table>"
    }

    fn measurements(&self) -> String {
        let mut table = String::from(
            "<table><thead><tr><th>sampler</th><th>engine</th><th>items</th><th>set-up, ms</th><th>refresh, ms</th>\
             <th>1,000 draws, ms</th><th>memory, MB</th></tr></thead><tbody>\n",
        );
        for cost in &self.costs {
            let _ = writeln!(
                table,
                "<tr><th>{}</th><td>{}</td><td>{}</td><td>{:.2}</td><td>{:.2}</td><td>{:.3}</td><td>{:.2}</td></tr>",
                Escaped(&cost.sampler),
                Escaped(&cost.engine),
                grouped(cost.items as u64),
                cost.setup_seconds * 1e3,
                cost.refresh_seconds * 1e3,
                cost.draw_seconds * 1e3,
                cost.bytes as f64 / 1e6
            );
        }
        table + "</tbody></table>"
    }

    fn notes(&self) -> String {
        let mut notes = vec![
            "Item vectors are random normals and counts fall as 1 / rank: costs depend on sizes, hardly on values."
                .to_owned(),
            "Draws are the best of several batches; each batch scores its users once and looks up log q of all \
             draws and of one positive a user."
                .into(),
            "Exponents are those of a straight line through the logarithms; at small sizes fixed costs flatten it."
                .into(),
        ];
        notes.extend(self.refused.iter().cloned());
        let items: String = notes.iter().map(|note| format!("<li>{}</li>\n", Escaped(note))).collect();
        format!("<ul>\n{items}</ul>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents_of_known_powers() {
        let power =
            |b: f64| (1..6).map(|i| (f64::from(i) * 10.0, 3.0 * (f64::from(i) * 10.0).powf(b))).collect();
        for b in [-0.5, 0.0, 1.0, 2.0] {
            let points: Vec<(f64, f64)> = power(b);
            assert!((exponent(&points).unwrap_or(f64::NAN) - b).abs() < 1e-12);
        }
        assert_eq!(exponent(&[(10.0, 1.0)]), None);
        assert_eq!(exponent(&[(10.0, 0.0), (100.0, 0.0)]), None);
    }

    #[test]
    fn the_page_and_the_table_hold_every_measurement() {
        let cost = |sampler: &str, items: usize, scale: f64| Cost {
            engine: "CPU, 2 threads".into(),
            sampler: sampler.into(),
            items,
            setup_seconds: 0.5 * scale,
            refresh_seconds: 0.0,
            draw_seconds: 1e-3 * scale,
            bytes: 1000 * items as u64,
        };
        let scaling = Scaling {
            width: 32,
            users: 64,
            negatives: 200,
            codewords: 64,
            codebooks: 2,
            costs: vec![cost("uniform", 1000, 1.0), cost("uniform", 10_000, 1.0), cost("midx", 1000, 1.0)],
            refused: vec!["midx at 10,000 items: <too large>".into()],
        };
        assert_eq!(scaling.csv().lines().count(), 4);
        assert!(scaling.csv().contains("\"CPU, 2 threads\",uniform,10000,0.5,0,0.001,10000000"));
        let html = scaling.html();
        assert!(
            html.contains("10,000") && html.contains("&lt;too large&gt;") && html.contains("<td>1.00</td>")
        );
        assert_eq!(scaling.figures().len(), 4);
        assert_eq!(scaling.exponents(("CPU, 2 threads", "uniform"))[2], Some(0.0));
        assert!(
            scaling.growth_csv().contains("\"CPU, 2 threads\",uniform,0.0000,,0.0000,1.0000\n"),
            "{}",
            scaling.growth_csv()
        );
    }
}
