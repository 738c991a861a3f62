// C[m x n] = activation(beta C + alpha (sum over the parts of k) + bias[n]), from the parts' sums.
//
// Work per thread: one element of C, the parts in order. Grid: linear, m * n threads.

#import "shared/grid.wgsl"
#import "shared/matmul.wgsl"

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = linear_group(group, groups) * 64u + local;
    if index >= params.m * params.n {
        return;
    }
    var sum = 0.0;
    for (var part = 0u; part < params.parts; part++) {
        sum += a[part * params.part_stride + index];
    }
    store(index / params.n, index % params.n, 0u, sum);
}
