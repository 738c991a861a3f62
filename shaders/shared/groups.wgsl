// Groups of query rows that share candidates: `share` consecutive users of a sample have the same ones. Query
// row s * batch + b is sample s of user b. The twin of core/src/kernels/groups.rs; `params` has batch, share
// and candidates.

fn groups_per_sample() -> u32 {
    return (params.batch + params.share - 1u) / params.share;
}

/// The group of a query row.
fn group_of_row(row: u32) -> u32 {
    return row / params.batch * groups_per_sample() + row % params.batch / params.share;
}

/// The first query row of a group, and its number of rows.
fn rows_of_group(group: u32) -> vec2<u32> {
    let first = group % groups_per_sample() * params.share;
    return vec2<u32>(group / groups_per_sample() * params.batch + first, min(params.share, params.batch - first));
}
