// The k best items of each user, unordered: a radix select, eight bits per round, over (score, id
// descending). It is finished as soon as all remaining items with the chosen digit are among the k best; the rounds
// left then do nothing, because compilers of DirectX refuse barriers in a loop that a loaded value ends.
//
// Work per workgroup: one user. Grid: linear, rows workgroups.

#import "shared/grid.wgsl"
#import "shared/ranking.wgsl"

struct Params {
    rows: u32,
    /// M.
    items: u32,
    k: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> scores: array<f32>; // rows x M
@group(0) @binding(2) var<storage, read_write> picked: array<u32>; // rows x (1 + k): how many, then ids

var<workgroup> histogram: array<atomic<u32>, 256>;
// The chosen digit, how many of the items with it are still needed, and whether these are all such items.
var<workgroup> choice: vec3<u32>;
var<workgroup> place: atomic<u32>;

fn choose(wanted: u32) {
    var left = wanted;
    for (var digit = 255u; digit > 0u; digit--) {
        let here = atomicLoad(&histogram[digit]);
        if here >= left {
            choice = vec3<u32>(digit, left, u32(here == left));
            return;
        }
        left -= here;
    }
    choice = vec3<u32>(0u, left, u32(atomicLoad(&histogram[0]) <= left));
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = linear_group(group, groups);
    if row >= params.rows {
        return;
    }
    let begin = row * params.items;
    var mask = vec2<u32>();
    var prefix = vec2<u32>();
    var wanted = params.k;
    var finished = false;
    for (var round = 0u; round < 8u; round++) {
        atomicStore(&histogram[local], 0u);
        workgroupBarrier();
        let shift = 24u - 8u * (round % 4u);
        let end = select(params.items, 0u, finished);
        for (var i = local; i < end; i += 256u) {
            let key = vec2<u32>(rank_key(scores[begin + i]), ~i);
            if all((key & mask) == prefix) {
                atomicAdd(&histogram[(select(key.x, key.y, round >= 4u) >> shift) & 255u], 1u);
            }
        }
        workgroupBarrier();
        if local == 0u && !finished {
            choose(wanted);
        }
        let chosen = workgroupUniformLoad(&choice);
        if !finished {
            wanted = chosen.y;
            if round < 4u {
                mask.x |= 255u << shift;
                prefix.x |= chosen.x << shift;
            } else {
                mask.y |= 255u << shift;
                prefix.y |= chosen.x << shift;
            }
            finished = chosen.z != 0u;
        }
    }
    if local == 0u {
        atomicStore(&place, 0u);
    }
    workgroupBarrier();
    for (var i = local; i < params.items; i += 256u) {
        let score = rank_key(scores[begin + i]);
        let key = vec2<u32>(score, ~i) & mask;
        if score != 0u && (key.x > prefix.x || (key.x == prefix.x && key.y >= prefix.y)) {
            picked[row * (params.k + 1u) + 1u + atomicAdd(&place, 1u)] = i;
        }
    }
    workgroupBarrier();
    if local == 0u {
        picked[row * (params.k + 1u)] = atomicLoad(&place);
    }
}
