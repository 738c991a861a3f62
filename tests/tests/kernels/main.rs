//! Every kernel on both engines against the same formula in f64.

mod matmul;

use fastvae::engine::{Buffer, Element, Engine, Kernel, Recording};

/// Runs one kernel.
#[track_caller]
fn run(engine: &Engine, kernel: impl Kernel + 'static) {
    let mut recording = Recording::new();
    recording.push(kernel);
    engine.run(&recording).unwrap();
}

/// What a buffer holds.
#[track_caller]
fn read<T: Element>(engine: &Engine, buffer: &Buffer<T>) -> Vec<T> {
    pollster::block_on(engine.read(buffer)).unwrap()
}

/// A buffer of `len` NaN: what a kernel fails to write shows.
#[track_caller]
fn unwritten(engine: &Engine, len: usize) -> Buffer<f32> {
    engine.upload("result", &vec![f32::NAN; len]).unwrap()
}

/// Reproducible numbers in (-1, 1).
fn numbers(stream: u32, len: usize) -> Vec<f32> {
    use fastvae::rng::{Rng, Stream, unit};
    let rng = Rng::new(7);
    (0..len).map(|i| 2.0 * unit(rng.block(Stream::Init, stream, i as u32, 0)[0]) - 1.0).collect()
}
