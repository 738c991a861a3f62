// The history of a user of the batch, from a kernel's `batch_items`: the item of each entry, ascending for each
// batch row.

/// The first entry in start..end whose item is at least `item`.
fn lower_bound(start: u32, end: u32, item: u32) -> u32 {
    var low = start;
    var high = end;
    while low < high {
        let middle = (low + high) / 2u;
        if batch_items[middle] < item {
            low = middle + 1u;
        } else {
            high = middle;
        }
    }
    return low;
}
