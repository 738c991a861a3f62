// The parts of a draw from the index that do not depend on the number of codebooks: a block of cells by
// running sums, and a member of a cell by its alias table. The importing shader also imports numbers, philox
// and reduce, and binds `members`, `thresholds` and `aliases`; `params` has items.

var<workgroup> first: array<f32, 256>; // logarithms of the blocks' weights, then their running sums up to a factor

/// Replaces the logarithms in `first` by running sums. `own_top` is the largest logarithm that this
/// invocation has read. Must be called by all invocations, in uniform control flow.
fn accumulate(count: u32, own_top: f32, local: u32) {
    let top = workgroup_max(own_top, local);
    for (var i = local; i < count; i += 64u) {
        first[i] = exp_below(first[i] - top);
    }
    workgroupBarrier();
    if local == 0u {
        var sum = 0.0;
        for (var i = 0u; i < count; i++) {
            sum += first[i];
            first[i] = sum;
        }
    }
    workgroupBarrier();
}

/// The first block whose running sum exceeds u; if there is none because of rounding, the last with a
/// positive weight.
fn search(count: u32, u: f32) -> u32 {
    let limit = first[count - 1u];
    var low = 0u;
    var high = count;
    while low < high {
        let middle = (low + high) / 2u;
        if first[middle] > u || first[middle] == limit {
            high = middle;
        } else {
            low = middle + 1u;
        }
    }
    return min(low, count - 1u);
}

/// A member of the cell with `size` members from `start` on. A diverged model may select an empty cell; the
/// loss check reports the divergence.
fn member(start: u32, size: u32, words: vec4<u32>) -> u32 {
    let column = min(start + below(words.z, size), params.items - 1u);
    var taken = column;
    if words.w >= thresholds[column] {
        taken = min(start + aliases[column], params.items - 1u);
    }
    return members[taken];
}
