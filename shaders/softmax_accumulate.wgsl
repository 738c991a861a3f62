// Maximum of a chunk of a row's logits, and the sum of exp(o - maximum) over it.
//
// Work per workgroup: one chunk of one query row. Grid: linear, rows * chunks workgroups.

#import "shared/grid.wgsl"
#import "shared/numbers.wgsl"
#import "shared/reduce.wgsl"

struct Params {
    rows: u32,
    /// Items of this block.
    block: u32,
    /// Chunks of a row.
    chunks: u32,
    /// Items per chunk; fewer in the last.
    chunk: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>; // R x block
@group(0) @binding(2) var<storage, read_write> partial: array<vec2<f32>>; // R x chunks: maximum and sum

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = linear_group(group, groups);
    if index >= params.rows * params.chunks {
        return;
    }
    let row = index / params.chunks;
    let start = index % params.chunks * params.chunk;
    let end = row * params.block + min(start + params.chunk, params.block);
    let begin = row * params.block + start + local;
    var top = LOWEST;
    for (var i = begin; i < end; i += 64u) {
        top = max(top, logits[i]);
    }
    top = workgroup_max(top, local);
    var terms = 0.0;
    for (var i = begin; i < end; i += 64u) {
        terms += exp_below(logits[i] - top);
    }
    terms = workgroup_sum(terms, local);
    if local == 0u {
        partial[index] = vec2<f32>(top, terms);
    }
}
