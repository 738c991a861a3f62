// Stores the step for each updated row, and empties the lists if this is their last use.
//
// Work per thread: one row. Grid: linear, as many threads as there may be rows.

#import "shared/grid.wgsl"

struct Params {
    /// Rows of the table, or the most lists there can be.
    rows: u32,
    /// 1: every row of the table was updated; 0: the touched ones.
    all: u32,
    step: u32,
    clear: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> count: array<u32>; // 1
@group(0) @binding(2) var<storage, read> touched: array<u32>; // lists
@group(0) @binding(3) var<storage, read_write> last_step: array<u32>; // M
@group(0) @binding(4) var<storage, read_write> list_of: array<u32>; // M

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = linear_group(group, groups) * 64u + local;
    if i >= params.rows || (params.all == 0u && i >= count[0]) {
        return;
    }
    var row = i;
    if params.all == 0u {
        row = touched[i];
    }
    last_step[row] = params.step;
    if params.clear != 0u {
        list_of[row] = 0u;
    }
}
