// Counts the occurrences of each item; the first occurrence adds the item to the touched ones.
//
// Work per thread: one entry of the batch, for all samples, or one candidate.
// Grid: linear, entries + candidates threads.

#import "shared/grid.wgsl"

struct Params {
    /// E.
    entries: u32,
    /// L.
    samples: u32,
    candidates: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> positives: array<u32>; // E
@group(0) @binding(2) var<storage, read> negatives: array<u32>; // candidates
@group(0) @binding(3) var<storage, read_write> met: array<atomic<u32>>; // M, zero before
@group(0) @binding(4) var<storage, read_write> count: array<atomic<u32>>; // 1
@group(0) @binding(5) var<storage, read_write> touched: array<u32>; // lists

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = linear_group(group, groups) * 64u + local;
    if i >= params.entries + params.candidates {
        return;
    }
    var item = 0u;
    var weight = 1u;
    if i < params.entries {
        item = positives[i];
        weight = params.samples;
    } else {
        item = negatives[i - params.entries];
    }
    if atomicAdd(&met[item], weight) == 0u {
        touched[atomicAdd(&count[0], 1u)] = item;
    }
}
