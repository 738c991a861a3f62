//! Splits a data set into training, validation and test.

mod in_time;

use super::{
    Csr, Dataset, Moment, TimesRead, parallel,
    random::{Purpose, Stream},
};
use crate::{
    Error, Result,
    config::{
        Kind, Section,
        setting::{settings, words},
    },
    watch,
};

/// Users to evaluate: each user's representation is computed from `fold_in`, whose items are excluded from
/// the ranking; the ranking of all other items is compared with `held_out`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvaluationSet {
    /// Rows of the [`Dataset`], ascending. All these users have held-out items.
    pub users: Vec<u32>,
    /// Row `n`: the known items of user `users[n]`.
    pub fold_in: Csr,
    /// Row `n`: the held-out items of user `users[n]`; never empty, never in `fold_in`.
    pub held_out: Csr,
    /// Number of users of this part who have too few items to hold any out; means exclude them.
    pub skipped: u32,
}

/// Training rows, and the sets for validation and test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Row `n`: the training items of user `train_users[n]`; never empty. Columns are those of the set.
    pub train: Csr,
    /// Rows of the [`Dataset`], ascending.
    pub train_users: Vec<u32>,
    /// For model selection; its held-out items are neither in `train` nor in `test.held_out`.
    pub validation: EvaluationSet,
    /// For the final result. If the same users are used for validation and test, `fold_in` contains all items
    /// of a user except the test items, thus also the validation items.
    pub test: EvaluationSet,
}

words! {
    /// How a data set is split.
    pub enum Protocol default Weak {
        /// The paper's: every user is trained on part of his items and tested on the rest (weak generalisation).
        Weak = "weak",
        /// Users are held out whole; part of their items is folded in (strong generalisation: Liang et al. 2018).
        Strong = "strong",
        /// The parts in which the set was published.
        Given = "given",
        /// The last items of every user, by time, are the test (leave-last-out).
        Last = "last",
        /// Everything from a moment on is the test.
        Time = "time",
    }
}

settings! {
    /// How a data set is split into training, validation and test.
    pub struct SplitOptions in "split" {
        /// `weak`: every user is trained on part of their items and tested on the rest. `strong`: users are held out
        /// whole. `given`: the parts in which the set was published. `last`: the last items of every user are the test.
        /// `time`: everything from a moment on is the test.
        protocol: Protocol = Protocol::default(), "PROTOCOL", Kind::Word(Protocol::WORDS), flag "split";
        /// Share of a user's items that is held out: `round((1 - share) n)` remain.
        test_share: f64 = 0.2, "SHARE", Kind::Real(f64::MIN_POSITIVE, 0.95);
        /// Under `last`: the number of items of each user that are the test, and as many for validation.
        test_items: u32 = 1, "N", Kind::Integer(1, u32::MAX as u64);
        /// Under `time`: the test begins here, at a date, at a number as in the data, or after a share of all
        /// interactions. Validation is cut in the same way from what is before.
        test_from: TestFrom = TestFrom::default(), "TIME|SHARE%", Kind::Text;
        /// Under `weak` and `given`: number of users some of whose training items are held out for
        /// validation, under `last` and `time` the number of users to validate on; 0: no validation.
        validation_users: u32 = 5000, "N", Kind::Integer(0, u32::MAX as u64);
        /// Share of these users' training items that is held out for validation; 0: no validation.
        validation_share: f64 = 0.2, "SHARE", Kind::Real(0.0, 0.95);
        /// Under `strong`: share of users held out for validation, and as many for the test.
        held_out_users: f64 = 0.1, "SHARE", Kind::Real(f64::MIN_POSITIVE, 0.45);
        /// Split seed (default: --seed).
        seed: u64 = 0, "N", Kind::Integer(0, u64::MAX), flag "split-seed";
    }
}

/// Where the test of a split by time begins.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TestFrom {
    /// After this share of all interactions, above 0 and below 1.
    Share(f64),
    /// At this moment.
    Moment(Moment),
}

impl Default for TestFrom {
    fn default() -> Self {
        Self::Share(0.9)
    }
}

impl std::fmt::Display for TestFrom {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Share(share) => write!(out, "{}%", (share * 1e8).round() / 1e6),
            Self::Moment(moment) => moment.fmt(out),
        }
    }
}

