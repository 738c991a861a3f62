// codes[i] = argmin over k of f_k |x_i - c_k|^2; the smaller index wins ties. If all f are 1, this is the
// argmax of c_k . (x_i - c_k / 2).
//
// Work per thread: four points by four codewords at a time, so that each element read serves four products.
// Grid: linear, ceil(count / 4) threads.

#import "shared/grid.wgsl"
#import "shared/numbers.wgsl"

struct Params {
    /// M.
    count: u32,
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
@group(0) @binding(2) var<storage, read> centres: array<f32>; // K x d
@group(0) @binding(3) var<storage, read> crowding: array<f32>; // f, K, where there is one
@group(0) @binding(4) var<storage, read_write> codes: array<u32>; // M

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let first = (linear_group(group, groups) * 64u + local) * 4u;
    if first >= params.count {
        return;
    }
    // Beyond the end, the last point or codeword is scored again, which does not change the result.
    let points = min(vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.count - 1u));
    let starts = points * params.stride + params.column;
    var norms = vec4<f32>();
    if params.crowded != 0u {
        for (var d = 0u; d < params.dimensions; d++) {
            let x = starts + d;
            let point = vec4<f32>(values[x.x], values[x.y], values[x.z], values[x.w]);
            norms += point * point;
        }
    }
    var best = vec4<f32>(LOWEST);
    var nearest = vec4<u32>();
    for (var k = 0u; k < params.codewords; k += 4u) {
        let four = min(vec4<u32>(k) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.codewords - 1u));
        var x = starts;
        var c = four * params.dimensions;
        var closeness = array<vec4<f32>, 4>();
        for (var d = 0u; d < params.dimensions; d++) {
            let point = vec4<f32>(values[x.x], values[x.y], values[x.z], values[x.w]);
            let centre = vec4<f32>(centres[c.x], centres[c.y], centres[c.z], centres[c.w]);
            closeness[0] += centre.x * (point - 0.5 * centre.x);
            closeness[1] += centre.y * (point - 0.5 * centre.y);
            closeness[2] += centre.z * (point - 0.5 * centre.z);
            closeness[3] += centre.w * (point - 0.5 * centre.w);
            x += vec4<u32>(1u);
            c += vec4<u32>(1u);
        }
        for (var n = 0u; n < 4u; n++) {
            if params.crowded != 0u {
                closeness[n] = -crowding[four[n]] * (norms - 2.0 * closeness[n]);
            }
            let closer = closeness[n] > best;
            best = select(best, closeness[n], closer);
            nearest = select(nearest, vec4<u32>(four[n]), closer);
        }
    }
    for (var n = 0u; n < min(4u, params.count - first); n++) {
        codes[first + n] = nearest[n];
    }
}
