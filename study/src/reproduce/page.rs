//! The page of an experiment.

use std::fmt::Write;

use super::report::{Report, Row, Verdict};
use crate::{
    chart::{self, Escaped},
    report::{self, section},
};

impl Report {
    /// Returns the report as HTML text.
    pub fn html(&self) -> String {
        let colour = chart::colour_of("midx-popularity");
        let mut page = report::open("FastVAE beside the paper", &self.title, colour, &self.line);
        page.push_str("<dl class=\"cards\">\n");
        for verdict in [Verdict::Holds, Verdict::InPart, Verdict::DoesNotHold] {
            let rows = self.rows.iter().map(|row| row.verdict);
            let count = rows
                .chain(self.claims.iter().map(|claim| claim.verdict))
                .filter(|one| *one == verdict)
                .count();
            let _ = writeln!(page, "<div><dt>{}</dt><dd>{count}</dd></div>", verdict.words());
        }
        page.push_str("</dl>\n");
        if !self.claims.is_empty() {
            section(&mut page, "What the paper says", &self.claim_table());
        }
        page.push_str("<div class=\"charts\">\n");
        for (_, svg) in &self.figures {
            page.push_str(svg);
        }
        page.push_str("</div>\n");
        if !self.rows.is_empty() {
            section(&mut page, "The paper's values and ours", &self.row_table());
        }
        let notes: String = self.notes.iter().map(|note| format!("<li>{}</li>\n", Escaped(note))).collect();
        section(&mut page, "Notes", &format!("<ul>\n{notes}</ul>"));
        page.push_str("</main>\n</body>\n</html>\n");
        page
    }

    fn claim_table(&self) -> String {
        let mut table = String::from(
            "<table><thead><tr><th>claim</th><th>measured</th><th>verdict</th></tr></thead><tbody>\n",
        );
        for claim in &self.claims {
            let _ = writeln!(
                table,
                "<tr><th>{}</th><td>{}</td>{}</tr>",
                Escaped(&claim.text),
                Escaped(&claim.measured),
                cell(claim.verdict)
            );
        }
        table + "</tbody></table>"
    }

    fn row_table(&self) -> String {
        let mut table = String::from(
            "<table><thead><tr><th>set</th><th>what</th><th>measure</th><th>paper</th><th>ours</th><th>runs</th>\
             <th>difference</th><th>verdict</th><th>note</th></tr></thead><tbody>\n",
        );
        for row in &self.rows {
            let number = |value: Option<f64>| value.map_or_else(|| "–".into(), |value| shown(row, value));
            let ours = row.ours.map_or_else(
                || "–".to_owned(),
                |ours| match ours.deviation {
                    Some(deviation) => format!("{} ± {}", shown(row, ours.mean), shown(row, deviation)),
                    None => shown(row, ours.mean),
                },
            );
            let _ = writeln!(
                table,
                "<tr><th>{}</th><td>{}</td><td>{}</td><td>{}</td><td style=\"white-space:nowrap\">{ours}</td><td>{}</td><td>{}</td>{}<td>{}</td></tr>",
                Escaped(&row.set),
                Escaped(&row.what),
                Escaped(&row.measure),
                number(row.paper),
                row.ours.map_or_else(|| "–".into(), |ours| ours.runs.to_string()),
                number(row.difference()),
                cell(row.verdict),
                Escaped(&row.note)
            );
        }
        table + "</tbody></table>"
    }
}

impl Row {
    /// A value of this row with as many digits as suit its size.
    pub fn shown(&self, value: f64) -> String {
        shown(self, value)
    }
}

fn shown(row: &Row, value: f64) -> String {
    let largest = row.paper.unwrap_or(0.0).abs().max(row.ours.map_or(0.0, |ours| ours.mean.abs()));
    match largest {
        1000.0.. => format!("{value:.0}"),
        10.0.. if value.fract() == 0.0 => format!("{value:.0}"),
        10.0.. => format!("{value:.2}"),
        1.0.. => format!("{value:.3}"),
        _ => format!("{value:.4}"),
    }
}

fn cell(verdict: Verdict) -> String {
    let colour = match verdict {
        Verdict::Holds => "#2e8b57",
        Verdict::InPart => "#c07200",
        Verdict::DoesNotHold => "#d0433a",
        Verdict::Open => return "<td>–</td>".into(),
    };
    format!("<td style=\"color:{colour}\">{}</td>", verdict.words())
}
