//! One iteration of Lloyd's k-means, which computes codewords from item vectors.

use fastvae_shaders::{kmeans_halves, kmeans_nearest, kmeans_sum, kmeans_update};

use super::{MatMul, View};
use crate::{
    Result,
    engine::{Buffer, Check, Kernel, gpu, parallel},
    rng::{Rng, Stream, below},
    simd,
};

/// Some columns of a matrix of points.
#[derive(Clone, Debug)]
pub struct Points {
    /// Row-major values.
    pub values: Buffer<f32>,
    /// Points, M.
    pub count: usize,
    /// Elements between points.
    pub stride: usize,
    /// First column in use.
    pub column: usize,
    /// Columns in use, d.
    pub dimensions: usize,
}

impl Points {
    /// Whether the columns in use are not empty and lie inside a row, and the buffer holds all points.
    pub(super) fn check(&self, check: &Check) -> Result<()> {
        let end = self.column.saturating_add(self.dimensions);
        check.that(self.dimensions > 0 && end <= self.stride, || {
            format!("columns {}..{end} of points of width {}", self.column, self.stride)
        })?;
        match self.count.checked_sub(1) {
            Some(rest) => check.holds_after(&self.values, end, &[rest, self.stride]),
            None => check.lives_here(&self.values),
        }
    }

    /// The columns in use of point `i`.
    #[inline(always)]
    pub(super) fn row<'v>(&self, values: &'v [f32], i: usize) -> &'v [f32] {
        &values[i * self.stride + self.column..][..self.dimensions]
    }
}

/// `codes[i] = argmin over k of f_k |x_i - c_k|^2`; the smaller index wins ties.
pub struct KmeansAssign {
    /// M x d.
    pub points: Points,
    /// K x d.
    pub codewords: Buffer<f32>,
    /// f, K: the crowding factor of each codeword; if not given, 1 for all.
    pub crowding: Option<Buffer<f32>>,
    /// K.
    pub k: usize,
    /// Out: M.
    pub codes: Buffer<u32>,
}

/// Scores in memory at a time on a GPU (16 MiB).
const SCORES: usize = 4 << 20;

/// Points scored at a time on the CPU: their products with the codewords fit a first-level cache.
const BLOCK: usize = 64;

