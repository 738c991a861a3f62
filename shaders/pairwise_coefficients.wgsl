// Losses that compare each positive i with candidates j one by one: computes the loss, and replaces logits by their
// gradients in place. core/src/kernels/pairwise_loss.rs has the formulas and their sources; `comparison` counts them as
// there.
//
// Positive number n of a row has the candidates from number n each on, the first following the last. Candidates in the
// history count as the logit LOWEST, which has no weight.
//
// Work per workgroup: one query row. First each thread compares some of its positives and stores what their candidates
// need to know; then each thread sums the gradients of some of its candidates over the positives.
// Grid: linear, rows workgroups.

#import "shared/grid.wgsl"
#import "shared/groups.wgsl"
#import "shared/history.wgsl"
#import "shared/numbers.wgsl"
#import "shared/reduce.wgsl"

const HARDEST = 1u;
const WARP = 2u;
const IMPORTANCE = 3u;
const SELF_ADVERSARIAL = 4u;

struct Params {
    batch: u32,
    group_size: u32,
    candidates: u32,
    rows: u32,
    /// E.
    entries: u32,
    comparison: u32,
    /// Candidates of a positive.
    each: u32,
    /// M.
    items: u32,
    sharpness: f32,
    /// 1 / rows of the whole batch.
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> batch_offsets: array<u32>; // B + 1
@group(0) @binding(2) var<storage, read> batch_items: array<u32>; // E, ascending for each batch row
@group(0) @binding(3) var<storage, read> negatives: array<u32>; // groups x candidates
@group(0) @binding(4) var<storage, read> negative_log_q: array<f32>; // groups x candidates
@group(0) @binding(5) var<storage, read_write> positive: array<f32>; // L x E
@group(0) @binding(6) var<storage, read_write> negative: array<f32>; // R x candidates
@group(0) @binding(7) var<storage, read_write> nll: array<f32>; // R
// L x E x 3: gradient of the positive; then the logarithm of the sum of weights, or the weight of the only candidate;
// and the number of that candidate.
@group(0) @binding(8) var<storage, read_write> of_entries: array<f32>;

/// sigma(x) and ln(1 + exp(x)).
fn logistic(x: f32) -> vec2<f32> {
    let decay = exp_below(-abs(x));
    return vec2<f32>(select(decay, 1.0, x > 0.0) / (1.0 + decay), max(x, 0.0) + log(1.0 + decay));
}

/// The logarithm of a candidate's weight, up to a constant; LOWEST for none.
fn log_weight(logit: f32, log_q: f32) -> f32 {
    if is_nothing(logit) {
        return LOWEST;
    }
    if params.comparison == IMPORTANCE {
        return logit - log_q;
    }
    if params.comparison == SELF_ADVERSARIAL {
        return params.sharpness * logit;
    }
    return 0.0;
}

/// The loss of a positive, its gradient, and what its candidates need, for weights of all candidates.
fn weighted(own: f32, first: u32, seen: u32, drawn: u32) -> vec4<f32> {
    var top = LOWEST;
    for (var k = 0u; k < params.each; k++) {
        let c = (first + k) % params.candidates;
        top = max(top, log_weight(negative[drawn + c], negative_log_q[seen + c]));
    }
    if is_nothing(top) {
        return vec4<f32>(0.0, 0.0, LOWEST, 0.0);
    }
    let pointwise = params.comparison == SELF_ADVERSARIAL;
    let other = select(own, 0.0, pointwise);
    var sums = vec3<f32>();
    for (var k = 0u; k < params.each; k++) {
        let c = (first + k) % params.candidates;
        let logit = negative[drawn + c];
        let weight = exp_below(log_weight(logit, negative_log_q[seen + c]) - top);
        if weight > 0.0 {
            let slope = logistic(logit - other);
            sums += weight * vec3<f32>(1.0, slope);
        }
    }
    var cost = sums.z / sums.x;
    var slope = sums.y / sums.x;
    if pointwise {
        let own_slope = logistic(-own);
        slope = own_slope.x;
        cost += own_slope.y;
    }
    return vec4<f32>(cost, -slope, top + log(sums.x), 0.0);
}

/// The same, where one candidate is compared.
fn chosen(own: f32, first: u32, drawn: u32) -> vec4<f32> {
    if params.comparison == WARP {
        for (var k = 0u; k < params.each; k++) {
            let c = (first + k) % params.candidates;
            let logit = negative[drawn + c];
            if !is_nothing(logit) && logit > own - 1.0 {
                let weight = log(f32(max((params.items - 1u) / (k + 1u), 1u)));
                return vec4<f32>(weight * (1.0 - own + logit), -weight, weight, f32(c));
            }
        }
        return vec4<f32>();
    }
    var best = first;
    for (var k = 1u; k < params.each; k++) {
        let c = (first + k) % params.candidates;
        if negative[drawn + c] > negative[drawn + best] {
            best = c;
        }
    }
    let logit = negative[drawn + best];
    if is_nothing(logit) {
        return vec4<f32>();
    }
    let slope = logistic(logit - own);
    return vec4<f32>(slope.y, -slope.x, slope.x, f32(best));
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = linear_group(group, groups);
    if row >= params.rows {
        return;
    }
    let user = row % params.batch;
    let start = batch_offsets[user];
    let end = batch_offsets[user + 1u];
    let count = end - start;
    let entry = row / params.batch * params.entries + start;
    let seen = group_of_row(row) * params.candidates;
    let drawn = row * params.candidates;
    let one = params.comparison == HARDEST || params.comparison == WARP;

    for (var c = local; c < params.candidates; c += 64u) {
        let item = negatives[seen + c];
        let at = lower_bound(start, end, item);
        if at < end && batch_items[at] == item {
            negative[drawn + c] = LOWEST;
        }
    }
    storageBarrier();

    var loss = 0.0;
    for (var n = local; n < count; n += 64u) {
        let first = n % params.candidates * params.each % params.candidates;
        let own = positive[entry + n];
        var found: vec4<f32>;
        if one {
            found = chosen(own, first, drawn);
        } else {
            found = weighted(own, first, seen, drawn);
        }
        loss += found.x;
        of_entries[3u * (entry + n)] = found.y;
        of_entries[3u * (entry + n) + 1u] = found.z;
        of_entries[3u * (entry + n) + 2u] = found.w;
    }
    loss = workgroup_sum(loss, local);
    storageBarrier();

    for (var c = local; c < params.candidates; c += 64u) {
        let logit = negative[drawn + c];
        let own_weight = log_weight(logit, negative_log_q[seen + c]);
        var sum = 0.0;
        for (var n = 0u; n < count; n++) {
            let about = of_entries[3u * (entry + n) + 1u];
            let first = n % params.candidates * params.each % params.candidates;
            if one {
                if u32(of_entries[3u * (entry + n) + 2u]) == c {
                    sum += about;
                }
            } else if (c + params.candidates - first) % params.candidates < params.each && !is_nothing(own_weight) {
                let other = select(positive[entry + n], 0.0, params.comparison == SELF_ADVERSARIAL);
                sum += exp_below(own_weight - about) * logistic(logit - other).x;
            }
        }
        negative[drawn + c] = params.scale * sum;
    }
    storageBarrier();
    for (var n = local; n < count; n += 64u) {
        positive[entry + n] = params.scale * of_entries[3u * (entry + n)];
    }
    if local == 0u {
        nll[row] = loss;
    }
}
