// output[offset + c] = sum over rows of values[r, c].
//
// Work per thread: one column, in four independent sums.
// Grid: linear, columns threads.

#import "shared/grid.wgsl"

struct Params {
    rows: u32,
    columns: u32,
    /// First element of the output to write.
    offset: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> values: array<f32>; // rows x columns
@group(0) @binding(2) var<storage, read_write> output: array<f32>; // offset + columns

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let column = linear_group(group, groups) * 64u + local;
    if column >= params.columns {
        return;
    }
    var sums = vec4<f32>();
    var row = 0u;
    for (; row + 4u <= params.rows; row += 4u) {
        let at = (vec4<u32>(row) + vec4<u32>(0u, 1u, 2u, 3u)) * params.columns + column;
        sums += vec4<f32>(values[at.x], values[at.y], values[at.z], values[at.w]);
    }
    for (; row < params.rows; row++) {
        sums.x += values[row * params.columns + column];
    }
    output[params.offset + column] = (sums.x + sums.y) + (sums.z + sums.w);
}
