//! Charts as self-contained SVG text: lines and bars, linear and logarithmic, light and dark.
//!
//! The same functions draw the figures of the run report, the README and the page. Colours of the frame
//! follow `prefers-color-scheme`; series have mid-tone colours with a contrast of at least 3 to 1 on both
//! backgrounds.

mod axis;
#[cfg(feature = "experiments")]
mod parallel;

use std::fmt::{self, Display, Write};

use axis::Axis;
pub use axis::Scale;
#[cfg(feature = "experiments")]
pub use parallel::{Thread, Upright, parallel};

/// One accent colour for each sampler, the same in every figure: `uniform`, `popularity`, `midx`,
/// `midx-uniform`, `midx-popularity`, `full`, `kernel`, `dns`, `softmax`; `exact` is the reference that
/// they are compared with. Only the part before the first space counts, so `midx K=64` has the colour of
/// `midx`. Any other name gets one neutral accent.
pub fn colour_of(series: &str) -> &'static str {
    match series.split(' ').next().unwrap_or(series) {
        "uniform" => "#7f8894",
        "popularity" => "#c07200",
        "midx" => "#1f7fd1",
        "midx-uniform" => "#06958b",
        "midx-popularity" => "#d93a6e",
        "full" => "#8759e0",
        "kernel" => "#62912a",
        "dns" => "#a5674a",
        "softmax" => "#b061c4",
        "exact" => "#6b7684",
        _ => "#4a78b0",
    }
}

/// A named sequence of points.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Name in the legend.
    pub name: String,
    /// (x, y), in drawing order. A value that the axes cannot show (NaN, or not positive on a log axis)
    /// leaves a gap.
    pub points: Vec<(f64, f64)>,
    /// Any CSS colour.
    pub colour: String,
    /// Whether to draw it as a broad band: the reference that the other series are compared with.
    pub broad: bool,
}

impl Series {
    /// A series with the colour that [`colour_of`] gives for its name.
    pub fn new(name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let name = name.into();
        Self { colour: colour_of(&name).into(), points: points.into_iter().collect(), name, broad: false }
    }

    /// CSS class of the stroke; a content security policy may forbid style attributes.
    fn class(&self) -> &'static str {
        if self.broad { "line broad" } else { "line" }
    }
}

/// Everything around the data: titles, labels, scales and size.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// Title line above the chart; also its accessible name.
    pub title: String,
    /// Description of the chart in one sentence, for screen readers.
    pub description: String,
    /// Label of the horizontal axis.
    pub x_label: String,
    /// Label of the vertical axis; bars have none.
    pub y_label: String,
    /// Scale of the horizontal axis.
    pub x_scale: Scale,
    /// Scale of the vertical axis; bars have none.
    pub y_scale: Scale,
    /// Width and height in CSS pixels.
    pub size: (u32, u32),
    /// A value to mark on the horizontal axis.
    pub marker: Option<f64>,
    /// Whether the SVG contains its own style sheet; a page that has one sets this to false.
    pub styled: bool,
}

impl Default for Frame {
    fn default() -> Self {
        Self {
            title: String::new(),
            description: String::new(),
            x_label: String::new(),
            y_label: String::new(),
            x_scale: Scale::Linear,
            y_scale: Scale::Linear,
            size: (720, 400),
            marker: None,
            styled: true,
        }
    }
}

/// Draws series as lines, with a legend if there are several. Series of the same colour have different
/// dashes.
pub fn lines(frame: &Frame, series: &[Series]) -> String {
    let mut svg = Svg::open(frame);
    let x_values: Vec<f64> = series.iter().flat_map(|s| &s.points).map(|point| point.0).collect();
    let y_values: Vec<f64> = series.iter().flat_map(|s| &s.points).map(|point| point.1).collect();
    let dashes: Vec<&str> = (0..series.len())
        .map(|at| series[..at].iter().filter(|earlier| earlier.colour == series[at].colour).count())
        .map(|earlier| ["none", "7 4", "2 3", "9 3 2 3"][earlier % 4])
        .collect();
    let legend_rows = if series.len() > 1 { svg.legend(series, &dashes) } else { 0.0 };
    let (width, height) = (f64::from(frame.size.0), f64::from(frame.size.1));
    let x_ticks = (width / 90.0).max(2.0) as usize;
    let y_ticks = (height / 70.0).max(2.0) as usize;
    let axes = Axis::over(frame.x_scale, &x_values, x_ticks, true).zip(Axis::over(
        frame.y_scale,
        &y_values,
        y_ticks,
        false,
    ));
    let Some((x, y)) = axes else {
        return svg.close_empty();
    };
    let widest = y.ticks().iter().map(|(_, label)| label.chars().count()).max().unwrap_or(0);
    let area = Area {
        left: 44.0 + 7.0 * widest as f64,
        right: width - 24.0,
        top: TITLE + legend_rows,
        bottom: height - 50.0,
    };
    for (at, label) in y.ticks() {
        let at = area.y(at);
        svg.put(format_args!(
            "<path class=\"grid\" d=\"M{} {at:.1}H{}\"/><text class=\"tick\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
            area.left, area.right, area.left - 8.0, at + 4.0
        ));
    }
    svg.horizontal(&x, &area, &frame.x_label, false);
    let middle = (area.top + area.bottom) / 2.0;
    svg.put(format_args!(
        "<text class=\"label\" transform=\"translate(18 {middle:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
        Escaped(&frame.y_label)
    ));
    if let Some(marker) = frame.marker.filter(|&value| x.shows(value)) {
        let at = area.x(x.at(marker).clamp(0.0, 1.0));
        svg.put(format_args!("<path class=\"marker\" fill=\"none\" stroke=\"#808891\" stroke-dasharray=\"4 3\" d=\"M{at:.1} {:.1}V{:.1}\"/>", area.top, area.bottom));
    }
    for (one, dash) in series.iter().zip(dashes) {
        svg.line(one, dash, &x, &y, &area);
    }
    svg.close()
}

