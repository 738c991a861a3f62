//! The systems of this module: the same two tables, and what is minimised.

use super::{Mf, Shape, training::MfTraining};
use crate::{
    Error, Result,
    config::{Kind, ProposalKind, setting::settings},
    data::Csr,
    engine::Engine,
    kernels::{Comparison, Pairs},
    model::{AnyModel, Defaults, Sizes, Start, TableSize, Trainable, TrainableSettings, fit::ModelSettings},
    state::State,
};

/// Declares the settings of a system: those that all have, and further ones.
macro_rules! system {
    ($(#[$meta:meta])* $name:ident { $($more:tt)* }) => {
        settings! {
            $(#[$meta])*
            pub struct $name in "model" {
                /// Dimensions of the vectors of users and items, d.
                factors: usize = 64, "D", Kind::Integer(1, 1 << 16);
                /// Whether each item has a bias that is added to its logit.
                item_bias: bool = true, "BOOL", Kind::Switch;
                $($more)*
            }
        }
    };
    ($(#[$meta:meta])* $name:ident, pairs = $pairs:literal { $($more:tt)* }) => {
        system! {
            $(#[$meta])* $name {
                /// Negatives that each positive is compared with, of those that are drawn for the user; 0: all of them.
                pairs: usize = $pairs, "P", Kind::Integer(0, u32::MAX as u64);
                $($more)*
            }
        }
    };
}

system! {
    /// Matrix factorisation by the full or the sampled softmax.
    MfConfig {}
}

system! {
    /// Matrix factorisation by the weighted approximate-rank pairwise loss (Weston et al., "WSABIE", IJCAI 2011).
    WarpConfig, pairs = 10 {}
}

system! {
    /// Bayesian personalised ranking with negatives that rank high for a factor of the user (Rendle and Freudenthaler,
    /// "Improving Pairwise Learning for Item Recommendation from Implicit Feedback", WSDM 2014).
    AobprConfig, pairs = 5 {}
}

system! {
    /// Bayesian personalised ranking with the hardest of a few negatives (Zhang et al., "Optimizing Top-N Collaborative
    /// Filtering via Dynamic Negative Item Sampling", SIGIR 2013).
    DnsConfig, pairs = 3 {}
}

system! {
    /// Personalised ranking with importance sampling (Lian et al., WWW 2020).
    PrisConfig, pairs = 0 {}
}

system! {
    /// Logistic matrix factorisation with self-adversarial weights of negatives (Sun et al., ICLR 2019).
    SelfAdversarialConfig, pairs = 0 {
        /// Factor of the logits in the weights of negatives.
        sharpness: f32 = 1.0, "ALPHA", Kind::Real(0.0, 1e3);
    }
}

/// Which settings outside of the model's own have an effect.
fn uses(section: &str, key: &str, pairs: Option<Pairs>) -> bool {
    match section {
        "objective" => key == "kind" || pairs.is_none(),
        "training" => !matches!(key, "beta" | "anneal-steps"),
        _ => true,
    }
}

/// Checks that the tables can be addressed.
fn check_sizes(factors: usize, items: usize, users: usize, rows: usize) -> Result<()> {
    for (field, what, count) in [
        ("factors", "items x factors", items),
        ("factors", "users x factors", users),
        ("batch", "rows x factors", rows),
    ] {
        let bytes = count.checked_mul(factors).and_then(|numbers| numbers.checked_mul(size_of::<f32>()));
        if bytes.is_none_or(|bytes| bytes > isize::MAX as usize) {
            let problem =
                format!("{count} x {factors} numbers ({what}) are more than this machine can address");
            return Err(Error::setting(field, problem));
        }
    }
    Ok(())
}

/// Implements systems: settings, variant of the union of models, which pairs are compared, and where negatives come from
/// by default.
macro_rules! systems {
    ($($settings:ident, $kind:ident, $pairs:expr, $proposal:ident;)+) => {$(
        impl $settings {
            fn shape(&self) -> Shape {
                Shape { factors: self.factors, item_bias: self.item_bias, wrap: AnyModel::$kind }
            }
        }

        impl ModelSettings for $settings {
            type Model = Mf;

            const NEEDS_CPU: bool = false;

            fn uses(section: &str, key: &str) -> bool {
                uses(section, key, Self::default().pairs())
            }

            fn set_defaults(Defaults { proposal, optimizer, .. }: Defaults<'_>) {
                proposal.kind = ProposalKind::$proposal;
                (optimizer.learning_rate, optimizer.weight_decay) = (0.01, 0.3);
            }

            fn trainable(&self) -> Option<&dyn TrainableSettings> {
                Some(self)
            }

            fn load(&self, engine: &Engine, items: usize, state: &State) -> Result<Mf> {
                Mf::load(self.shape(), engine, items, state)
            }
        }

        impl TrainableSettings for $settings {
            fn width(&self) -> (&'static str, usize) {
                ("factors", self.factors)
            }

            fn pairs(&self) -> Option<Pairs> {
                let of: fn(&Self) -> Option<Pairs> = $pairs;
                of(self)
            }

            fn check_sizes(&self, items: usize, users: usize, rows: usize) -> Result<()> {
                check_sizes(self.factors, items, users, rows)
            }

            fn tables(&self, items: usize, users: usize) -> Vec<TableSize> {
                let of = |of, rows| TableSize { of, rows, what: "factors", width: self.factors };
                vec![of("items", items), of("users", users)]
            }

            fn training(
                &self,
                engine: &Engine,
                sizes: Sizes,
                start: Start<'_>,
                train: &Csr,
            ) -> Result<Box<dyn Trainable>> {
                Ok(Box::new(MfTraining::new(engine, self.shape(), sizes, start, train)?))
            }
        }
    )+};
}

/// A comparison without a sharpness.
fn pairs(comparison: Comparison, candidates: usize) -> Option<Pairs> {
    Some(Pairs { comparison, candidates, sharpness: 1.0 })
}

systems! {
    MfConfig, Mf, |_| None, MidxPopularity;
    WarpConfig, Warp, |own| pairs(Comparison::Warp, own.pairs), Uniform;
    AobprConfig, Aobpr, |own| pairs(Comparison::Even, own.pairs), Adaptive;
    DnsConfig, Dns, |own| pairs(Comparison::Hardest, own.pairs), Uniform;
    PrisConfig, Pris, |own| pairs(Comparison::Importance, own.pairs), MidxPopularity;
    SelfAdversarialConfig, SelfAdversarial,
        |own| pairs(Comparison::SelfAdversarial, own.pairs).map(|pairs| Pairs { sharpness: own.sharpness, ..pairs }),
        Uniform;
}
