//! Turns parsed rows into a [`Dataset`]: numbers the ids, drops repeats, applies filters and a given split.

use super::{
    Counts, Csr, Dataset, EvaluationSet, GivenSplit, LoadOptions, LoadReport, filter,
    intern::{Interner, merge},
    parallel,
};
use crate::{Error, Result};

/// The part of a given split that a file holds. Sets without a split are all `Train`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Train,
    ValidationFoldIn,
    ValidationHeldOut,
    TestFoldIn,
    TestHeldOut,
}

const PARTS: usize = Part::TestHeldOut as usize + 1;

/// The rows that one thread has read so far.
pub(super) struct Shard {
    users: Interner,
    items: Interner,
    pairs: [Vec<(u32, u32)>; PARTS],
    part: Part,
    /// The item of the following lines, for formats that name it once for several lines.
    pub(super) item: Vec<u8>,
    min_rating: Option<f32>,
    rows: u64,
    below_min_rating: u64,
    pub(super) blank_lines: u64,
}

impl Shard {
    /// Adds an interaction, with its rating if the format has one.
    #[inline]
    pub(super) fn add(&mut self, user: &[u8], item: &[u8], rating: Option<&[u8]>) -> Result<(), String> {
        let rating = rating.map(parse_rating).transpose()?;
        self.add_rated(user, item, rating)
    }

    /// As above, for formats whose ratings are already numbers.
    #[inline]
    pub(super) fn add_rated(&mut self, user: &[u8], item: &[u8], rating: Option<f32>) -> Result<(), String> {
        if user.is_empty() || item.is_empty() {
            return Err(format!("the {} id is empty", if user.is_empty() { "user" } else { "item" }));
        }
        self.rows += 1;
        if let (Some(rating), Some(least)) = (rating, self.min_rating)
            && rating < least
        {
            self.below_min_rating += 1;
            return Ok(());
        }
        let pair = (self.users.code(user)?, self.items.code(item)?);
        self.pairs[self.part as usize].push(pair);
        Ok(())
    }
}

/// Parses a finite rating. The common forms, `4` and `3.5`, have a fast path.
#[inline]
fn parse_rating(text: &[u8]) -> Result<f32, String> {
    match *text {
        [digit @ b'0'..=b'9'] => return Ok(f32::from(digit - b'0')),
        [digit @ b'0'..=b'9', b'.', tenth @ b'0'..=b'9'] => {
            return Ok(f32::from(digit - b'0') + f32::from(tenth - b'0') / 10.0);
        }
        _ => {}
    }
    let shown = String::from_utf8_lossy(text);
    match shown.parse::<f32>() {
        Ok(rating) if rating.is_finite() => Ok(rating),
        _ => Err(format!(
            "the rating is {shown:?}, which is no finite number; correct the line, or name the right column \
             in `columns`, as user=..,item=..,rating=.."
        )),
    }
}

/// Collects the rows of all files of a data set.
pub(super) struct Collector {
    pub(super) shards: Vec<Shard>,
    options: LoadOptions,
    report: LoadReport,
}

impl Collector {
    pub(super) fn new(options: &LoadOptions) -> Self {
        let shard = |_| Shard {
            users: Interner::default(),
            items: Interner::default(),
            pairs: Default::default(),
            part: Part::Train,
            item: Vec::new(),
            min_rating: options.min_rating,
            rows: 0,
            below_min_rating: 0,
            blank_lines: 0,
        };
        Self {
            shards: (0..parallel::threads()).map(shard).collect(),
            options: options.clone(),
            report: LoadReport::default(),
        }
    }

    /// Starts a new file, whose rows belong to this part.
    pub(super) fn begin(&mut self, file: &str, part: Part) {
        self.report.files.push(file.to_owned());
        for shard in &mut self.shards {
            shard.part = part;
            shard.item.clear();
        }
    }

    /// Records the format of the rows, for the report.
    pub(super) fn form(&mut self, form: &str) {
        if self.report.form.is_empty() {
            form.clone_into(&mut self.report.form);
        }
    }

    /// Number of rows read so far.
    pub(super) fn rows(&self) -> u64 {
        self.shards.iter().map(|shard| shard.rows).sum()
    }

    /// The data set, after the filters.
    pub(super) fn finish(self, name: &str) -> Result<Dataset> {
        let mut report = LoadReport { rows: self.rows(), ..self.report };
        let (mut users, mut items) = (Vec::new(), Vec::new());
        let mut pairs: [Vec<Vec<(u32, u32)>>; PARTS] = Default::default();
        for shard in self.shards {
            report.below_min_rating += shard.below_min_rating;
            report.blank_lines += shard.blank_lines;
            users.push(shard.users);
            items.push(shard.items);
            pairs.iter_mut().zip(shard.pairs).for_each(|(all, part)| all.push(part));
        }
        let (users, user_places) = merge(users);
        let (items, item_places) = merge(items);
        let columns = items.len() as u32;
        let mut parts = Vec::with_capacity(PARTS);
        for mut shards in pairs {
            let places = user_places.iter().zip(&item_places);
            let tasks =
                shards.iter_mut().zip(places).map(|(pairs, (users, items))| Renumber { pairs, users, items });
            parallel::spread(tasks.collect(), Renumber::run, || ());
            if shards.iter().all(Vec::is_empty) {
                parts.push(None);
            } else {
                parts.push(Some(Csr::from_pairs(&shards, users.len(), columns)?));
            }
        }
        let kept: usize = parts.iter().flatten().map(Csr::nnz).sum();
        report.duplicates = report.rows - report.below_min_rating - kept as u64;
        if kept == 0 {
            return Err(Error::Data(match self.options.min_rating {
                Some(least) if report.rows > 0 => {
                    format!("{name}: all {} rows are rated below `min-rating` {least}; lower it", report.rows)
                }
                _ => format!("{name}: there are no interactions in it, nothing but a header or blank lines"),
            }));
        }
        build(name, users, items, parts, self.options.core, report)
    }
}

