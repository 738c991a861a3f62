// ln psi(k1) = ln sum over k2 of omega(k1, k2) exp r2, and ln Z = ln sum over k1 of exp(r1 + ln psi)
// (paper, theorem 5.1).
//
// Work per workgroup: one query row, with one first codeword per thread at a time. Grid: linear, rows
// workgroups.

#import "shared/grid.wgsl"
#import "shared/numbers.wgsl"
#import "shared/reduce.wgsl"

struct Params {
    rows: u32,
    /// K, at most 256.
    codewords: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> scores: array<f32>; // R x 2K: r1, r2
@group(0) @binding(2) var<storage, read> log_weights: array<f32>; // K x K: ln omega
@group(0) @binding(3) var<storage, read_write> log_psi: array<f32>; // R x K
@group(0) @binding(4) var<storage, read_write> log_z: array<f32>; // R

var<workgroup> second: array<f32, 256>; // r2
var<workgroup> joint: array<f32, 256>; // r1 + ln psi

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
    let k = params.codewords;
    for (var k2 = local; k2 < k; k2 += 64u) {
        second[k2] = scores[(2u * row + 1u) * k + k2];
    }
    workgroupBarrier();
    var top = LOWEST;
    for (var k1 = local; k1 < k; k1 += 64u) {
        var largest = LOWEST;
        for (var k2 = 0u; k2 < k; k2++) {
            largest = max(largest, log_weights[k1 * k + k2] + second[k2]);
        }
        joint[k1] = LOWEST;
        if is_nothing(largest) {
            log_psi[row * k + k1] = negative_infinity();
            continue;
        }
        var sum = 0.0;
        for (var k2 = 0u; k2 < k; k2++) {
            sum += exp_below(log_weights[k1 * k + k2] + second[k2] - largest);
        }
        let value = largest + log(sum);
        log_psi[row * k + k1] = value;
        joint[k1] = scores[2u * row * k + k1] + value;
        top = max(top, joint[k1]);
    }
    top = workgroup_max(top, local);
    var sum = 0.0;
    for (var k1 = local; k1 < k; k1 += 64u) {
        sum += exp_below(joint[k1] - top);
    }
    sum = workgroup_sum(sum, local);
    if local == 0u {
        log_z[row] = top + log(sum);
    }
}
