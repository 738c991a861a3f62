// values[i] = sum over c < 16 of the value after 8 rounds steps of x -> factor x + addend from x = values[i] + c, to
// measure the rate of a device's multiply-adds: 16 sequences hide the latency of one.
//
// Work per thread: one element, 128 rounds multiply-adds. Grid: linear, len threads.

#import "shared/grid.wgsl"

struct Params {
    len: u32,
    rounds: u32,
    factor: f32,
    addend: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> values: array<f32>; // len

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let at = linear_group(group, groups) * 256u + local;
    if at >= params.len {
        return;
    }
    let factor = vec4<f32>(params.factor);
    let addend = vec4<f32>(params.addend);
    var a = values[at] + vec4<f32>(0.0, 1.0, 2.0, 3.0);
    var b = a + 4.0;
    var c = a + 8.0;
    var d = a + 12.0;
    for (var round = 0u; round < params.rounds; round++) {
        a = fma(a, factor, addend); b = fma(b, factor, addend); c = fma(c, factor, addend); d = fma(d, factor, addend);
        a = fma(a, factor, addend); b = fma(b, factor, addend); c = fma(c, factor, addend); d = fma(d, factor, addend);
        a = fma(a, factor, addend); b = fma(b, factor, addend); c = fma(c, factor, addend); d = fma(d, factor, addend);
        a = fma(a, factor, addend); b = fma(b, factor, addend); c = fma(c, factor, addend); d = fma(d, factor, addend);
        a = fma(a, factor, addend); b = fma(b, factor, addend); c = fma(c, factor, addend); d = fma(d, factor, addend);
        a = fma(a, factor, addend); b = fma(b, factor, addend); c = fma(c, factor, addend); d = fma(d, factor, addend);
        a = fma(a, factor, addend); b = fma(b, factor, addend); c = fma(c, factor, addend); d = fma(d, factor, addend);
        a = fma(a, factor, addend); b = fma(b, factor, addend); c = fma(c, factor, addend); d = fma(d, factor, addend);
    }
    let sum = (a + b) + (c + d);
    values[at] = (sum.x + sum.y) + (sum.z + sum.w);
}
