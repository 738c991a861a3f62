// RecVAE's composite prior of a latent dimension: a mixture of a standard normal distribution, of the previous posterior
// and of a wide normal distribution. Its weights, and the variance of the wide part, are those of
// core/src/kernels/mixture_divergence.rs.

const LOG_WEIGHTS = vec3<f32>(-1.8971199848858813, -0.2876820724517809, -2.302585092994046);
const WIDE = 10.0;
/// The least log variance of the previous posterior that counts, so that precisions do not overflow.
const LEAST = -60.0;

/// log p(z) without the constant of a normal density, and its derivative by z.
fn prior(z: f32, mean: f32, log_variance: f32) -> vec2<f32> {
    let log_variances = vec3<f32>(0.0, max(log_variance, LEAST), WIDE);
    let precisions = exp(-log_variances);
    let off = vec3<f32>(0.0, mean, 0.0) - z;
    let logs = LOG_WEIGHTS - 0.5 * (log_variances + off * off * precisions);
    let top = max(logs.x, max(logs.y, logs.z));
    let shares = exp(logs - top);
    let sum = shares.x + shares.y + shares.z;
    return vec2<f32>(top + log(sum), dot(shares, off * precisions) / sum);
}
