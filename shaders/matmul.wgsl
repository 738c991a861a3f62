// A matrix product for adapters that emulate workgroups on a CPU.
//
// Work per thread: 4 x 4 elements of C, in registers. No workgroup memory: neighbouring threads share their
// rows and columns through the cache.
// Grid: linear, ceil(m / 4) * ceil(n / 4) threads, n fastest.

#import "shared/grid.wgsl"
#import "shared/matmul.wgsl"

fn store_row(row: u32, column: u32, sums: vec4<f32>) {
    if row >= params.m {
        return;
    }
    for (var i = 0u; i < min(4u, params.n - column); i++) {
        store(row, column + i, 0u, sums[i], bias_of(column + i));
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
    store_row(row, column, sums0);
    store_row(row + 1u, column, sums1);
    store_row(row + 2u, column, sums2);
    store_row(row + 3u, column, sums3);
}
