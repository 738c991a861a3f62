// Entry ids: s E + e is entry e of sample s < L; from L E on, candidates. `params` has entries and positives
// = L E, and the shader binds the items of both.

fn item_of(id: u32) -> u32 {
    if id < params.positives {
        return positives[id % params.entries];
    }
    return negatives[id - params.positives];
}
