const ACTIVATION_NONE = 0u;
const ACTIVATION_TANH = 1u;
const ACTIVATION_RELU = 2u;

fn activate(activation: u32, x: f32) -> f32 {
    switch activation {
        // Beyond 10 the result is 1 in f32; implementations based on exp would overflow instead.
        case ACTIVATION_TANH: { return tanh(clamp(x, -10.0, 10.0)); }
        case ACTIVATION_RELU: { return max(x, 0.0); }
        default: { return x; }
    }
}

/// The derivative, computed from the activation's output.
fn activation_derivative(activation: u32, y: f32) -> f32 {
    switch activation {
        case ACTIVATION_TANH: { return 1.0 - y * y; }
        case ACTIVATION_RELU: { return select(0.0, 1.0, y > 0.0); }
        default: { return 1.0; }
    }
}
