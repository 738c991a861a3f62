//! Fuzzing: changes every form of file that the library reads at random. Inputs with a new kind of outcome
//! join the corpus, which can be a folder that later campaigns start from. Each input must give an error with a
//! message or a valid result, and never a panic.

mod samples;

use std::{
    collections::HashSet,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
};

use fastvae::{
    Error,
    data::{Dataset, LoadOptions, load_bytes},
    engine::Engine,
    recommend::{Filter, Recommender},
    run::{
        RunConfig,
        checkpoint::{self, Checkpoint},
    },
    train::Trainer,
};
use pollster::block_on;

pub use samples::samples;

/// How an input is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// As a data set; the file name gives the form if the bytes do not.
    Data(&'static str),
    /// As a checkpoint: a model then makes recommendations, and a run continues training.
    Checkpoint,
    /// As a configuration file.
    Config,
}

impl Reader {
    /// The folder of its inputs in a corpus.
    pub fn name(self) -> &'static str {
        match self {
            Self::Data(name) => name,
            Self::Checkpoint => "checkpoint",
            Self::Config => "config",
        }
    }
}

/// A valid input.
#[derive(Clone, Debug)]
pub struct Sample {
    /// How to read it.
    pub reader: Reader,
    /// The bytes of the file.
    pub bytes: Vec<u8>,
}

/// Tokens that parsers look for.
const WORDS: &[&[u8]] = &[
    b"\"",
    b"\"\"",
    b",",
    b"\t",
    b"::",
    b"\n",
    b"\r",
    b"\r\n",
    b"\0",
    b"{",
    b"}",
    b"[",
    b":",
    b"1:\n",
    b"user",
    b"item",
    b"rating",
    b"nan",
    b"-1",
    b"1e999",
    b"99999999999999999999",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"PAR1",
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"\x1f\x8b\x08",
    b"context.",
    b"null",
    b"4294967295",
    b"18446744073709551615",
    b"\xc3\xa9",
    b"#",
];
/// Boundary values of sizes and offsets.
const NUMBERS: &[u64] = &[
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    u64::MAX >> 1,
    u64::MAX,
];
/// Most mutated inputs that the corpus holds for each sample.
const MOST_KEPT: usize = 200;
/// Longest input in bytes.
const LONGEST: usize = 1 << 16;

/// A small generator (splitmix64) with a fixed algorithm, so that a seed always gives the same campaign.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`; 0 if `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        if n == 0 { 0 } else { (self.bits() % n as u64) as usize }
    }

    /// One element, chosen at random.
    pub fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// A fuzzing campaign over some samples.
pub struct Campaign {
    random: Random,
    /// For each sample, the inputs to mutate: the sample, and its mutations with new outcomes.
    corpus: Vec<(Reader, Vec<Vec<u8>>)>,
    seen: HashSet<u64>,
    /// The sample whose turn it is.
    turn: usize,
    /// The folder of the corpus, with a folder for each reader.
    folder: Option<PathBuf>,
}

impl Campaign {
    /// A campaign over these samples and the corpus in a folder; all mutations follow from the seed and the corpus.
    pub fn new(seed: u64, samples: &[Sample], folder: Option<PathBuf>) -> Self {
        let corpus = samples.iter().map(|sample| {
            let mut inputs = vec![sample.bytes.clone()];
            inputs.extend(folder.iter().flat_map(|folder| stored(&folder.join(sample.reader.name()))));
            (sample.reader, inputs)
        });
        Self { random: Random(seed), corpus: corpus.collect(), seen: HashSet::new(), turn: 0, folder }
    }

    /// Makes the next input and reads it: one of each sample in turn. Returns whether it was accepted.
    ///
    /// # Panics
    /// If a result is not valid, or the library panics.
    pub fn step(&mut self) -> bool {
        let place = self.turn;
        self.turn = (place + 1) % self.corpus.len();
        let reader = self.corpus[place].0;
        let mut input = self.random.one(&self.corpus[place].1).clone();
        for _ in 0..=self.random.below(4) {
            let other = self.random.one(&self.corpus[place].1).clone();
            mutate(&mut input, &other, &mut self.random);
        }
        input.truncate(LONGEST);
        let outcome = read(reader, &input);
        let mut hash = DefaultHasher::new();
        (place, outcome.as_ref().map_or_else(shape, Clone::clone)).hash(&mut hash);
        let kind = hash.finish();
        if self.seen.insert(kind) && self.corpus[place].1.len() < MOST_KEPT {
            if let Some(folder) = &self.folder {
                let folder = folder.join(reader.name());
                // A corpus that cannot be written makes the next campaign start from less.
                let _ = fs::create_dir_all(&folder)
                    .and_then(|()| fs::write(folder.join(format!("{kind:016x}")), &input));
            }
            self.corpus[place].1.push(input);
        }
        outcome.is_ok()
    }

