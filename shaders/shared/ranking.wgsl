/// An integer with the same order as the score; 0 for negative infinity and NaN, which are not ranked.
fn rank_key(score: f32) -> u32 {
    let bits = bitcast<u32>(score);
    if bits == 0xff800000u || (bits & 0x7fffffffu) > 0x7f800000u {
        return 0u;
    }
    if bits == 0x80000000u {
        return 0x80000000u;
    }
    return select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
}
