// The sampled softmax (paper, section 6): computes the loss, and replaces logits by their gradients in place.
//
// paper: nll = sum over positives i of ln(1 + exp(s - o'_i)), s = ln sum over negatives j of exp o'_j, with
//   o' = o - log q.
// exact positives: nll = n ln Z - sum_i o_i, Z = sum_i exp o_i + 1/C sum over j outside of I of exp o'_j.
//
// Work per workgroup: one query row, with one item per thread at a time; a thread handles the same items in
// each loop.
// Grid: linear, rows workgroups.

#import "shared/grid.wgsl"
#import "shared/groups.wgsl"
#import "shared/numbers.wgsl"
#import "shared/reduce.wgsl"

struct Params {
    batch: u32,
    group_size: u32,
    candidates: u32,
    rows: u32,
    /// E.
    entries: u32,
    exact_positives: u32,
    /// 1 / rows of the whole batch.
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> batch_offsets: array<u32>; // B + 1
@group(0) @binding(2) var<storage, read> batch_items: array<u32>; // E, ascending for each batch row
@group(0) @binding(3) var<storage, read> negatives: array<u32>; // groups x candidates
@group(0) @binding(4) var<storage, read> negative_log_q: array<f32>; // groups x candidates
@group(0) @binding(5) var<storage, read> positive_log_q: array<f32>; // L x E
@group(0) @binding(6) var<storage, read_write> positive: array<f32>; // L x E
@group(0) @binding(7) var<storage, read_write> negative: array<f32>; // R x candidates
@group(0) @binding(8) var<storage, read_write> nll: array<f32>; // R

fn in_history(item: u32, start: u32, count: u32) -> bool {
    var low = start;
    var high = start + count;
    while low < high {
        let middle = (low + high) / 2u;
        if batch_items[middle] < item {
            low = middle + 1u;
        } else {
            high = middle;
        }
    }
    return low < start + count && batch_items[low] == item;
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
    let count = batch_offsets[user + 1u] - start;
    let first = row / params.batch * params.entries + start;
    let seen = group_of_row(row) * params.candidates;
    let drawn = row * params.candidates;
    let exact = params.exact_positives != 0u;

    // The negatives: corrected logits, then the logarithm of their sum.
    var top = LOWEST;
    for (var c = local; c < params.candidates; c += 64u) {
        var corrected = negative[drawn + c] - negative_log_q[seen + c];
        if exact && in_history(negatives[seen + c], start, count) {
            corrected = LOWEST;
        }
        negative[drawn + c] = corrected;
        top = max(top, corrected);
    }
    top = workgroup_max(top, local);
    var terms = 0.0;
    for (var c = local; c < params.candidates; c += 64u) {
        terms += exp_below(negative[drawn + c] - top);
    }
    let log_sum = top + log(workgroup_sum(terms, local));

    // The positives: their gradients, and their contributions to the loss and to the negatives' gradients.
    var loss = 0.0;
    var weight = 0.0;
    var shift = log_sum;
    if exact {
        var positive_top = LOWEST;
        var logit_sum = 0.0;
        for (var e = local; e < count; e += 64u) {
            positive_top = max(positive_top, positive[first + e]);
            logit_sum += positive[first + e];
        }
        positive_top = workgroup_max(positive_top, local);
        var positive_terms = 0.0;
        for (var e = local; e < count; e += 64u) {
            positive_terms += exp_below(positive[first + e] - positive_top);
        }
        positive_terms = workgroup_sum(positive_terms, local);
        logit_sum = workgroup_sum(logit_sum, local);
        // Users without a history have no loss; the logarithm of their empty sum is never used.
        if count > 0u {
            let n = f32(count);
            let log_count = log(f32(params.candidates));
            let inside = positive_top + log(positive_terms);
            var log_partition = inside;
            if !is_nothing(top) {
                let outside = log_sum - log_count;
                log_partition = max(inside, outside) + log(1.0 + exp_below(-abs(inside - outside)));
            }
            loss = n * log_partition - logit_sum;
            for (var e = local; e < count; e += 64u) {
                let fraction = exp_below(positive[first + e] - log_partition);
                positive[first + e] = params.scale * (n * fraction - 1.0);
            }
            weight = params.scale * n;
            shift = log_count + log_partition;
        }
    } else {
        var rest = 0.0;
        for (var e = local; e < count; e += 64u) {
            // 1 - p, where p is the positive's probability among itself and the negatives, and -ln p, without
            // overflow.
            let gap = log_sum - (positive[first + e] - positive_log_q[first + e]);
            let decay = exp_below(-abs(gap));
            let complement = select(decay, 1.0, gap > 0.0) / (1.0 + decay);
            loss += max(gap, 0.0) + log(1.0 + decay);
            rest += complement;
            positive[first + e] = -params.scale * complement;
        }
        loss = workgroup_sum(loss, local);
        weight = params.scale * workgroup_sum(rest, local);
    }
    for (var c = local; c < params.candidates; c += 64u) {
        negative[drawn + c] = weight * exp_below(negative[drawn + c] - shift);
    }
    if local == 0u {
        nll[row] = loss;
    }
}