/// Draws labelled values as horizontal bars with the value at the end, in the order given; each has the
/// colour that [`colour_of`] gives for its label. Linear bars start at 0; on a log axis they start left of
/// the smallest value.
pub fn bars(frame: &Frame, values: &[(String, f64)]) -> String {
    let mut svg = Svg::open(frame);
    let mut covered: Vec<f64> = values.iter().map(|value| value.1).collect();
    let shown: Vec<f64> = covered.iter().copied().filter(|&value| frame.x_scale.shows(value)).collect();
    let Some(smallest) = shown.iter().copied().reduce(f64::min) else {
        return svg.close_empty();
    };
    covered.push(if frame.x_scale == Scale::Log { smallest / 2.0 } else { 0.0 });
    let (width, height) = (f64::from(frame.size.0), f64::from(frame.size.1));
    let Some(x) = Axis::over(frame.x_scale, &covered, (width / 110.0).max(2.0) as usize, false) else {
        return svg.close_empty();
    };
    let widest = values.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
    let area = Area {
        left: (28.0 + 7.2 * widest as f64).min(width / 2.0),
        right: width - 64.0,
        top: TITLE,
        bottom: height - 50.0,
    };
    svg.horizontal(&x, &area, &frame.x_label, true);
    let slot = (area.bottom - area.top) / values.len() as f64;
    let zero = area.x(x.at(if frame.x_scale == Scale::Log { x.low() } else { 0.0 }));
    for (row, (label, value)) in values.iter().enumerate() {
        let top = area.top + slot * row as f64;
        let text = top + slot / 2.0 + 4.0;
        svg.put(format_args!(
            "<text class=\"tick\" x=\"{}\" y=\"{text:.1}\" text-anchor=\"end\">{}</text>",
            area.left - 8.0,
            Escaped(label)
        ));
        if !x.shows(*value) {
            continue;
        }
        let end = area.x(x.at(*value));
        svg.put(format_args!(
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"2\" fill=\"{}\"/>\
             <text class=\"value\" x=\"{:.1}\" y=\"{text:.1}\">{}</text>",
            zero.min(end),
            top + slot * 0.18,
            (end - zero).abs(),
            slot * 0.64,
            colour_of(label),
            zero.max(end) + 6.0,
            three_digits(*value)
        ));
    }
    svg.close()
}

/// Height of the title line.
const TITLE: f64 = 46.0;

const STYLE: &str = "<style>.fv-chart{--back:#fff;--ink:#1f2328;--soft:#59636e;--grid:#e3e7ec;\
font:13px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}\
@media (prefers-color-scheme:dark){.fv-chart{--back:#15181e;--ink:#e6e9ee;--soft:#a0aab6;--grid:#2c323c}}\
.fv-chart .back{fill:var(--back)}.fv-chart .grid{stroke:var(--grid);fill:none}\
.fv-chart .axis{stroke:var(--soft);fill:none}\
.fv-chart .title{fill:var(--ink);font-weight:600}\
.fv-chart .label,.fv-chart .tick{fill:var(--soft)}.fv-chart .value,.fv-chart .key{fill:var(--ink)}\
.fv-chart .tick,.fv-chart .value{font-size:12px;font-variant-numeric:tabular-nums}\
.fv-chart .line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}\
.fv-chart .broad{stroke-width:9;stroke-opacity:.4}</style>";

/// The rectangle for the data.
struct Area {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Area {
    fn x(&self, at: f64) -> f64 {
        self.left + at * (self.right - self.left)
    }

