//! Inner loops over slices, written so that the compiler turns them into vector code.
//!
//! Wrap the outermost loop of a kernel in [`dispatch`]: a plain build then uses AVX2 if the machine has it.
//! Products and sums remain separate instructions, so a loop here gives the same bits with SSE2, AVX2 and
//! WebAssembly SIMD.

/// Runs `body` compiled for the best instruction set of this machine. Only inlined code is compiled anew, so
/// mark the closure and all that it calls `#[inline(always)]`; otherwise the loops stay SSE2.
///
/// WebAssembly has nothing to choose: the whole module is compiled for one set.
#[inline(always)]
pub fn dispatch<R>(body: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "wasm32")]
    return body();
    #[cfg(not(target_arch = "wasm32"))]
    pulp::Arch::new().dispatch(body)
}

/// The instruction set that [`dispatch`] uses.
pub fn describe() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    return if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
        "AVX2"
    } else {
        "SSE2"
    };
    #[cfg(target_arch = "aarch64")]
    return "NEON";
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    return "SIMD128";
    #[cfg(not(any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        all(target_arch = "wasm32", target_feature = "simd128")
    )))]
    return "scalar";
}

const LANES: usize = 16;

/// Sum of the lanes in a fixed order.
#[inline(always)]
fn fold(lanes: &[f32; LANES]) -> f32 {
    fold_eight(std::array::from_fn(|i| lanes[i] + lanes[i + 8]))
}

/// Inner product.
#[inline(always)]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a_body, a_tail) = a.as_chunks::<8>();
    let (b_body, b_tail) = b[..a.len()].as_chunks::<8>();
    let mut lanes = [0.0f32; 8];
    for (a, b) in a_body.iter().zip(b_body) {
        for i in 0..8 {
            lanes[i] += a[i] * b[i];
        }
    }
    let mut sum = fold_eight(lanes);
    for (a, b) in a_tail.iter().zip(b_tail) {
        sum += a * b;
    }
    sum
}

/// Inner product in double precision.
#[inline(always)]
pub fn dot_f64(a: &[f64], b: &[f64]) -> f64 {
    let (a_body, a_tail) = a.as_chunks::<16>();
    let (b_body, b_tail) = b[..a.len()].as_chunks::<16>();
    let mut lanes = [0.0f64; 16];
    for (a, b) in a_body.iter().zip(b_body) {
        for i in 0..16 {
            lanes[i] += a[i] * b[i];
        }
    }
    let tail: f64 = a_tail.iter().zip(b_tail).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f64>() + tail
}

/// [`dot`] with four vectors at once, to the same bits: each element of `a` is loaded once for all four, and
/// the four independent sums hide the latency of additions. Written out, because an array of accumulators
/// would not stay in registers.
#[inline(always)]
pub fn dot4(a: &[f32], [b0, b1, b2, b3]: [&[f32]; 4]) -> [f32; 4] {
    let n = a.len();
    let (body, tail) = a.as_chunks::<8>();
    let (b0, t0) = b0[..n].as_chunks::<8>();
    let (b1, t1) = b1[..n].as_chunks::<8>();
    let (b2, t2) = b2[..n].as_chunks::<8>();
    let (b3, t3) = b3[..n].as_chunks::<8>();
    let (mut l0, mut l1, mut l2, mut l3) = ([0.0f32; 8], [0.0f32; 8], [0.0f32; 8], [0.0f32; 8]);
    for ((((a, b0), b1), b2), b3) in body.iter().zip(b0).zip(b1).zip(b2).zip(b3) {
        for i in 0..8 {
            l0[i] += a[i] * b0[i];
        }
        for i in 0..8 {
            l1[i] += a[i] * b1[i];
        }
        for i in 0..8 {
            l2[i] += a[i] * b2[i];
        }
        for i in 0..8 {
            l3[i] += a[i] * b3[i];
        }
    }
    let mut sums = [fold_eight(l0), fold_eight(l1), fold_eight(l2), fold_eight(l3)];
    for (i, a) in tail.iter().enumerate() {
        sums[0] += a * t0[i];
        sums[1] += a * t1[i];
        sums[2] += a * t2[i];
        sums[3] += a * t3[i];
    }
    sums
}

