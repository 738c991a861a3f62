//! What the index looks like: the same cell, term, bar and film lit everywhere.

use std::fmt::Write;

use web::{
    text::{digits, escape, grouped, percent},
    theory,
    toy::Toy,
};

use super::{Midx, Shown, class, times};
use crate::plane::{self, Dot, REACH};

/// The grid as it is drawn: cells, with bars of P(k1) at the left and of P(k2 | k1) below.
const SIDE: f64 = 260.0;
const BARS: f64 = 64.0;
/// More films than this in a list are summed up.
const LISTED: usize = 9;

/// The films, the cells as the codewords cut the plane, and the taste.
pub fn plane(midx: &Midx, toy: &Toy) -> String {
    let members = midx.members();
    let dots: Vec<Dot> = (0..toy.len())
        .map(|item| Dot {
            item,
            radius: if midx.film == Some(item) && midx.stage == 3 { 7.0 } else { 3.6 },
            class: if midx.film == Some(item) && midx.stage == 3 {
                "lit-film"
            } else if members.contains(&item) && midx.stage >= 2 {
                "member"
            } else {
                ""
            },
        })
        .collect();
    // With two dimensions the codewords are places on the axes, and cells are rectangles.
    let under = midx.shown.as_ref().filter(|_| toy.dim == 2).map_or(String::new(), |shown| cuts(midx, shown));
    plane::svg(toy, midx.taste, &dots, &under, "")
}

fn cuts(midx: &Midx, shown: &Shown) -> String {
    let k = shown.k;
    let edges = |words: &[f32], at: usize| -> (f32, f32) {
        let here = words[at];
        let below = words.iter().copied().filter(|&word| word < here).fold(f32::NEG_INFINITY, f32::max);
        let above = words.iter().copied().filter(|&word| word > here).fold(f32::INFINITY, f32::min);
        (
            if below.is_finite() { (here + below) / 2.0 } else { -REACH },
            if above.is_finite() { (here + above) / 2.0 } else { REACH },
        )
    };
    let (first, second) = shown.codewords.split_at(k);
    let (mut svg, class) = (String::new(), class(midx));
    let rectangle = |(left, right): (f32, f32), (low, high): (f32, f32), class: &str| {
        let ((x, y), (x2, y2)) = (plane::pixels((left, high)), plane::pixels((right, low)));
        format!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
            (x2 - x).max(0.0),
            (y2 - y).max(0.0)
        )
    };
    let across = (-REACH, REACH);
    let row = edges(first, midx.cell.0);
    if midx.stage >= 1 {
        svg.push_str(&rectangle(across, row, &format!("row-lit s-{class}")));
    }
    if midx.stage >= 2 {
        svg.push_str(&rectangle(edges(second, midx.cell.1), row, &format!("cell-lit s-{class}")));
    }
    for (words, columns) in [(first, false), (second, true)] {
        for at in 0..k {
            let (edge, _) = edges(words, at);
            if edge > -REACH {
                let (x, y) = plane::pixels((edge, edge));
                let path = if columns { format!("M{x:.1} 0V360") } else { format!("M0 {y:.1}H360") };
                let _ = write!(svg, "<path class=\"cut\" d=\"{path}\"/>");
            }
            let (x, y) = plane::pixels((words[at], words[at]));
            let mark = if columns { format!("M{x:.1} 352v8") } else { format!("M0 {y:.1}h8") };
            let _ = write!(svg, "<path class=\"codeword\" d=\"{mark}\"/>");
        }
    }
    svg
}

/// Where the grid's cells lie in the drawing, so that a finger finds them.
pub fn cell_at(shown: &Shown, at: (f64, f64)) -> Option<(usize, usize)> {
    let (width, height) = (SIDE + BARS + 4.0, SIDE + BARS + 4.0);
    let (x, y) = ((at.0 * width - BARS) / SIDE, at.1 * height / SIDE);
    let inside = |v: f64| (0.0..1.0).contains(&v);
    (inside(x) && inside(y)).then_some(((y * shown.k as f64) as usize, (x * shown.k as f64) as usize))
}

