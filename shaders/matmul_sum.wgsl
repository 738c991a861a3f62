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
    let stride = params.part_stride;
    var sum = 0.0;
    var part = 0u;
    // Four loads at a time, so that they do not wait for one another.
    for (; part + 4u <= params.parts; part += 4u) {
        let at = part * stride + index;
        sum += (a[at] + a[at + stride]) + (a[at + 2u * stride] + a[at + 3u * stride]);
    }
    for (; part < params.parts; part++) {
        sum += a[part * stride + index];
    }
    let column = index % params.n;
    store(index / params.n, column, 0u, sum, bias_of(column));
}
