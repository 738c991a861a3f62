// d loss / d query = sum over the row's entries and candidates of coefficient x item row.
//
// Work per workgroup: 4 lanes columns of as many query rows as it has sets of slots for, see shared/row_sums.wgsl.
// Grid: linear, ceil(rows / rows_each) * blocks workgroups.

#import "shared/grid.wgsl"
#import "shared/groups.wgsl"
#import "shared/row_sums.wgsl"

struct Params {
    batch: u32,
    group_size: u32,
    candidates: u32,
    rows: u32,
    /// H.
    width: u32,
    /// E.
    entries: u32,
    lanes: u32,
    slots: u32,
    blocks: u32,
    /// Rows of a workgroup.
    rows_each: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> table: array<f32>; // M x H
@group(0) @binding(2) var<storage, read> batch_offsets: array<u32>; // B + 1
@group(0) @binding(3) var<storage, read> batch_items: array<u32>; // E
@group(0) @binding(4) var<storage, read> negatives: array<u32>; // groups x candidates
@group(0) @binding(5) var<storage, read> positive: array<f32>; // L x E
@group(0) @binding(6) var<storage, read> negative: array<f32>; // R x candidates
@group(0) @binding(7) var<storage, read_write> query_gradient: array<f32>; // R x H

fn element(at: u32) -> f32 {
    return table[at];
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let share = share_of(linear_group(group, groups), local, params.rows);
    let row = share.row;
    var sum = vec4<f32>();
    if share.used {
        let user = row % params.batch;
        let sample_start = row / params.batch * params.entries;
        let start = batch_offsets[user];
        let total = batch_offsets[user + 1u] - start + params.candidates;
        let seen = group_of_row(row) * params.candidates;
        let drawn = row * params.candidates;
        for (var i = share.slot; i < total; i += 4u * params.slots) {
            var items = vec4<u32>();
            var coefficients = vec4<f32>();
            for (var n = 0u; n < 4u; n++) {
                let at = i + n * params.slots;
                if at < params.candidates {
                    items[n] = negatives[seen + at];
                    coefficients[n] = negative[drawn + at];
                } else if at < total {
                    let entry = start + at - params.candidates;
                    items[n] = batch_items[entry];
                    coefficients[n] = positive[sample_start + entry];
                }
            }
            sum += four_rows(items, coefficients, share.columns);
        }
    }
    sum = sum_slots(sum, local, share.slot);
    if share.slot == 0u {
        for (var i = 0u; i < 4u; i++) {
            if share.columns[i] < params.width {
                query_gradient[row * params.width + share.columns[i]] = sum[i];
            }
        }
    }
}
