// log q of a mixture of two proposals: output = ln((1 - p) exp(output) + p exp(second)).
//
// Work per thread: one value. Grid: linear, total threads.

#import "shared/grid.wgsl"
#import "shared/numbers.wgsl"

struct Params {
    total: u32,
    /// ln(1 - p).
    log_first: f32,
    /// ln p.
    log_second: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> second: array<f32>; // total
@group(0) @binding(2) var<storage, read_write> output: array<f32>; // total

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = linear_group(group, groups) * 256u + local;
    if i >= params.total {
        return;
    }
    // If the first proposal gives the item probability zero, only the second one counts.
    let a = max(output[i], LOWEST) + params.log_first;
    let b = max(second[i], LOWEST) + params.log_second;
    let top = max(a, b);
    output[i] = top + log(exp_below(a - top) + exp_below(b - top));
}