impl Kernel for KmeansAssign {
    fn name(&self) -> &'static str {
        "kmeans_assign"
    }

    fn check(&self, check: &Check) -> Result<()> {
        self.points.check(check)?;
        check.that(self.k > 0, || "no codewords".into())?;
        check.holds(&self.codewords, &[self.k, self.points.dimensions])?;
        check.may_hold(self.crowding.as_ref(), &[self.k])?;
        check.holds(&self.codes, &[self.points.count])
    }

    unsafe fn cpu(&self) {
        let (values, codewords) = (self.points.values.read(), self.codewords.read());
        let crowding = self.crowding.as_ref().map(|crowding| crowding.read());
        let (k, d, stride) = (self.k, self.points.dimensions, self.points.stride);
        let codewords = &codewords[..k * d];
        let halves: Vec<f32> = codewords.chunks_exact(d).map(|c| 0.5 * simd::dot(c, c)).collect();
        let mut codes = self.codes.write();
        parallel::for_each_chunk_with(
            &mut codes[..self.points.count],
            BLOCK,
            || vec![0.0f32; BLOCK * k],
            |scores, block, codes| {
                let n = codes.len();
                let start = block * BLOCK * stride + self.points.column;
                let points = &values[start..start + (n - 1) * stride + d];
                // SAFETY: the slices above hold n strided rows of d, and k rows of d; n is at most BLOCK, and scores
                // are BLOCK rows of k.
                unsafe {
                    gemm::gemm(
                        n,
                        k,
                        d,
                        scores.as_mut_ptr(),
                        1,
                        k as isize,
                        false,
                        points.as_ptr(),
                        1,
                        stride as isize,
                        codewords.as_ptr(),
                        d as isize,
                        1,
                        0.0,
                        1.0,
                        false,
                        false,
                        false,
                        gemm::Parallelism::None,
                    );
                }
                for (at, (code, scores)) in codes.iter_mut().zip(scores.chunks_exact_mut(k)).enumerate() {
                    if let Some(crowding) = &crowding {
                        let point = &points[at * stride..][..d];
                        let norm = simd::dot(point, point);
                        for ((score, half), factor) in scores.iter_mut().zip(&halves).zip(&crowding[..k]) {
                            *score = half - factor * (norm - 2.0 * (*score - half));
                        }
                    }
                    let mut best = (f32::NEG_INFINITY, 0);
                    for (k, (score, half)) in scores.iter().zip(&halves).enumerate() {
                        let closeness = score - half;
                        if closeness > best.0 {
                            best = (closeness, k);
                        }
                    }
                    *code = best.1 as u32;
                }
            },
        );
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let (Points { values, count, stride, column, dimensions }, k) = (&self.points, self.k);
        let empty = calls.empty();
        let halves = calls.scratch("k-means: norms", k);
        calls.dispatch(
            kmeans_halves::Params { dimensions: *dimensions as u32, codewords: k as u32 },
            kmeans_halves::Bindings { centres: &self.codewords, halves: &halves },
            gpu::Work::Groups(k),
        );
        let block = (SCORES / k).clamp(1, (*count).max(1));
        let scores = calls.scratch("k-means: scores", k * block);
        for first in (0..*count).step_by(block) {
            let here = block.min(count - first);
            let points =
                View { buffer: values.clone(), offset: first * stride + column, row: *stride, column: 1 };
            let codewords = View::rows(&self.codewords, *dimensions);
            MatMul::new(k, here, *dimensions, codewords, points.transposed(), View::rows(&scores, here))
                .gpu(calls);
            calls.dispatch(
                kmeans_nearest::Params {
                    count: here as u32,
                    first: first as u32,
                    stride: *stride as u32,
                    column: *column as u32,
                    dimensions: *dimensions as u32,
                    codewords: k as u32,
                    crowded: self.crowding.is_some().into(),
                },
                kmeans_nearest::Bindings {
                    values,
                    scores: &scores,
                    halves: &halves,
                    crowding: self.crowding.as_ref().unwrap_or(&empty),
                    codes: &self.codes,
                },
                gpu::Work::Threads(here),
            );
        }
    }
}

/// Crowding factors of balanced k-means.
#[derive(Clone, Debug)]
pub struct Balance {
    /// f of [`KmeansAssign`], K.
    pub crowding: Buffer<f32>,
    /// The weight of a codeword at perfect balance: the total weight of the points, divided by K.
    pub even_weight: f32,
}

/// `c_k = weighted mean of the points with code k`; a codeword without weight is replaced by a random point.
///
/// With a balance, f_k grows with the weight w_k of the codeword's points: `f_k (w_k / even_weight)^(1/2)`, within
/// bounds.
pub struct KmeansUpdate {
    /// M x d.
    pub points: Points,
    /// Weight of each point, M; if not given, all weigh the same.
    pub weights: Option<Buffer<f32>>,
    /// M.
    pub codes: Buffer<u32>,
    /// K.
    pub k: usize,
    /// The run's random numbers.
    pub rng: Rng,
    /// Selects the random numbers of this iteration.
    pub step: u32,
    /// Out: K x d.
    pub codewords: Buffer<f32>,
    /// In and out: the crowding factors, for balanced k-means.
    pub balance: Option<Balance>,
}

/// Bounds of a crowding factor; beyond them, the distance to a codeword would hardly matter.
const CROWDING: [f32; 2] = [1.0 / 16.0, 16.0];

/// The most elements in the partial sums on a GPU.
const SUMS: usize = 4 << 20;

/// Points that one task sums; partial sums are added in order.
const PART: usize = 4096;

