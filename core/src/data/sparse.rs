//! A sparse matrix as files of numerical programs hold it.

/// A sparse matrix in compressed columns: the rows of column `c` are `rows[starts[c]..starts[c + 1]]`.
pub(super) struct Sparse {
    pub(super) name: String,
    pub(super) starts: Vec<u64>,
    pub(super) rows: Vec<u64>,
    /// The values of the entries; empty if all are 1.
    pub(super) values: Vec<f64>,
}
