// Operands, result and epilogue of matrix products: C[m x n] = activation(beta C + alpha A[m x k] B[k x n] + bias[n]).
//
// Operands are strided views: element (r, c) lies at offset + r * row + c * column.

#import "activation.wgsl"

struct Params {
    m: u32,
    n: u32,
    k: u32,
    a_offset: u32,
    a_row: u32,
    a_column: u32,
    b_offset: u32,
    b_row: u32,
    b_column: u32,
    c_offset: u32,
    c_row: u32,
    c_column: u32,
    alpha: f32,
    beta: f32,
    /// 1 where a bias is bound.
    has_bias: u32,
    bias_offset: u32,
    activation: u32,
    /// Parts that k is divided into, each of which writes a matrix of its own.
    parts: u32,
    /// Terms of k per part.
    depth: u32,
    /// Distance in C between the results of two parts.
    part_stride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>; // m x k
@group(0) @binding(2) var<storage, read> b: array<f32>; // k x n
@group(0) @binding(3) var<storage, read> bias: array<f32>; // n
@group(0) @binding(4) var<storage, read_write> c: array<f32>; // m x n for each part

/// What is added to every element of a column.
fn bias_of(column: u32) -> f32 {
    if params.has_bias == 0u || column >= params.n {
        return 0.0;
    }
    return bias[params.bias_offset + column];
}

/// Writes an element of C from its sum over k.
fn store(row: u32, column: u32, part: u32, sum: f32, added: f32) {
    let index = params.c_offset + part * params.part_stride + row * params.c_row + column * params.c_column;
    var value = params.alpha * sum + added;
    // C is not read if nothing is added to it, because it may hold NaN.
    if params.beta != 0.0 {
        value += params.beta * c[index];
    }
    if params.activation != ACTIVATION_NONE {
        value = activate(params.activation, value);
    }
    c[index] = value;
}
