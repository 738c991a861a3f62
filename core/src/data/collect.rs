//! Turns parsed rows into a [`Dataset`]: numbers the ids, drops repeats, applies filters and a given split.

use super::{
    Counts, Csr, Dataset, EvaluationSet, GivenSplit, LoadOptions, LoadReport, Moment, Times, TimesRead,
    filter,
    intern::{Interner, merge},
    names::{MISSING, MORE},
    parallel,
    roles::Decision,
    shard::{PARTS, Part, Shard},
};
use crate::{Error, Result};

/// The part whose times are read.
const TRAIN: usize = Part::Train as usize;
/// The most notes of a report.
const MOST_NOTES: usize = 20;

/// Collects the rows of all files of a data set.
pub(super) struct Collector {
    pub(super) shards: Vec<Shard>,
    pub(super) options: LoadOptions,
    pub(super) report: LoadReport,
    /// The names of the user and the item column, if there is a header: rows that hold them repeat it.
    header: Option<[String; 2]>,
    /// The header of the first file, as a line.
    pub(super) header_line: Option<String>,
    /// What to say if nothing is left.
    hint: Option<String>,
}

impl Collector {
    pub(super) fn new(options: &LoadOptions) -> Self {
        Self {
            shards: (0..parallel::threads()).map(|_| Shard::new(options)).collect(),
            options: options.clone(),
            report: LoadReport::default(),
            header: None,
            header_line: None,
            hint: None,
        }
    }

    /// Notes which words were taken for missing values.
    pub(super) fn note_missing(&mut self, words: &[&str]) {
        if !words.is_empty() {
            self.note(format!(
                "rows whose user or item is {} are left out; `missing-ids = kept` makes them ids like others",
                words.join(" or ")
            ));
        }
    }

    /// Starts a new file, whose rows belong to this part.
    pub(super) fn begin(&mut self, file: &str, part: Part) {
        self.report.files.push(file.to_owned());
        for shard in &mut self.shards {
            // Where lines are users, they are the same ones in each part of a split.
            if shard.part != part {
                shard.lines = 0;
            }
            shard.part = part;
            shard.item.clear();
            shard.begin_block();
        }
    }

    /// Records the format of the rows of a file and the decision about its columns.
    ///
    /// # Errors
    /// [`Error::Format`] if the columns are not those of the files before.
    pub(super) fn decided(&mut self, file: &str, form: &str, decision: &Decision) -> Result<()> {
        let first = self.report.form.is_empty();
        if first {
            form.clone_into(&mut self.report.form);
            self.report.columns.clone_from(&decision.columns);
            self.report.unread.clone_from(&decision.unread);
        } else if self.report.columns != decision.columns {
            let shown = |columns: &[(String, String)]| {
                columns.iter().map(|(role, name)| format!("{role}={name}")).collect::<Vec<_>>().join(",")
            };
            let problem = format!(
                "its columns are {}, and those of {} are {}; name those of all files in `columns`, or give the path of \
                 one file",
                shown(&decision.columns),
                self.report.files[0],
                shown(&self.report.columns)
            );
            return Err(Error::format(file, problem));
        }
        decision.notes.iter().for_each(|note| self.note(note.clone()));
        self.hint = self.hint.take().or_else(|| decision.hint.clone());
        if decision.header
            && let [(_, user), (_, item), ..] = &decision.columns[..]
        {
            self.header = Some([user.clone(), item.clone()]);
        }
        Ok(())
    }

    /// Adds a note to the report, once.
    pub(super) fn note(&mut self, note: String) {
        if self.report.notes.len() < MOST_NOTES && !self.report.notes.contains(&note) {
            self.report.notes.push(note);
        }
    }

