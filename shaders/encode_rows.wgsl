// hidden[b] = activation(sum over entries e of b: weights[e] table[items[e]] + bias).
//
// Work per thread: four neighbouring columns of a batch row; neighbouring threads read neighbouring columns.
// Grid: linear, batch * ceil(hidden / 4) threads.

#import "shared/grid.wgsl"
#import "shared/activation.wgsl"

struct Params {
    batch: u32,
    /// H.
    width: u32,
    activation: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> batch_offsets: array<u32>; // B + 1
@group(0) @binding(2) var<storage, read> items: array<u32>; // E
@group(0) @binding(3) var<storage, read> weights: array<f32>; // E
@group(0) @binding(4) var<storage, read> table: array<f32>; // M x H
@group(0) @binding(5) var<storage, read> bias: array<f32>; // H
@group(0) @binding(6) var<storage, read_write> output: array<f32>; // B x H

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let thread = linear_group(group, groups) * 64u + local;
    let quads = (params.width + 3u) / 4u;
    let b = thread / quads;
    if b >= params.batch {
        return;
    }
    // Beyond the edge, the last column is summed again and not stored.
    let column = thread % quads * 4u;
    let columns = min(vec4<u32>(column) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.width - 1u));
    var sums = vec4<f32>(bias[columns.x], bias[columns.y], bias[columns.z], bias[columns.w]);
    let end = batch_offsets[b + 1u];
    for (var e = batch_offsets[b]; e < end; e++) {
        let weight = weights[e];
        if weight != 0.0 {
            let at = columns + items[e] * params.width;
            sums += weight * vec4<f32>(table[at.x], table[at.y], table[at.z], table[at.w]);
        }
    }
    for (var i = 0u; i < min(4u, params.width - column); i++) {
        output[b * params.width + column + i] = activate(params.activation, sums[i]);
    }
}