/// The cells, row weights and the weights inside the row.
pub fn grid(midx: &Midx, shown: &Shown) -> String {
    let (k, class) = (shown.k, class(midx));
    let (size, (row, column)) = (SIDE / k as f64, midx.cell);
    let top = shown.joint.iter().copied().fold(1e-12, f64::max);
    let most = shown.rows.iter().copied().fold(1e-12, f64::max);
    let total = SIDE + BARS + 4.0;
    let mut svg =
        format!("<svg class=\"grid s-{class}\" viewBox=\"0 0 {total} {total}\" aria-hidden=\"true\">");
    for (k1, weight) in shown.rows.iter().enumerate() {
        let lit = if k1 == row && midx.stage >= 1 { " lit-bar" } else { "" };
        let length = weight / most * (BARS - 8.0);
        let _ = write!(
            svg,
            "<rect class=\"bar-fill{lit}\" x=\"{:.2}\" y=\"{:.2}\" width=\"{length:.2}\" height=\"{:.2}\"/>",
            BARS - 4.0 - length,
            k1 as f64 * size + 0.5,
            (size - 1.0).max(0.5)
        );
    }
    let inside: Vec<f64> = (0..k).map(|k2| shown.joint[row * k + k2] / shown.rows[row].max(1e-300)).collect();
    let highest = inside.iter().copied().fold(1e-12, f64::max);
    for (k2, share) in inside.iter().enumerate().filter(|_| midx.stage >= 1) {
        let lit = if k2 == column && midx.stage >= 2 { " lit-bar" } else { "" };
        let _ = write!(
            svg,
            "<rect class=\"bar-fill{lit}\" x=\"{:.2}\" y=\"{:.2}\" width=\"{:.2}\" height=\"{:.2}\"/>",
            BARS + k2 as f64 * size + 0.5,
            SIDE + 4.0,
            (size - 1.0).max(0.5),
            share / highest * (BARS - 8.0)
        );
    }
    for cell in 0..k * k {
        let (x, y) = (BARS + (cell % k) as f64 * size, (cell / k) as f64 * size);
        let _ = write!(
            svg,
            "<rect class=\"cell\" x=\"{x:.2}\" y=\"{y:.2}\" width=\"{size:.2}\" height=\"{size:.2}\" \
             fill-opacity=\"{:.3}\" data-hover=\"cell\" data-value=\"{cell}\"/>",
            (shown.joint[cell] / top).sqrt()
        );
    }
    // Films as points in their cells, spread by a fixed pattern.
    let mut seen = vec![0usize; k * k];
    if k <= 16 {
        for (film, &cell) in shown.cells.iter().enumerate() {
            let n = seen[cell];
            seen[cell] += 1;
            let (u, v) = ((0.5 + n as f64 * 0.618_034).fract(), (0.5 + n as f64 * 0.754_878).fract());
            let lit = if midx.film == Some(film) && midx.stage == 3 { " lit-film" } else { "" };
            let _ = write!(
                svg,
                "<circle class=\"point{lit}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"{:.1}\"/>",
                BARS + ((cell % k) as f64 + 0.15 + 0.7 * u) * size,
                ((cell / k) as f64 + 0.15 + 0.7 * v) * size,
                if lit.is_empty() { (size / 14.0).clamp(1.0, 2.4) } else { (size / 6.0).clamp(2.4, 5.0) }
            );
        }
    }
    if midx.stage >= 1 {
        let y = row as f64 * size;
        let _ = write!(
            svg,
            "<rect class=\"row-frame\" x=\"{BARS}\" y=\"{y:.2}\" width=\"{SIDE}\" height=\"{size:.2}\"/>"
        );
    }
    if midx.stage >= 2 {
        let (x, y) = (BARS + column as f64 * size, row as f64 * size);
        let _ = write!(
            svg,
            "<rect class=\"cell-frame\" x=\"{x:.2}\" y=\"{y:.2}\" width=\"{size:.2}\" height=\"{size:.2}\"/>"
        );
    }
    svg + "</svg>"
}

/// `P(k1)`, `P(k2 | k1)` and `P(film | cell)` of what is lit.
fn factors(midx: &Midx, shown: &Shown) -> (f64, f64, Option<f64>) {
    let (row, column) = midx.cell;
    let (row_weight, cell_weight) = (shown.rows[row], shown.joint[row * shown.k + column]);
    let share = midx.film.map(|film| shown.q[film] / cell_weight.max(1e-300));
    (row_weight, cell_weight / row_weight.max(1e-300), share)
}

