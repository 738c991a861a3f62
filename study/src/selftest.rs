//! Checks the kernels of an engine against their definitions on the user's machine.
//!
//! Shaders are compiled by the user's driver or browser, which our tests cannot cover. These checks take
//! seconds: the page runs them in its worker, the tests run them natively. The reference is a formula in
//! f64 if that is short, otherwise the CPU twin, which the tests check against f64.

mod dense;
mod model;
mod proposals;
mod rows;
mod sampling;
mod training;

use fastvae::{
    Result,
    engine::{Buffer, Element, Engine, Kernel, Recording},
    proposal::BoxFuture,
    rng::{Rng, Stream, unit},
};

/// One kernel, or several that belong together, run once on an engine.
type Check = for<'a> fn(&'a Engine) -> BoxFuture<'a, Result<Vec<Output>>>;

const CHECKS: [(&str, Check); 17] = [
    ("matmul", |engine| Box::pin(dense::matmul(engine))),
    ("column_sum, sum_loss", |engine| Box::pin(dense::sums(engine))),
    ("softmax", |engine| Box::pin(dense::softmax(engine))),
    ("topk", |engine| Box::pin(dense::topk(engine))),
    ("normal", |engine| Box::pin(model::normal(engine))),
    ("dropout", |engine| Box::pin(model::dropout(engine))),
    ("gather_batch, encode_rows", |engine| Box::pin(model::encode(engine))),
    ("reparameterise", |engine| Box::pin(model::reparameterise(engine))),
    ("draw_static", |engine| Box::pin(sampling::draw_static(engine))),
    ("kmeans", |engine| Box::pin(sampling::kmeans(engine))),
    ("midx", |engine| Box::pin(sampling::midx(engine))),
    ("midx_exact", |engine| Box::pin(sampling::midx_exact(engine))),
    ("proposals", |engine| Box::pin(proposals::all(engine))),
    ("sampled_loss", |engine| Box::pin(sampling::sampled_loss(engine))),
    ("transpose", |engine| Box::pin(rows::transpose(engine))),
    ("adam, replay_rows, update_rows", |engine| Box::pin(rows::updates(engine))),
    ("ten training steps", |engine| Box::pin(training::ten_steps(engine))),
];

/// Runs every check on `engine`. Returns the name of each check and, if it failed, the mismatches.
pub async fn run(engine: &Engine) -> Vec<(&'static str, Result<(), String>)> {
    let mut results = Vec::with_capacity(CHECKS.len());
    run_each(engine, |name, result| results.push((name, result))).await;
    results
}

