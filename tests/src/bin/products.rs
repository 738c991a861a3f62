//! Times the matrix products of training, in every division, on a GPU, and compares them with the CPU engine:
//!
//! `cargo run --release -p tests --bin products -- [ADAPTER]`

use std::time::Instant;

use fastvae::{
    Result,
    engine::{Buffer, Engine, GpuEngine, Recording},
    kernels::{Division, MatMul, Tiles, View},
};
use pollster::block_on;
use tests::device::numbers;

/// What, m, n, k, and whether A and B are stored as their transposes.
const PRODUCTS: [(&str, usize, usize, usize, bool, bool); 10] = [
    ("logits, 6,000 items", 256, 6_000, 200, false, true),
    ("gradient of queries", 256, 200, 6_000, false, false),
    ("gradient of item rows", 6_000, 200, 256, true, false),
    ("logits, 65,536 items", 256, 65_536, 200, false, true),
    ("gradient of queries", 256, 200, 65_536, false, false),
    ("gradient of item rows", 65_536, 200, 256, true, false),
    ("dense layer", 256, 64, 200, false, false),
    ("gradient of its weights", 200, 64, 256, true, false),
    ("codeword scores", 256, 64, 100, false, true),
    ("square", 4_096, 4_096, 4_096, false, false),
];

/// Products a measurement.
const REPEATS: usize = 20;

fn main() -> Result<()> {
    let adapter = std::env::args().nth(1);
    let gpu = Engine::Gpu(block_on(GpuEngine::new(adapter.as_deref()))?);
    println!("{}, {REPEATS} products a measurement", gpu.describe());
    for (what, m, n, k, a_transposed, b_transposed) in PRODUCTS {
        println!("\n{what}: {m} x {n} x {k}");
        let (a, b) = (numbers(0, m * k), numbers(1, k * n));
        let product = |engine: &Engine, c: &Buffer<f32>| -> Result<MatMul> {
            let view = |values: &[f32], rows, columns, transposed| -> Result<View> {
                let buffer = engine.upload("operand", values)?;
                Ok(if transposed {
                    View::rows(&buffer, rows).transposed()
                } else {
                    View::rows(&buffer, columns)
                })
            };
            let (a, b) = (view(&a, m, k, a_transposed)?, view(&b, k, n, b_transposed)?);
            Ok(MatMul::new(m, n, k, a, b, View::rows(c, n)))
        };
        let cpu = Engine::cpu();
        let c = cpu.zeros("product", m * n)?;
        let mut recording = Recording::new();
        recording.push(product(&cpu, &c)?);
        cpu.run(&recording)?;
        let want = block_on(cpu.read(&c))?;

        let chosen = [None].into_iter();
        let forced = [Tiles::Small, Tiles::Medium, Tiles::Large].into_iter().flat_map(|tiles| {
            let mut depths = vec![k.next_multiple_of(32), 1024, 512, 256, 128];
            depths
                .retain(|&depth| depth == k.next_multiple_of(32) || depth < k && m * n * k / depth < 1 << 26);
            depths.into_iter().map(move |depth| Some(Division { tiles, depth }))
        });
        let direct = Some(Division { tiles: Tiles::Direct, depth: k });
        for division in chosen.chain(forced).chain([direct]) {
            let c = gpu.zeros("product", m * n)?;
            let recording = |repeats| -> Result<Recording> {
                let mut recording = Recording::new();
                let first = product(&gpu, &c)?;
                let (a, b) = (first.a, first.b);
                for _ in 0..repeats {
                    let product = MatMul::new(m, n, k, a.clone(), b.clone(), View::rows(&c, n));
                    recording.push(MatMul { division, ..product });
                }
                Ok(recording)
            };
            gpu.run(&recording(1)?)?;
            let got = block_on(gpu.read(&c))?;
            let error = got.iter().zip(&want).map(|(got, want)| f64::from((got - want).abs())).sum::<f64>();
            let size = want.iter().map(|want| f64::from(want.abs())).sum::<f64>();
            let all = recording(REPEATS)?;
            let start = Instant::now();
            gpu.run(&all)?;
            block_on(gpu.read_range(&c, 0..1))?;
            let seconds = start.elapsed().as_secs_f64() / REPEATS as f64;
            println!(
                "  {:<10} depth {:>6}  {:>9.1} us  {:>8.1} GFLOP/s  relative error {:.1e}",
                division.map_or("chosen".to_owned(), |division| format!("{:?}", division.tiles)),
                division.map_or(0, |division| division.depth),
                seconds * 1e6,
                2e-9 * (m * n * k) as f64 / seconds,
                error / size,
            );
        }
    }
    Ok(())
}
