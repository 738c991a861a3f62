// ln psi(k1) = ln sum over k2 of omega(k1, k2) exp r2, and ln Z = ln sum over k1 of exp(r1 + ln psi)
// (paper, theorem 5.1).
//
// Work per workgroup: one query row. Four neighbouring threads share a first codeword, and each of them reads four
// neighbouring weights at a time. Grid: linear, rows workgroups.

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
@group(0) @binding(2) var<storage, read> log_weights: array<f32>; // K x K: ln omega, LOWEST for an empty cell
@group(0) @binding(3) var<storage, read_write> log_psi: array<f32>; // R x K
@group(0) @binding(4) var<storage, read_write> log_z: array<f32>; // R

var<workgroup> second: array<f32, 256>; // r2
var<workgroup> joint: array<f32, 256>; // r1 + ln psi
// Of each thread's weights: the largest logarithm, and the sum relative to it.
var<workgroup> tops: array<f32, 1024>;
var<workgroup> sums: array<f32, 1024>;

/// ln omega(k1, k2) + r2 for four neighbouring k2.
fn four_terms(k1: u32, k2: u32) -> vec4<f32> {
    let columns = vec4<u32>(k2) + vec4<u32>(0u, 1u, 2u, 3u);
    // Beyond the edge, the last column is read and not used.
    let inside = min(columns, vec4<u32>(params.codewords - 1u));
    let at = k1 * params.codewords + inside;
    let weights = vec4<f32>(log_weights[at.x], log_weights[at.y], log_weights[at.z], log_weights[at.w]);
    let scores2 = vec4<f32>(second[inside.x], second[inside.y], second[inside.z], second[inside.w]);
    return select(vec4<f32>(LOWEST), weights + scores2, columns == inside);
}

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
    for (var k1 = local / 4u; k1 < k; k1 += 16u) {
        let start = 4u * (local % 4u);
        var largest = LOWEST;
        for (var k2 = start; k2 < k; k2 += 16u) {
            let terms = four_terms(k1, k2);
            largest = max(largest, max(max(terms.x, terms.y), max(terms.z, terms.w)));
        }
        var sum = 0.0;
        if !is_nothing(largest) {
            for (var k2 = start; k2 < k; k2 += 16u) {
                let terms = four_terms(k1, k2);
                sum += (exp_below(terms.x - largest) + exp_below(terms.y - largest))
                    + (exp_below(terms.z - largest) + exp_below(terms.w - largest));
            }
        }
        tops[4u * k1 + local % 4u] = largest;
        sums[4u * k1 + local % 4u] = sum;
    }
    workgroupBarrier();
    var top = LOWEST;
    for (var k1 = local; k1 < k; k1 += 64u) {
        let at = 4u * k1;
        let largest = max(max(tops[at], tops[at + 1u]), max(tops[at + 2u], tops[at + 3u]));
        joint[k1] = LOWEST;
        if is_nothing(largest) {
            log_psi[row * k + k1] = LOWEST;
            continue;
        }
        var sum = 0.0;
        for (var n = at; n < at + 4u; n++) {
            // Of a thread without weights, the difference may be infinite.
            if !is_nothing(tops[n]) {
                sum += sums[n] * exp_below(tops[n] - largest);
            }
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
