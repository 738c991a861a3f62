// The gradient of a row, the sum over its entries of coefficient x query, by the sets of invocations of
// shared/row_sums.wgsl. `params` has batch, group_size, candidates, width, lanes and slots; the shader binds `terms`
// (see update_rows_terms), `negative` and `vectors`.

fn element(at: u32) -> f32 {
    return vectors[at];
}

/// The contribution of a candidate that the rows of a group share.
fn shared_term(term: vec2<u32>, columns: vec4<u32>) -> vec4<f32> {
    let row = term.x & 0x7fffffffu;
    let members = min(params.group_size, params.batch - row % params.batch);
    var sum = vec4<f32>();
    for (var m = 0u; m < members; m += 4u) {
        let wanted = vec4<u32>(m) + vec4<u32>(0u, 1u, 2u, 3u);
        let rows = min(wanted, vec4<u32>(members - 1u));
        let at = vec4<u32>(term.y) + rows * params.candidates;
        let coefficients = vec4<f32>(negative[at.x], negative[at.y], negative[at.z], negative[at.w]);
        sum += four_rows(vec4<u32>(row) + rows, select(vec4<f32>(), coefficients, rows == wanted), columns);
    }
    return sum;
}

/// The share of a slot in four elements of the gradient of a row with this (row, start, length, 1) list.
fn gradient_of(list: vec4<u32>, slot: u32, columns: vec4<u32>) -> vec4<f32> {
    var gradient = vec4<f32>();
    let end = list.y + list.z;
    for (var e = list.y + slot; e < end; e += 4u * params.slots) {
        var rows = vec4<u32>();
        var coefficients = vec4<f32>();
        for (var n = 0u; n < 4u; n++) {
            let at = e + n * params.slots;
            if at < end {
                let term = terms[at];
                if term.x < 0x80000000u {
                    rows[n] = term.x;
                    coefficients[n] = bitcast<f32>(term.y);
                } else {
                    gradient += shared_term(term, columns);
                }
            }
        }
        gradient += four_rows(rows, coefficients, columns);
    }
    return gradient;
}
