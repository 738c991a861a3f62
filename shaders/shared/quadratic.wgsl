// The quadratic form of a node by the 64 invocations of a workgroup. `params` has width, has_bias, alpha;
// the shader binds queries and nodes. The twin of core/src/kernels/quadratic.rs.

/// Element i of a query as rows meet it: followed by 1 where rows end with a bias.
fn query_at(row: u32, i: u32) -> f32 {
    let width = params.width - params.has_bias;
    if i < width {
        return queries[row * width + i];
    }
    return 1.0;
}

/// alpha z' A z + n of a node with n items; every invocation calls it and gets it.
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
    // Rounding must not make it less than n.
    return params.alpha * max(sum, 0.0) + f32(n);
}
