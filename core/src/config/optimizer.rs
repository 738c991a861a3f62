//! How parameters are updated.

use super::{
    Kind,
    setting::{settings, words},
};

settings! {
    /// How parameters are updated.
    pub struct OptimizerConfig in "optimizer" {
        /// Adam's learning rate.
        learning_rate: f32 = 1e-3, "RATE", Kind::Real(f32::MIN_POSITIVE as f64, 10.0);
        /// How the learning rate changes over the run.
        schedule: Schedule = Schedule::default(), "SCHEDULE", Kind::Word(Schedule::WORDS);
        /// Decay of Adam's first moment.
        beta1: f32 = 0.9, "B", Kind::Real(0.0, 0.9999);
        /// Decay of Adam's second moment.
        beta2: f32 = 0.999, "B", Kind::Real(0.5, 0.999_999);
        /// Adam's epsilon.
        epsilon: f32 = 1e-8, "E", Kind::Real(1e-30, 1.0);
        /// Decoupled weight decay (AdamW).
        weight_decay: f32 = 0.0, "DECAY", Kind::Real(0.0, 10.0);
        /// Coupled L2 penalty, added to gradients; the authors use 0.01.
        l2: f32 = 0.0, "DECAY", Kind::Real(0.0, 10.0);
        /// Which item rows a step updates. `dense`: all of them. `replay`: the touched ones; the steps that
        /// other rows miss are applied when those rows are next read. `lazy`: the touched ones; missed steps
        /// are dropped.
        row_updates: RowUpdates = RowUpdates::default(), "ROWS", Kind::Word(RowUpdates::WORDS), formerly "rows";
    }
}

words! {
    /// Which rows of the two item tables a step updates.
    pub enum RowUpdates default Replay {
        /// All of them, like PyTorch's Adam.
        Dense = "dense",
        /// The touched ones; the steps that a row missed are applied when it is next read. The result equals
        /// that of `dense` up to rounding, at a cost that does not grow with the catalogue, except for
        /// proposals that read all items in every step (exact MIDX, softmax, dns).
        Replay = "replay",
        /// The touched ones; missed steps are dropped (PyTorch's SparseAdam).
        Lazy = "lazy",
    }
}

words! {
    /// How the learning rate changes over the run.
    pub enum Schedule default Cosine {
        /// Constant.
        Constant = "constant",
        /// Half a cosine from the full rate to a hundredth of it at the last step.
        Cosine = "cosine",
        /// Linear, from the full rate to a hundredth of it at the last step.
        Linear = "linear",
        /// Multiplied by 0.95 every five epochs (the authors' code).
        Step = "step",
    }
}
