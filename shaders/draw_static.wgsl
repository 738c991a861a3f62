// Candidates from a fixed distribution: uniform, or by an alias table with integer thresholds (Walker, 1977).
// Slot c of a group is drawn by its member c % size.
//
// Work per thread: one candidate. Grid: linear, groups * candidates threads.

#import "shared/grid.wgsl"
#import "shared/groups.wgsl"
#import "shared/philox.wgsl"
#import "shared/batch_row.wgsl"

struct Params {
    batch: u32,
    group_size: u32,
    candidates: u32,
    /// groups * candidates.
    total: u32,
    items: u32,
    /// 0: uniform, without alias table.
    has_table: u32,
    key_low: u32,
    key_high: u32,
    step: u32,
    row_offset: u32,
    row_period: u32,
    row_gap: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> thresholds: array<u32>; // M
@group(0) @binding(2) var<storage, read> aliases: array<u32>; // M
@group(0) @binding(3) var<storage, read_write> negatives: array<u32>; // groups x candidates

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
    let slot = at % params.candidates;
    let rows = rows_of_group(at / params.candidates);
    let row = rows.x + slot % rows.y;
    let seed = vec2<u32>(params.key_low, params.key_high);
    let words = philox(seed, STREAM_NEGATIVES, params.step, batch_row(row), slot);
    var item = below(words.x, params.items);
    if params.has_table != 0u && words.y >= thresholds[item] {
        item = aliases[item];
    }
    negatives[at] = item;
}
