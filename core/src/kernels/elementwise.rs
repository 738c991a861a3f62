//! Scalar functions that several kernels share.

use super::Activation;

/// The activation's value.
#[inline(always)]
pub fn activate(activation: Activation, x: f32) -> f32 {
    match activation {
        Activation::None => x,
        Activation::Tanh => crate::simd::tanh(x),
        Activation::Relu => x.max(0.0),
    }
}

/// `1 / (1 + exp(-x))`, without an overflow.
#[cfg(feature = "baselines")]
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x.max(-80.0)).exp())
}

/// The activation's derivative, from its output.
#[inline(always)]
pub fn derivative(activation: Activation, y: f32) -> f32 {
    match activation {
        Activation::None => 1.0,
        Activation::Tanh => 1.0 - y * y,
        Activation::Relu => f32::from(y > 0.0),
    }
}
