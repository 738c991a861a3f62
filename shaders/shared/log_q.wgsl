// log q of items under their group's mixture, one item per thread. The importing shader defines `log_q(row,
// place)`, log q of an item or its cell for one query row, and `log_q_of(item, which)`, log q of an item for
// a group; it binds `items`, `rows` and `output`, and `params` has batch, group_size, candidates, entries and
// total.

/// The item and the group of an output. Outputs are the groups' candidates or, if there are entries, the
/// entries of the batch for each sample.
fn item_and_group(at: u32) -> vec2<u32> {
    if params.entries == 0u {
        return vec2<u32>(items[at], at / params.candidates);
    }
    let entry = at % params.entries;
    return vec2<u32>(items[entry], group_of_row(at / params.entries * params.batch + rows[entry]));
}

/// ln sum over rows g of a group of (drawn_g / C) exp(log_q(g, place)). The running sum is rescaled when its
/// maximum grows, so that log_q is evaluated once per row.
fn mixture(which: u32, place: u32) -> f32 {
    let members = rows_of_group(which);
    var top = LOWEST;
    var sum = 0.0;
    // If there are more rows than candidates, the last rows draw none; they must not determine the maximum
    // either.
    for (var i = 0u; i < min(members.y, params.candidates); i++) {
        let value = log_q(members.x + i, place);
        let larger = max(top, value);
        let drawn = (params.candidates + members.y - 1u - i) / members.y;
        sum = sum * exp_below(top - larger) + f32(drawn) / f32(params.candidates) * exp_below(value - larger);
        top = larger;
    }
    return top + log(sum);
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let at = linear_group(group, groups) * 64u + local;
    if at >= params.total {
        return;
    }
    let found = item_and_group(at);
    output[at] = log_q_of(found.x, found.y);
}
