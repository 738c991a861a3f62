// Groups of query rows that share candidates: `group_size` consecutive users of a sample have the same ones.
// Query row s * batch + b is sample s of user b. The twin of core/src/kernels/groups.rs; `params` has batch,
// group_size and candidates.

fn groups_per_sample() -> u32 {
    return (params.batch + params.group_size - 1u) / params.group_size;
}

/// The group of a query row.
fn group_of_row(row: u32) -> u32 {
    return row / params.batch * groups_per_sample() + row % params.batch / params.group_size;
}

/// The first query row of a group, and its number of rows.
fn rows_of_group(group: u32) -> vec2<u32> {
    let first = group % groups_per_sample() * params.group_size;
    return vec2<u32>(group / groups_per_sample() * params.batch + first, min(params.group_size, params.batch - first));
}
