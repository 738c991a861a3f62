// WGSL implementations may assume that no value is infinite or NaN, so maxima start from the lowest finite
// number, and values near it count as negative infinity.

const LOWEST = -3.4028234e38;

/// Whether a logarithm stands for zero: negative infinity, or LOWEST with something added.
fn is_nothing(x: f32) -> bool {
    return x < -1.0e38;
}

/// exp(x) for a difference to a maximum; 0 if it underflows.
fn exp_below(x: f32) -> f32 {
    return select(0.0, exp(max(x, -100.0)), x > -87.0);
}

var<private> infinity_bits: u32 = 0xff800000u;

/// Negative infinity, for scores that are not to be ranked: they are read as bits alone. Constant expressions may not be infinite; a
/// variable may.
fn negative_infinity() -> f32 {
    return bitcast<f32>(infinity_bits);
}
