// Adam (Kingma and Ba, 2015). `params` has rate = lr / (1 - b1^t), beta1, beta2, root = 1 / sqrt(1 - b2^t),
// epsilon, keep = 1 - lr * decoupled decay, l2 = coupled decay.

/// (value, first moment, second moment) after one step.
fn adam(gradient: f32, value: f32, first: f32, second: f32) -> vec3<f32> {
    let g = gradient + params.l2 * value;
    let m = params.beta1 * first + (1.0 - params.beta1) * g;
    let v = params.beta2 * second + (1.0 - params.beta2) * g * g;
    return vec3<f32>(value * params.keep - params.rate * m / (sqrt(v) * params.root + params.epsilon), m, v);
}
