// Allocates a list for each touched item, and stores the number of the list for the item.
//
// Work per thread: one list. Grid: linear, as many threads as there may be lists.

#import "shared/grid.wgsl"

struct Params {
    /// The most lists that there can be.
    lists: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> count: array<u32>; // 1
@group(0) @binding(2) var<storage, read> touched: array<u32>; // lists
@group(0) @binding(3) var<storage, read_write> list_of: array<u32>; // M; in: number of occurrences, out: 1 + list
@group(0) @binding(4) var<storage, read_write> allocated: array<atomic<u32>>; // 1
@group(0) @binding(5) var<storage, read_write> starts: array<u32>; // lists
@group(0) @binding(6) var<storage, read_write> lengths: array<u32>; // lists
@group(0) @binding(7) var<storage, read_write> cursors: array<u32>; // lists

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let list = linear_group(group, groups) * 64u + local;
    if list >= min(params.lists, count[0]) {
        return;
    }
    let item = touched[list];
    let length = list_of[item];
    let start = atomicAdd(&allocated[0], length);
    starts[list] = start;
    lengths[list] = length;
    cursors[list] = start;
    list_of[item] = list + 1u;
}
