// Reductions over a workgroup of 64 in a fixed order. Must be called by all invocations, in uniform control
// flow.

var<workgroup> reduce_values: array<f32, 64>;
var<workgroup> reduce_partial: array<f32, 8>;

/// The sum of all invocations' values, returned to all of them.
fn workgroup_sum(value: f32, local: u32) -> f32 {
    reduce_values[local] = value;
    workgroupBarrier();
    if local < 8u {
        var partial = 0.0;
        for (var i = 0u; i < 8u; i++) {
            partial += reduce_values[8u * local + i];
        }
        reduce_partial[local] = partial;
    }
    workgroupBarrier();
    var sum = 0.0;
    for (var i = 0u; i < 8u; i++) {
        sum += reduce_partial[i];
    }
    return sum;
}

/// The largest of all invocations' values, returned to all of them.
fn workgroup_max(value: f32, local: u32) -> f32 {
    reduce_values[local] = value;
    workgroupBarrier();
    if local < 8u {
        var partial = reduce_values[8u * local];
        for (var i = 1u; i < 8u; i++) {
            partial = max(partial, reduce_values[8u * local + i]);
        }
        reduce_partial[local] = partial;
    }
    workgroupBarrier();
    var top = reduce_partial[0];
    for (var i = 1u; i < 8u; i++) {
        top = max(top, reduce_partial[i]);
    }
    return top;
}
