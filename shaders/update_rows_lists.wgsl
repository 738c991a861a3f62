// Writes the lists in the layout of the update, one (row, start, length) for each row to update, and empties the lists of
// items if this is their last use.
//
// Work per thread: one row. Grid: linear, as many threads as there may be rows.

#import "shared/grid.wgsl"

struct Params {
    /// Rows of the table, or the most lists there can be.
    rows: u32,
    /// 1: every row of the table is updated; 0: the touched ones.
    all: u32,
    clear: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> count: array<u32>; // 1
@group(0) @binding(2) var<storage, read> touched: array<u32>; // lists
@group(0) @binding(3) var<storage, read> starts: array<u32>; // lists
@group(0) @binding(4) var<storage, read> lengths: array<u32>; // lists
@group(0) @binding(5) var<storage, read_write> list_of: array<u32>; // M
@group(0) @binding(6) var<storage, read_write> lists: array<vec4<u32>>; // rows: row, start, length, 1

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = linear_group(group, groups) * 64u + local;
    if i >= params.rows {
        return;
    }
    var row = i;
    var list = i + 1u;
    if params.all != 0u {
        list = list_of[i];
    } else if i < count[0] {
        row = touched[i];
    } else {
        lists[i] = vec4<u32>();
        return;
    }
    if params.clear != 0u {
        list_of[row] = 0u;
    }
    if list == 0u {
        lists[i] = vec4<u32>(row, 0u, 0u, 1u);
    } else {
        lists[i] = vec4<u32>(row, starts[list - 1u], lengths[list - 1u], 1u);
    }
}
