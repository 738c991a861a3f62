// log q of items under their group's mixture, one item a thread. The shader has `log_q(row, place)`, what one query row
// gives an item or its cell, and `log_q_of(item, which)`, what a group gives an item; it binds `items`, `rows` and `output`,
// and `params` has batch, share, candidates, entries and total.

/// The item of an output, and its group: outputs are the groups' candidates or, where there are entries, the entries
/// of the batch for each sample.
fn item_and_group(at: u32) -> vec2<u32> {
    if params.entries == 0u {
        return vec2<u32>(items[at], at / params.candidates);
    }
    let entry = at % params.entries;
    return vec2<u32>(items[entry], group_of_row(at / params.entries * params.batch + rows[entry]));
}

/// ln sum over rows g of a group of (drawn_g / C) exp(log_q(g, place)). The running sum follows its maximum, so that each
/// row is asked once.
fn mixture(which: u32, place: u32) -> f32 {
    let members = rows_of_group(which);
    var top = LOWEST;
    var sum = 0.0;
    // Of more rows than candidates the last draw nothing, and must not set the scale either.
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
