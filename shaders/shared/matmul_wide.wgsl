// Work per workgroup: a tile of 8 SIDE x 8 SIDE elements of C for a part of k, SIDE terms at a time, which are
// copied into workgroup memory. The next terms are loaded while the current ones are multiplied.
// Work per thread: 8 x 8 elements: the columns of quads x and x + SIDE, the rows of quads y and y + SIDE, where a
// quad is four neighbours.
// Grid: linear, tiles * parts workgroups.
//
// A tile of an operand is SIDE terms x QUADS quads. Quad q of term i is stored at q ^ (i % 8), so that the writes of
// eight neighbouring threads go to different banks of the memory.

#import "matmul_tiles.wgsl"

const TILE = 8u * SIDE;
const QUADS = 2u * SIDE;

var<workgroup> tile_a: array<vec4<f32>, SIDE * QUADS>;
var<workgroup> tile_b: array<vec4<f32>, SIDE * QUADS>;

/// Stores one of the rows of every thread, through workgroup memory, so that neighbouring threads write
/// neighbouring elements. `row` is that of the first threads, `column` the one that this thread writes.
fn store_rows(row: u32, column: u32, part: u32, added: f32, local: u32, low: vec4<f32>, high: vec4<f32>) {
    workgroupBarrier();
    let to = local / SIDE * QUADS + local % SIDE;
    tile_a[to] = low;
    tile_a[to + SIDE] = high;
    workgroupBarrier();
    if column >= params.n {
        return;
    }
    for (var i = local; i < SIDE * TILE; i += SIDE * SIDE) {
        let at = row + 4u * (i / TILE);
        if at < params.m {
            store(at, column, part, tile_a[i / 4u][i % 4u], added);
        }
    }
}

@compute @workgroup_size(SIDE * SIDE)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let tile = tile_of(linear_group(group, groups), TILE);
    if tile.z >= params.parts {
        return;
    }
    let start = tile.z * params.depth;
    let end = min(start + params.depth, params.k);
    let x = local % SIDE;
    let y = local / SIDE;
    // Term and quad that the thread copies: neighbouring threads take neighbours in memory.
    let from_a = select(vec2<u32>(y, x), vec2<u32>(x, y), params.a_column <= params.a_row);
    let from_b = select(vec2<u32>(y, x), vec2<u32>(x, y), params.b_row <= params.b_column);
    let row_a = TILE * tile.x + 4u * from_a.y;
    let column_b = TILE * tile.y + 4u * from_b.y;
    let to_a = from_a.x * QUADS + (from_a.y ^ (from_a.x % 8u));
    let to_b = from_b.x * QUADS + (from_b.y ^ (from_b.x % 8u));
    var next_a0 = load_a(row_a, start + from_a.x, end);
    var next_a1 = load_a(row_a + 4u * SIDE, start + from_a.x, end);
    var next_b0 = load_b(column_b, start + from_b.x, end);
    var next_b1 = load_b(column_b + 4u * SIDE, start + from_b.x, end);

    var c00 = vec4<f32>();
    var c01 = vec4<f32>();
    var c10 = vec4<f32>();
    var c11 = vec4<f32>();
    var c20 = vec4<f32>();
    var c21 = vec4<f32>();
    var c30 = vec4<f32>();
    var c31 = vec4<f32>();
    var c40 = vec4<f32>();
    var c41 = vec4<f32>();
    var c50 = vec4<f32>();
    var c51 = vec4<f32>();
    var c60 = vec4<f32>();
    var c61 = vec4<f32>();
    var c70 = vec4<f32>();
    var c71 = vec4<f32>();
    for (var term = start; term < end; term += SIDE) {
        workgroupBarrier();
        tile_a[to_a] = next_a0;
        tile_a[to_a + SIDE] = next_a1;
        tile_b[to_b] = next_b0;
        tile_b[to_b + SIDE] = next_b1;
        workgroupBarrier();
        let next = term + SIDE;
        next_a0 = load_a(row_a, next + from_a.x, end);
        next_a1 = load_a(row_a + 4u * SIDE, next + from_a.x, end);
        next_b0 = load_b(column_b, next + from_b.x, end);
        next_b1 = load_b(column_b + 4u * SIDE, next + from_b.x, end);
        for (var i = 0u; i < SIDE; i++) {
            let row = i * QUADS + (y ^ (i % 8u));
            let column = i * QUADS + (x ^ (i % 8u));
            let a0 = tile_a[row];
            let a1 = tile_a[row + SIDE];
            let b0 = tile_b[column];
            let b1 = tile_b[column + SIDE];
            c00 += a0.x * b0;
            c01 += a0.x * b1;
            c10 += a0.y * b0;
            c11 += a0.y * b1;
            c20 += a0.z * b0;
            c21 += a0.z * b1;
            c30 += a0.w * b0;
            c31 += a0.w * b1;
            c40 += a1.x * b0;
            c41 += a1.x * b1;
            c50 += a1.y * b0;
            c51 += a1.y * b1;
            c60 += a1.z * b0;
            c61 += a1.z * b1;
            c70 += a1.w * b0;
            c71 += a1.w * b1;
        }
    }
    let row = TILE * tile.x;
    let column = TILE * tile.y + local % TILE;
    let added = bias_of(column);
    store_rows(row, column, tile.z, added, local, c00, c01);
    store_rows(row + 1u, column, tile.z, added, local, c10, c11);
    store_rows(row + 2u, column, tile.z, added, local, c20, c21);
    store_rows(row + 3u, column, tile.z, added, local, c30, c31);
    store_rows(row + 4u * SIDE, column, tile.z, added, local, c40, c41);
    store_rows(row + 4u * SIDE + 1u, column, tile.z, added, local, c50, c51);
    store_rows(row + 4u * SIDE + 2u, column, tile.z, added, local, c60, c61);
    store_rows(row + 4u * SIDE + 3u, column, tile.z, added, local, c70, c71);
}
