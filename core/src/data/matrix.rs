//! Sparse matrices: MATLAB 5 files, scipy's `.npz`, and tables of numpy's `.npy`.

use std::io::Read;

use super::{
    LoadOptions,
    collect::Collector,
    evidence::LINES,
    lines::Text,
    matlab,
    npy::Array,
    parts,
    roles::{self, Decision, SIDES},
    shard::{Part, Row, Shard},
    source::Source,
    sparse::Sparse,
};
use crate::{Error, Result, watch};

/// The largest accepted file in bytes: it must be in memory as a whole.
pub(super) const MOST_BYTES: u64 = 8 << 30;

/// The format of a file with a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Matlab,
    Npy,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Matlab => "MATLAB, sparse",
            Self::Npy => "numpy array",
        }
    }
}

/// The format of a file that begins with these bytes.
pub(super) fn kind(head: &[u8]) -> Option<Kind> {
    if head.starts_with(b"MATLAB 5.0") {
        return Some(Kind::Matlab);
    }
    head.starts_with(super::npy::MAGIC).then_some(Kind::Npy)
}

/// Adds the entries of matrices, and the note that says what the ids are.
struct Entries<'a> {
    shard: &'a mut Shard,
    sides: (usize, usize),
    /// The number of the first row and column.
    first: u64,
}

impl Entries<'_> {
    /// Adds one entry, given by row and column from 0.
    fn add(&mut self, row: u64, column: u64, value: f64) -> Result<(), String> {
        if value == 0.0 {
            return Ok(());
        }
        let places = [(row + self.first).to_string(), (column + self.first).to_string()];
        let rating = value.to_string();
        let (user, item) = (places[self.sides.0].as_bytes(), places[self.sides.1].as_bytes());
        self.shard.add(&Row { user, item, rating: Some(rating.as_bytes()), time: None })
    }

    fn add_all(&mut self, matrix: &Sparse) -> Result<(), String> {
        for (column, ends) in matrix.starts.windows(2).enumerate() {
            for at in ends[0]..ends[1] {
                let at = at as usize;
                self.add(matrix.rows[at], column as u64, matrix.values.get(at).copied().unwrap_or(1.0))?;
            }
        }
        Ok(())
    }
}

/// Records what the ids of a matrix are.
fn decide(
    collector: &mut Collector,
    file: &str,
    form: &str,
    sides: (usize, usize),
    first: u64,
) -> Result<()> {
    let columns = vec![("user".into(), SIDES[sides.0].into()), ("item".into(), SIDES[sides.1].into())];
    let note =
        format!("the ids are the numbers of rows and columns, from {first}; entries that are 0 do not count");
    collector.decided(file, form, &Decision { columns, notes: vec![note], ..Decision::default() })
}

/// Reads a file whose first bytes name this format.
pub(super) fn read(text: Text, kind: Kind, options: &LoadOptions, collector: &mut Collector) -> Result<()> {
    let name = text.stream.name.clone();
    let stream_error = text.stream.error_of();
    let mut bytes = Vec::new();
    text.rest(Vec::new()).take(MOST_BYTES).read_to_end(&mut bytes).map_err(&stream_error)?;
    watch::check()?;
    match kind {
        Kind::Matlab => read_matlab(&name, &bytes, options, collector),
        Kind::Npy => read_table(&name, &bytes, options, collector),
    }
}

fn read_matlab(name: &str, bytes: &[u8], options: &LoadOptions, collector: &mut Collector) -> Result<()> {
    let wrong = |problem: String| Error::format(name, problem);
    let sides = options.sides()?;
    decide(collector, name, Kind::Matlab.name(), sides, 1)?;
    let matrices = matlab::sparse_matrices(bytes).map_err(wrong)?;
    let parts = match &matrices[..] {
        [_] => vec![Part::Train],
        many => {
            let names: Vec<String> = many.iter().map(|matrix| matrix.name.clone()).collect();
            let split = parts::split(&names).filter(|split| split.len() == names.len());
            let mut split = split.ok_or_else(|| {
                wrong(format!("several matrices, of which one is meant: {}; save it alone", names.join(", ")))
            })?;
            parts::validation_as_test(&mut split).into_iter().for_each(|note| collector.note(note.into()));
            split.into_iter().map(|one| one.1).collect()
        }
    };
    for (matrix, part) in matrices.iter().zip(parts) {
        collector.shards[0].part = part;
        let mut entries = Entries { shard: &mut collector.shards[0], sides, first: 1 };
        entries.add_all(matrix).map_err(wrong)?;
    }
    Ok(())
}

