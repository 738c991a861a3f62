// ln psi(block) = ln sum over the block's cells of exp s, s = ln omega + sum over codebooks of q . codeword, and
// ln Z = ln sum over blocks of psi (paper, theorem 5.1, for more than two codebooks).
//
// Work per workgroup: one query row, with one block of cells per thread at a time. Grid: linear, rows
// workgroups.

#import "shared/grid.wgsl"
#import "shared/numbers.wgsl"
#import "shared/reduce.wgsl"

struct Params {
    rows: u32,
    /// m.
    codebooks: u32,
    /// K.
    codewords: u32,
    /// At most 256.
    blocks: u32,
    /// Cells per block.
    columns: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> scores: array<f32>; // R x m K
@group(0) @binding(2) var<storage, read> codes: array<u32>; // (cells + 1) x (1 + m): start, columns of the scores
@group(0) @binding(3) var<storage, read> log_weights: array<f32>; // cells: ln omega, LOWEST for an empty cell
@group(0) @binding(4) var<storage, read_write> log_psi: array<f32>; // R x blocks
@group(0) @binding(5) var<storage, read_write> log_z: array<f32>; // R

fn score(row: u32, cell: u32) -> f32 {
    var sum = log_weights[cell];
    if is_nothing(sum) {
        return LOWEST;
    }
    for (var book = 1u; book <= params.codebooks; book++) {
        let column = codes[cell * (params.codebooks + 1u) + book];
        sum += scores[row * params.codebooks * params.codewords + column];
    }
    return sum;
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
    var top = LOWEST;
    for (var block = local; block < params.blocks; block += 64u) {
        let first = block * params.columns;
        var largest = LOWEST;
        for (var cell = first; cell < first + params.columns; cell++) {
            largest = max(largest, score(row, cell));
        }
        if is_nothing(largest) {
            log_psi[row * params.blocks + block] = LOWEST;
            continue;
        }
        var sum = 0.0;
        for (var cell = first; cell < first + params.columns; cell++) {
            sum += exp_below(score(row, cell) - largest);
        }
        let value = largest + log(sum);
        log_psi[row * params.blocks + block] = value;
        top = max(top, value);
    }
    top = workgroup_max(top, local);
    var sum = 0.0;
    for (var block = local; block < params.blocks; block += 64u) {
        sum += exp_below(max(log_psi[row * params.blocks + block], LOWEST) - top);
    }
    sum = workgroup_sum(sum, local);
    if local == 0u {
        log_z[row] = top + log(sum);
    }
}
