/// 1 / (1 + exp(-x)), without an overflow.
fn sigmoid(x: f32) -> f32 {
    return 1.0 / (1.0 + exp(-max(x, -80.0)));
}
