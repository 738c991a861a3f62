//! The index as a run that goes on needs it.

use crate::{
    Error, Result,
    state::{State, StatePart, TensorData},
};

/// The tensor of the moments of queries, which are on the engine.
pub(super) const MOMENTS: &str = "index.moments";
const CODEWORDS: &str = "index.codewords";
const CODES: &str = "index.codes";
const LOG_WEIGHTS: &str = "index.log_weights";
const CROWDING: &str = "index.crowding";
const AWARE: &str = "index.aware";

/// What determines every draw from an index.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IndexState {
    /// Codewords as queries meet them, codebook by codebook: m K x width. Those of a product quantiser are
    /// zero outside of their own columns.
    pub codewords: Vec<f32>,
    /// Codeword of each item in each codebook, M x m.
    pub codes: Vec<u32>,
    /// ln w of each item when the index was built: its static weight, its bias, and what its residual adds for
    /// the queries seen, M.
    pub log_weights: Vec<f32>,
    /// How crowded each codeword of each codebook is, m x K, where k-means is balanced; else empty.
    pub crowding: Vec<f32>,
    /// Whether the codewords were made for the queries of a run. The first refresh that has seen queries
    /// starts anew.
    pub aware: bool,
}

impl IndexState {
    /// As tensors.
    pub(super) fn part(&self) -> StatePart {
        let mut part = StatePart::default();
        part.insert(CODEWORDS, TensorData::F32(self.codewords.clone()));
        part.insert(CODES, TensorData::U32(self.codes.clone()));
        part.insert(LOG_WEIGHTS, TensorData::F32(self.log_weights.clone()));
        if !self.crowding.is_empty() {
            part.insert(CROWDING, TensorData::F32(self.crowding.clone()));
        }
        part.insert(AWARE, TensorData::U32(vec![self.aware.into()]));
        part
    }

    /// A run's state that holds this index, whose queries had these moments, (width + 1) x width, and nothing else.
    pub fn with_moments(&self, moments: &[f32]) -> State {
        let mut part = self.part();
        part.insert(MOMENTS, TensorData::F32(moments.to_vec()));
        part.on_host()
    }

    /// The index of a run and the moments of its queries; `None` where it has no index.
    ///
    /// # Errors
    /// [`Error::Data`] if parts of it are missing.
    pub(super) fn read(state: &State) -> Result<Option<(Self, &[f32])>> {
        if !state.tensors.keys().any(|name| name.starts_with("index.")) {
            return Ok(None);
        }
        let missing =
            |name: &str| Error::Data(format!("tensor `{name}` is missing; the index is incomplete"));
        let floats = |name| state.floats(name)?.ok_or_else(|| missing(name));
        let integers = |name| state.integers(name)?.ok_or_else(|| missing(name));
        let index = Self {
            codewords: floats(CODEWORDS)?.to_vec(),
            codes: integers(CODES)?.to_vec(),
            log_weights: floats(LOG_WEIGHTS)?.to_vec(),
            crowding: state.floats(CROWDING)?.unwrap_or_default().to_vec(),
            aware: integers(AWARE)?.first() == Some(&1),
        };
        Ok(Some((index, floats(MOMENTS)?)))
    }
}
