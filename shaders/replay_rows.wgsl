// Applies the skipped steps of Adam to the elements of rows, using the coefficients of each row from
// replay_tail: w <- decay w - sum m / (sqrt v + epsilon), m <- b1^k m, v <- b2^k v. With coupled decay, the
// steps are applied one by one.
//
// Work per thread: four neighbouring elements of a row.
// Grid: linear, as many rows as there may be * ceil(width / 4) threads.

#import "shared/grid.wgsl"

struct Params {
    /// Rows of the table, or the most lists there can be.
    rows: u32,
    width: u32,
    /// 1: only the rows of the lists; 0: all rows.
    has_lists: u32,
    step: u32,
    beta1: f32,
    beta2: f32,
    /// ln b1, ln b2: for powers of numbers near 1, which lose digits otherwise.
    log_beta1: f32,
    log_beta2: f32,
    l2: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> count: array<u32>; // 1
@group(0) @binding(2) var<storage, read> touched: array<u32>; // lists
@group(0) @binding(3) var<storage, read> schedule: array<f32>; // 3 a step
@group(0) @binding(4) var<storage, read> tails: array<vec4<f32>>; // rows: sum, epsilon, decay, steps
@group(0) @binding(5) var<storage, read_write> value: array<f32>; // M x width
@group(0) @binding(6) var<storage, read_write> first: array<f32>; // M x width
@group(0) @binding(7) var<storage, read_write> second: array<f32>; // M x width

fn iterate(at: u32, skipped: u32) {
    var w = value[at];
    var m = first[at];
    var v = second[at];
    for (var step = params.step - skipped + 1u; step <= params.step; step++) {
        let keep = exp(schedule[3u * step + 2u] - schedule[3u * step - 1u]);
        let gradient = params.l2 * w;
        m = params.beta1 * m + (1.0 - params.beta1) * gradient;
        v = params.beta2 * v + (1.0 - params.beta2) * gradient * gradient;
        w = w * keep - schedule[3u * step] * m / (sqrt(v) + schedule[3u * step + 1u]);
    }
    value[at] = w;
    first[at] = m;
    second[at] = v;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let thread = linear_group(group, groups) * 64u + local;
    let quads = (params.width + 3u) / 4u;
    let i = thread / quads;
    var row = i;
    if params.has_lists != 0u {
        if i >= min(params.rows, count[0]) {
            return;
        }
        row = touched[i];
    } else if i >= params.rows {
        return;
    }
    let tail = tails[i];
    if tail.w == 0.0 {
        return;
    }
    let decay1 = exp(max(tail.w * params.log_beta1, -100.0));
    let decay2 = exp(max(tail.w * params.log_beta2, -100.0));
    let column = thread % quads * 4u;
    for (var c = column; c < min(column + 4u, params.width); c++) {
        let at = row * params.width + c;
        if params.l2 != 0.0 {
            iterate(at, u32(tail.w));
        } else {
            value[at] = value[at] * tail.z - tail.x * first[at] / (sqrt(second[at]) + tail.y);
            first[at] *= decay1;
            second[at] *= decay2;
        }
    }
}
