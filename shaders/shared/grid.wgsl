// An axis of a dispatch is limited to 65,535 workgroups, so a larger number of them is arranged in rows.

/// Linear index of a workgroup, row by row. Up to one row of surplus workgroups follows the last one
/// requested.
fn linear_group(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return group.y * groups.x + group.x;
}
