// Sorts each list by id: an entry's rank is the number of smaller ones in its list. Lists are short: a batch of B users
// has an item B times at most as a positive, and draws it about as often as its probability says.
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
@group(0) @binding(4) var<storage, read> starts: array<u32>; // lists
@group(0) @binding(5) var<storage, read> lengths: array<u32>; // lists
@group(0) @binding(6) var<storage, read> scattered: array<u32>; // total
@group(0) @binding(7) var<storage, read_write> sorted: array<u32>; // total

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let at = linear_group(group, groups) * 64u + local;
    if at >= params.total {
        return;
    }
    let id = scattered[at];
    let list = list_of[item_of(id)] - 1u;
    let start = starts[list];
    let end = start + lengths[list];
    var rank = 0u;
    for (var i = start; i < end; i++) {
        rank += u32(scattered[i] < id);
    }
    sorted[start + rank] = id;
}
