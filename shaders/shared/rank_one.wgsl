// The gradient of a row, the sum over its entries of coefficient x query. `params` has batch, group_size,
// candidates and width; the shader binds `terms` (see update_rows_terms), `negative` and `vectors`.

fn vector(row: u32, columns: vec4<u32>) -> vec4<f32> {
    let at = columns + row * params.width;
    return vec4<f32>(vectors[at.x], vectors[at.y], vectors[at.z], vectors[at.w]);
}

/// Four neighbouring elements of the gradient of a row with this (row, start, length, 1) list. Beyond the edge,
/// the last column is summed again and must not be stored.
fn gradient_of(list: vec4<u32>, column: u32) -> vec4<f32> {
    let columns = min(vec4<u32>(column) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.width - 1u));
    var gradient = vec4<f32>();
    for (var e = list.y; e < list.y + list.z; e++) {
        let term = terms[e];
        if term.x < 0x80000000u {
            gradient += bitcast<f32>(term.y) * vector(term.x, columns);
            continue;
        }
        let row = term.x & 0x7fffffffu;
        let members = min(params.group_size, params.batch - row % params.batch);
        for (var m = 0u; m < members; m++) {
            gradient += negative[term.y + m * params.candidates] * vector(row + m, columns);
        }
    }
    return gradient;
}