    /// Leaves out rows whose user or item stands for nothing, and rows that repeat the header.
    fn drop_missing(&mut self) {
        let mut repeats = 0;
        let mut words: Vec<&'static str> = Vec::new();
        for shard in &mut self.shards {
            let codes = |interner: &Interner| -> Vec<(u32, &'static str)> {
                MISSING.iter().filter_map(|word| Some((interner.find(word)?, *word))).collect()
            };
            let (mut users, mut items) = (codes(&shard.users), codes(&shard.items));
            if shard.keeps_missing() {
                users.clear();
                items.clear();
            }
            let header = self
                .header
                .as_ref()
                .and_then(|[user, item]| Some((marked(&shard.users, user)?, marked(&shard.items, item)?)));
            if users.is_empty() && items.is_empty() && header.is_none() {
                continue;
            }
            let mut missing = 0;
            let word = |codes: &[(u32, &'static str)], code: u32| {
                codes.iter().find(|one| one.0 == code).map(|one| one.1)
            };
            shard.retain(|pair| {
                if Some(pair) == header {
                    repeats += 1;
                    return false;
                }
                let Some(found) = word(&users, pair.0).or_else(|| word(&items, pair.1)) else { return true };
                missing += 1;
                if !words.contains(&found) {
                    words.push(found);
                }
                false
            });
            shard.left_out.missing_ids += missing;
        }
        words.sort_unstable();
        self.note_missing(&words);
        if repeats > 0 {
            self.note(format!("{repeats} lines repeat the header and are left out"));
        }
    }

    /// Adds what the shards have seen to the report.
    pub(super) fn complete_report(&mut self) {
        let report = &mut self.report;
        let mut span: Option<(i64, i64)> = None;
        let (mut decoded, mut words) = (0, 0);
        for shard in &mut self.shards {
            let left_out = &shard.left_out;
            report.rows += shard.rows;
            report.blank_lines += left_out.blank_lines;
            report.missing_ids += left_out.missing_ids;
            report.bad_rows += left_out.bad_rows;
            report.unmet_conditions += left_out.unmet_conditions;
            report.without_time += left_out.without_time;
            report.outside_window += left_out.outside_window;
            report.without_rating += left_out.without_rating;
            report.below_min_rating += left_out.below_min_rating;
            report.bad_row_samples.append(&mut shard.samples);
            decoded += shard.users.decoded + shard.items.decoded;
            words += shard.rating_words;
            if let Some((first, last)) = shard.span {
                span = Some(span.map_or((first, last), |(a, b)| (a.min(first), b.max(last))));
            }
        }
        report.span = span.map(|(first, last)| (Moment(first), Moment(last)));
        let (bad, samples) = (report.bad_rows, report.bad_row_samples.join("; "));
        if decoded > 0 {
            self.note(format!(
                "{decoded} ids are not UTF-8 and were read as Windows-1252; `encoding` names another encoding"
            ));
        }
        if words > 0 {
            self.note(format!("{words} ratings are words: those for yes count as 1, those for no as 0"));
        }
        if bad > 0 {
            self.note(format!("{bad} rows cannot be read and are left out; the first: {samples}"));
        }
        let (missing, rows) = (self.report.missing_ids, self.report.rows);
        if missing > rows {
            self.note(format!("most rows have no user or no item: {missing} are left out, {rows} are read"));
        }
    }

    /// The data set, after the filters.
    pub(super) fn finish(mut self, name: &str) -> Result<Dataset> {
        self.drop_missing();
        self.complete_report();
        let Self { shards, options, mut report, hint, .. } = self;
        let times = (options.times == TimesRead::Each).then(|| InOrder::of(&shards));
        let timed = report.columns.iter().any(|(role, _)| role == "time") || report.span.is_some();
        let (mut users, mut items) = (Vec::new(), Vec::new());
        let mut pairs: [Vec<Vec<(u32, u32)>>; PARTS] = Default::default();
        let mut all_times = Vec::new();
        for shard in shards {
            users.push(shard.users);
            items.push(shard.items);
            all_times.push(shard.times);
            pairs.iter_mut().zip(shard.pairs).for_each(|(all, part)| all.push(part));
        }
        let (users, user_places) = merge(users);
        let (items, item_places) = merge(items);
        let columns = items.len() as u32;
        let mut parts = Vec::with_capacity(PARTS);
        let mut moments = None;
        for (part, mut shards) in pairs.into_iter().enumerate() {
            let places = user_places.iter().zip(&item_places);
            let tasks =
                shards.iter_mut().zip(places).map(|(pairs, (users, items))| Renumber { pairs, users, items });
            parallel::spread(tasks.collect(), Renumber::run, || ());
            if shards.iter().all(Vec::is_empty) {
                parts.push(None);
            } else {
                let csr = Csr::from_pairs(&shards, users.len(), columns)?;
                if let (TRAIN, Some(order)) = (part, &times) {
                    moments = Some(order.times(&csr, &shards, &all_times, timed));
                }
                parts.push(Some(csr));
            }
        }
        let kept: usize = parts.iter().flatten().map(Csr::nnz).sum();
        report.duplicates = report.rows - report.below_min_rating - kept as u64;
        if kept == 0 {
            let hint = hint.filter(|_| MORE).map_or_else(String::new, |hint| format!("; {hint}"));
            return Err(Error::Data(nothing_left(name, &report, &options) + &hint));
        }
        build(name, Read { users, items, parts, times: moments }, options.core, report)
    }
}

/// The code of a name of a header, which may have a byte order mark where files were joined.
fn marked(interner: &Interner, name: &str) -> Option<u32> {
    let found = interner.find(name);
    if MORE { found.or_else(|| interner.find(&format!("\u{feff}{name}"))) } else { found }
}

/// Why nothing is left of a set.
pub(super) fn nothing_left(name: &str, report: &LoadReport, options: &LoadOptions) -> String {
    let gone: Vec<String> = report.left_out().map(|(what, count)| format!("{count} {what}")).collect();
    match options.min_rating {
        Some(least) if report.rows > 0 => {
            format!("{name}: all {} rows are rated below `min-rating` {least}; lower it", report.rows)
        }
        _ if gone.is_empty() => {
            format!("{name}: there are no interactions in it, nothing but a header or blank lines")
        }
        _ => format!("{name}: there are no interactions in it; left out are rows {}", gone.join(", ")),
    }
}

/// The order of rows in the files: for each block and each shard, the pairs that it read of it.
struct InOrder(Vec<(usize, std::ops::Range<usize>)>);

impl InOrder {
    fn of(shards: &[Shard]) -> Self {
        let blocks = shards.iter().map(|shard| shard.blocks.len()).max().unwrap_or(0);
        let mut pieces = Vec::new();
        for block in 0..blocks {
            for (number, shard) in shards.iter().enumerate() {
                let at = |block: usize| shard.blocks.get(block).copied();
                let end = shard.pairs[Part::Train as usize].len();
                if let Some(start) = at(block) {
                    pieces.push((number, start..at(block + 1).unwrap_or(end)));
                }
            }
        }
        Self(pieces)
    }

