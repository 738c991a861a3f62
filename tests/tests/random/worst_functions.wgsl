// In place of WGSL's own functions: the errors that its specification allows. A logarithm near 1 may be 2^-21 too
// large, and outside of (-pi, pi) sine and cosine may be anything.

fn log(x: f32) -> f32 {
    return 0.6931472 * log2(x) + 4.7683716e-7;
}

fn anything_outside(x: f32) -> f32 {
    return select(1.0, 1.0e9, abs(x) > 3.1415927);
}

fn sin(x: f32) -> f32 {
    return anything_outside(x);
}

fn cos(x: f32) -> f32 {
    return anything_outside(x);
}
