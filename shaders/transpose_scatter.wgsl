// Writes every entry to its item's list, in any order.
//
// Work per thread: one entry. Grid: linear, total threads.

#import "shared/grid.wgsl"
#import "shared/entries.wgsl"

struct Params {
    entries: u32,
    positives: u32,
    /// L E + candidates.
    total: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> positives: array<u32>; // E
@group(0) @binding(2) var<storage, read> negatives: array<u32>; // candidates
@group(0) @binding(3) var<storage, read> list_of: array<u32>; // M
@group(0) @binding(4) var<storage, read_write> cursors: array<atomic<u32>>; // lists
@group(0) @binding(5) var<storage, read_write> scattered: array<u32>; // total

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let id = linear_group(group, groups) * 64u + local;
    if id >= params.total {
        return;
    }
    scattered[atomicAdd(&cursors[list_of[item_of(id)] - 1u], 1u)] = id;
}
