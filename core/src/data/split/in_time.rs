//! Splits by time: the last items of each user, or everything from a moment on.
//!
//! The first time of an interaction counts, and interactions of one time are in the order of the files. Training
//! sees nothing that comes after what it is validated on, and neither sees the test.

use super::{EvaluationSet, Protocol, Split, SplitOptions, TestFrom, evaluation};
use crate::{
    Error, Result,
    data::{
        Csr, Dataset, Times,
        random::{Purpose, Stream},
    },
};

/// The items of a user before a cut and after it, both ascending.
type Cut = (Vec<u32>, Vec<u32>);

fn times(dataset: &Dataset, protocol: Protocol) -> Result<&Times> {
    let times = dataset.times.as_ref().filter(|times| times.timed || protocol == Protocol::Last);
    times.ok_or_else(|| {
        let problem = format!(
            "{} has no times, which {} needs; name their column in `columns`, as user=..,item=..,time=..",
            dataset.name,
            protocol.name()
        );
        Error::setting("split", problem)
    })
}

/// Users of whom some items are held out: a sample for validation.
fn sample(mut users: Vec<u32>, options: &SplitOptions) -> Vec<u32> {
    let count = if options.validation_share > 0.0 { options.validation_users as usize } else { 0 };
    Stream::new(options.seed, Purpose::Users, 0).shuffle(&mut users, count);
    users.truncate(count);
    users.sort_unstable();
    users
}

/// The training rows that are not empty, and their users.
fn training(rows: &[Vec<u32>], columns: u32) -> Result<(Csr, Vec<u32>)> {
    let users: Vec<u32> = (0..rows.len() as u32).filter(|&user| !rows[user as usize].is_empty()).collect();
    Ok((Csr::from_sorted(users.iter().map(|&user| &rows[user as usize]), columns)?, users))
}

/// The last `test_items` items of each user are the test, those before them validate a sample of users.
pub(super) fn last(dataset: &Dataset, options: &SplitOptions) -> Result<Split> {
    let all = &dataset.interactions;
    let (columns, count) = (all.columns() as u32, options.test_items as usize);
    let times = times(dataset, Protocol::Last)?;
    // The items of each user in their order in time.
    let ordered: Vec<Vec<u32>> = (0..all.rows())
        .map(|user| {
            let start = all.offsets()[user] as usize;
            let mut places: Vec<usize> = (0..all.row(user).len()).collect();
            places.sort_unstable_by_key(|&at| times.key(start + at));
            places.into_iter().map(|at| all.row(user)[at]).collect()
        })
        .collect();
    let ascending = |items: &[u32]| {
        let mut items = items.to_vec();
        items.sort_unstable();
        items
    };
    // A user with too few items for a test is trained on alone.
    let before = |row: &Vec<u32>| if row.len() > count { row.len() - count } else { row.len() };
    let test = ordered.iter().zip(0u32..).map(|(row, user)| {
        let cut = before(row);
        (user, ascending(&row[..cut]), ascending(&row[cut..]))
    });
    let test = evaluation(test.collect(), columns)?;
    let eligible = (0..all.rows() as u32).filter(|&user| {
        let row = &ordered[user as usize];
        row.len() > count && before(row) > count
    });
    let chosen = sample(eligible.collect(), options);
    let mut rows: Vec<Vec<u32>> = ordered.iter().map(|row| ascending(&row[..before(row)])).collect();
    let mut validation = Vec::with_capacity(chosen.len());
    for &user in &chosen {
        let row = &ordered[user as usize];
        let (end, cut) = (before(row), before(row) - count);
        let seen = ascending(&row[..cut]);
        rows[user as usize].clone_from(&seen);
        validation.push((user, seen, ascending(&row[cut..end])));
    }
    let (train, train_users) = training(&rows, columns)?;
    Ok(Split { train, train_users, validation: evaluation(validation, columns)?, test })
}

/// Everything from a moment on is the test; the last part of what is before validates.
pub(super) fn by_time(dataset: &Dataset, options: &SplitOptions) -> Result<Split> {
    let all = &dataset.interactions;
    let columns = all.columns() as u32;
    let times = times(dataset, Protocol::Time)?;
    let cut = match options.test_from {
        TestFrom::Moment(moment) => moment.0,
        TestFrom::Share(share) => quantile(times.times.clone(), share),
    };
    let earlier = times.times.iter().filter(|&&time| time < cut).count();
    if earlier == 0 || earlier == all.nnz() {
        let problem = format!(
            "{} of {} interactions are before {}; the times are {} to {}",
            earlier,
            all.nnz(),
            crate::data::Moment(cut),
            crate::data::Moment(times.times.iter().copied().min().unwrap_or(0)),
            crate::data::Moment(times.times.iter().copied().max().unwrap_or(0))
        );
        return Err(Error::setting("test-from", problem));
    }
    let test = cut_rows(all, times, i64::MIN, cut, i64::MAX);
    let test = evaluation(
        test.into_iter()
            .enumerate()
            .map(|(user, (seen, rest))| (user as u32, seen, rest))
            .filter(|row| !row.2.is_empty())
            .collect(),
        columns,
    )?;
    // The same share of what is before the test comes before the validation.
    let share = earlier as f64 / all.nnz() as f64;
    let before: Vec<i64> = times.times.iter().copied().filter(|&time| time < cut).collect();
    let validates = options.validation_users > 0 && options.validation_share > 0.0;
    let middle = if validates { quantile(before, share) } else { cut };
    let parts: Vec<Cut> = cut_rows(all, times, i64::MIN, middle, cut);
    let eligible = (0u32..).zip(&parts).filter(|(_, (seen, rest))| !seen.is_empty() && !rest.is_empty());
    let chosen = sample(eligible.map(|(user, _)| user).collect(), options);
    let validation = chosen.iter().map(|&user| {
        let (seen, rest) = &parts[user as usize];
        (user, seen.clone(), rest.clone())
    });
    let validation: EvaluationSet = evaluation(validation.collect(), columns)?;
    let rows: Vec<Vec<u32>> = parts.into_iter().map(|(seen, _)| seen).collect();
    let (train, train_users) = training(&rows, columns)?;
    Ok(Split { train, train_users, validation, test })
}

/// The time before which this share of all times lies.
fn quantile(mut times: Vec<i64>, share: f64) -> i64 {
    let at = ((share * times.len() as f64) as usize).min(times.len().saturating_sub(1));
    if times.is_empty() { 0 } else { *times.select_nth_unstable(at).1 }
}

/// The items of each user in `from..cut` and in `cut..until`.
fn cut_rows(all: &Csr, times: &Times, from: i64, cut: i64, until: i64) -> Vec<Cut> {
    let cut_row = |user: usize| {
        let start = all.offsets()[user] as usize;
        let mut parts = Cut::default();
        for (at, &item) in all.row(user).iter().enumerate() {
            let time = times.times[start + at];
            if (from..cut).contains(&time) {
                parts.0.push(item);
            } else if time >= cut && (time < until || until == i64::MAX) {
                parts.1.push(item);
            }
        }
        parts
    };
    (0..all.rows()).map(cut_row).collect()
}
