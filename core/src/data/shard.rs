//! The rows that one thread has read.

use super::{
    LoadOptions, MissingIds, TimesRead, cells,
    evidence::{number, yes_or_no},
    intern::Interner,
    moment::{DateOrder, Moment},
    names::MISSING,
};

/// The part of a given split that a file holds. Sets without a split are all `Train`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Train,
    ValidationFoldIn,
    ValidationHeldOut,
    TestFoldIn,
    TestHeldOut,
}

pub(super) const PARTS: usize = Part::TestHeldOut as usize + 1;
/// The number of rows that could not be read of which a shard remembers the problem.
const SAMPLES: usize = 3;

/// The fields of one row.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Row<'a> {
    pub(super) user: &'a [u8],
    pub(super) item: &'a [u8],
    pub(super) rating: Option<&'a [u8]>,
    pub(super) time: Option<&'a [u8]>,
}

/// How many rows were left out, and why.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LeftOut {
    pub(super) blank_lines: u64,
    pub(super) missing_ids: u64,
    pub(super) bad_rows: u64,
    pub(super) unmet_conditions: u64,
    pub(super) without_time: u64,
    pub(super) outside_window: u64,
    pub(super) without_rating: u64,
    pub(super) below_min_rating: u64,
}

/// The rows that one thread has read so far.
pub(super) struct Shard {
    pub(super) users: Interner,
    pub(super) items: Interner,
    pub(super) pairs: [Vec<(u32, u32)>; PARTS],
    /// The time of each pair of the part `Train`, if each is read.
    pub(super) times: Vec<i64>,
    /// The number of pairs of the part `Train` at the beginning of each block of the files.
    pub(super) blocks: Vec<usize>,
    pub(super) part: Part,
    /// What the following rows share, for formats that name it once for several lines.
    pub(super) item: Vec<u8>,
    /// The number of lines read, for formats whose users are lines.
    pub(super) lines: u64,
    /// The order of day and month in dates.
    pub(super) date_order: DateOrder,
    pub(super) rows: u64,
    /// The sum of the counts that printed tables state below their rows.
    pub(super) stated_rows: u64,
    pub(super) left_out: LeftOut,
    /// Line (relative to what was parsed at once) and problem of the first rows that could not be read.
    pub(super) bad: Vec<(u64, String)>,
    /// Place and problem of the first rows that could not be read.
    pub(super) samples: Vec<String>,
    /// The first and the last time.
    pub(super) span: Option<(i64, i64)>,
    /// Words that were read as ratings.
    pub(super) rating_words: u64,
    /// The number of pairs of a part at which the shard looks whether it must write them to a file.
    pub(super) next_look: usize,
    /// Where rows go that are more than memory should hold; `None` where all of them are wanted at the end.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) spill: Option<Box<super::spill::Spill>>,
    min_rating: Option<f32>,
    window: Option<(i64, i64)>,
    times_read: TimesRead,
    pub(super) skip_bad_rows: bool,
    keep_missing: bool,
}

impl Shard {
    pub(super) fn new(options: &LoadOptions) -> Self {
        let window = (options.since.is_some() || options.until.is_some()).then(|| {
            (options.since.map_or(i64::MIN, |since| since.0), options.until.map_or(i64::MAX, |until| until.0))
        });
        Self {
            users: Interner::default(),
            items: Interner::default(),
            pairs: Default::default(),
            times: Vec::new(),
            blocks: Vec::new(),
            part: Part::Train,
            item: Vec::new(),
            lines: 0,
            date_order: DateOrder::default(),
            rows: 0,
            stated_rows: 0,
            left_out: LeftOut::default(),
            bad: Vec::new(),
            samples: Vec::new(),
            span: None,
            rating_words: 0,
            next_look: usize::MAX,
            #[cfg(not(target_arch = "wasm32"))]
            spill: None,
            min_rating: options.min_rating,
            window,
            times_read: options.times,
            skip_bad_rows: options.skip_bad_rows,
            keep_missing: options.missing_ids == MissingIds::Kept,
        }
    }

    /// The number of rows so far, whether they were added or left out.
    pub(super) fn rows_seen(&self) -> u64 {
        let out = &self.left_out;
        self.rows
            + out.missing_ids
            + out.bad_rows
            + out.unmet_conditions
            + out.without_time
            + out.outside_window
            + out.without_rating
    }

    /// Marks the beginning of a block: rows that follow come after all rows before in the order of the files.
    pub(super) fn begin_block(&mut self) {
        self.blocks.push(self.pairs[Part::Train as usize].len());
    }

