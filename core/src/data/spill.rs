//! Rows in bounded memory: what a shard has read is written to a temporary file from time to time, as a run that is sorted
//! by user. Runs are merged by [`super::grouped`].

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    ops::Range,
    path::PathBuf,
    sync::Arc,
};

use rustc_hash::FxHashMap;

use super::{
    grouped::Grouping,
    intern::Interner,
    names::MISSING,
    shard::{PARTS, Shard},
};
use crate::{Error, Result};

/// How many rows take about as much memory as one more user.
const ROWS_A_USER: usize = 8;
/// Rows between two looks at the number of users.
const STEP: usize = 1 << 12;

/// The numbers that a model gives its items.
pub type ItemNumbers = FxHashMap<String, u32>;

/// The runs of one shard.
pub(super) struct Spill {
    numbers: Arc<ItemNumbers>,
    /// The folder of the temporary file.
    folder: PathBuf,
    /// Most rows and users in memory.
    rows: usize,
    users: usize,
    /// The number in the model of each item of the shard; `None` for items that the model does not know.
    known: Vec<Option<u32>>,
    keeps_missing: bool,
    file: Option<BufWriter<File>>,
    written: u64,
    runs: Vec<Range<u64>>,
    /// Words for missing values in place of users and items.
    pub(super) words: Vec<&'static str>,
    /// Why a run could not be written.
    failure: Option<io::Error>,
}

/// The runs of a shard: in its file, and the last one in memory.
pub(super) struct Runs {
    pub(super) file: Option<File>,
    pub(super) places: Vec<Range<u64>>,
    pub(super) last: Vec<u8>,
}

impl Spill {
    /// For one of `shards` shards.
    pub(super) fn new(grouping: &Grouping, shards: usize, keeps_missing: bool) -> Self {
        let rows = (grouping.rows / shards.max(1)).max(1);
        Self {
            numbers: Arc::clone(&grouping.items),
            folder: grouping.folder.clone(),
            rows,
            users: rows.div_ceil(ROWS_A_USER),
            known: Vec::new(),
            keeps_missing,
            file: None,
            written: 0,
            runs: Vec::new(),
            words: Vec::new(),
            failure: None,
        }
    }

    /// Whether a run is due.
    pub(super) fn is_due(&self, rows: usize, users: usize) -> bool {
        rows >= self.rows || users >= self.users
    }

    /// Whether the model has an item.
    pub(super) fn knows(&self, item: &str) -> bool {
        self.numbers.contains_key(item)
    }

    /// Writes a run. A failure is remembered, since a row that cannot be read is another thing.
    pub(super) fn write(&mut self, run: &[u8]) {
        let folder = &self.folder;
        let mut write = || -> io::Result<()> {
            let file = match &mut self.file {
                Some(file) => file,
                none => none.insert(BufWriter::new(tempfile::tempfile_in(folder)?)),
            };
            file.write_all(run)?;
            self.runs.push(self.written..self.written + run.len() as u64);
            self.written += run.len() as u64;
            Ok(())
        };
        if let Err(error) = write() {
            self.failure.get_or_insert(error);
        }
    }

    /// Fails if a run could not be written.
    pub(super) fn check(&mut self) -> Result<()> {
        match self.failure.take() {
            Some(error) => Err(Error::io("write a temporary file in", &self.folder, error)),
            None => Ok(()),
        }
    }

    /// Looks up the numbers of the items that are new.
    fn learn(&mut self, items: &Interner) {
        for code in self.known.len() as u32..items.len() as u32 {
            self.known.push(self.numbers.get(&*items.name(code)).copied());
        }
    }
}

impl Shard {
    /// The rows so far as a run, which are no longer in memory then: for each user, in the order of
    /// [`super::compare_ids`], the length of the id, the id, the number of items that the model knows, and these.
    pub(super) fn take_run(&mut self) -> Vec<u8> {
        let Some(mut spill) = self.spill.take() else { return Vec::new() };
        spill.learn(&self.items);
        let missing = |interner: &Interner| -> Vec<(u32, &'static str)> {
            let words = MISSING.iter().filter(|_| !spill.keeps_missing);
            words.filter_map(|word| Some((interner.find(word)?, *word))).collect()
        };
        let (missing_users, missing_items) = (missing(&self.users), missing(&self.items));
        let order = self.users.sorted();
        let mut place = vec![0u32; order.len()];
        (0..).zip(&order).for_each(|(at, &code)| place[code as usize] = at);
        // The items of each user, by a counting sort.
        let mut ends = vec![0usize; order.len() + 1];
        let mut left_out = 0;
        let pairs: [Vec<(u32, u32)>; PARTS] = std::mem::take(&mut self.pairs);
        let mut pairs: Vec<(u32, u32)> = pairs.into_iter().flatten().collect();
        pairs.retain(|pair| {
            let word =
                |codes: &[(u32, &'static str)], code| codes.iter().find(|one| one.0 == code).map(|one| one.1);
            let found = word(&missing_users, pair.0).or_else(|| word(&missing_items, pair.1));
            if let Some(word) = found {
                left_out += 1;
                if !spill.words.contains(&word) {
                    spill.words.push(word);
                }
            }
            found.is_none()
        });
        let mut occurs = vec![false; order.len()];
        for &(user, item) in &pairs {
            occurs[place[user as usize] as usize] = true;
            ends[place[user as usize] as usize + 1] += usize::from(spill.known[item as usize].is_some());
        }
        for at in 0..order.len() {
            ends[at + 1] += ends[at];
        }
        let mut next = ends.clone();
        let mut items = vec![0u32; ends[order.len()]];
        for (user, item) in pairs {
            if let Some(number) = spill.known[item as usize] {
                let at = &mut next[place[user as usize] as usize];
                items[*at] = number;
                *at += 1;
            }
        }
        let mut run = Vec::with_capacity(items.len() * 4 + order.len() * 16);
        for (at, &code) in order.iter().enumerate() {
            // Of some users, all rows were left out.
            if !occurs[at] {
                continue;
            }
            let (name, items) = (self.users.name(code), &items[ends[at]..ends[at + 1]]);
            run.extend((name.len() as u32).to_le_bytes());
            run.extend(name.as_bytes());
            run.extend((items.len() as u32).to_le_bytes());
            run.extend(items.iter().flat_map(|item| item.to_le_bytes()));
        }
        self.left_out.missing_ids += left_out;
        self.rows -= left_out;
        self.users.clear();
        self.spill = Some(spill);
        run
    }

    /// Writes what is in memory as a run, if that is due.
    #[cold]
    pub(super) fn look(&mut self) {
        let rows = self.pairs.iter().map(Vec::len).sum();
        if self.spill.as_ref().is_some_and(|spill| spill.is_due(rows, self.users.len())) {
            let run = self.take_run();
            if let Some(spill) = &mut self.spill {
                spill.write(&run);
            }
        }
        let part = self.pairs[self.part as usize].len();
        self.next_look = self.spill.as_ref().map_or(usize::MAX, |spill| part + spill.rows.min(STEP));
    }

    /// All runs; `last` is the one of the rows at the end.
    pub(super) fn into_runs(self, last: Vec<u8>) -> Result<Runs> {
        let Some(mut spill) = self.spill else {
            return Ok(Runs { file: None, places: Vec::new(), last });
        };
        spill.check()?;
        let Spill { file, runs, folder, .. } = *spill;
        let flush = |file: BufWriter<File>| {
            file.into_inner()
                .map_err(|error| Error::io("write a temporary file in", &folder, error.into_error()))
        };
        Ok(Runs { file: file.map(flush).transpose()?, places: runs, last })
    }
}
