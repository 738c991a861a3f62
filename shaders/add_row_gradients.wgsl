// Adds the gradient of each touched row, the sum over its entries of coefficient x query, to a stored one.
//
// Work per workgroup: 4 lanes columns of as many rows as it has sets of slots for, see shared/row_sums.wgsl.
// Grid: linear, ceil(rows / rows_each) * blocks workgroups.

#import "shared/grid.wgsl"
#import "shared/row_sums.wgsl"
#import "shared/rank_one.wgsl"

struct Params {
    batch: u32,
    group_size: u32,
    candidates: u32,
    /// The most lists there can be.
    rows: u32,
    width: u32,
    lanes: u32,
    slots: u32,
    blocks: u32,
    /// Rows of a workgroup.
    rows_each: u32,
    /// 1 if `output` has a row for each list of `list_of`; 0 if it has one for each row of the table.
    places: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> lists: array<vec4<u32>>; // rows: row, start, length, 1 if in use
@group(0) @binding(2) var<storage, read> terms: array<vec2<u32>>; // see update_rows_terms
@group(0) @binding(3) var<storage, read> negative: array<f32>; // R x candidates
@group(0) @binding(4) var<storage, read> vectors: array<f32>; // R x width
@group(0) @binding(5) var<storage, read> list_of: array<u32>; // M: 1 + the list of each row
@group(0) @binding(6) var<storage, read_write> output: array<f32>; // lists or M x width

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let share = share_of(linear_group(group, groups), local, params.rows);
    var list = vec4<u32>();
    if share.used {
        list = lists[share.row];
    }
    let gradient = sum_slots(gradient_of(list, share.slot, share.columns), local, share.slot);
    if list.w == 0u || share.slot != 0u {
        return;
    }
    var place = list.x;
    if params.places != 0u {
        // The lists contain every row of these.
        place = list_of[list.x] - 1u;
    }
    for (var c = 0u; c < 4u; c++) {
        if share.columns[c] < params.width {
            output[place * params.width + share.columns[c]] += gradient[c];
        }
    }
}
