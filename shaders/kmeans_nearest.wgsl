// codes[i] = argmin over k of f_k |x_i - c_k|^2 for a block of points; the smaller index wins ties. If all f
// are 1, this is the argmax of c_k . x_i - |c_k|^2 / 2.
//
// Work per thread: one point. Grid: linear, count threads.

#import "shared/grid.wgsl"
#import "shared/numbers.wgsl"

struct Params {
    /// Points of this block.
    count: u32,
    /// The first of them.
    first: u32,
    /// Elements between points.
    stride: u32,
    /// First column in use.
    column: u32,
    /// Columns in use, d.
    dimensions: u32,
    /// K.
    codewords: u32,
    /// Whether f is bound; otherwise it is 1.
    crowded: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> values: array<f32>; // M x stride
@group(0) @binding(2) var<storage, read> scores: array<f32>; // K x count: c_k . x_i
@group(0) @binding(3) var<storage, read> halves: array<f32>; // K: |c_k|^2 / 2
@group(0) @binding(4) var<storage, read> crowding: array<f32>; // f, K, where there is one
@group(0) @binding(5) var<storage, read_write> codes: array<u32>; // M

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = linear_group(group, groups) * 64u + local;
    if i >= params.count {
        return;
    }
    var norm = 0.0;
    if params.crowded != 0u {
        let point = (params.first + i) * params.stride + params.column;
        for (var d = 0u; d < params.dimensions; d++) {
            norm += values[point + d] * values[point + d];
        }
    }
    var best = LOWEST;
    var nearest = 0u;
    for (var k = 0u; k < params.codewords; k += 4u) {
        // Four loads at a time; beyond the end, the last codeword is scored again, which does not change the result.
        let four = min(vec4<u32>(k) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.codewords - 1u));
        let at = four * params.count + i;
        var closeness = vec4<f32>(scores[at.x], scores[at.y], scores[at.z], scores[at.w])
            - vec4<f32>(halves[four.x], halves[four.y], halves[four.z], halves[four.w]);
        if params.crowded != 0u {
            let factors = vec4<f32>(crowding[four.x], crowding[four.y], crowding[four.z], crowding[four.w]);
            closeness = -factors * (norm - 2.0 * closeness);
        }
        for (var n = 0u; n < 4u; n++) {
            if closeness[n] > best {
                best = closeness[n];
                nearest = four[n];
            }
        }
    }
    codes[params.first + i] = nearest;
}
