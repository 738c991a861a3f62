// Coefficients of the skipped steps of a row, equal for all its elements: the sum over steps of step size
// times r^j times the decay of later steps, the mean epsilon, and the total decay. Marks the row as up to
// date. The twin, core/src/kernels/replay_rows.rs, has the derivation.
//
// Work per thread: one row. Grid: linear, as many threads as there may be rows.

#import "shared/grid.wgsl"

struct Params {
    /// Rows of the table, or the most lists there can be.
    rows: u32,
    /// 1: only the rows of the lists; 0: all rows.
    has_lists: u32,
    /// The last step (inclusive) to apply.
    step: u32,
    /// b1 / sqrt b2.
    ratio: f32,
    /// 1 / sqrt b2.
    slow: f32,
    l2: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> count: array<u32>; // 1
@group(0) @binding(2) var<storage, read> touched: array<u32>; // lists
@group(0) @binding(3) var<storage, read> schedule: array<f32>; // 3 a step
@group(0) @binding(4) var<storage, read_write> last_step: array<u32>; // M
@group(0) @binding(5) var<storage, read_write> tails: array<vec4<f32>>; // rows: sum, epsilon, decay, steps

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = linear_group(group, groups) * 64u + local;
    var row = i;
    if params.has_lists != 0u {
        if i >= min(params.rows, count[0]) {
            return;
        }
        row = touched[i];
    } else if i >= params.rows {
        return;
    }
    let last = last_step[row];
    if last >= params.step {
        tails[i] = vec4<f32>();
        return;
    }
    last_step[row] = params.step;
    let end = schedule[3u * params.step + 2u];
    var sum = 0.0;
    var epsilon = 0.0;
    var power = 1.0;
    var growth = 1.0;
    // Coupled decay has no closed form; replay_rows applies its steps one by one.
    if params.l2 == 0.0 {
        for (var step = last + 1u; step <= params.step; step++) {
            power *= params.ratio;
            growth *= params.slow;
            if power < 1.0e-9 {
                break;
            }
            let term = schedule[3u * step] * power * exp(end - schedule[3u * step + 2u]);
            sum += term;
            epsilon += term * schedule[3u * step + 1u] * growth;
        }
    }
    var mean = 1.17549435e-38;
    if sum > 0.0 {
        mean = epsilon / sum;
    }
    tails[i] = vec4<f32>(sum, mean, exp(end - schedule[3u * last + 2u]), f32(params.step - last));
}