#[inline(always)]
fn fold_eight(l: [f32; 8]) -> f32 {
    let halves = [l[0] + l[4], l[1] + l[5], l[2] + l[6], l[3] + l[7]];
    (halves[0] + halves[2]) + (halves[1] + halves[3])
}

/// `y += alpha x`.
#[inline(always)]
pub fn axpy(alpha: f32, x: &[f32], y: &mut [f32]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += alpha * x;
    }
}

/// Columns that [`add_rows`] holds in registers.
const COLUMNS: usize = 64;

/// `y += sum of alpha x` over terms (alpha, x), in order. Blocks of columns stay in registers, so each term
/// costs one load per element.
#[inline(always)]
pub fn add_rows(terms: &[(f32, &[f32])], y: &mut [f32]) {
    let (blocks, tail) = y.as_chunks_mut::<COLUMNS>();
    let mut start = 0;
    for block in blocks {
        add_block(terms, start, block);
        start += COLUMNS;
    }
    let (eights, rest) = tail.as_chunks_mut::<8>();
    for block in eights {
        add_block(terms, start, block);
        start += 8;
    }
    for (i, y) in rest.iter_mut().enumerate() {
        for (alpha, x) in terms {
            *y += alpha * x[start + i];
        }
    }
}

#[inline(always)]
fn add_block<const N: usize>(terms: &[(f32, &[f32])], start: usize, y: &mut [f32; N]) {
    let mut sums = *y;
    for (alpha, x) in terms {
        let x = &x[start..start + N];
        for i in 0..N {
            sums[i] += alpha * x[i];
        }
    }
    *y = sums;
}

/// Sum in a fixed order.
#[inline(always)]
pub fn sum(x: &[f32]) -> f32 {
    let (body, tail) = x.as_chunks::<LANES>();
    let mut lanes = [0.0f32; LANES];
    for x in body {
        for i in 0..LANES {
            lanes[i] += x[i];
        }
    }
    fold(&lanes) + tail.iter().sum::<f32>()
}

/// Largest element; negative infinity for an empty slice.
#[inline(always)]
pub fn max(x: &[f32]) -> f32 {
    let (body, tail) = x.as_chunks::<LANES>();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for x in body {
        for i in 0..LANES {
            lanes[i] = if x[i] > lanes[i] { x[i] } else { lanes[i] };
        }
    }
    lanes.iter().chain(tail).fold(f32::NEG_INFINITY, |m, &x| if x > m { x } else { m })
}

/// e^x within 2 units in the last place for -87 <= x <= 88; smaller arguments give 0, larger ones the result
/// for 88. NaN stays NaN.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // 2^n e^r with n the nearest integer to x / ln 2; adding 1.5 x 2^23 rounds and leaves n in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let clamped = if x > 88.0 { 88.0 } else { x };
    let shifted = clamped * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (clamped - n * 0.693_359_4) - n * -2.121_944_4e-4;
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let p = p * r * r + r + 1.0;
    let scale = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    if x < -87.0 { 0.0 } else { p * scale }
}

/// `sum of exp(x - shift)`.
#[inline(always)]
pub fn sum_exp(x: &[f32], shift: f32) -> f32 {
    let (body, tail) = x.as_chunks::<LANES>();
    let mut lanes = [0.0f32; LANES];
    for x in body {
        for i in 0..LANES {
            lanes[i] += exp(x[i] - shift);
        }
    }
    let rest: f32 = tail.iter().map(|&x| exp(x - shift)).sum();
    fold(&lanes) + rest
}

/// `ln(sum exp x)` after subtracting the maximum; negative infinity if x is empty or all negative infinity.
#[inline(always)]
pub fn log_sum_exp(x: &[f32]) -> f32 {
    let top = max(x);
    if top == f32::NEG_INFINITY {
        return top;
    }
    top + sum_exp(x, top).ln()
}

