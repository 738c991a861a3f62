// Sums of coefficient x row by a workgroup of 256, which has `params.rows_each` of them. Four columns of a row, `params.lanes` apart, belong to each of
// `lanes` neighbouring invocations, so that these read neighbouring elements; the rows of a sum are dealt out to
// `params.slots` such sets, whose sums are added in order at the end. Wider rows are divided among workgroups, 4 lanes
// columns each. The twin of `RowSums` in core/src/kernels/row_sums.rs, which chooses these numbers; the importing shader
// defines `element(at)`, an element of its table, and `params` has width and blocks.

var<workgroup> slot_sums: array<vec4<f32>, 256>;

/// What an invocation does.
struct Share {
    /// The sum.
    row: u32,
    lane: u32,
    /// `params.slots` for invocations that are left over.
    slot: u32,
    /// Whether there is something to add up.
    used: bool,
    /// Beyond the edge, the last column is read again and not stored.
    columns: vec4<u32>,
}

/// The share of an invocation in `rows` sums.
fn share_of(workgroup: u32, local: u32, rows: u32) -> Share {
    let team = local / params.lanes;
    let lane = local % params.lanes;
    let row = workgroup / params.blocks * params.rows_each + team / params.slots;
    let used = team < params.rows_each * params.slots && row < rows;
    let first = 4u * (workgroup % params.blocks) * params.lanes + lane;
    let columns = vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u) * params.lanes;
    return Share(row, lane, select(params.slots, team % params.slots, used), used, columns);
}

fn row_elements(row: u32, columns: vec4<u32>) -> vec4<f32> {
    let at = row * params.width + min(columns, vec4<u32>(params.width - 1u));
    return vec4<f32>(element(at.x), element(at.y), element(at.z), element(at.w));
}

/// The sum of four rows; all are read before the first is needed.
fn four_rows(rows: vec4<u32>, coefficients: vec4<f32>, columns: vec4<u32>) -> vec4<f32> {
    let a = row_elements(rows.x, columns);
    let b = row_elements(rows.y, columns);
    let c = row_elements(rows.z, columns);
    let d = row_elements(rows.w, columns);
    return (coefficients.x * a + coefficients.y * b) + (coefficients.z * c + coefficients.w * d);
}

/// The sum over all slots, for the invocations of slot 0. Must be called by all invocations.
fn sum_slots(sum: vec4<f32>, local: u32, slot: u32) -> vec4<f32> {
    slot_sums[local] = sum;
    workgroupBarrier();
    var total = sum;
    if slot == 0u {
        for (var other = 1u; other < params.slots; other++) {
            total += slot_sums[local + other * params.lanes];
        }
    }
    return total;
}
