// The weight of each cell under the softmax itself (paper, theorem 4.1): sums[r, cell] = sum over the cell's
// items of exp(o_i - top_r), top_r = the row's largest logit, and log_z[r] = ln sum exp o.
//
// Work per workgroup: one query row, with one of its cells per thread at a time. Grid: linear, rows
// workgroups.

#import "shared/grid.wgsl"
#import "shared/numbers.wgsl"
#import "shared/reduce.wgsl"

struct Params {
    rows: u32,
    /// M.
    items: u32,
    /// Number of cells, including the empty ones.
    cells: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>; // R x M
@group(0) @binding(2) var<storage, read> starts: array<u32>; // cells + 1
@group(0) @binding(3) var<storage, read> members: array<u32>; // M, by cell
@group(0) @binding(4) var<storage, read_write> sums: array<f32>; // R x cells
@group(0) @binding(5) var<storage, read_write> top: array<f32>; // R
@group(0) @binding(6) var<storage, read_write> log_z: array<f32>; // R

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
    var largest = LOWEST;
    for (var i = local; i < params.items; i += 64u) {
        largest = max(largest, logits[row * params.items + i]);
    }
    largest = workgroup_max(largest, local);
    var total = 0.0;
    for (var cell = local; cell < params.cells; cell += 64u) {
        var sum = 0.0;
        for (var i = starts[cell]; i < starts[cell + 1u]; i++) {
            sum += exp_below(logits[row * params.items + members[i]] - largest);
        }
        sums[row * params.cells + cell] = sum;
        total += sum;
    }
    total = workgroup_sum(total, local);
    if local == 0u {
        top[row] = largest;
        log_z[row] = largest + log(total);
    }
}
