//! Histories one after the other, of sets of any size: rows are grouped by user with an external merge sort, so that
//! memory grows neither with the rows nor with the users.

use std::{
    cmp::Ordering,
    collections::BinaryHeap,
    fs::File,
    io::{self, BufReader, Cursor, Read},
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustc_hash::FxHashSet;

use super::{
    LoadOptions, LoadReport,
    collect::{Collector, nothing_left},
    compare_ids, load,
    source::Source,
    spill::{ItemNumbers, Runs, Spill},
};
use crate::{Error, Result};

/// Bytes that are read ahead of each run.
const AHEAD: usize = 1 << 16;

/// How histories are grouped.
#[derive(Clone, Debug)]
pub struct Grouping {
    /// The items of the model; others are left out of histories.
    pub items: Arc<ItemNumbers>,
    /// Where temporary files lie; they have no names and vanish with the process.
    pub folder: PathBuf,
    /// The rows that are held in memory before they are written, about 30 bytes each.
    pub rows: usize,
}

impl Grouping {
    /// Rows in memory, if nothing else is asked for.
    pub const ROWS: usize = 1 << 22;
}

/// The histories of a set: an iterator over users in the order of [`compare_ids`], with their items, ascending and once
/// each, as numbers of the model. A user without any of these has an empty history.
pub struct Grouped {
    /// What was read and what was left out.
    pub report: LoadReport,
    /// The number of different items, and those that the model does not know, in the order of [`compare_ids`].
    pub items: usize,
    /// Items that the model does not know.
    pub unknown: Vec<String>,
    /// The next user of each run that has one.
    heads: BinaryHeap<Head>,
}

/// Reads the histories of a set in any form that [`load`] reads.
///
/// # Errors
/// As [`load`]; [`Error::Io`] if temporary files cannot be written.
pub fn grouped(path: &Path, options: &LoadOptions, grouping: &Grouping) -> Result<Grouped> {
    let named = |error| match error {
        Error::Data(problem) => Error::format(path.display().to_string(), problem),
        other => other,
    };
    let mut source = Source::of_path(path)?;
    if options.core > 1 || load::needs_whole(&mut source)? {
        return of_dataset(load::load_source(source, options).map_err(named)?, &grouping.items);
    }
    let mut collector = Collector::grouping(options, grouping);
    load::read_all(&mut source, options, &mut collector)?;
    collector.finish_grouped(&source.name).map_err(named)
}

/// A set that is in memory: filters and tables of ids look at all of it.
fn of_dataset(dataset: super::Dataset, items: &ItemNumbers) -> Result<Grouped> {
    let known: Vec<Option<u32>> = dataset.items.iter().map(|id| items.get(id).copied()).collect();
    let mut run = Vec::new();
    for (user, row) in dataset.users.iter().zip(dataset.interactions.iter()) {
        let row: Vec<u32> = row.iter().filter_map(|&item| known[item as usize]).collect();
        run.extend((user.len() as u32).to_le_bytes());
        run.extend(user.as_bytes());
        run.extend((row.len() as u32).to_le_bytes());
        run.extend(row.iter().flat_map(|item| item.to_le_bytes()));
    }
    let unknown = dataset.items.iter().zip(&known).filter(|(_, known)| known.is_none());
    let unknown = unknown.map(|(id, _)| id.clone()).collect();
    let runs = Runs { file: None, places: Vec::new(), last: run };
    Grouped::new(vec![runs], dataset.report, dataset.items.len(), unknown)
}

impl Collector {
    /// Collects rows to be grouped by user, in bounded memory.
    pub(super) fn grouping(options: &LoadOptions, grouping: &Grouping) -> Self {
        let mut collector = Self::new(options);
        let count = collector.shards.len();
        for shard in &mut collector.shards {
            shard.spill = Some(Box::new(Spill::new(grouping, count, shard.keeps_missing())));
            shard.look();
        }
        collector
    }

    /// The histories, for a collector that was made by [`Collector::grouping`].
    pub(super) fn finish_grouped(mut self, name: &str) -> Result<Grouped> {
        let mut words = Vec::new();
        let (mut known, mut unknown) = (FxHashSet::default(), Vec::new());
        // The last runs first: words for missing values in them are counted. They stay in memory.
        let mut last = Vec::new();
        for shard in &mut self.shards {
            last.push(shard.take_run());
            words.extend(shard.spill.iter().flat_map(|spill| &spill.words));
        }
        words.sort_unstable();
        words.dedup();
        self.complete_report();
        self.note_missing(&words);
        if self.report.rows == 0 {
            return Err(Error::Data(nothing_left(name, &self.report, &self.options)));
        }
        let mut runs = Vec::new();
        for (shard, last) in self.shards.into_iter().zip(last) {
            for code in 0..shard.items.len() as u32 {
                let item = shard.items.name(code);
                if !known.contains(&*item) && !words.contains(&&*item) {
                    if shard.spill.as_ref().is_some_and(|spill| !spill.knows(&item)) {
                        unknown.push(item.to_string());
                    }
                    known.insert(item.to_string());
                }
            }
            runs.push(shard.into_runs(last)?);
        }
        unknown.sort_by(|a, b| compare_ids(a, b));
        Grouped::new(runs, self.report, known.len(), unknown)
    }
}

impl Grouped {
    pub(super) fn new(
        runs: Vec<Runs>,
        report: LoadReport,
        items: usize,
        unknown: Vec<String>,
    ) -> Result<Self> {
        let mut heads = BinaryHeap::new();
        for Runs { file, places, last } in runs {
            let file = file.map(Arc::new);
            let parts =
                places.into_iter().filter_map(|place| Some(Part { file: Arc::clone(file.as_ref()?), place }));
            let readers =
                parts.map(|part| Box::new(BufReader::with_capacity(AHEAD, part)) as Box<dyn Read + Send>);
            for reader in readers.chain([Box::new(Cursor::new(last)) as Box<dyn Read + Send>]) {
                let mut head = Head { user: String::new(), items: Vec::new(), rest: reader };
                if head.advance().map_err(failed)? {
                    heads.push(head);
                }
            }
        }
        Ok(Self { report, items, unknown, heads })
    }

    /// The next user.
    fn merge(&mut self) -> io::Result<Option<(String, Vec<u32>)>> {
        let Some(mut head) = self.heads.pop() else { return Ok(None) };
        let (user, mut items) = (std::mem::take(&mut head.user), std::mem::take(&mut head.items));
        if head.advance()? {
            self.heads.push(head);
        }
        while let Some(mut other) = self.heads.peek_mut().filter(|other| other.user == user) {
            items.append(&mut other.items);
            if !other.advance()? {
                std::collections::binary_heap::PeekMut::pop(other);
            }
        }
        items.sort_unstable();
        items.dedup();
        Ok(Some((user, items)))
    }
}

impl Iterator for Grouped {
    type Item = Result<(String, Vec<u32>)>;

    fn next(&mut self) -> Option<Self::Item> {
        self.merge().map_err(failed).transpose()
    }
}

fn failed(error: io::Error) -> Error {
    Error::io("read", "a temporary file", error)
}

/// A run, at one of its users.
struct Head {
    user: String,
    items: Vec<u32>,
    rest: Box<dyn Read + Send>,
}

impl Head {
    /// Reads the next user; false at the end of the run.
    fn advance(&mut self) -> io::Result<bool> {
        let mut number = [0; 4];
        // A run ends before a user, and nowhere else.
        if self.rest.read(&mut number[..1])? == 0 {
            return Ok(false);
        }
        self.rest.read_exact(&mut number[1..])?;
        let mut bytes = std::mem::take(&mut self.user).into_bytes();
        bytes.resize(u32::from_le_bytes(number) as usize, 0);
        self.rest.read_exact(&mut bytes)?;
        self.user = String::from_utf8(bytes).map_err(io::Error::other)?;
        self.rest.read_exact(&mut number)?;
        self.items.clear();
        self.items.resize(u32::from_le_bytes(number) as usize, 0);
        self.rest.read_exact(bytemuck::cast_slice_mut(&mut self.items))?;
        self.items.iter_mut().for_each(|item| *item = u32::from_le(*item));
        Ok(true)
    }
}

// A heap has its largest element on top, and the first user is wanted.
impl Ord for Head {
    fn cmp(&self, other: &Self) -> Ordering {
        compare_ids(&other.user, &self.user)
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Head {}

/// A part of a file that other parts are read of at the same time.
struct Part {
    file: Arc<File>,
    place: Range<u64>,
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.place.end - self.place.start).unwrap_or(usize::MAX).min(buffer.len());
        let count = read_at(&self.file, &mut buffer[..most], self.place.start)?;
        self.place.start += count as u64;
        Ok(count)
    }
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], place: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, place)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], place: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(users: &[(&str, &[u32])]) -> Vec<u8> {
        let mut run = Vec::new();
        for (user, items) in users {
            run.extend((user.len() as u32).to_le_bytes());
            run.extend(user.as_bytes());
            run.extend((items.len() as u32).to_le_bytes());
            run.extend(items.iter().flat_map(|item| item.to_le_bytes()));
        }
        run
    }

    #[test]
    fn runs_of_files_and_memory_are_merged_by_user() {
        use std::io::Write;
        let parts =
            [run(&[("2", &[5, 1]), ("10", &[3])]), run(&[("2", &[1, 4]), ("a", &[])]), run(&[("9", &[7])])];
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&parts.concat()).unwrap();
        let mut start = 0;
        let places = parts.iter().map(|part| {
            start += part.len() as u64;
            start - part.len() as u64..start
        });
        let runs =
            Runs { file: Some(file), places: places.collect(), last: run(&[("10", &[3, 2]), ("b", &[9])]) };
        let empty = Runs { file: None, places: Vec::new(), last: Vec::new() };
        let all = Grouped::new(vec![runs, empty], LoadReport::default(), 0, Vec::new()).unwrap();
        let found: Vec<(String, Vec<u32>)> = all.map(Result::unwrap).collect();
        let expected: [(&str, &[u32]); 5] =
            [("2", &[1, 4, 5]), ("9", &[7]), ("10", &[2, 3]), ("a", &[]), ("b", &[9])];
        assert_eq!(found, expected.map(|(user, items)| (user.to_owned(), items.to_vec())));
    }

    /// What a disk that is full leaves is an error and not the end of a run.
    #[test]
    fn a_run_that_is_cut_short_is_an_error() {
        let whole = run(&[("2", &[5, 1]), ("10", &[3])]);
        for length in 1..whole.len() {
            let runs = Runs { file: None, places: Vec::new(), last: whole[..length].to_vec() };
            let users = Grouped::new(vec![runs], LoadReport::default(), 0, Vec::new())
                .and_then(|grouped| grouped.collect::<Result<Vec<_>>>());
            assert!(users.is_err() || length == run(&[("2", &[5, 1])]).len(), "{length}");
        }
    }
}
