//! Random floats of shaders, also where a device's functions are as inexact as WGSL allows.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use fastvae::{
    Result,
    engine::{
        Buffer, Check, Engine, Kernel,
        gpu::{Calls, Work},
    },
    rng::{normal_pair, unit},
};
use fastvae_shaders::{Binding, Memory, Parameters, Shader};
use tests::{
    device::{integers, read, run, unwritten, upload},
    engines,
};

/// Uniform and normal numbers of given words, which no kernel of the library can be asked for.
struct Pairs {
    words: Buffer<u32>,
    output: Buffer<f32>,
    len: usize,
    /// With the least exact functions that WGSL allows.
    worst: bool,
}

impl Kernel for Pairs {
    fn name(&self) -> &'static str {
        "pairs"
    }

    fn check(&self, check: &Check) -> Result<()> {
        check.holds(&self.words, &[self.len, 2])?;
        check.holds(&self.output, &[self.len, 3])
    }

    unsafe fn cpu(&self) {
        unreachable!("{} has no twin", self.name());
    }

    fn gpu(&self, calls: &mut Calls) {
        let bindings = Bindings { words: &self.words, output: &self.output };
        let (len, work) = (self.len as u32, Work::Threads(self.len));
        if self.worst {
            calls.dispatch(Worst { len }, bindings, work);
        } else {
            calls.dispatch(Usual { len }, bindings, work);
        }
    }
}

struct Bindings<M: Memory> {
    words: M::U32,
    output: M::F32,
}

const BINDINGS: &[Binding] =
    &[Binding { name: "words", read_only: true }, Binding { name: "output", read_only: false }];

macro_rules! shader {
    ($params:ident, $name:literal, $($source:literal),+) => {
        #[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
        #[repr(C)]
        struct $params {
            len: u32,
        }

        impl Parameters for $params {
            type Bindings<M: Memory> = Bindings<M>;
            const SHADER: &'static Shader = &Shader {
                name: $name,
                source: concat!($(include_str!($source)),+),
                workgroup_size: [64, 1, 1],
                params_size: 4,
                bindings: BINDINGS,
            };
            fn in_order<M: Memory>(bindings: Bindings<M>) -> Vec<M::Any> {
                vec![bindings.words.into(), bindings.output.into()]
            }
        }
    };
}

shader!(Usual, "pairs", "../../shaders/shared/philox.wgsl", "random/pairs.wgsl");
shader!(
    Worst,
    "pairs of the worst functions",
    "../../shaders/shared/philox.wgsl",
    "random/pairs.wgsl",
    "random/worst_functions.wgsl"
);

/// Pairs of the words at the ends of the intervals, and of others.
fn words() -> Vec<u32> {
    let ends = [0, 0xff, 0x100, 1 << 31, u32::MAX - 0x100, u32::MAX - 0xff, u32::MAX];
    let mut words: Vec<u32> = ends.iter().flat_map(|&a| ends.iter().flat_map(move |&b| [a, b])).collect();
    words.extend(integers(0, 2 * 4096, u32::MAX));
    words
}

/// For each pair of words: a uniform number and two normal ones.
fn drawn(worst: bool) -> Vec<(String, Vec<[f32; 3]>)> {
    let words = words();
    let len = words.len() / 2;
    let twin = |pair: &[u32]| {
        let [x, y] = normal_pair(pair[0], pair[1]);
        [unit(pair[0]), x, y]
    };
    let draw = |engine: &Engine| {
        if engine.is_cpu() {
            return (engine.describe(), words.chunks_exact(2).map(twin).collect());
        }
        let output = unwritten(engine, 3 * len);
        run(engine, Pairs { words: upload(engine, &words), output: output.clone(), len, worst });
        (engine.describe(), read(engine, &output).as_chunks::<3>().0.to_vec())
    };
    engines().into_iter().map(draw).collect()
}

#[test]
fn every_word_gives_a_number_inside_the_unit_interval_and_finite_normals() {
    for worst in [false, true] {
        for (engine, triples) in drawn(worst) {
            for (pair, [u, x, y]) in words().chunks_exact(2).zip(triples) {
                assert!(u > 0.0 && u < 1.0, "{engine}: {pair:#x?} gives {u}");
                // The largest radius is that of u = 2^-25.
                let bounded = |x: f32| x.abs() < 6.0;
                assert!(bounded(x) && bounded(y), "{engine}: {pair:#x?} gives {x} and {y}, {worst}");
            }
        }
    }
}

#[test]
fn the_same_words_give_the_same_uniforms_and_nearly_the_same_normals_everywhere() {
    let all = drawn(false);
    for (engine, triples) in &all[1..] {
        for ((pair, got), want) in words().chunks_exact(2).zip(triples).zip(&all[0].1) {
            assert_eq!(got[0], want[0], "{engine}: {pair:#x?}");
            // WGSL guarantees the cosine within 2^-11, and a logarithm near 1 within 2^-21, of which a root is taken.
            for (got, want) in got[1..].iter().zip(&want[1..]) {
                let near = (got - want).abs() <= 6.0 / 2048.0 + 1e-3;
                assert!(near, "{engine}: {pair:#x?} gives {got} instead of {want}");
            }
        }
    }
}
