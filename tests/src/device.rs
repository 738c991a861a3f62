//! Short functions that run one kernel on an engine. They panic on errors.

use fastvae::{
    engine::{Buffer, Element, Engine, Kernel, Recording},
    rng::{Rng, Stream, normal_pair},
};

/// Runs one kernel.
#[track_caller]
pub fn run(engine: &Engine, kernel: impl Kernel + 'static) {
    let mut recording = Recording::new();
    recording.push(kernel);
    engine.run(&recording).unwrap_or_else(|error| panic!("{}: {error}", engine.describe()));
}

/// Reads a buffer.
#[track_caller]
pub fn read<T: Element>(engine: &Engine, buffer: &Buffer<T>) -> Vec<T> {
    pollster::block_on(engine.read(buffer)).unwrap_or_else(|error| panic!("{}: {error}", engine.describe()))
}

/// Uploads `data` into a buffer.
#[track_caller]
pub fn upload<T: Element>(engine: &Engine, data: &[T]) -> Buffer<T> {
    engine.upload("operand", data).unwrap_or_else(|error| panic!("{}: {error}", engine.describe()))
}

/// A buffer of `len` NaN, so that an element that a kernel does not write shows.
#[track_caller]
pub fn unwritten(engine: &Engine, len: usize) -> Buffer<f32> {
    upload(engine, &vec![f32::NAN; len])
}

/// A buffer of `len` integers with a value that no kernel writes.
#[track_caller]
pub fn unset(engine: &Engine, len: usize) -> Buffer<u32> {
    upload(engine, &vec![u32::MAX; len])
}

/// `len` reproducible standard normal numbers; each `stream` has its own.
pub fn numbers(stream: u32, len: usize) -> Vec<f32> {
    let rng = Rng::new(20_220_425);
    let pair = |i: usize| {
        let words = rng.block(Stream::Init, stream, i as u32, 0);
        normal_pair(words[0], words[1])
    };
    (0..len.div_ceil(2)).flat_map(pair).take(len).collect()
}

/// `len` reproducible integers below `end`; each `stream` has its own.
pub fn integers(stream: u32, len: usize, end: u32) -> Vec<u32> {
    let rng = Rng::new(20_220_425);
    (0..len).map(|i| fastvae::rng::below(rng.block(Stream::Shuffle, stream, i as u32, 0)[0], end)).collect()
}

/// Converts to `f64`.
pub fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

/// Rounds to `f32`.
pub fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}
