//! Shows a run on the terminal: a progress bar for the current epoch and a line for each finished one.
//! Without a terminal, only the lines.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use fastvae::event::Event;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::{duration, grouped, note};

/// Time between updates of the bar.
const FRAME: Duration = Duration::from_millis(100);

/// Shows the events of a run.
pub struct Display {
    quiet: bool,
    bar: Option<ProgressBar>,
    metric: String,
    epochs: u32,
    users: usize,
    /// Start of the current epoch: when its first step was seen, and the users done at that time.
    began: Option<(Instant, usize)>,
    drawn: Instant,
    /// Seconds of each epoch that this process trained, including validation.
    spent: Vec<f64>,
    /// Means of recent steps: reconstruction loss and KL divergence.
    losses: (Option<f32>, Option<f32>),
    validation: Option<f64>,
    /// A new weight of the linear path.
    weighed: Option<f64>,
    /// The line of a finished epoch, held until its validation result arrives.
    line: Option<String>,
}

impl Display {
    /// A display for a run of `epochs` epochs whose best epoch is chosen by `metric`.
    pub fn new(quiet: bool, metric: &str, epochs: u32) -> Self {
        let bar = (!quiet && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
            let style = ProgressStyle::with_template("  {prefix} {bar:20.cyan/dim} {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸─"));
            bar
        });
        Self {
            quiet,
            bar,
            metric: metric.into(),
            epochs,
            users: 0,
            began: None,
            drawn: Instant::now(),
            spent: Vec::new(),
            losses: (None, None),
            validation: None,
            weighed: None,
            line: None,
        }
    }

    /// Prints a line above the bar.
    pub fn say(&self, text: &str) {
        match &self.bar {
            _ if self.quiet => {}
            Some(bar) => bar.suspend(|| note(text)),
            None => note(text),
        }
    }

    /// Updates the display for an event.
    pub fn show(&mut self, event: &Event) {
        match event {
            Event::Started { users, items, interactions, parameters, steps_per_epoch, linear, .. } => {
                self.users = *users;
                if !linear.is_empty() {
                    let value = |(name, value): (&String, &f64)| format!("{name} {}", rounded(*value));
                    self.say(&format!(
                        "linear:   {}",
                        linear.iter().map(value).collect::<Vec<_>>().join(", ")
                    ));
                }
                let steps = match *steps_per_epoch {
                    0 => "in closed form".into(),
                    steps => format!("{} steps an epoch", grouped(steps.into())),
                };
                self.say(&format!(
                    "training: {} users x {} items, {} interactions, {} parameters, {steps}\n",
                    grouped(*users as u64),
                    grouped(*items as u64),
                    grouped(*interactions as u64),
                    grouped(*parameters as u64),
                ));
            }
            Event::Step { epoch, users, .. } => self.step(*epoch, *users),
            Event::Losses { parts, .. } => {
                let mean = |values: &Vec<f32>| values.iter().sum::<f32>() / values.len().max(1) as f32;
                self.losses = (parts.get("nll").map(mean), parts.get("kl").map(mean));
            }
            Event::Fitted { seconds } => self.line = Some(format!("  fitted in {}", duration(*seconds))),
            Event::Epoch { epoch, seconds, loss, parts } => {
                self.flush();
                self.began = None;
                self.spent.push(*seconds);
                let of = self.epochs.to_string();
                let kl = parts.get("kl").map(|kl| format!("   KL {kl:7.3}")).unwrap_or_default();
                self.line = Some(format!(
                    "  epoch {epoch:>width$}/{of}   loss {loss:9.3}{kl}   {:>9}   {:>7} users/s",
                    duration(*seconds),
                    grouped((self.users as f64 / seconds.max(1e-9)) as u64),
                    width = of.len(),
                ));
            }
            Event::Weighed { linear, .. } => self.weighed = Some(*linear),
            Event::Evaluated { epoch, metrics, best, seconds } => {
                let value = metrics.get(&self.metric).copied();
                self.validation = value;
                if let Some(spent) = self.spent.last_mut() {
                    *spent += seconds;
                }
                if let (Some(line), Some(value)) = (&mut self.line, value) {
                    // A closed form has one evaluation, which is the best by necessity.
                    let mark = if *best && *epoch > 0 { " *" } else { "" };
                    line.push_str(&format!("   {} {value:.4}{mark}", self.metric));
                    if let Some(weight) = self.weighed.take() {
                        line.push_str(&format!("   linear weight {}", rounded(weight)));
                    }
                }
                self.flush();
            }
            Event::Done { stopped_early, .. } => {
                self.flush();
                if *stopped_early {
                    self.say("  stopped early: validation no longer improves");
                }
            }
            Event::Indexed { .. } => {}
        }
    }

    /// Prints the pending line of the last epoch, if any.
    fn flush(&mut self) {
        if let Some(line) = self.line.take() {
            self.say(&line);
        }
    }

    fn step(&mut self, epoch: u32, users: usize) {
        self.flush();
        let Some(bar) = &self.bar else { return };
        let (began, before) = *self.began.get_or_insert((Instant::now(), users));
        if self.drawn.elapsed() < FRAME && users != self.users {
            return;
        }
        self.drawn = Instant::now();
        bar.set_length(self.users as u64);
        bar.set_position(users as u64);
        bar.set_prefix(format!("epoch {epoch}/{}", self.epochs));
        let mut message = Vec::new();
        message.extend(self.losses.0.map(|loss| format!("loss {loss:.1}")));
        message.extend(self.losses.1.map(|kl| format!("KL {kl:.1}")));
        let seconds = began.elapsed().as_secs_f64();
        let rate = (users - before) as f64 / seconds.max(1e-9);
        if rate > 0.0 && seconds > 0.2 {
            message.push(format!("{} users/s", grouped(rate as u64)));
            let one = match self.spent.len() {
                0 => self.users as f64 / rate,
                count => self.spent.iter().sum::<f64>() / count as f64,
            };
            let rest = one * f64::from(self.epochs - epoch) + (self.users - users) as f64 / rate;
            message.push(format!("{} left", duration(rest)));
        }
        if let Some(validation) = self.validation {
            message.push(format!("{} {validation:.4}", self.metric));
        }
        bar.set_message(message.join("   "));
    }

    /// Prints a pending line and removes the bar.
    pub fn end(&mut self) {
        self.flush();
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// To three digits after the point.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