/// The formula with the numbers of what is lit; a term is lit with its stage.
pub fn formula(midx: &Midx, toy: &Toy, shown: &Shown) -> String {
    let (row, column) = midx.cell;
    let (first, second, third) = factors(midx, shown);
    let lit = |stage: u32, complete: bool| {
        let on = midx.stage == stage || (midx.stage == 3 && complete);
        if on { format!(" class=\"lit s-{}\"", class(midx)) } else { String::new() }
    };
    let known = |stage: u32, value: String| if midx.stage >= stage { value } else { "?".into() };
    let name = match midx.film.filter(|_| midx.stage == 3) {
        Some(film) => escape(&toy.titles[film]),
        None => "film".into(),
    };
    let third_text = third.map_or("…".into(), digits);
    let whole = third
        .filter(|_| midx.stage == 3)
        .map_or(String::new(), |third| format!("<mo>=</mo><mn>{}</mn>", digits(first * second * third)));
    format!(
        "<math display=\"block\"><mrow><mi>q</mi><mo stretchy=\"false\">(</mo><mtext>{name}</mtext><mo stretchy=\"false\">)</mo><mo>=</mo>\
         <munder><mrow{}><msub><mi>P</mi><mn>1</mn></msub><mo stretchy=\"false\">(</mo><msub><mi>k</mi><mn>1</mn></msub><mo>=</mo><mn>{}</mn><mo stretchy=\"false\">)</mo></mrow><mn>{}</mn></munder>\
         <mo>·</mo><munder><mrow{}><msub><mi>P</mi><mn>2</mn></msub><mo stretchy=\"false\">(</mo><msub><mi>k</mi><mn>2</mn></msub><mo>=</mo><mn>{}</mn><mo stretchy=\"false\">|</mo><msub><mi>k</mi><mn>1</mn></msub><mo stretchy=\"false\">)</mo></mrow><mn>{}</mn></munder>\
         <mo>·</mo><munder><mrow{}><msub><mi>P</mi><mn>3</mn></msub><mo stretchy=\"false\">(</mo><mtext>film</mtext><mo stretchy=\"false\">|</mo><msub><mi>k</mi><mn>1</mn></msub><mo>,</mo><msub><mi>k</mi><mn>2</mn></msub><mo stretchy=\"false\">)</mo></mrow><mn>{}</mn></munder>{whole}</mrow></math>",
        lit(1, true),
        known(1, (row + 1).to_string()),
        known(1, digits(first)),
        lit(2, true),
        known(2, (column + 1).to_string()),
        known(2, digits(second)),
        lit(3, midx.film.is_some()),
        known(3, third_text),
    )
}

/// What is lit, in words.
pub fn told(midx: &Midx, toy: &Toy, shown: &Shown) -> String {
    let ((row, column), (first, second, third)) = (midx.cell, factors(midx, shown));
    let members = midx.members();
    match midx.stage {
        1 => format!("Stage 1: row {} is drawn, with probability {}.", row + 1, percent(first)),
        2 => format!(
            "Stage 2: in this row, cell {} is drawn, with probability {}.",
            column + 1,
            percent(second)
        ),
        _ => match (midx.film, third) {
            (Some(film), Some(third)) => format!(
                "<b>{}</b> ({}) lies in row {}, cell {}, with {} other films. Drawn with {} × {} × {} = {}; the softmax \
                 has {}. Drawn {} so far.",
                escape(&toy.titles[film]),
                escape(&toy.genres[film]),
                row + 1,
                column + 1,
                members.len().saturating_sub(1),
                percent(first),
                percent(second),
                percent(third),
                percent(shown.q[film]),
                percent(shown.p[film]),
                times(midx.counts[film])
            ),
            _ => format!(
                "Row {}, cell {}: {} films, drawn with {} × {} = {}.",
                row + 1,
                column + 1,
                members.len(),
                percent(first),
                percent(second),
                percent(first * second)
            ),
        },
    }
}

