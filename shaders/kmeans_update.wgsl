// c_k = weighted mean of the points with code k, from the sums of the parts; a codeword without weight is
// replaced by a random point. For balanced k-means, f_k of kmeans_assign grows with the weight of the points
// of codeword k.
//
// Work per thread: one element of one codeword. Grid: linear, K * d threads.

#import "shared/grid.wgsl"
#import "shared/philox.wgsl"

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
    parts: u32,
    key_low: u32,
    key_high: u32,
    step: u32,
    stream: u32,
    /// Whether f is updated (balanced k-means).
    balanced: u32,
    /// The total weight of the points, divided by K.
    even_weight: f32,
    least_crowding: f32,
    most_crowding: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> values: array<f32>; // M x stride
@group(0) @binding(2) var<storage, read> sums: array<f32>; // parts x K x d
@group(0) @binding(3) var<storage, read> masses: array<f32>; // parts x K
@group(0) @binding(4) var<storage, read_write> centres: array<f32>; // K x d
@group(0) @binding(5) var<storage, read_write> crowding: array<f32>; // f, K, if balanced

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let at = linear_group(group, groups) * 64u + local;
    let k = at / params.dimensions;
    let d = at % params.dimensions;
    if k >= params.codewords {
        return;
    }
    var mass = 0.0;
    var sum = 0.0;
    var part = 0u;
    // Four loads at a time, so that they do not wait for one another.
    for (; part + 4u <= params.parts; part += 4u) {
        let rows = part * params.codewords + k + vec4<u32>(0u, 1u, 2u, 3u) * params.codewords;
        mass += (masses[rows.x] + masses[rows.y]) + (masses[rows.z] + masses[rows.w]);
        let elements = rows * params.dimensions + d;
        sum += (sums[elements.x] + sums[elements.y]) + (sums[elements.z] + sums[elements.w]);
    }
    for (; part < params.parts; part++) {
        mass += masses[part * params.codewords + k];
        sum += sums[(part * params.codewords + k) * params.dimensions + d];
    }
    if params.balanced != 0u && d == 0u {
        let grown = crowding[k] * sqrt(mass / params.even_weight);
        crowding[k] = select(clamp(grown, params.least_crowding, params.most_crowding), 1.0, mass == 0.0);
    }
    if mass == 0.0 {
        let words = philox(vec2<u32>(params.key_low, params.key_high), params.stream, params.step, k, 0u);
        centres[at] = values[below(words.x, params.count) * params.stride + params.column + d];
    } else {
        centres[at] = sum / mass;
    }
}
