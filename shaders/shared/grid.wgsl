// An axis of a dispatch ends at 65,535 workgroups, so a longer line of them is laid out in rows.

/// Index of a workgroup in reading order. Up to a row of surplus workgroups follow the last one asked for.
fn linear_group(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return group.y * groups.x + group.x;
}
