//! The plane of films: every genre has a direction, and a taste is an arrow that can be dragged.

use std::fmt::Write;

use web::{
    text::{digits, escape},
    toy::Toy,
};

use crate::dom::{Act, Kind};

/// Half of the plane's side, in units of item vectors.
pub const REACH: f32 = 1.7;
/// The longest taste; it is drawn at [`SHOWN`] of its length, for logits want longer queries than the plane has room.
const LONGEST: f32 = 4.0;
const SHOWN: f32 = 0.36;
/// Pixels of the drawing.
const SIDE: f32 = 360.0;

/// Pixels of a place.
pub fn pixels((x, y): (f32, f32)) -> (f32, f32) {
    ((x / REACH + 1.0) * SIDE / 2.0, (1.0 - y / REACH) * SIDE / 2.0)
}

/// Where a taste's arrow ends.
pub fn tip(taste: (f32, f32)) -> (f32, f32) {
    pixels((taste.0 * SHOWN, taste.1 * SHOWN))
}

fn clamp(taste: (f32, f32)) -> (f32, f32) {
    let length = taste.0.hypot(taste.1);
    let scale = if length > LONGEST { LONGEST / length } else { 1.0 };
    ((taste.0 * scale * 100.0).round() / 100.0, (taste.1 * scale * 100.0).round() / 100.0)
}

/// The taste that a drag or an arrow key makes of the present one; `None` if it leaves it alone.
pub fn moved(taste: (f32, f32), act: &Act) -> Option<(f32, f32)> {
    let (turn, grow) = match (act.kind, act.key.as_str()) {
        (Kind::Drag, _) => {
            let place = |at: f64| ((at * 2.0 - 1.0) as f32) * REACH / SHOWN;
            return Some(clamp((place(act.at.0), -place(act.at.1))));
        }
        (Kind::Key, "ArrowLeft") => (0.1, 1.0),
        (Kind::Key, "ArrowRight") => (-0.1, 1.0),
        (Kind::Key, "ArrowUp") => (0.0, 1.15),
        (Kind::Key, "ArrowDown") => (0.0, 1.0 / 1.15),
        _ => return None,
    };
    act.event.prevent_default();
    let (sin, cos) = f32::sin_cos(turn);
    let grown = |x: f32| x * grow;
    Some(clamp((grown(taste.0 * cos - taste.1 * sin), grown(taste.0 * sin + taste.1 * cos))))
}

/// `2.2,0.5` and back, for share links.
pub fn written(taste: (f32, f32)) -> String {
    format!("{},{}", taste.0, taste.1)
}

/// Reads what [`written`] wrote.
pub fn read(text: &str) -> Option<(f32, f32)> {
    let (x, y) = text.split_once(',')?;
    let (x, y): (f32, f32) = (x.parse().ok()?, y.parse().ok()?);
    (x.is_finite() && y.is_finite()).then(|| clamp((x, y)))
}

/// A film as a dot.
pub struct Dot {
    pub item: usize,
    /// Radius in pixels.
    pub radius: f32,
    /// Classes of the style sheet.
    pub class: &'static str,
}

/// The plane as SVG; `under` and `over` are drawn below and above the films.
pub fn svg(toy: &Toy, taste: (f32, f32), dots: &[Dot], under: &str, over: &str) -> String {
    let mut svg = format!(
        "<svg class=\"plane\" viewBox=\"0 0 {SIDE} {SIDE}\" aria-hidden=\"true\">\
         <path class=\"cross\" d=\"M{h} 0V{SIDE}M0 {h}H{SIDE}\"/>{under}",
        h = SIDE / 2.0
    );
    for (genre, place) in genres(toy) {
        let (x, y) = pixels(place);
        // Half of its width, about, at 11 pixels.
        let half = 6.0 + 3.1 * genre.chars().count() as f32;
        let x = x.clamp(half, SIDE - half);
        let _ = write!(svg, "<text class=\"genre\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escape(genre));
    }
    for dot in dots {
        let (x, y) = pixels(toy.place(dot.item));
        let _ = write!(
            svg,
            "<circle class=\"film {}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{:.1}\" data-hover=\"film\" data-value=\"{}\">\
             <title>{}</title></circle>",
            dot.class,
            dot.radius,
            dot.item,
            escape(&toy.titles[dot.item])
        );
    }
    svg.push_str(over);
    svg.push_str(&arrow(taste, "taste"));
    svg.push_str("</svg>");
    svg
}

/// An arrow from the middle to a taste's place.
pub fn arrow(taste: (f32, f32), class: &str) -> String {
    let (x, y) = tip(taste);
    let middle = SIDE / 2.0;
    let turn = (y - middle).atan2(x - middle).to_degrees();
    format!(
        "<g class=\"{class}\"><path d=\"M{middle} {middle}L{x:.1} {y:.1}\"/>\
         <path class=\"head\" transform=\"translate({x:.1} {y:.1}) rotate({turn:.1})\" d=\"M4 0l-13 6.5v-13z\"/></g>"
    )
}

/// Each genre at the edge, in the direction of its films.
fn genres(toy: &Toy) -> Vec<(&str, (f32, f32))> {
    let mut seen: Vec<(&str, (f32, f32))> = Vec::new();
    for item in 0..toy.len().min(web::toy::GENRES) {
        let turn = std::f32::consts::TAU * item as f32 / web::toy::GENRES as f32;
        let genre = toy.genres[item].as_str();
        if !seen.iter().any(|(known, _)| *known == genre) {
            seen.push((genre, (1.55 * turn.cos(), 1.55 * turn.sin())));
        }
    }
    seen
}

/// The taste in words.
pub fn describe(toy: &Toy, taste: (f32, f32)) -> String {
    let towards = genres(toy)
        .into_iter()
        .max_by(|a, b| {
            let along = |place: (f32, f32)| place.0 * taste.0 + place.1 * taste.1;
            along(a.1).total_cmp(&along(b.1))
        })
        .map_or("", |(genre, _)| genre);
    format!("towards {towards}, strength {}", digits(f64::from(taste.0.hypot(taste.1))))
}

/// The area around the drawing: it takes drags and arrow keys.
pub fn area(part: &str) -> String {
    format!(
        "<div class=\"plane-area\" data-part=\"{part}\" data-drag=\"taste\" data-keys=\"taste\" tabindex=\"0\" \
         role=\"slider\" aria-label=\"Taste of the viewer: left and right turn it, up and down make it stronger or weaker\" \
         aria-valuemin=\"0\" aria-valuemax=\"4\" aria-valuenow=\"2\"></div>"
    )
}