    /// Number of inputs in the corpus.
    pub fn kept(&self) -> usize {
        self.corpus.iter().map(|(_, inputs)| inputs.len()).sum()
    }
}

/// The inputs in a folder of a corpus, in the order of their names.
fn stored(folder: &Path) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths.truncate(MOST_KEPT);
    paths.iter().filter_map(|path| fs::read(path).ok()).collect()
}

/// The letters of an error message, without numbers and punctuation, to recognise the same kind of error.
fn shape(error: &Error) -> String {
    let text = error.to_string();
    text.chars().filter(|c| c.is_ascii_alphabetic() || *c == ' ').take(120).collect()
}

fn mutate(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    let scale = random.below(10);
    let length = random.below(1 << scale);
    let end = bytes.len().min(at + length);
    match random.below(9) {
        0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        1 if at < bytes.len() => bytes[at] = random.bits() as u8,
        2 => drop(bytes.drain(at..end)),
        3 => bytes.truncate(at),
        4 => {
            let piece = bytes[at..end].to_vec();
            bytes.splice(at..at, piece);
        }
        5 => drop(bytes.splice(at..at, random.one(WORDS).iter().copied()).count()),
        6 => {
            let width = 1 << random.below(4);
            let number = random.one(NUMBERS).to_le_bytes();
            let number = &number[..width];
            let end = bytes.len().min(at + width);
            bytes.splice(at..end, number.iter().copied());
        }
        7 => {
            let from = random.below(other.len() + 1);
            let piece = &other[from..other.len().min(from + length)];
            bytes.splice(at..end, piece.iter().copied());
        }
        _ => bytes.splice(at..end, std::iter::repeat_n(random.bits() as u8, length)).for_each(drop),
    }
}

/// Reads an input and uses it as a user would; returns the kind of result.
///
/// # Errors
/// Those of the library, for an input that it refuses.
///
/// # Panics
/// If a result is not valid, or the library panics.
pub fn read(reader: Reader, bytes: &[u8]) -> Result<String, Error> {
    match reader {
        Reader::Data(name) => load_bytes(name, bytes, &LoadOptions::default()).map(|set| sound(&set)),
        Reader::Checkpoint => {
            let checkpoint = checkpoint::from_bytes(Path::new("run/last.safetensors"), bytes)?;
            use_checkpoint(checkpoint)
        }
        Reader::Config => {
            let text = String::from_utf8_lossy(bytes);
            let config: RunConfig = toml::from_str(&text).map_err(|error| Error::Data(error.to_string()))?;
            config.validate(800)?;
            Ok("settings".into())
        }
    }
}

fn sound(set: &Dataset) -> String {
    assert_eq!((set.users.len(), set.items.len()), (set.interactions.rows(), set.interactions.columns()));
    assert!(set.interactions.iter().all(|row| !row.is_empty() && row.is_sorted_by(|a, b| a < b)));
    assert!(set.titles.iter().all(|titles| titles.len() == set.items.len()));
    let report = &set.report;
    assert_eq!(report.rows, report.below_min_rating + report.duplicates + set.interactions.nnz() as u64);
    format!("{} {} {}", report.form, set.titles.is_some(), set.given.is_some())
}

fn use_checkpoint(checkpoint: Checkpoint) -> Result<String, Error> {
    checkpoint.context.config.validate(checkpoint.context.items.len())?;
    let config = checkpoint.context.config.training()?;
    // Settings that need much more time or memory than the sample are not run.
    let small = config.model.hidden <= 64 && config.model.latent <= 64 && config.training.batch <= 4096;
    let steps = config.training.epochs <= 1000
        && config.proposal.negatives <= 1000
        && config.model.latent_samples <= 8;
    let iterations = config.proposal.first_iterations <= 100 && config.proposal.refresh_iterations <= 100;
    if !(small && steps && iterations) {
        return Ok("large".into());
    }
    if checkpoint.state.tensors.contains_key("items.first") {
        let train = &checkpoint.context.histories;
        let trainer = Trainer::resume(Engine::cpu(), &config, train, None, &checkpoint.state);
        let mut trainer = block_on(trainer)?;
        for _ in 0..3 {
            if block_on(trainer.next())?.is_none() {
                break;
            }
        }
        block_on(trainer.state())?;
        return Ok("run".into());
    }
    let history = checkpoint.context.histories.iter().next().unwrap_or_default().to_vec();
    let recommender = Recommender::new(checkpoint, Engine::cpu())?;
    let lists = block_on(recommender.recommend(&[history], 5, &Filter::default()))?;
    assert!(lists[0].iter().all(|one| one.score.is_finite()));
    if let Some(best) = lists[0].first() {
        assert!(block_on(recommender.similar(best.item, 3))?.iter().all(|one| one.score.is_finite()));
    }
    Ok("model".into())
}