/// Reads an array of two or more columns as a table without a header.
fn read_table(name: &str, bytes: &[u8], options: &LoadOptions, collector: &mut Collector) -> Result<()> {
    let wrong = |problem: String| Error::format(name, problem);
    let array = Array::parse(bytes).map_err(wrong)?;
    let &[rows, width] = &array.shape[..] else {
        return Err(wrong(format!(
            "a numpy array of {} dimensions; rows of user, item and perhaps rating are expected",
            array.shape.len()
        )));
    };
    let row = |at: usize| -> Vec<String> { (0..width).map(|column| array.text(at, column)).collect() };
    let head: Vec<Vec<String>> = (0..rows.min(LINES)).map(row).collect();
    let options = LoadOptions { header: super::Header::No, ..options.clone() };
    let decision = roles::of_table(head, &options, &[], name)?;
    collector.decided(name, Kind::Npy.name(), &decision)?;
    let roles = &decision.roles;
    let conditions: Vec<_> = roles.conditions.iter().zip(options.conditions.iter()).collect();
    let shard = &mut collector.shards[0];
    for at in 0..rows {
        let fields = row(at);
        if !conditions.iter().all(|(column, condition)| condition.holds(fields[**column].as_bytes())) {
            shard.left_out.unmet_conditions += 1;
            continue;
        }
        let field = |column: usize| fields[column].as_bytes();
        let row = Row {
            user: field(roles.user),
            item: field(roles.item),
            rating: roles.rating.map(field),
            time: roles.time.map(field),
        };
        shard.add(&row).map_err(|problem| Error::format(format!("{name}:row {}", at + 1), problem))?;
    }
    Ok(())
}

/// Whether the files of an archive are those of `scipy.sparse.save_npz`.
pub(super) fn is_scipy(files: &[String]) -> bool {
    ["format.npy", "shape.npy", "data.npy"].iter().all(|name| files.iter().any(|file| file == name))
}

/// Reads the matrix of `scipy.sparse.save_npz`.
pub(super) fn read_scipy(
    source: &mut Source,
    options: &LoadOptions,
    collector: &mut Collector,
) -> Result<()> {
    let name = source.name.clone();
    let wrong = |problem: String| Error::format(&name, problem);
    let mut array = |file: &str| -> Result<Array> {
        let mut stream = source.open(&format!("{file}.npy"))?;
        let bytes = stream.read_all(MOST_BYTES)?;
        Array::parse(&bytes).map_err(|problem| Error::format(format!("{name}/{file}.npy"), problem))
    };
    let sides = options.sides()?;
    let format = array("format")?.word();
    let data = array("data")?;
    let by_row = match format.as_str() {
        "csr" => true,
        "csc" | "coo" => false,
        other => {
            return Err(wrong(format!(
                "a scipy matrix in the form {other:?}; save it as csr: scipy.sparse.save_npz(NAME, X.tocsr())"
            )));
        }
    };
    collector.begin(&name, Part::Train);
    decide(collector, &name, &format!("scipy sparse matrix, {format}"), sides, 0)?;
    let mut entries = Entries { shard: &mut collector.shards[0], sides, first: 0 };
    if format == "coo" {
        let (rows, columns) = match (array("row"), array("col")) {
            (Ok(rows), Ok(columns)) => (rows.whole().map_err(wrong)?, columns.whole().map_err(wrong)?),
            _ => {
                let coordinates = array("coords")?.whole().map_err(wrong)?;
                let (rows, columns) = coordinates.split_at(coordinates.len() / 2);
                (rows.to_vec(), columns.to_vec())
            }
        };
        if rows.len() != data.len() || columns.len() != data.len() {
            return Err(wrong("its rows, columns and values differ in number".into()));
        }
        for (at, (&row, &column)) in rows.iter().zip(&columns).enumerate() {
            entries.add(row, column, data.real(at)).map_err(wrong)?;
        }
        return Ok(());
    }
    let matrix = Sparse {
        name: name.clone(),
        starts: array("indptr")?.whole().map_err(wrong)?,
        rows: array("indices")?.whole().map_err(wrong)?,
        values: (0..data.len()).map(|at| data.real(at)).collect(),
    };
    matrix.check().map_err(wrong)?;
    if by_row {
        // The matrix of the file has rows in place of columns.
        entries.sides = (1 - sides.0, 1 - sides.1);
    }
    entries.add_all(&matrix).map_err(wrong)
}

impl Sparse {
    /// Whether its parts fit together.
    pub(super) fn check(&self) -> Result<(), String> {
        let ordered = self.starts.windows(2).all(|pair| pair[0] <= pair[1]);
        let entries = self.rows.len() as u64;
        let ends = self.starts.first() == Some(&0) && self.starts.last().is_some_and(|&last| last <= entries);
        if !ordered || !ends || !(self.values.is_empty() || self.values.len() >= self.rows.len()) {
            return Err("damaged: the parts of the sparse matrix do not fit together; save it again".into());
        }
        Ok(())
    }
}
