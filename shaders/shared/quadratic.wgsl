// Evaluates the quadratic form of a node with the 64 invocations of a workgroup. `params` has width,
// has_bias, alpha; the importing shader binds queries and nodes. The twin of core/src/kernels/quadratic.rs.

/// Element i of a query, with 1 appended if rows end with a bias.
fn query_at(row: u32, i: u32) -> f32 {
    let width = params.width - params.has_bias;
    if i < width {
        return queries[row * width + i];
    }
    return 1.0;
}

/// alpha z' A z + n of a node with n items; must be called by all invocations, and returns the result to all.
fn node_weight(node: u32, n: u32, row: u32, local: u32) -> f32 {
    let w = params.width;
    let start = node * (w * (w + 1u) / 2u);
    var sum = 0.0;
    for (var a = local; a < w; a += 64u) {
        // Rows before a have w, w - 1, .. elements.
        let line = start + a * w - a * (a + 1u) / 2u;
        var inner = 0.0;
        for (var b = a; b < w; b++) {
            inner += nodes[line + b] * query_at(row, b);
        }
        sum += query_at(row, a) * inner;
    }
    sum = workgroup_sum(sum, local);
    if n == 0u {
        return 0.0;
    }
    // At least n, in spite of rounding.
    return params.alpha * max(sum, 0.0) + f32(n);
}