impl Kernel for KmeansUpdate {
    fn name(&self) -> &'static str {
        "kmeans_update"
    }

    fn check(&self, check: &Check) -> Result<()> {
        self.points.check(check)?;
        check.that(self.points.count > 0, || "no points".into())?;
        check.holds(&self.codewords, &[self.k, self.points.dimensions])?;
        check.may_hold(self.weights.as_ref(), &[self.points.count])?;
        check.may_hold(self.balance.as_ref().map(|balance| &balance.crowding), &[self.k])?;
        check.holds(&self.codes, &[self.points.count])
    }

    unsafe fn cpu(&self) {
        let (values, codes) = (self.points.values.read(), self.codes.read());
        let weights = self.weights.as_ref().map(|weights| weights.read());
        let (k, d, count) = (self.k, self.points.dimensions, self.points.count);
        let point = |i: usize| self.points.row(&values, i);
        let mut partial = vec![(Vec::new(), Vec::new()); count.div_ceil(PART)];
        parallel::for_each_chunk(&mut partial, 1, |part, out| {
            let (mut sums, mut masses) = (vec![0.0f32; k * d], vec![0.0f32; k]);
            simd::dispatch(
                #[inline(always)]
                || {
                    for i in part * PART..count.min((part + 1) * PART) {
                        let code = codes[i] as usize;
                        let weight = weights.as_ref().map_or(1.0, |weights| weights[i]);
                        masses[code] += weight;
                        simd::axpy(weight, point(i), &mut sums[code * d..][..d]);
                    }
                },
            );
            out[0] = (sums, masses);
        });
        let mut crowding =
            self.balance.as_ref().map(|balance| (balance.crowding.write(), balance.even_weight));
        let mut codewords = self.codewords.write();
        for (code, codeword) in codewords[..k * d].chunks_exact_mut(d).enumerate() {
            let mass: f32 = partial.iter().map(|(_, masses)| masses[code]).sum();
            if let Some((crowding, even_weight)) = &mut crowding {
                let grown = (crowding[code] * (mass / *even_weight).sqrt()).clamp(CROWDING[0], CROWDING[1]);
                crowding[code] = if mass == 0.0 { 1.0 } else { grown };
            }
            if mass == 0.0 {
                let word = self.rng.block(Stream::Codewords, self.step, code as u32, 0)[0];
                codeword.copy_from_slice(point(below(word, count as u32) as usize));
                continue;
            }
            codeword.fill(0.0);
            for (sums, _) in &partial {
                simd::axpy(1.0, &sums[code * d..][..d], codeword);
            }
            codeword.iter_mut().for_each(|x| *x /= mass);
        }
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let (points, k) = (&self.points, self.k);
        let (count, dimensions) = (points.count, points.dimensions);
        // Short parts, because a part is summed point by point, with sums of at most 16 MB.
        let most = (SUMS / (k * dimensions).max(1)).clamp(1, 1024);
        let part = count.div_ceil(most).max(64);
        let parts = count.div_ceil(part);
        let sums = calls.scratch("k-means: sums", parts * k * dimensions);
        let masses = calls.scratch("k-means: masses", parts * k);
        let empty = calls.empty();
        calls.dispatch(
            kmeans_sum::Params {
                count: count as u32,
                stride: points.stride as u32,
                column: points.column as u32,
                dimensions: dimensions as u32,
                codewords: k as u32,
                parts: parts as u32,
                part: part as u32,
                weighted: self.weights.is_some().into(),
            },
            kmeans_sum::Bindings {
                values: &points.values,
                codes: &self.codes,
                weights: self.weights.as_ref().unwrap_or(&empty),
                sums: &sums,
                masses: &masses,
            },
            // One thread per dimension, for 32 codewords at a time.
            gpu::Work::Groups(parts * dimensions.div_ceil(64) * k.div_ceil(32)),
        );
        calls.dispatch(
            kmeans_update::Params {
                count: count as u32,
                stride: points.stride as u32,
                column: points.column as u32,
                dimensions: dimensions as u32,
                codewords: k as u32,
                parts: parts as u32,
                key_low: self.rng.key()[0],
                key_high: self.rng.key()[1],
                step: self.step,
                stream: Stream::Codewords as u32,
                balanced: self.balance.is_some().into(),
                even_weight: self.balance.as_ref().map_or(1.0, |balance| balance.even_weight),
                least_crowding: CROWDING[0],
                most_crowding: CROWDING[1],
            },
            kmeans_update::Bindings {
                values: &points.values,
                sums: &sums,
                masses: &masses,
                centres: &self.codewords,
                crowding: self.balance.as_ref().map_or(&empty, |balance| &balance.crowding),
            },
            gpu::Work::Threads(k * dimensions),
        );
    }
}
