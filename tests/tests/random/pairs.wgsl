// For each pair of words: the uniform number of the first, and two normal numbers.

struct Params {
    len: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> words: array<u32>; // len x 2
@group(0) @binding(2) var<storage, read_write> output: array<f32>; // len x 3

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let at = id.x;
    if at >= params.len {
        return;
    }
    let pair = normal_pair(words[2u * at], words[2u * at + 1u]);
    output[3u * at] = unit(words[2u * at]);
    output[3u * at + 1u] = pair.x;
    output[3u * at + 2u] = pair.y;
}
