//! Results of a fidelity study, and their tables.

use std::fmt::Write;

use fastvae::{Error, Result};
use serde::Serialize;

use super::{Curve, Divergence, GradientError};

/// The parameters that were measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Model {
    /// As initialised.
    Random,
    /// After training.
    Trained,
}

impl Model {
    /// Name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Trained => "trained",
        }
    }
}

/// The setting that a row varies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sweep {
    /// No sweep: the sampler with its own settings.
    None,
    /// Codewords of a codebook, K.
    Codewords(usize),
    /// Codebooks, m.
    Codebooks(usize),
    /// Negatives, S.
    Negatives(usize),
    /// Epochs since the index was built.
    Staleness(u32),
}

impl Sweep {
    /// Name and value, as in tables.
    pub fn parts(self) -> (&'static str, Option<u64>) {
        match self {
            Self::None => ("", None),
            Self::Codewords(k) => ("codewords", Some(k as u64)),
            Self::Codebooks(m) => ("codebooks", Some(m as u64)),
            Self::Negatives(s) => ("negatives", Some(s as u64)),
            Self::Staleness(epochs) => ("staleness", Some(epochs.into())),
        }
    }
}

/// One measurement.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The parameters that were measured.
    pub model: Model,
    /// The sampler's label.
    pub sampler: String,
    /// The setting that was varied.
    pub sweep: Sweep,
    /// Divergences, mean over users.
    pub divergence: Option<Divergence>,
    /// Gradient errors, over users and replicates.
    pub gradient: Option<GradientError>,
    /// Seconds to build the proposal: k-means, trees, tables.
    pub build_seconds: f64,
}

/// Results of a study.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Study {
    /// Name of the data set.
    pub data: String,
    /// Number of users over whom divergences are averaged.
    pub users: usize,
    /// Number of users over whom gradients are averaged.
    pub gradient_users: usize,
    /// Sampled gradients of each user.
    pub replicates: u32,
    /// Draws of a curve.
    pub draws: usize,
    /// Number of items.
    pub items: usize,
    /// Epochs of the trained model.
    pub epochs: u32,
    /// Method that the model was trained with.
    pub trained_with: String,
    /// Engine and device.
    pub engine: String,
    /// All measurements.
    pub rows: Vec<Row>,
    /// Curves of the softmax and each sampler, for one user, under each model.
    pub curves: Vec<(Model, Vec<Curve>)>,
    /// Training rows of the users; the first is the one whose curves are drawn.
    pub training_rows: Vec<u32>,
    /// Divergence of each user, by model and sampler; `rows` has their means.
    #[serde(skip)]
    pub by_user: Vec<(Model, String, Vec<Divergence>)>,
}

impl Study {
    /// The row of a sampler with its own settings.
    pub fn row(&self, model: Model, sampler: &str) -> Option<&Row> {
        let wanted = |row: &&Row| row.model == model && row.sampler == sampler && row.sweep == Sweep::None;
        self.rows.iter().find(wanted)
    }

    /// Every measurement as csv, one per line; a value that was not measured is empty.
    pub fn csv(&self) -> String {
        let mut text = String::from(
            "model,sampler,sweep,value,kl_q_p,kl_p_q,total_variation,effective_sample_size,bound,query_bias,\
             query_deviation,logit_bias,logit_deviation,query_bias_error,logit_bias_error,build_seconds\n",
        );
        for row in &self.rows {
            let (sweep, value) = row.sweep.parts();
            let value = value.map_or_else(String::new, |value| value.to_string());
            let _ = write!(text, "{},{},{sweep},{value}", row.model.name(), row.sampler);
            let divergence = row.divergence.map_or([f64::NAN; 5], |d| {
                [d.kl_qp, d.kl_pq, d.total_variation, d.effective_sample_size, d.bound]
            });
            let gradient = row.gradient.map_or([f64::NAN; 6], |g| {
                [
                    g.query_bias,
                    g.query_deviation,
                    g.logit_bias,
                    g.logit_deviation,
                    g.query_bias_error,
                    g.logit_bias_error,
                ]
            });
            for number in divergence.into_iter().chain(gradient).chain([row.build_seconds]) {
                text.push(',');
                if !number.is_nan() {
                    let _ = write!(text, "{:.6}", positive(number));
                }
            }
            text.push('\n');
        }
        text
    }

    /// The divergence of a sampler for the user whose curves are drawn.
    pub fn of_first_user(&self, model: Model, sampler: &str) -> Option<&Divergence> {
        let wanted = |(of, label, _): &&(Model, String, Vec<Divergence>)| *of == model && label == sampler;
        self.by_user.iter().find(wanted)?.2.first()
    }

    /// Divergences of every user as csv: model, sampler, user, then the columns of [`Study::csv`]. `ids`
    /// are those of training rows.
    ///
    /// # Errors
    /// [`Error::Data`] if the csv writer fails.
    pub fn users_csv(&self, ids: impl Fn(u32) -> String) -> Result<String> {
        let failed = |error: csv::Error| Error::Data(format!("users cannot be written as csv: {error}"));
        let mut writer = csv::Writer::from_writer(Vec::new());
        let header =
            ["model", "sampler", "user", "kl_q_p", "kl_p_q", "total_variation", "effective_sample_size"];
        writer.write_record(header).map_err(failed)?;
        for (model, sampler, users) in &self.by_user {
            for (&row, one) in self.training_rows.iter().zip(users) {
                let numbers = [one.kl_qp, one.kl_pq, one.total_variation, one.effective_sample_size];
                let [a, b, c, d] = numbers.map(|number| format!("{:.6}", positive(number)));
                writer.write_record([model.name(), sampler, &ids(row), &a, &b, &c, &d]).map_err(failed)?;
            }
        }
        let bytes = writer.into_inner().map_err(|error| failed(error.into_error().into()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The curves as csv: model, sampler, number of the most popular items, share of the probability on
    /// them.
    pub fn curves_csv(&self) -> String {
        let mut text = String::from("model,sampler,items,cumulative\n");
        let places = Curve::places(self.items);
        for (model, curves) in &self.curves {
            for curve in curves {
                // The first curve is exact, even if a sampler of the same name was also drawn from.
                let label = if std::ptr::eq(curve, &curves[0]) { "exact" } else { &curve.label };
                for (place, share) in places.iter().zip(&curve.cumulative) {
                    let _ = writeln!(text, "{},{label},{place},{share:.6}", model.name());
                }
            }
        }
        text
    }
}

/// Rounding can leave a value slightly below zero; it is set to zero.
fn positive(number: f64) -> f64 {
    if number > -1e-5 { number.max(0.0) } else { number }
}
