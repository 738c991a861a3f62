// The contribution of each entry of the lists: (query row, bits of its coefficient). For a candidate that
// several rows share, it is (first row, index of its coefficient) with the top bit of the row set; the other
// rows follow, and so do their coefficients at distances of `candidates`.
//
// Work per thread: one entry. Grid: linear, total threads.

#import "shared/grid.wgsl"
#import "shared/groups.wgsl"

struct Params {
    batch: u32,
    group_size: u32,
    candidates: u32,
    /// E.
    entries: u32,
    /// L E.
    positives: u32,
    /// L E + groups * candidates.
    total: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> ids: array<u32>; // total, by list
@group(0) @binding(2) var<storage, read> rows: array<u32>; // E: batch row of each entry
@group(0) @binding(3) var<storage, read> positive: array<f32>; // L E
@group(0) @binding(4) var<storage, read> negative: array<f32>; // R x candidates
@group(0) @binding(5) var<storage, read_write> terms: array<vec2<u32>>; // total

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
    let id = ids[at];
    if id < params.positives {
        let row = id / params.entries * params.batch + rows[id % params.entries];
        terms[at] = vec2<u32>(row, bitcast<u32>(positive[id]));
        return;
    }
    let candidate = id - params.positives;
    let members = rows_of_group(candidate / params.candidates);
    let first = members.x * params.candidates + candidate % params.candidates;
    if members.y == 1u {
        terms[at] = vec2<u32>(members.x, bitcast<u32>(negative[first]));
    } else {
        terms[at] = vec2<u32>(members.x | 0x80000000u, first);
    }
}