/// The films of the lit cell: the proposal and the softmax inside it.
pub fn cell(midx: &Midx, toy: &Toy, shown: &Shown) -> String {
    let mut members = midx.members();
    if members.is_empty() {
        return "<p class=\"note\">No film has this pair of codewords: the cell is empty and never drawn.</p>".into();
    }
    members.sort_by(|&a, &b| shown.q[b].total_cmp(&shown.q[a]));
    let (q_sum, p_sum): (f64, f64) =
        members.iter().fold((0.0, 0.0), |(q, p), &film| (q + shown.q[film], p + shown.p[film]));
    let top =
        members.iter().map(|&film| (shown.q[film] / q_sum).max(shown.p[film] / p_sum)).fold(1e-12, f64::max);
    let mut html = format!(
        "<table class=\"films s-{}\"><thead><tr><th scope=\"col\">film</th><th scope=\"col\" class=\"wide\">inside the cell: \
         <span class=\"key-q\">proposal</span>, <span class=\"key-p\">softmax</span></th></tr></thead><tbody>",
        class(midx)
    );
    for &film in members.iter().take(LISTED) {
        let (q, p) = (shown.q[film] / q_sum, shown.p[film] / p_sum);
        let picked = if midx.film == Some(film) && midx.stage == 3 { " picked" } else { "" };
        let _ = write!(
            html,
            "<tr class=\"row{picked}\"><th scope=\"row\">{}</th><td class=\"wide\"><svg class=\"meter\" viewBox=\"0 0 100 12\" \
             preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"q-fill\" width=\"{:.2}\" height=\"7\"/>\
             <rect class=\"full-fill\" y=\"8\" width=\"{:.2}\" height=\"4\"/></svg><span class=\"num\">{}</span></td></tr>",
            escape(&toy.titles[film]),
            q / top * 100.0,
            p / top * 100.0,
            percent(q)
        );
    }
    html.push_str("</tbody></table>");
    if members.len() > LISTED {
        let _ = write!(html, "<p class=\"note\">and {} more</p>", members.len() - LISTED);
    }
    html
}

/// How often films were drawn, against what theory expects.
pub fn draws(midx: &Midx, toy: &Toy, shown: &Shown) -> String {
    let total = f64::from(midx.draws);
    let mut order: Vec<usize> = (0..toy.len()).collect();
    order.sort_by(|&a, &b| shown.q[b].total_cmp(&shown.q[a]));
    let bars = order.len().min(40);
    let (width, height) = (400.0, 150.0);
    let scale = order
        .iter()
        .take(bars)
        .map(|&film| (f64::from(midx.counts[film]) / total.max(1.0)).max(shown.q[film]))
        .fold(1e-9, f64::max);
    let step = width / bars as f64;
    let mut svg = format!(
        "<svg class=\"pile s-{}\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"Draws of the {bars} likeliest \
         films against their probabilities\">",
        class(midx)
    );
    for (place, &film) in order.iter().take(bars).enumerate() {
        let (seen, expected) = (f64::from(midx.counts[film]) / total.max(1.0), shown.q[film]);
        let x = place as f64 * step;
        let lit = if midx.film == Some(film) && midx.stage == 3 { " lit-bar" } else { "" };
        let (bar, line) = (seen / scale * height, height - expected / scale * (height - 2.0));
        let _ = write!(
            svg,
            "<rect class=\"bar-fill{lit}\" x=\"{:.2}\" y=\"{:.2}\" width=\"{:.2}\" height=\"{bar:.2}\" data-hover=\"film\" \
             data-value=\"{film}\"/><path class=\"expected\" d=\"M{x:.2} {line:.2}h{step:.2}\"/>",
            x + 0.6,
            height - bar,
            (step - 1.2).max(0.6)
        );
    }
    svg.push_str("</svg>");
    let verdict = match theory::chi_square(&midx.counts, &shown.q) {
        Some(test) => format!(
            "χ² = {} with {} degrees of freedom, p = {}: {}",
            digits(test.statistic),
            test.freedom,
            digits(test.p),
            if test.p > 0.01 {
                "the draws follow the theory."
            } else {
                "rare, if the draws follow the theory."
            }
        ),
        None => "A few dozen draws make a test possible.".into(),
    };
    format!(
        "{svg}<p class=\"note\">{} draws. Bars: drawn; lines: expected. {verdict}</p>\
         <button type=\"button\" data-act=\"thousand\">Draw 1,000</button>",
        grouped(midx.draws)
    )
}