    fn y(&self, at: f64) -> f64 {
        self.bottom - at * (self.bottom - self.top)
    }
}

/// An SVG document under construction.
struct Svg {
    text: String,
    size: (u32, u32),
}

impl Svg {
    fn open(frame: &Frame) -> Self {
        let (width, height) = frame.size;
        let (title, description) = (Escaped(&frame.title), Escaped(&frame.description));
        let mut svg = Self { text: String::new(), size: frame.size };
        svg.put(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"fv-chart\" role=\"img\" aria-label=\"{title}\" \
             width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\
             <title>{title}</title><desc>{description}</desc>"
        ));
        if frame.styled {
            svg.put(format_args!("{STYLE}"));
        }
        // At 16 pixels a bold letter of a wide font is about 10.5 wide; longer titles get a smaller font.
        let fitting = 16.0 * (f64::from(width) - 36.0) / (10.5 * frame.title.chars().count().max(1) as f64);
        let size = fitting.clamp(10.0, 16.0);
        svg.put(format_args!(
            "<rect class=\"back\" width=\"{width}\" height=\"{height}\" rx=\"8\"/>\
             <text class=\"title\" x=\"18\" y=\"28\" font-size=\"{size:.1}\">{title}</text>"
        ));
        svg
    }

    /// Adds one line of SVG. Writing to a `String` cannot fail.
    fn put(&mut self, line: fmt::Arguments<'_>) {
        let _ = writeln!(self.text, "{line}");
    }

    /// Draws the legend: names and strokes, wrapped to the width. Returns the height it takes.
    fn legend(&mut self, series: &[Series], dashes: &[&str]) -> f64 {
        let (mut x, mut y) = (18.0, TITLE + 2.0);
        for (one, dash) in series.iter().zip(dashes) {
            let width = 52.0 + 7.4 * one.name.chars().count() as f64;
            if x > 18.0 && x + width > f64::from(self.size.0) {
                (x, y) = (18.0, y + 20.0);
            }
            self.put(format_args!(
                "<path class=\"{}\" stroke=\"{}\" stroke-dasharray=\"{dash}\" d=\"M{x:.1} {:.1}h22\"/>\
                 <text class=\"key\" x=\"{:.1}\" y=\"{y:.1}\">{}</text>",
                one.class(),
                Escaped(&one.colour),
                y - 4.0,
                x + 29.0,
                Escaped(&one.name)
            ));
            x += width;
        }
        y + 18.0 - TITLE
    }

    /// Draws the horizontal axis with ticks and label; `grid` also draws grid lines through the area.
    fn horizontal(&mut self, axis: &Axis, area: &Area, label: &str, grid: bool) {
        for (at, text) in axis.ticks() {
            let x = area.x(at);
            if grid {
                self.put(format_args!(
                    "<path class=\"grid\" d=\"M{x:.1} {:.1}V{:.1}\"/>",
                    area.top, area.bottom
                ));
            }
            self.put(format_args!(
                "<path class=\"axis\" d=\"M{x:.1} {:.1}v5\"/>\
                 <text class=\"tick\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>",
                area.bottom,
                area.bottom + 19.0
            ));
        }
        self.put(format_args!(
            "<path class=\"axis\" d=\"M{:.1} {:.1}H{:.1}\"/>\
             <text class=\"label\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            area.left,
            area.bottom,
            area.right,
            (area.left + area.right) / 2.0,
            area.bottom + 39.0,
            Escaped(label)
        ));
    }

    /// Draws one series; a series of few points also gets a dot for each, with its values on hover.
    fn line(&mut self, series: &Series, dash: &str, x: &Axis, y: &Axis, area: &Area) {
        let shown = |&&(a, b): &&(f64, f64)| x.shows(a) && y.shows(b);
        let place = |&(a, b): &(f64, f64)| (area.x(x.at(a)), area.y(y.at(b)));
        let colour = Escaped(&series.colour);
        let mut path = String::new();
        for run in series.points.split(|point| !shown(&point)).filter(|run| !run.is_empty()) {
            for (index, point) in run.iter().enumerate() {
                let (px, py) = place(point);
                let _ = write!(path, "{}{px:.1} {py:.1}", if index == 0 { 'M' } else { 'L' });
            }
        }
        self.put(format_args!(
            "<path class=\"{}\" stroke=\"{colour}\" stroke-dasharray=\"{dash}\" d=\"{path}\"/>",
            series.class()
        ));
        if series.points.len() > 40 {
            return;
        }
        for point in series.points.iter().filter(shown) {
            let (px, py) = place(point);
            self.put(format_args!(
                "<circle cx=\"{px:.1}\" cy=\"{py:.1}\" r=\"2.6\" fill=\"{colour}\"><title>{}: {}, {}</title></circle>",
                Escaped(&series.name),
                three_digits(point.0),
                three_digits(point.1)
            ));
        }
    }

    fn close_empty(mut self) -> String {
        let (x, y) = (self.size.0 / 2, self.size.1 / 2);
        self.put(format_args!(
            "<text class=\"label\" x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">no data</text>"
        ));
        self.close()
    }

    fn close(mut self) -> String {
        self.text.push_str("</svg>\n");
        self.text
    }
}

/// Formats a value for reading: whole numbers as such, others with at least three digits.
fn three_digits(value: f64) -> String {
    let step =
        if value == 0.0 || value.fract() == 0.0 && value.abs() < 1e4 { 1.0 } else { value.abs() / 100.0 };
    axis::number(value, 10f64.powf(step.log10().floor()))
}

/// Escapes text for element content and attribute values.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}
