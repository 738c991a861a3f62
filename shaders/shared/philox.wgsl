// Counter-based random integers: Philox4x32-10 (Salmon et al., 2011). The twin of core/src/rng.rs.

const STREAM_INIT = 0u;
const STREAM_DROPOUT = 1u;
const STREAM_NOISE = 2u;
const STREAM_NEGATIVES = 3u;
const STREAM_MIXTURE = 7u;

/// High half of a 32 x 32 bit product, from 16-bit halves: WGSL has no 64-bit integers.
fn mul_high(a: u32, b: u32) -> u32 {
    let a_low = a & 0xffffu;
    let a_high = a >> 16u;
    let b_low = b & 0xffffu;
    let b_high = b >> 16u;
    let middle = a_high * b_low + ((a_low * b_low) >> 16u);
    let carry = a_low * b_high + (middle & 0xffffu);
    return a_high * b_high + (middle >> 16u) + (carry >> 16u);
}

/// Four random words of (seed, stream, step, row, draw).
fn philox(seed: vec2<u32>, stream: u32, step: u32, row: u32, draw: u32) -> vec4<u32> {
    var counter = vec4<u32>(draw, row, step, stream);
    var key = seed;
    for (var round = 0u; round < 10u; round++) {
        counter = vec4<u32>(
            mul_high(0xcd9e8d57u, counter.z) ^ counter.y ^ key.x,
            0xcd9e8d57u * counter.z,
            mul_high(0xd2511f53u, counter.x) ^ counter.w ^ key.y,
            0xd2511f53u * counter.x,
        );
        key += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
    }
    return counter;
}

/// An integer below n, such that every value can occur.
fn below(word: u32, n: u32) -> u32 {
    return mul_high(word, n);
}

/// A float in (0, 1): the top 24 bits, centred so that neither end is reached. The sum of the largest rounds up
/// to 2^24, hence the minimum with the last float below 1.
fn unit(word: u32) -> f32 {
    return min((f32(word >> 8u) + 0.5) * (1.0 / 16777216.0), 0.99999994);
}

/// Two independent standard normals from two words (Box and Muller). WGSL allows an error of 2^-21 to a logarithm
/// near 1, which may thus be positive, and bounds the error of sine and cosine within (-pi, pi) only: the angle
/// is that of the CPU's twin minus pi, which turns both signs.
fn normal_pair(a: u32, b: u32) -> vec2<f32> {
    let radius = sqrt(max(-2.0 * log(unit(a)), 0.0));
    let angle = 6.283185307179586 * (unit(b) - 0.5);
    return -radius * vec2<f32>(cos(angle), sin(angle));
}