/// Maps the codes of one shard to the numbers of the data set.
struct Renumber<'a> {
    pairs: &'a mut [(u32, u32)],
    users: &'a [u32],
    items: &'a [u32],
}

impl Renumber<'_> {
    fn run(self) {
        for pair in self.pairs {
            *pair = (self.users[pair.0 as usize], self.items[pair.1 as usize]);
        }
    }
}

/// Applies the k-core to all parts together, then reduces every part to the remaining users and items.
fn build(
    name: &str,
    mut users: Vec<String>,
    mut items: Vec<String>,
    mut parts: Vec<Option<Csr>>,
    core: u32,
    mut report: LoadReport,
) -> Result<Dataset> {
    let given = parts[1..].iter().any(Option::is_some);
    let mut interactions = match parts[0].take() {
        Some(train) if !given => train,
        train => {
            parts[0] = train;
            union(&parts, users.len(), items.len() as u32)?
        }
    };
    report.before_core = Counts::of(&interactions);
    report.core = core;
    if core > 1 {
        let kept = filter::core(&interactions, core)?;
        report.core_rounds = kept.rounds;
        if kept.users.is_empty() {
            return Err(Error::Data(format!(
                "{name}: its {core}-core is empty: {}, and after {} rounds of dropping users and items with fewer \
                 than {core} interactions nothing is left; lower `core`",
                report.before_core, kept.rounds
            )));
        }
        let columns = kept.columns(interactions.columns());
        let count = kept.items.len() as u32;
        interactions = interactions.restrict(&kept.users, &columns, count);
        for part in parts.iter_mut().flatten() {
            *part = part.restrict(&kept.users, &columns, count);
        }
        users = pick(users, &kept.users);
        items = pick(items, &kept.items);
    }
    let given = given.then(|| given_split(parts, &interactions)).transpose()?;
    Ok(Dataset {
        name: name.to_owned(),
        users,
        items,
        titles: None,
        genres: None,
        interactions,
        given,
        report,
    })
}

fn pick(names: Vec<String>, kept: &[u32]) -> Vec<String> {
    let mut names: Vec<Option<String>> = names.into_iter().map(Some).collect();
    kept.iter().filter_map(|&index| names[index as usize].take()).collect()
}

fn union(parts: &[Option<Csr>], rows: usize, columns: u32) -> Result<Csr> {
    let rows = (0..rows).map(|user| {
        let mut row: Vec<u32> = parts.iter().flatten().flat_map(|part| part.row(user)).copied().collect();
        row.sort_unstable();
        row.dedup();
        row
    });
    Csr::from_sorted(rows, columns)
}

/// The users of a held-out part: those with held-out items that are not folded in as well.
///
/// If a part has no fold-in items of its own, the training items are folded in; for the test also the
/// validation items, which are known by then.
fn given_split(parts: Vec<Option<Csr>>, all: &Csr) -> Result<GivenSplit> {
    let columns = all.columns() as u32;
    let empty = || Csr::from_sorted(vec![[0u32; 0]; all.rows()], columns);
    let mut parts = parts.into_iter();
    let mut next = || parts.next().flatten();
    let (train, validation_fold_in, validation, test_fold_in, test) =
        (next(), next(), next(), next(), next());
    let known = union(&[train.clone(), validation.clone()], all.rows(), columns)?;
    let train = train.map_or_else(empty, Ok)?;
    let evaluation = |held_out: &Csr, fold_in: &Csr| {
        let mut rows: Vec<(u32, Vec<u32>)> = Vec::new();
        let mut skipped = 0;
        for (user, row) in held_out.iter().enumerate() {
            let seen = fold_in.row(user);
            let row: Vec<u32> =
                row.iter().copied().filter(|item| seen.binary_search(item).is_err()).collect();
            if row.is_empty() {
                skipped += u32::from(!seen.is_empty());
            } else {
                rows.push((user as u32, row));
            }
        }
        let users: Vec<u32> = rows.iter().map(|row| row.0).collect();
        Ok::<_, Error>(EvaluationSet {
            fold_in: fold_in.select(&users)?,
            held_out: Csr::from_sorted(rows.into_iter().map(|row| row.1), columns)?,
            users,
            skipped,
        })
    };
    let validation = validation
        .map(|held_out| evaluation(&held_out, validation_fold_in.as_ref().unwrap_or(&train)))
        .transpose()?;
    let test = evaluation(&test.map_or_else(empty, Ok)?, test_fold_in.as_ref().unwrap_or(&known))?;
    Ok(GivenSplit { train, validation, test })
}
