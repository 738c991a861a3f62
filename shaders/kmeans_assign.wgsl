// codes[i] = argmin over k of |x_i - c_k|^2 = argmax of c_k . (x_i - c_k / 2), the smaller index winning ties.
//
// Work per thread: one point; four codewords at a time share each element that is read.
// Grid: linear, count threads.

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
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> values: array<f32>; // M x stride
@group(0) @binding(2) var<storage, read> centres: array<f32>; // K x d
@group(0) @binding(3) var<storage, read_write> codes: array<u32>; // M

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
    let start = i * params.stride + params.column;
    var best = LOWEST;
    var code = 0u;
    for (var k = 0u; k < params.codewords; k += 4u) {
        // Past the last codeword it is scored again, which changes nothing.
        let four = min(vec4<u32>(k) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.codewords - 1u));
        var at = four * params.dimensions;
        var closeness = vec4<f32>();
        for (var d = 0u; d < params.dimensions; d++) {
            let centre = vec4<f32>(centres[at.x], centres[at.y], centres[at.z], centres[at.w]);
            closeness += centre * (values[start + d] - 0.5 * centre);
            at += vec4<u32>(1u);
        }
        for (var c = 0u; c < 4u; c++) {
            if closeness[c] > best {
                best = closeness[c];
                code = four[c];
            }
        }
    }
    codes[i] = code;
}