impl std::str::FromStr for TestFrom {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let Some(share) = text.trim().strip_suffix('%') else {
            let moment = text.parse().map_err(|_| {
                let problem = format!(
                    "{text:?} is neither a time (2024-01-31, or a number as in the data) nor a share (90%)"
                );
                Error::setting("test-from", problem)
            })?;
            return Ok(Self::Moment(moment));
        };
        match share.trim().parse::<f64>() {
            Ok(share) if share > 0.0 && share < 100.0 => Ok(Self::Share(share / 100.0)),
            _ => Err(Error::setting("test-from", format!("{text:?} is no share between 0% and 100%"))),
        }
    }
}

impl TryFrom<String> for TestFrom {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<TestFrom> for String {
    fn from(from: TestFrom) -> Self {
        from.to_string()
    }
}

impl SplitOptions {
    /// What a split needs of the times of interactions.
    pub fn times(&self) -> TimesRead {
        match self.protocol {
            Protocol::Last | Protocol::Time => TimesRead::Each,
            Protocol::Weak | Protocol::Strong | Protocol::Given => TimesRead::Nothing,
        }
    }
}

/// Splits a data set. The same set, options and seed give the same split on every machine.
///
/// # Errors
/// [`Error::Setting`] for a share out of range, or for `given` if the set is published without a split;
/// [`Error::Data`] if no user is left for training or for the test.
pub fn split(dataset: &Dataset, options: &SplitOptions) -> Result<Split> {
    options.check_bounds()?;
    let split = match options.protocol {
        Protocol::Weak => weak(dataset, options)?,
        Protocol::Strong => strong(dataset, options)?,
        Protocol::Given => given(dataset, options)?,
        Protocol::Last => in_time::last(dataset, options)?,
        Protocol::Time => in_time::by_time(dataset, options)?,
    };
    if split.train.nnz() == 0 {
        return Err(Error::Data(format!("{}: no user is left to train on; use a larger set", dataset.name)));
    }
    if split.test.users.is_empty() && options.protocol == Protocol::Given {
        return Err(Error::Data(format!(
            "{}: its test part holds nothing that is not in its other parts too; use weak or strong",
            dataset.name
        )));
    }
    if split.test.users.is_empty() && matches!(options.protocol, Protocol::Last | Protocol::Time) {
        return Err(Error::Data(format!(
            "{}: no user has items both before the test and in it; begin the test elsewhere with `test-from`, or use a set \
             with longer histories",
            dataset.name
        )));
    }
    if split.test.users.is_empty() {
        return Err(Error::Data(format!(
            "{}: no user has enough items to hold {}% of them out; raise the share, or use a set with longer histories",
            dataset.name,
            options.test_share * 100.0
        )));
    }
    Ok(split)
}

/// The first `round((1 - share) n)` items of the user's random permutation, ascending, and the other items.
fn divide(row: &[u32], share: f64, mut random: Stream) -> (Vec<u32>, Vec<u32>) {
    let kept = ((1.0 - share) * row.len() as f64).round() as usize;
    let mut row = row.to_vec();
    random.shuffle(&mut row, kept);
    let mut rest = row.split_off(kept);
    row.sort_unstable();
    rest.sort_unstable();
    (row, rest)
}

/// Collects the rows of users who have held-out items.
fn evaluation(rows: Vec<(u32, Vec<u32>, Vec<u32>)>, columns: u32) -> Result<EvaluationSet> {
    let all = rows.len();
    let rows: Vec<_> =
        rows.into_iter().filter(|(_, seen, rest)| !seen.is_empty() && !rest.is_empty()).collect();
    Ok(EvaluationSet {
        users: rows.iter().map(|row| row.0).collect(),
        fold_in: Csr::from_sorted(rows.iter().map(|row| &row.1), columns)?,
        held_out: Csr::from_sorted(rows.iter().map(|row| &row.2), columns)?,
        skipped: (all - rows.len()) as u32,
    })
}

fn weak(dataset: &Dataset, options: &SplitOptions) -> Result<Split> {
    let all = &dataset.interactions;
    let columns = all.columns() as u32;
    watch::begin("splitting", "users", all.rows() as u64);
    let parts = parallel::map(all.rows(), |user| {
        if watch::is_stopping() {
            return Default::default();
        }
        watch::advance(1);
        divide(all.row(user), options.test_share, Stream::new(options.seed, Purpose::Test, user as u32))
    });
    watch::check()?;
    let training = Csr::from_sorted(parts.iter().map(|part| &part.0), columns)?;
    let rows = parts.into_iter().enumerate().map(|(user, (seen, rest))| (user as u32, seen, rest)).collect();
    let test = evaluation(rows, columns)?;
    let (train, train_users, validation) = cut_validation(&training, options)?;
    Ok(Split { train, train_users, validation, test })
}

/// Moves some training items of a sample of users to validation.
fn cut_validation(training: &Csr, options: &SplitOptions) -> Result<(Csr, Vec<u32>, EvaluationSet)> {
    let columns = training.columns() as u32;
    let train_users: Vec<u32> =
        (0..training.rows() as u32).filter(|&u| !training.row(u as usize).is_empty()).collect();
    let mut sample: Vec<u32> =
        train_users.iter().copied().filter(|&user| training.row(user as usize).len() >= 2).collect();
    let count = if options.validation_share > 0.0 { options.validation_users as usize } else { 0 };
    Stream::new(options.seed, Purpose::Users, 0).shuffle(&mut sample, count);
    sample.truncate(count);
    sample.sort_unstable();
    let rows = parallel::map(sample.len(), |at| {
        let user = sample[at];
        let row = training.row(user as usize);
        // Even in a short history, at least one item is held out for validation and at least one remains,
        // whatever the share.
        let share = options.validation_share.max(1.0 / row.len() as f64).min(1.0 - 1.0 / row.len() as f64);
        let (seen, rest) = divide(row, share, Stream::new(options.seed, Purpose::Validation, user));
        (user, seen, rest)
    });
    let mut cut = rows.iter().peekable();
    let train = train_users.iter().map(|&user| match cut.next_if(|row| row.0 == user) {
        Some((_, seen, _)) => seen.as_slice(),
        None => training.row(user as usize),
    });
    let train = Csr::from_sorted(train, columns)?;
    Ok((train, train_users, evaluation(rows, columns)?))
}

/// Held-out users are evaluated only on items that occur in training, as in Liang et al. 2018.
fn strong(dataset: &Dataset, options: &SplitOptions) -> Result<Split> {
    let all = &dataset.interactions;
    let columns = all.columns() as u32;
    let mut users: Vec<u32> = (0..all.rows() as u32).collect();
    let count = (options.held_out_users * users.len() as f64).round() as usize;
    if count == 0 || users.len() <= 2 * count {
        return Err(Error::Data(format!(
            "{}: {} users are too few to hold {count} out for validation and {count} for the test; change held-out-users",
            dataset.name,
            users.len()
        )));
    }
    Stream::new(options.seed, Purpose::Users, 0).shuffle(&mut users, 2 * count);
    let mut train_users = users.split_off(2 * count);
    let mut test_users = users.split_off(count);
    let mut validation_users = users;
    for users in [&mut train_users, &mut test_users, &mut validation_users] {
        users.sort_unstable();
    }
    let train = all.select(&train_users)?;
    let known: Vec<bool> = train.column_counts().iter().map(|&count| count > 0).collect();
    let held_out = |users: &[u32]| {
        let rows = parallel::map(users.len(), |at| {
            let user = users[at];
            let row = all.row(user as usize).iter().copied().filter(|&item| known[item as usize]);
            let row: Vec<u32> = row.collect();
            let (seen, rest) =
                divide(&row, options.test_share, Stream::new(options.seed, Purpose::Test, user));
            (user, seen, rest)
        });
        evaluation(rows, columns)
    };
    Ok(Split { validation: held_out(&validation_users)?, test: held_out(&test_users)?, train, train_users })
}

/// The published parts; if there is no validation part, training items are held out for it as under `weak`.
fn given(dataset: &Dataset, options: &SplitOptions) -> Result<Split> {
    let Some(given) = &dataset.given else {
        return Err(Error::setting(
            "split",
            format!("{} does not come in parts, so it has no given split; use weak or strong", dataset.name),
        ));
    };
    let test = given.test.clone();
    if let Some(validation) = &given.validation {
        let train_users: Vec<u32> = (0..given.train.rows() as u32)
            .filter(|&user| !given.train.row(user as usize).is_empty())
            .collect();
        let train = given.train.select(&train_users)?;
        return Ok(Split { train, train_users, validation: validation.clone(), test });
    }
    let (train, train_users, validation) = cut_validation(&given.train, options)?;
    Ok(Split { train, train_users, validation, test })
}
