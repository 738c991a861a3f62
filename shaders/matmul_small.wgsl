// A matrix product in tiles of 32 x 32, for results too small to occupy a GPU with larger ones.
//
// Work per workgroup: a tile of C for a part of k, 32 terms at a time, which are copied into workgroup memory.
// Each quarter of the threads multiplies a quarter of these terms; their sums are added at the end, in order.
// Work per thread: 4 x 4 elements of C for its quarter of the terms.
// Grid: linear, tiles * parts workgroups.
//
// In workgroup memory: 32 terms x 8 quads of A, the same of B; at the end four matrices of 32 x 32. A quad is four
// neighbouring rows or columns. Quad q of term i is stored at q ^ (i % 8), so that the writes of eight neighbouring
// threads go to different banks of the memory.

#import "shared/matmul_tiles.wgsl"

const TILE = 32u;

var<workgroup> tiles: array<vec4<f32>, 1024>;

@compute @workgroup_size(256)
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
    // Term and quad that the thread copies: neighbouring threads take neighbours in memory.
    let by_term = vec2<u32>(local % 32u, local / 32u);
    let by_quad = vec2<u32>(local / 8u, local % 8u);
    let from_a = select(by_quad, by_term, params.a_column <= params.a_row);
    let from_b = select(by_quad, by_term, params.b_row <= params.b_column);
    let row_a = TILE * tile.x + 4u * from_a.y;
    let column_b = TILE * tile.y + 4u * from_b.y;
    let to_a = from_a.x * 8u + (from_a.y ^ (from_a.x % 8u));
    let to_b = from_b.x * 8u + (from_b.y ^ (from_b.x % 8u)) + 256u;
    var next_a = load_a(row_a, start + from_a.x, end);
    var next_b = load_b(column_b, start + from_b.x, end);

    let quarter = local / 64u;
    let x = local % 8u;
    let y = local / 8u % 8u;
    var c0 = vec4<f32>();
    var c1 = vec4<f32>();
    var c2 = vec4<f32>();
    var c3 = vec4<f32>();
    for (var term = start; term < end; term += 32u) {
        workgroupBarrier();
        tiles[to_a] = next_a;
        tiles[to_b] = next_b;
        workgroupBarrier();
        next_a = load_a(row_a, term + 32u + from_a.x, end);
        next_b = load_b(column_b, term + 32u + from_b.x, end);
        for (var i = 0u; i < 8u; i++) {
            let row = tiles[64u * quarter + 8u * i + (y ^ i)];
            let column = tiles[64u * quarter + 8u * i + (x ^ i) + 256u];
            c0 += row.x * column;
            c1 += row.y * column;
            c2 += row.z * column;
            c3 += row.w * column;
        }
    }
    workgroupBarrier();
    let to_c = 256u * quarter + 32u * y + x;
    tiles[to_c] = c0;
    tiles[to_c + 8u] = c1;
    tiles[to_c + 16u] = c2;
    tiles[to_c + 24u] = c3;
    workgroupBarrier();
    let column = TILE * tile.y + local % TILE;
    let added = bias_of(column);
    for (var i = local; i < TILE * TILE; i += 256u) {
        let q = i / 4u;
        let sums = (tiles[q] + tiles[q + 256u]) + (tiles[q + 512u] + tiles[q + 768u]);
        let row = TILE * tile.x + i / TILE;
        if row < params.m && column < params.n {
            store(row, column, tile.z, sums[i % 4u], added);
        }
    }
}