    /// Adds a row. Rows without an id are left out and counted.
    ///
    /// # Errors
    /// The problem of the row, in words.
    #[inline]
    pub(super) fn add(&mut self, row: &Row) -> Result<(), String> {
        if row.user.is_empty() || row.item.is_empty() {
            self.left_out.missing_ids += 1;
            return Ok(());
        }
        let liked = match (self.min_rating, row.rating) {
            (Some(least), Some(text)) => match self.rating(text)? {
                Some(rating) => rating >= least,
                None => return Ok(()),
            },
            _ => true,
        };
        let time = match row.time {
            None => 0,
            Some(text) => match self.time(text) {
                Some(time) => time,
                None => return Ok(()),
            },
        };
        self.rows += 1;
        if !liked {
            self.left_out.below_min_rating += 1;
            return Ok(());
        }
        let pair = (self.users.code(row.user)?, self.items.code(row.item)?);
        self.pairs[self.part as usize].push(pair);
        if self.times_read == TimesRead::Each && self.part == Part::Train {
            self.times.push(time);
        }
        #[cfg(not(target_arch = "wasm32"))]
        if self.pairs[self.part as usize].len() >= self.next_look {
            self.look();
        }
        Ok(())
    }

    /// Adds a row whose item field holds several items.
    ///
    /// # Errors
    /// As [`Shard::add`].
    pub(super) fn add_list(&mut self, row: &Row) -> Result<(), String> {
        cells::items(row.item).try_for_each(|item| self.add(&Row { item: &item, ..*row }))
    }

    /// Counts a row that cannot be read, if such rows are left out.
    ///
    /// # Errors
    /// The problem, if they are not.
    #[cold]
    pub(super) fn bad_row(&mut self, line: u64, problem: String) -> Result<(), (u64, String)> {
        if !self.skip_bad_rows {
            return Err((line, format!("{problem} (`skip-bad-rows` leaves out such rows and counts them)")));
        }
        self.left_out.bad_rows += 1;
        if self.bad.len() < SAMPLES {
            self.bad.push((line, problem));
        }
        Ok(())
    }

    /// Remembers the first rows that could not be read.
    pub(super) fn note_bad_rows(&mut self, samples: Vec<String>) {
        let free = SAMPLES.saturating_sub(self.samples.len());
        self.samples.extend(samples.into_iter().take(free));
    }

    /// A rating; `None` for a row that is left out because it has none. The common forms, `4` and `3.5`, have a
    /// fast path.
    #[inline]
    fn rating(&mut self, text: &[u8]) -> Result<Option<f32>, String> {
        match *text {
            [digit @ b'0'..=b'9'] => Ok(Some(f32::from(digit - b'0'))),
            [digit @ b'0'..=b'9', b'.', tenth @ b'0'..=b'9'] => {
                Ok(Some(f32::from(digit - b'0') + f32::from(tenth - b'0') / 10.0))
            }
            _ => self.other_rating(&String::from_utf8_lossy(text)),
        }
    }

    fn other_rating(&mut self, text: &str) -> Result<Option<f32>, String> {
        let number = text.parse::<f32>().ok().filter(|number| number.is_finite());
        if let Some(number) = number.or_else(|| number_with_comma(text)) {
            return Ok(Some(number));
        }
        if text.is_empty() || MISSING.contains(&text) {
            self.left_out.without_rating += 1;
            return Ok(None);
        }
        if let Some(yes) = yes_or_no(text) {
            self.rating_words += 1;
            return Ok(Some(f32::from(u8::from(yes))));
        }
        Err(format!(
            "the rating is {text:?}, which is no finite number; correct the line, or name the right column in \
             `columns`, as user=..,item=..,rating=.."
        ))
    }

    /// The time of a row; `None` for a row that is left out because of it.
    fn time(&mut self, text: &[u8]) -> Option<i64> {
        let moment = std::str::from_utf8(text).ok().and_then(|text| Moment::parse(text, self.date_order));
        let Some(Moment(time)) = moment else {
            if self.window.is_some() || self.times_read == TimesRead::Each {
                self.left_out.without_time += 1;
                return None;
            }
            return Some(0);
        };
        if self.window.is_some_and(|(since, until)| !(since..until).contains(&time)) {
            self.left_out.outside_window += 1;
            return None;
        }
        self.span = Some(self.span.map_or((time, time), |(first, last)| (first.min(time), last.max(time))));
        Some(time)
    }

    /// Keeps only some pairs; the others are no longer counted as rows.
    pub(super) fn retain(&mut self, mut keep: impl FnMut((u32, u32)) -> bool) {
        for (part, pairs) in self.pairs.iter_mut().enumerate() {
            let before = pairs.len();
            if part != Part::Train as usize {
                pairs.retain(|&pair| keep(pair));
                self.rows -= (before - pairs.len()) as u64;
                continue;
            }
            let kept: Vec<bool> = pairs.iter().map(|&pair| keep(pair)).collect();
            let mut flags = kept.iter();
            pairs.retain(|_| flags.next() == Some(&true));
            let mut flags = kept.iter();
            self.times.retain(|_| flags.next() == Some(&true));
            // The number of pairs before a block falls by those that are gone.
            let mut gone = 0;
            let mut at = 0;
            for block in &mut self.blocks {
                gone += kept[at..*block].iter().filter(|kept| !**kept).count();
                at = *block;
                *block -= gone;
            }
            self.rows -= (before - pairs.len()) as u64;
        }
    }

    /// Whether words for missing values are ids like others.
    pub(super) fn keeps_missing(&self) -> bool {
        self.keep_missing
    }
}

/// A number with a decimal comma.
fn number_with_comma(text: &str) -> Option<f32> {
    number(text).map(|number| number as f32)
}
