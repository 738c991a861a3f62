// output[offset + c] = sum over rows of values[r, c].
//
// Work per workgroup: 16 columns. Work per thread: every sixteenth row of one of them; the sums of a column's
// threads are added in order. Grid: linear, ceil(columns / 16) workgroups.

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

var<workgroup> partial: array<f32, 256>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let column = linear_group(group, groups) * 16u + local % 16u;
    let first = local / 16u;
    var sum = 0.0;
    if column < params.columns {
        let stride = 16u * params.columns;
        var row = first;
        // Four loads at a time, so that they do not wait for one another.
        for (; row + 48u < params.rows; row += 64u) {
            let at = row * params.columns + column;
            sum += (values[at] + values[at + stride]) + (values[at + 2u * stride] + values[at + 3u * stride]);
        }
        for (; row < params.rows; row += 16u) {
            sum += values[row * params.columns + column];
        }
    }
    partial[local] = sum;
    workgroupBarrier();
    if local < 16u && column < params.columns {
        for (var i = 1u; i < 16u; i++) {
            sum += partial[16u * i + local];
        }
        output[params.offset + column] = sum;
    }
}
