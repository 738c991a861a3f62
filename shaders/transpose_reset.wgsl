// Empties the lists of the previous step.
//
// Work: one thread. Grid: 1 workgroup.

struct Params {
    zero: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> count: array<u32>; // 1
@group(0) @binding(2) var<storage, read_write> allocated: array<u32>; // 1

@compute @workgroup_size(1)
fn main() {
    count[0] = params.zero;
    allocated[0] = params.zero;
}
