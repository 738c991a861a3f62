// Division of a matrix product into tiles, and reading its operands.

#import "grid.wgsl"
#import "matmul.wgsl"

/// Row and column of a workgroup's tile, in tiles of `side` x `side`, and its part of k. Consecutive workgroups
/// share the tiles of the longer operand.
fn tile_of(index: u32, side: u32) -> vec3<u32> {
    let tiles = (vec2<u32>(params.m, params.n) + side - 1u) / side;
    let part = index / (tiles.x * tiles.y);
    let tile = index % (tiles.x * tiles.y);
    if tiles.x < tiles.y {
        return vec3<u32>(tile % tiles.x, tile / tiles.x, part);
    }
    return vec3<u32>(tile / tiles.y, tile % tiles.y, part);
}

/// Four consecutive rows of A, or columns of B, from `first`. Beyond the edge the last one is repeated: what it
/// contributes to is not stored.
fn four(first: u32, count: u32) -> vec4<u32> {
    return min(first + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(count - 1u));
}

/// A term of k of four rows of A, or zeros from `end` on.
fn load_a(row: u32, term: u32, end: u32) -> vec4<f32> {
    if term >= end {
        return vec4<f32>();
    }
    let at = params.a_offset + term * params.a_column + four(row, params.m) * params.a_row;
    return vec4<f32>(a[at.x], a[at.y], a[at.z], a[at.w]);
}

/// A term of k of four columns of B, or zeros from `end` on.
fn load_b(column: u32, term: u32, end: u32) -> vec4<f32> {
    if term >= end {
        return vec4<f32>();
    }
    let at = params.b_offset + term * params.b_row + four(column, params.n) * params.b_column;
    return vec4<f32>(b[at.x], b[at.y], b[at.z], b[at.w]);
}
