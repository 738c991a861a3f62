// Updates maximum and sum by those of the chunks of one more block: sum = sum of exp(o - maximum) over all
// logits so far.
//
// Work per workgroup: one query row. Grid: linear, rows workgroups.

#import "shared/grid.wgsl"
#import "shared/numbers.wgsl"
#import "shared/reduce.wgsl"

struct Params {
    rows: u32,
    /// Chunks of a row.
    chunks: u32,
    /// 1 for the first block, which overwrites maximum and sum.
    is_first: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> partial: array<vec2<f32>>; // R x chunks: maximum and sum
@group(0) @binding(2) var<storage, read_write> maximum: array<f32>; // R
@group(0) @binding(3) var<storage, read_write> sum: array<f32>; // R

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = linear_group(group, groups);
    if row >= params.rows {
        return;
    }
    let end = (row + 1u) * params.chunks;
    let begin = row * params.chunks + local;
    var top = LOWEST;
    for (var i = begin; i < end; i += 64u) {
        top = max(top, partial[i].x);
    }
    top = workgroup_max(top, local);
    var carried = 0.0;
    if params.is_first == 0u {
        let before = maximum[row];
        let larger = max(top, before);
        carried = sum[row] * exp_below(before - larger);
        top = larger;
    }
    var terms = 0.0;
    for (var i = begin; i < end; i += 64u) {
        terms += partial[i].y * exp_below(partial[i].x - top);
    }
    terms = workgroup_sum(terms, local);
    if local == 0u {
        maximum[row] = top;
        sum[row] = carried + terms;
    }
}
