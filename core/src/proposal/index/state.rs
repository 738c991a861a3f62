//! The state of the index that a resumed run needs.

use crate::{
    Error, Result,
    state::{State, StatePart, TensorData},
};

/// Name of the tensor of the moments of the queries, whose values are on the engine.
pub(super) const MOMENTS: &str = "index.moments";
const CODEWORDS: &str = "index.codewords";
const CODES: &str = "index.codes";
const LOG_WEIGHTS: &str = "index.log_weights";
const CROWDING: &str = "index.crowding";
const AWARE: &str = "index.aware";

/// Everything that determines the draws from an index.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IndexState {
    /// Codewords to multiply queries with, codebook by codebook: m K x width. Those of a product quantiser
    /// are zero outside of their own columns.
    pub codewords: Vec<f32>,
    /// Codeword of each item in each codebook, M x m.
    pub codes: Vec<u32>,
    /// ln w of each item at the time when the index was built: its static weight, its bias, and the
    /// correction for its residual, M.
    pub log_weights: Vec<f32>,
    /// Crowding factor of each codeword in each codebook, m x K, for balanced k-means; else empty.
    pub crowding: Vec<f32>,
    /// Whether the codewords were computed from queries. If not, the first refresh after queries were
    /// observed starts from new codewords.
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

    /// A state of only this index and the moments of its queries, (width + 1) x width.
    pub fn with_moments(&self, moments: &[f32]) -> State {
        let mut part = self.part();
        part.insert(MOMENTS, TensorData::F32(moments.to_vec()));
        part.on_host()
    }

    /// The index of a state and the moments of its queries; `None` if it has no index.
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
