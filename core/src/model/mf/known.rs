//! The users of the training set, by their histories.

use rustc_hash::FxHashMap;

use crate::{
    Error, Result,
    data::Csr,
    state::{FrozenTensor, State, TensorData, Values},
};

/// The name of the tensor of hashes.
pub const HASHES: &str = "user_histories";

/// Which training user has a history. Histories are compared by a hash of 64 bits.
pub struct KnownUsers {
    /// Two words of each user's hash, N x 2.
    hashes: Vec<u32>,
    /// The first of the users with a history.
    rows: FxHashMap<u64, u32>,
}

/// FNV-1a over the items, which ascend.
fn hash(history: &[u32]) -> u64 {
    let bytes = history.iter().flat_map(|item| item.to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

impl KnownUsers {
    fn new(hashes: Vec<u32>) -> Self {
        let mut rows = FxHashMap::default();
        for (row, words) in (0..).zip(hashes.as_chunks::<2>().0) {
            rows.entry(u64::from(words[0]) | u64::from(words[1]) << 32).or_insert(row);
        }
        Self { hashes, rows }
    }

    /// The users of a training set.
    pub fn of_data(train: &Csr) -> Self {
        let words = |history: &[u32]| {
            let hash = hash(history);
            [hash as u32, (hash >> 32) as u32]
        };
        Self::new(train.iter().flat_map(words).collect())
    }

    /// Those of a saved model.
    ///
    /// # Errors
    /// [`Error::Data`] if the tensor is missing or has the wrong shape.
    pub fn of_state(state: &State) -> Result<Self> {
        match state.tensors.get(HASHES).map(|tensor| (&tensor.shape[..], &tensor.data)) {
            None => Err(Error::Data(format!("tensor `{HASHES}` is missing"))),
            Some(([_, 2], TensorData::U32(hashes))) => Ok(Self::new(hashes.clone())),
            Some((shape, _)) => {
                Err(Error::Data(format!("tensor `{HASHES}` of shape {shape:?} has not two integers a user")))
            }
        }
    }

    /// What [`KnownUsers::of_state`] reads.
    pub fn tensor(&self) -> FrozenTensor<'static> {
        FrozenTensor { shape: vec![self.len(), 2], values: Values::Integers(self.hashes.clone().into()) }
    }

    /// Whether a saved tensor is about the same users.
    pub fn is(&self, hashes: &[u32]) -> bool {
        self.hashes == hashes
    }

    /// Users, N.
    pub fn len(&self) -> usize {
        self.hashes.len() / 2
    }

    /// The row of a user with this history. An empty history says nothing about a user.
    pub fn row(&self, history: &[u32]) -> Option<u32> {
        if history.is_empty() { None } else { self.rows.get(&hash(history)).copied() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_finds_its_first_user() {
        let train = Csr::from_rows(&[vec![], vec![1, 5], vec![5], vec![1, 5]], 8).unwrap();
        let known = KnownUsers::of_data(&train);
        assert_eq!(known.len(), 4);
        assert_eq!(
            [known.row(&[1, 5]), known.row(&[5]), known.row(&[1]), known.row(&[])],
            [Some(1), Some(2), None, None]
        );
        // FNV-1a of the bytes "a\0\0\0", from its definition.
        let mut want = 0xcbf2_9ce4_8422_2325u64;
        for byte in *b"a\0\0\0" {
            want = (want ^ u64::from(byte)).wrapping_mul(1_099_511_628_211);
        }
        assert_eq!(hash(&[97]), want);
    }
}
