// Draws from an index of more than two codebooks: a block of cells by its running sums, a cell within the block,
// then an item of the cell by the cell's alias table. Slot c of a group is drawn by its member c % size.
//
// Work per workgroup: one query row, with one of its slots per thread at a time. Grid: linear, rows
// workgroups.

#import "shared/grid.wgsl"
#import "shared/groups.wgsl"
#import "shared/midx_draw.wgsl"
#import "shared/numbers.wgsl"
#import "shared/philox.wgsl"
#import "shared/batch_row.wgsl"
#import "shared/reduce.wgsl"

struct Params {
    batch: u32,
    group_size: u32,
    candidates: u32,
    rows: u32,
    /// m.
    codebooks: u32,
    /// K.
    codewords: u32,
    /// At most 256.
    blocks: u32,
    /// Cells per block.
    columns: u32,
    items: u32,
    key_low: u32,
    key_high: u32,
    step: u32,
    row_offset: u32,
    row_period: u32,
    row_gap: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> scores: array<f32>; // R x m K
@group(0) @binding(2) var<storage, read> log_psi: array<f32>; // R x blocks
@group(0) @binding(3) var<storage, read> log_weights: array<f32>; // cells: ln omega, LOWEST for an empty cell
@group(0) @binding(4) var<storage, read> codes: array<u32>; // (cells + 1) x (1 + m): start, columns of the scores
@group(0) @binding(5) var<storage, read> members: array<u32>; // M, by cell
@group(0) @binding(6) var<storage, read> thresholds: array<u32>; // M, as members
@group(0) @binding(7) var<storage, read> aliases: array<u32>; // M, counted from the cell's start
@group(0) @binding(8) var<storage, read_write> negatives: array<u32>; // groups x candidates

/// As search, for a cell of the block; the probabilities sum to one up to rounding.
fn search_block(row: u32, block: u32, u: f32) -> u32 {
    let shift = log_psi[row * params.blocks + block];
    var sum = 0.0;
    var last = block * params.columns;
    for (var cell = block * params.columns; cell < (block + 1u) * params.columns; cell++) {
        var logit = log_weights[cell];
        if is_nothing(logit) {
            continue;
        }
        for (var book = 1u; book <= params.codebooks; book++) {
            let column = codes[cell * (params.codebooks + 1u) + book];
            logit += scores[row * params.codebooks * params.codewords + column];
        }
        let probability = exp_below(logit - shift);
        if probability > 0.0 {
            sum += probability;
            last = cell;
            if sum > u {
                break;
            }
        }
    }
    return last;
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
    for (var i = local; i < params.blocks; i += 64u) {
        first[i] = max(log_psi[row * params.blocks + i], LOWEST);
        top = max(top, first[i]);
    }
    accumulate(params.blocks, top, local);
    let which = group_of_row(row);
    let rows = rows_of_group(which);
    let seed = vec2<u32>(params.key_low, params.key_high);
    let list = params.codebooks + 1u;
    for (var slot = row - rows.x + local * rows.y; slot < params.candidates; slot += 64u * rows.y) {
        let words = philox(seed, STREAM_NEGATIVES, params.step, batch_row(row), slot);
        let block = search(params.blocks, unit(words.x) * first[params.blocks - 1u]);
        let cell = search_block(row, block, unit(words.y));
        let start = codes[cell * list];
        let size = codes[(cell + 1u) * list] - start;
        negatives[which * params.candidates + slot] = member(start, size, words);
    }
}
