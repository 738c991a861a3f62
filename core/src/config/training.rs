//! The training loop.

use super::{Control, Kind, setting::settings};

settings! {
    /// The training loop.
    pub struct TrainingConfig in "training" {
        /// Passes over the users.
        epochs: u32 = 60, "N", Kind::Integer(1, u32::MAX as u64), page Control::new("Epochs", "20").at_most(1000);
        /// Users per step.
        batch: usize = 256, "B", Kind::Integer(1, u64::MAX);
        /// Weight of the KL divergence after annealing.
        beta: f32 = 0.2, "BETA", Kind::Real(0.0, 100.0);
        /// Steps over which that weight grows from 0.
        anneal_steps: u32 = 5000, "STEPS", Kind::Integer(0, u32::MAX as u64);
        /// Seed of all random choices: the same seed gives the same bits.
        seed: u64 = 0, "N", Kind::Integer(0, u64::MAX), page Control::new("Seed", "0").at_most(u32::MAX as u64);
        /// Stop after this many evaluations without an improvement on the validation users; 0: never.
        patience: u32 = 0, "N", Kind::Integer(0, u32::MAX as u64);
        /// Epochs between evaluations.
        evaluate_every: u32 = 1, "EPOCHS", Kind::Integer(1, u32::MAX as u64);
        /// Weight of an epoch in a mean of the parameters over epochs, relative to that of the next epoch. The mean is
        /// evaluated, saved and ranked with in place of the parameters; training does not see it. 0: no mean.
        #[cfg(feature = "baselines")]
        average: f32 = 0.0, "W", Kind::Real(0.0, 0.999);
        /// Validation metric that determines the best epoch.
        metric: String = "ndcg@50".into(), "NAME@K", Kind::Text;
    }
}
