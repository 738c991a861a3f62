// C[m x n] = activation(beta C + alpha A[m x k] B[k x n] + bias[n]).
//
// Operands are strided views: element (r, c) lies at offset + r * row + c * column.
// Work per thread: 4 x 4 elements of C, in registers. No workgroup memory: neighbouring threads share their
// rows and columns through the cache, which also suits adapters that emulate workgroups on a CPU.
// Grid: linear, ceil(m / 4) * ceil(n / 4) threads, n fastest.

#import "shared/grid.wgsl"
#import "shared/activation.wgsl"

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
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>; // m x k
@group(0) @binding(2) var<storage, read> b: array<f32>; // k x n
@group(0) @binding(3) var<storage, read> bias: array<f32>; // n
@group(0) @binding(4) var<storage, read_write> c: array<f32>; // m x n

fn store(row: u32, column: u32, sums: vec4<f32>) {
    if row >= params.m {
        return;
    }
    for (var i = 0u; i < 4u; i++) {
        if column + i >= params.n {
            return;
        }
        let index = params.c_offset + row * params.c_row + (column + i) * params.c_column;
        var value = params.alpha * sums[i];
        // C is not read if nothing is added to it, because it may hold NaN.
        if params.beta != 0.0 {
            value += params.beta * c[index];
        }
        if params.has_bias != 0u {
            value += bias[params.bias_offset + column + i];
        }
        c[index] = activate(params.activation, value);
    }
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let thread = linear_group(group, groups) * 64u + local;
    let columns = (params.n + 3u) / 4u;
    let row = thread / columns * 4u;
    let column = thread % columns * 4u;
    if row >= params.m {
        return;
    }
    // Beyond the edge, the last row or column is read again, so that the loop needs no bounds checks.
    let rows = min(vec4<u32>(row) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.m - 1u));
    let last = min(vec4<u32>(column) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.n - 1u));
    var at_a = rows * params.a_row + params.a_offset;
    var at_b = last * params.b_column + params.b_offset;
    var sums0 = vec4<f32>();
    var sums1 = vec4<f32>();
    var sums2 = vec4<f32>();
    var sums3 = vec4<f32>();
    for (var i = 0u; i < params.k; i++) {
        let right = vec4<f32>(b[at_b.x], b[at_b.y], b[at_b.z], b[at_b.w]);
        sums0 += a[at_a.x] * right;
        sums1 += a[at_a.y] * right;
        sums2 += a[at_a.z] * right;
        sums3 += a[at_a.w] * right;
        at_a += params.a_column;
        at_b += params.b_row;
    }
    store(row, column, sums0);
    store(row + 1u, column, sums1);
    store(row + 2u, column, sums2);
    store(row + 3u, column, sums3);
}
