// Applies the skipped steps of Adam to rows: w <- decay w - sum m / (sqrt v + epsilon), m <- b1^k m, v <- b2^k v, with the
// sum over steps of step size times r^j times the decay of later steps, the mean epsilon, and the total decay. With
// coupled decay, the steps are applied one by one. Marks rows as up to date. The twin,
// core/src/kernels/replay_rows.rs, has the derivation.
//
// Work per workgroup: four rows, by 16 invocations each, which first share the skipped steps, then the elements.
// Grid: linear, a workgroup for every four rows that there may be.

#import "shared/grid.wgsl"

struct Params {
    /// Rows of the table, or the most lists there can be.
    rows: u32,
    width: u32,
    /// 1: only the rows of the lists; 0: all rows.
    has_lists: u32,
    /// The last step (inclusive) to apply.
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
@group(0) @binding(4) var<storage, read_write> last_step: array<u32>; // M
@group(0) @binding(5) var<storage, read_write> value: array<f32>; // M x width
@group(0) @binding(6) var<storage, read_write> first: array<f32>; // M x width
@group(0) @binding(7) var<storage, read_write> second: array<f32>; // M x width

const TEAM = 16u;

var<workgroup> terms: array<vec2<f32>, 64>;

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
    let lane = local % TEAM;
    var row = linear_group(group, groups) * 4u + local / TEAM;
    var last = params.step;
    if row < params.rows && (params.has_lists == 0u || row < count[0]) {
        if params.has_lists != 0u {
            row = touched[row];
        }
        last = min(last_step[row], params.step);
    }
    let skipped = params.step - last;
    let end = schedule[3u * params.step + 2u];
    var sum = 0.0;
    var epsilon = 0.0;
    // Coupled decay has no closed form.
    if params.l2 == 0.0 {
        for (var k = lane + 1u; k <= skipped; k += TEAM) {
            let log_growth = -0.5 * f32(k) * params.log_beta2;
            let log_power = f32(k) * params.log_beta1 + log_growth;
            // ln 1e-9: what follows is nothing beside what came before.
            if log_power < -20.723266 {
                break;
            }
            let step = last + k;
            let term = schedule[3u * step] * exp(log_power) * exp(end - schedule[3u * step + 2u]);
            sum += term;
            epsilon += term * schedule[3u * step + 1u] * exp(log_growth);
        }
    }
    terms[local] = vec2<f32>(sum, epsilon);
    workgroupBarrier();
    var total = vec2<f32>();
    for (var other = 0u; other < TEAM; other++) {
        total += terms[local - lane + other];
    }
    if skipped == 0u {
        return;
    }
    var mean = 1.17549435e-38;
    if total.x > 0.0 {
        mean = total.y / total.x;
    }
    let keep = exp(end - schedule[3u * last + 2u]);
    let decay1 = exp(max(f32(skipped) * params.log_beta1, -100.0));
    let decay2 = exp(max(f32(skipped) * params.log_beta2, -100.0));
    for (var c = lane; c < params.width; c += TEAM) {
        let at = row * params.width + c;
        if params.l2 != 0.0 {
            iterate(at, skipped);
        } else {
            value[at] = value[at] * keep - total.x * first[at] / (sqrt(second[at]) + mean);
            first[at] *= decay1;
            second[at] *= decay2;
        }
    }
    if lane == 0u {
        last_step[row] = params.step;
    }
}
