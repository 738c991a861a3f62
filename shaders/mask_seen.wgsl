// Excludes a user's own items, and items that are not allowed for anyone, by setting their scores to the
// lowest value.
//
// Work per workgroup: one user. Grid: linear, rows workgroups.

#import "shared/grid.wgsl"
#import "shared/numbers.wgsl"

struct Params {
    rows: u32,
    /// M.
    items: u32,
    has_allowed: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> offsets: array<u32>; // rows + 1
@group(0) @binding(2) var<storage, read> seen: array<u32>; // all users' items
@group(0) @binding(3) var<storage, read> allowed: array<u32>; // M
@group(0) @binding(4) var<storage, read_write> scores: array<f32>; // rows x M

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = linear_group(group, groups);
    if row >= params.rows {
        return;
    }
    for (var e = offsets[row] + local; e < offsets[row + 1u]; e += 256u) {
        scores[row * params.items + seen[e]] = negative_infinity();
    }
    if params.has_allowed != 0u {
        for (var i = local; i < params.items; i += 256u) {
            if allowed[i] == 0u {
                scores[row * params.items + i] = negative_infinity();
            }
        }
    }
}