    /// The first time of each interaction, and its place in the files.
    fn times(&self, csr: &Csr, pairs: &[Vec<(u32, u32)>], times: &[Vec<i64>], timed: bool) -> Times {
        let mut first = vec![i64::MAX; csr.nnz()];
        let mut order = vec![u32::MAX; csr.nnz()];
        let rows = self.0.iter().flat_map(|(shard, range)| range.clone().map(move |at| (*shard, at)));
        for (number, (shard, at)) in rows.enumerate() {
            let ((user, item), time) = (pairs[shard][at], times[shard][at]);
            if let Ok(place) = csr.row(user as usize).binary_search(&item) {
                let place = csr.offsets()[user as usize] as usize + place;
                if order[place] == u32::MAX || time < first[place] {
                    (first[place], order[place]) = (time, u32::try_from(number).unwrap_or(u32::MAX - 1));
                }
            }
        }
        Times { times: first, order, timed }
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

/// A set before its filters.
struct Read {
    users: Vec<String>,
    items: Vec<String>,
    parts: Vec<Option<Csr>>,
    times: Option<Times>,
}

/// Applies the k-core to all parts together, then reduces every part to the remaining users and items.
fn build(name: &str, read: Read, core: u32, mut report: LoadReport) -> Result<Dataset> {
    let Read { mut users, mut items, mut parts, mut times } = read;
    let given = parts[1..].iter().any(Option::is_some);
    let mut interactions = match parts[0].take() {
        Some(train) if !given => train,
        train => {
            parts[0] = train;
            union(&parts, users.len(), items.len() as u32)?
        }
    };
    let mut reduce = |kept: &filter::Core, interactions: &mut Csr| {
        let columns = kept.columns(interactions.columns());
        let count = kept.items.len() as u32;
        times = times.take().map(|times| times.restrict(interactions, &kept.users, &columns));
        *interactions = interactions.restrict(&kept.users, &columns, count);
        for part in parts.iter_mut().flatten() {
            *part = part.restrict(&kept.users, &columns, count);
        }
        users = pick(std::mem::take(&mut users), &kept.users);
        items = pick(std::mem::take(&mut items), &kept.items);
    };
    // Ids whose rows were all left out after they were numbered.
    if let Some(used) = filter::used(&interactions) {
        reduce(&used, &mut interactions);
    }
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
        reduce(&kept, &mut interactions);
    }
    #[cfg(feature = "forms")]
    report.notes.extend(super::strangers::notes([&users, &items], &interactions));
    if let Some(user) = filter::giant(&interactions) {
        let (name, count) = (&users[user], interactions.row(user).len());
        report.notes.push(format!(
            "the user {name:?} has {count} items, many times as many as anybody else; if it stands for nobody, leave its rows \
             out with `where`"
        ));
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
        times,
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
