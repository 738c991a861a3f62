// ln sum over all items of (alpha o^2 + 1) (Blanc and Rendle, 2018): the quadratic form of the tree's root.
//
// Work per workgroup: one query row. Grid: linear, rows workgroups.

#import "shared/grid.wgsl"
#import "shared/quadratic.wgsl"
#import "shared/reduce.wgsl"

struct Params {
    rows: u32,
    /// M.
    items: u32,
    /// W, the width of an item row including its bias.
    width: u32,
    has_bias: u32,
    alpha: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> queries: array<f32>; // R x (W - has_bias)
@group(0) @binding(2) var<storage, read> nodes: array<f32>; // 2P x W (W + 1) / 2
@group(0) @binding(3) var<storage, read_write> log_z: array<f32>; // R

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = linear_group(group, groups);
    if row >= params.rows {
        return;
    }
    let weight = node_weight(1u, params.items, row, local);
    if local == 0u {
        log_z[row] = log(weight);
    }
}