/// As [`run`]; passes each result on when its check ends.
pub async fn run_each(engine: &Engine, mut ended: impl FnMut(&'static str, Result<(), String>)) {
    let twin = Engine::cpu();
    for (name, check) in CHECKS {
        ended(name, compare(check, engine, &twin).await);
    }
}

/// A hash of every integer that the checks draw, rank or list by integers alone: uniform and popularity negatives,
/// batches, ranks of exact scores, item lists. Philox gives the same integers everywhere, so the hash is the same on
/// every engine and machine. Integers that a comparison of rounded numbers decides are not in it: at a border
/// between two items, engines may differ.
///
/// # Errors
/// If the engine fails.
pub async fn draws(engine: &Engine) -> Result<u32> {
    // FNV-1a hash of the integers.
    let mut hash = 0x811c_9dc5_u32;
    for (_, check) in CHECKS {
        for output in check(engine).await? {
            let exact = output.agreement == Agreement::Exact;
            let whole = output.got.iter().all(|value| value.fract() == 0.0);
            for value in output.got.iter().filter(|_| exact && whole) {
                for byte in (*value as u32).to_le_bytes() {
                    hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
                }
            }
        }
    }
    Ok(hash)
}

async fn compare(check: Check, engine: &Engine, twin: &Engine) -> Result<(), String> {
    let got = check(engine).await.map_err(|error| error.to_string())?;
    let want = check(twin).await.map_err(|error| format!("the CPU twin: {error}"))?;
    agree(&got, &want)
}

/// Describes the first mismatches between outputs and those of the twin.
fn agree(got: &[Output], want: &[Output]) -> Result<(), String> {
    if got.len() != want.len() {
        return Err(format!("{} outputs instead of {}", got.len(), want.len()));
    }
    // Places of the last draws that differ.
    let mut differ = Vec::new();
    for (got, twin) in got.iter().zip(want) {
        let want = got.want.as_ref().unwrap_or(&twin.got);
        let (skipped, tolerance) = match got.agreement {
            Agreement::Exact => (&[][..], 0.0),
            Agreement::Within(tolerance) => (&[][..], tolerance),
            Agreement::Drawn => {
                differ = (0..want.len()).filter(|&at| got.got.get(at) != want.get(at)).collect();
                differ.truncate(AT_BORDERS);
                (&differ[..], 0.0)
            }
            Agreement::OfDrawn(tolerance) => (&differ[..], tolerance),
        };
        close(&got.name, &got.got, want, tolerance, skipped)?;
    }
    Ok(())
}

/// How many integers of one output may differ because a rounded number lies at a border between two of them. An
/// output has hundreds, of which about one in a million is so close to a border; an error of a kernel moves many.
const AT_BORDERS: usize = 1;

/// How an output is compared with the expected values.
#[derive(Clone, Copy, PartialEq)]
enum Agreement {
    /// Equal everywhere: integers that integers decide.
    Exact,
    /// An error of `tolerance (1 + |want|)` is allowed.
    Within(f64),
    /// Integers that comparisons of rounded numbers decide: [`AT_BORDERS`] may differ.
    Drawn,
    /// As `Within`, for values of the last `Drawn`, place by place: not compared where those differ.
    OfDrawn(f64),
}

/// One output of a check.
struct Output {
    name: String,
    got: Vec<f64>,
    /// Expected values; without them, those of the CPU twin are expected.
    want: Option<Vec<f64>>,
    agreement: Agreement,
}

impl Output {
    /// An output to compare with the CPU twin.
    async fn twin<T: Element + Into<f64>>(
        engine: &Engine,
        name: impl Into<String>,
        buffer: &Buffer<T>,
        agreement: impl Into<Agreement>,
    ) -> Result<Self> {
        let got = read(engine, buffer).await?;
        Ok(Self { name: name.into(), got, want: None, agreement: agreement.into() })
    }

    /// An output to compare with known values.
    async fn known<T: Element + Into<f64>>(
        engine: &Engine,
        name: impl Into<String>,
        buffer: &Buffer<T>,
        want: Vec<f64>,
        agreement: impl Into<Agreement>,
    ) -> Result<Self> {
        Ok(Self { want: Some(want), ..Self::twin(engine, name, buffer, agreement).await? })
    }
}

impl From<f64> for Agreement {
    fn from(tolerance: f64) -> Self {
        Self::Within(tolerance)
    }
}

/// Describes the first mismatches, except at the places `skipped`.
fn close(name: &str, got: &[f64], want: &[f64], tolerance: f64, skipped: &[usize]) -> Result<(), String> {
    if got.len() != want.len() {
        return Err(format!("{name}: {} values instead of {}", got.len(), want.len()));
    }
    let differs = |&(at, (got, want)): &(usize, (&f64, &f64))| {
        // Negated, so that NaN counts as a mismatch.
        let near = (got - want).abs() <= tolerance * (1.0 + want.abs()) && want.is_finite();
        !(got == want || near || skipped.contains(&at))
    };
    let mismatches = || got.iter().zip(want).enumerate().filter(differs);
    let count = mismatches().count();
    if count == 0 {
        return Ok(());
    }
    let listed: Vec<String> = mismatches()
        .take(3)
        .map(|(index, (got, want))| format!("[{index}] {got} instead of {want}"))
        .collect();
    Err(format!("{name}: {count} of {} values differ: {}", got.len(), listed.join(", ")))
}

async fn read<T: Element + Into<f64>>(engine: &Engine, buffer: &Buffer<T>) -> Result<Vec<f64>> {
    Ok(engine.read(buffer).await?.into_iter().map(Into::into).collect())
}

/// A result buffer filled with NaN, so that an element that the kernel does not write shows.
fn unwritten(engine: &Engine, len: usize) -> Result<Buffer<f32>> {
    engine.upload("result", &vec![f32::NAN; len])
}

/// The same for integers, filled with a sentinel.
fn unset(engine: &Engine, len: usize) -> Result<Buffer<u32>> {
    engine.upload("integer result", &vec![u32::MAX; len])
}

fn run_one(engine: &Engine, kernel: impl Kernel + 'static) -> Result<()> {
    let mut recording = Recording::new();
    recording.push(kernel);
    engine.run(&recording)
}

/// Reproducible numbers in (-1, 1).
fn numbers(stream: u32, len: usize) -> Vec<f32> {
    let rng = Rng::new(7);
    (0..len as u32).map(|i| 2.0 * unit(rng.block(Stream::Init, stream, i, 0)[0]) - 1.0).collect()
}

fn upload_numbers(engine: &Engine, stream: u32, len: usize) -> Result<Buffer<f32>> {
    engine.upload("operand", &numbers(stream, len))
}

/// A batch of histories of various lengths, concatenated.
struct Histories {
    /// Offsets, B + 1.
    offsets: Vec<u32>,
    /// Items, ascending for each user, E.
    items: Vec<u32>,
    /// User of each entry, E.
    rows: Vec<u32>,
}

impl Histories {
    fn new(users: usize, items: usize) -> Self {
        let mut histories = Self { offsets: vec![0], items: Vec::new(), rows: Vec::new() };
        for user in 0..users {
            let mut row: Vec<u32> =
                (0..1 + user * 7 % 23).map(|n| ((user * 31 + n * (3 + user % 5)) % items) as u32).collect();
            row.sort_unstable();
            row.dedup();
            histories.rows.extend(std::iter::repeat_n(user as u32, row.len()));
            histories.items.extend(row);
            histories.offsets.push(histories.items.len() as u32);
        }
        histories
    }

    fn of(&self, user: usize) -> &[u32] {
        &self.items[self.offsets[user] as usize..self.offsets[user + 1] as usize]
    }

    fn entries(&self) -> usize {
        self.items.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_and_other_lengths_differ() {
        let close = |name, got: &[f64], want: &[f64], tolerance| close(name, got, want, tolerance, &[]);
        assert!(close("equal", &[1.0, f64::NEG_INFINITY], &[1.0, f64::NEG_INFINITY], 0.0).is_ok());
        assert!(close("near", &[1.1], &[1.0], 0.1).is_ok());
        assert!(close("length", &[1.0], &[1.0, 2.0], 1.0).is_err());
        assert!(close("infinity", &[1.0], &[f64::INFINITY], 1.0).is_err());
        let message = close("nan", &[f64::NAN, 0.0], &[0.0, 0.0], 1.0).unwrap_err();
        assert_eq!(message, "nan: 1 of 2 values differ: [0] NaN instead of 0");
    }

    #[test]
    fn one_draw_may_differ_at_a_border() {
        // Draws and a value of each, of which the first `moved` and the value at `wrong` are others.
        let outputs = |moved: usize, wrong: Option<usize>| {
            let values = |also: Option<usize>| {
                (0..100).map(|at| f64::from(u8::from(at < moved || also == Some(at)))).collect()
            };
            let output = |got, agreement| Output { name: "draws".into(), got, want: None, agreement };
            [output(values(None), Agreement::Drawn), output(values(wrong), Agreement::OfDrawn(1e-5))]
        };
        let agrees = |moved, wrong| agree(&outputs(moved, wrong), &outputs(0, None)).is_ok();
        assert!(agrees(0, None) && agrees(1, None));
        assert!(!agrees(2, None) && !agrees(0, Some(0)) && !agrees(1, Some(7)));
    }
}
