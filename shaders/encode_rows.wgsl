// hidden[b] = activation(sum over entries e of b: weights[e] table[items[e]] + bias).
//
// Work per workgroup: 4 lanes columns of as many batch rows as it has sets of slots for, see shared/row_sums.wgsl.
// Grid: linear, ceil(batch / rows_each) * blocks workgroups.

#import "shared/grid.wgsl"
#import "shared/activation.wgsl"
#import "shared/row_sums.wgsl"

struct Params {
    batch: u32,
    /// H.
    width: u32,
    lanes: u32,
    slots: u32,
    blocks: u32,
    /// Rows of a workgroup.
    rows_each: u32,
    activation: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> batch_offsets: array<u32>; // B + 1
@group(0) @binding(2) var<storage, read> items: array<u32>; // E
@group(0) @binding(3) var<storage, read> weights: array<f32>; // E
@group(0) @binding(4) var<storage, read> table: array<f32>; // M x H
@group(0) @binding(5) var<storage, read> bias: array<f32>; // H
@group(0) @binding(6) var<storage, read_write> output: array<f32>; // B x H

fn element(at: u32) -> f32 {
    return table[at];
}

/// The weight of an entry; beyond the last one, nothing.
fn weight(e: u32, end: u32) -> f32 {
    return select(0.0, weights[min(e, end - 1u)], e < end);
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let share = share_of(linear_group(group, groups), local, params.batch);
    let b = share.row;
    var sum = vec4<f32>();
    if share.used {
        let end = batch_offsets[b + 1u];
        for (var e = batch_offsets[b] + share.slot; e < end; e += 4u * params.slots) {
            let at = vec4<u32>(e) + vec4<u32>(0u, 1u, 2u, 3u) * params.slots;
            let last = min(at, vec4<u32>(end - 1u));
            let rows = vec4<u32>(items[last.x], items[last.y], items[last.z], items[last.w]);
            let kept = vec4<f32>(weight(at.x, end), weight(at.y, end), weight(at.z, end), weight(at.w, end));
            sum += four_rows(rows, kept, share.columns);
        }
    }
    sum = sum_slots(sum, local, share.slot);
    if share.slot == 0u {
        for (var i = 0u; i < 4u; i++) {
            if share.columns[i] < params.width {
                output[b * params.width + share.columns[i]] = activate(params.activation, sum[i] + bias[share.columns[i]]);
            }
        }
    }
}