/// Hyperbolic tangent, within 5e-7 of its value.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let size = x.abs();
    let decay = exp(-2.0 * size);
    let large = (1.0 - decay) / (1.0 + decay);
    // Near zero the difference above loses digits by cancellation; the series does not.
    let s = x * x;
    let series = 1.0 + s * (-0.333_333_34 + s * (0.133_333_34 + s * (-0.053_968_254 + s * 0.021_869_488)));
    if size < 0.25 { x * series } else { large.copysign(x) }
}

/// `ln(e^a + e^b)`.
#[inline(always)]
pub fn log_add_exp(a: f32, b: f32) -> f32 {
    let (top, low) = if a > b { (a, b) } else { (b, a) };
    if low == f32::NEG_INFINITY { top } else { top + exp(low - top).ln_1p() }
}

/// Prefetches the start of a row that will be read soon.
#[inline(always)]
pub fn prefetch(row: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    for line in row.chunks(16) {
        // SAFETY: a prefetch has no effect on memory or registers, whatever the address.
        unsafe {
            std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(line.as_ptr().cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = row;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_close_everywhere() {
        for i in -870_000..=880_000 {
            let x = i as f32 * 1e-4;
            let want = f64::from(x).exp();
            let err = (f64::from(exp(x)) - want).abs() / want;
            assert!(err < 3e-7, "exp({x}) is off by {err}");
        }
        assert_eq!((exp(-200.0), exp(f32::NEG_INFINITY)), (0.0, 0.0));
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn tanh_is_close_everywhere() {
        for i in -200_000..=200_000 {
            let x = i as f32 * 1e-4;
            let want = f64::from(x).tanh();
            assert!((f64::from(tanh(x)) - want).abs() <= 5e-7 * want.abs(), "tanh({x})");
        }
        assert!(tanh(f32::NAN).is_nan());
        assert_eq!((tanh(-1e9), tanh(1e9)), (-1.0, 1.0));
    }

    #[test]
    fn sums_of_rows_agree_with_f64_at_odd_widths() {
        for width in [1, 7, 8, 64, 65, 200, 345] {
            let rows: Vec<Vec<f32>> =
                (0..9).map(|r| (0..width).map(|c| ((r * 31 + c * 7) as f32 * 0.1).sin()).collect()).collect();
            let terms: Vec<(f32, &[f32])> =
                rows.iter().enumerate().map(|(r, x)| (r as f32 - 4.5, x.as_slice())).collect();
            let mut y = vec![1.0; width];
            add_rows(&terms, &mut y);
            for (c, y) in y.iter().enumerate() {
                let want = 1.0 + terms.iter().map(|(a, x)| f64::from(*a) * f64::from(x[c])).sum::<f64>();
                assert!((f64::from(*y) - want).abs() <= 1e-5);
            }
            let together = dot4(&rows[0], [&rows[1], &rows[2], &rows[3], &rows[4]]);
            assert_eq!(together, [1, 2, 3, 4].map(|r| dot(&rows[0], &rows[r])));
        }
    }

    #[test]
    fn reductions_agree_with_f64_at_odd_lengths() {
        for n in [0, 1, 7, 8, 31, 32, 33, 200, 345] {
            let a: Vec<f32> = (0..n).map(|i| (i as f32 * 0.37).sin()).collect();
            let b: Vec<f32> = (0..n).map(|i| (i as f32 * 0.73).cos()).collect();
            let want: f64 = a.iter().zip(&b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
            assert!((f64::from(dot(&a, &b)) - want).abs() <= 1e-5);
            assert!((f64::from(sum(&a)) - a.iter().map(|&x| f64::from(x)).sum::<f64>()).abs() <= 1e-5);
            let want = a.iter().map(|&x| f64::from(x).exp()).sum::<f64>().ln();
            assert!(n == 0 || (f64::from(log_sum_exp(&a)) - want).abs() <= 1e-5);
        }
    }
}
