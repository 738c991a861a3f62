// output[i] = table[items[i]], with the whole result repeated: log q of fixed proposals.
//
// Work per thread: one output. Grid: linear, repeats * len threads.

#import "shared/grid.wgsl"

struct Params {
    len: u32,
    /// repeats * len.
    total: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> table: array<f32>; // M
@group(0) @binding(2) var<storage, read> items: array<u32>; // len
@group(0) @binding(3) var<storage, read_write> output: array<f32>; // repeats x len

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = linear_group(group, groups) * 256u + local;
    if i < params.total {
        output[i] = table[items[i % params.len]];
    }
}
