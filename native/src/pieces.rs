//! Shows work that consists of pieces, such as trials: a line for each finished one with the rate and the time left, and
//! on a terminal a bar with what is going on.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::{duration, note};

/// The progress of pieces of work.
pub struct Pieces {
    quiet: bool,
    bar: Option<ProgressBar>,
    began: Instant,
    /// Pieces that this process finished.
    done: u32,
}

impl Pieces {
    /// A display; of `total` pieces, `before` were finished by an earlier process.
    pub fn new(quiet: bool, total: Option<u64>, before: u64) -> Self {
        let bar = (!quiet && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(10));
            let template =
                if total.is_some() { "  {pos}/{len} {bar:20.cyan/dim} {msg}" } else { "  {pos} {msg}" };
            let style = ProgressStyle::with_template(template);
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸─"));
            bar.set_position(before);
            bar.enable_steady_tick(Duration::from_millis(250));
            bar
        });
        Self { quiet, bar, began: Instant::now(), done: 0 }
    }

    /// Shows what is going on.
    pub fn at(&self, text: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(text.to_owned());
        }
    }

    /// Prints a line.
    pub fn say(&self, text: &str) {
        match &self.bar {
            _ if self.quiet => {}
            Some(bar) => bar.suspend(|| note(text)),
            None => note(text),
        }
    }

    /// Prints the line of a finished piece, with the rate of this process and the seconds that are left.
    pub fn finished(&mut self, line: &str, left: Option<f64>) {
        self.done += 1;
        let minutes = self.began.elapsed().as_secs_f64() / 60.0;
        let rate = f64::from(self.done) / minutes.max(1e-9);
        let left = left.map_or(String::new(), |seconds| format!(", {} left", duration(seconds)));
        self.say(&format!("{line}   {} a minute{left}", short(rate)));
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }

    /// Removes the bar.
    pub fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn short(rate: f64) -> String {
    if rate < 9.95 { format!("{rate:.1}") } else { format!("{rate:.0}") }
}
