// x = activation(keep x / (1 - p)) in place, elementwise.
//
// Work per thread: four neighbouring elements of a row, which share a block of random words.
// Grid: linear, rows * ceil(width / 4) threads.

#import "shared/grid.wgsl"
#import "shared/philox.wgsl"
#import "shared/batch_row.wgsl"
#import "shared/activation.wgsl"

struct Params {
    rows: u32,
    width: u32,
    /// 1 / (1 - p).
    scale: f32,
    /// Random words below it drop an element.
    threshold: u32,
    activation: u32,
    key_low: u32,
    key_high: u32,
    step: u32,
    row_offset: u32,
    row_period: u32,
    row_gap: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> values: array<f32>; // rows x width

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let thread = linear_group(group, groups) * 64u + local;
    let blocks = (params.width + 3u) / 4u;
    let row = thread / blocks;
    let block = thread % blocks;
    if row >= params.rows {
        return;
    }
    let seed = vec2<u32>(params.key_low, params.key_high);
    let words = philox(seed, STREAM_DROPOUT, params.step, batch_row(row), block);
    for (var i = 0u; i < min(4u, params.width - 4u * block); i++) {
        let at = row * params.width + 4u * block + i;
        let scaled = select(values[at] * params.scale, 0.0, words[i] < params.threshold);
        values[at] = activate(params.activation, scaled);
    }
}
