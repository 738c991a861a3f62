//! The bandwidth of a device's memory and the rate of its multiply-adds, by kernels that do nothing else.

use std::time::Instant;

use fastvae::{
    Error, Result,
    engine::{Buffer, Engine, Kernel, Recording},
    kernels::{CopyValues, MultiplyAdd},
};
use serde::Serialize;

/// Larger than the caches of any GPU so far.
const COPIED_BYTES: u64 = 512 << 20;
/// Least bytes that are still tried where memory is scarce.
const LEAST_BYTES: u64 = 1 << 20;
/// Elements of the multiply-adds: enough for every core of the largest GPUs.
const ELEMENTS: usize = 1 << 20;
/// Seconds of one measurement, at least.
const LONG_ENOUGH: f64 = 0.03;
/// Kernels of one measurement, at most.
const MOST_KERNELS: usize = 1 << 10;

/// What the device reaches.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Peaks {
    /// Bytes read and written a second by a copy.
    pub copy_bytes_per_second: f64,
    /// Bytes of each of the two buffers of the copy.
    pub copied_bytes: u64,
    /// Multiply-adds in f32, two operations each, a second.
    pub flops_per_second: f64,
}

/// Measures both, and checks what was computed.
///
/// # Errors
/// [`Error::Device`] if the device is lost or computes something else.
pub fn measure(engine: &Engine) -> Result<Peaks> {
    let clock = Clock { end: engine.zeros("end", 1)?, engine };
    let (copy_bytes_per_second, copied_bytes) = copies(&clock)?;
    Ok(Peaks { copy_bytes_per_second, copied_bytes, flops_per_second: multiply_adds(&clock)? })
}

fn copies(clock: &Clock<'_>) -> Result<(f64, u64)> {
    let engine = clock.engine;
    let mut bytes = engine.max_buffer_bytes().unwrap_or(COPIED_BYTES).min(COPIED_BYTES) / 16 * 16;
    let (input, output, len) = loop {
        let len = bytes as usize / 4;
        let both =
            engine.zeros::<f32>("input", len).and_then(|input| Ok((input, engine.zeros("output", len)?)));
        match both {
            Ok((input, output)) => break (input, output, len),
            Err(error) if bytes <= LEAST_BYTES => return Err(error),
            Err(_) => bytes /= 2,
        }
    };
    let marks: Vec<f32> = (1..=1024).map(|value| value as f32).collect();
    let places = [0, (len / 2).saturating_sub(marks.len()), len - marks.len()];
    for place in places {
        engine.write(&input, place, &marks)?;
    }
    let copy = || CopyValues { input: input.clone(), output: output.clone(), len };
    let seconds = clock.seconds(copy)?;
    for place in places {
        let copied = pollster::block_on(engine.read_range(&output, place..place + marks.len()))?;
        if copied != marks {
            return Err(wrong(engine, "copy_values"));
        }
    }
    Ok((copy().bytes() / seconds, bytes))
}

fn multiply_adds(clock: &Clock<'_>) -> Result<f64> {
    let engine = clock.engine;
    let (rounds, factor, addend) = (32, 0.999, 0.002);
    let values = engine.zeros("values", ELEMENTS)?;
    let kernel = || MultiplyAdd { values: values.clone(), len: ELEMENTS, rounds, factor, addend };
    engine.run(&recording(kernel, 1))?;
    let got = pollster::block_on(engine.read_range(&values, 0..1))?[0];
    // x -> f x + a moves towards a / (1 - f), by f a step.
    let (factor, limit) = (f64::from(factor), f64::from(addend) / (1.0 - f64::from(factor)));
    let left = factor.powi(8 * rounds as i32);
    let want: f64 = (0..16).map(|c| limit + (f64::from(c) - limit) * left).sum();
    // Not a number is not near.
    let near = (f64::from(got) - want).abs() <= 1e-3 * want;
    if !near {
        return Err(wrong(engine, "multiply_add"));
    }
    Ok(kernel().flops() / clock.seconds(kernel)?)
}

fn wrong(engine: &Engine, kernel: &str) -> Error {
    Error::Device(format!("{} computes something else than {kernel} does", engine.describe()))
}

fn recording<K: Kernel + 'static>(kernel: impl Fn() -> K, times: usize) -> Recording {
    let mut recording = Recording::new();
    (0..times).for_each(|_| recording.push(kernel()));
    recording
}

/// Times kernels on an engine.
struct Clock<'e> {
    engine: &'e Engine,
    /// A read of it waits for all work before.
    end: Buffer<u32>,
}

impl Clock<'_> {
    /// Seconds of one kernel among many that run one after the other; the best of three times.
    fn seconds<K: Kernel + 'static>(&self, kernel: impl Fn() -> K) -> Result<f64> {
        self.once(&recording(&kernel, 1))?;
        let mut times = 1;
        loop {
            let recording = recording(&kernel, times);
            let seconds = self.once(&recording)?;
            if seconds < LONG_ENOUGH && times < MOST_KERNELS {
                times *= 2;
                continue;
            }
            let best = seconds.min(self.once(&recording)?).min(self.once(&recording)?);
            return Ok(best / times as f64);
        }
    }

    fn once(&self, recording: &Recording) -> Result<f64> {
        let start = Instant::now();
        self.engine.run(recording)?;
        pollster::block_on(self.engine.read(&self.end))?;
        Ok(start.elapsed().as_secs_f64())
    }
}
