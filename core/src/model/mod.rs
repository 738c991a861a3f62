//! Models: compute scores of all items from a user's history, and are trained.
//!
//! Ranking, recommending and evaluating use a [`Scorer`]. A model is learnt in one of two ways: a
//! [`Trainer`](crate::train::Trainer) trains a `Trainable` by the gradient of an objective, and a `Fit` is an
//! algorithm of the model's own. Files and front ends hold an [`AnyModel`]. A new model is a file or a folder,
//! and its lines in this file.

/// Every model: documentation, variant, name in files and on the command line, settings, model. Those of the second
/// list are behind the feature `baselines`.
macro_rules! table {
    ($declare:ident) => {
        $declare! {
            {
                /// The variational autoencoder of Liang et al. (2018).
                MultVae = "mult-vae", MultVaeConfig, MultVae;
                /// The same list for everybody: items by the number of users who have them.
                Popularity = "popularity", PopularityConfig, Popularity;
            }
            baselines {
                /// Neighbours of items by cosine.
                ItemKnn = "item-knn", ItemKnnConfig, ItemKnn;
                /// A weight for every pair of items, in closed form (Steck, 2019).
                Ease = "ease", EaseConfig, Ease;
                /// Matrix factorisation by implicit alternating least squares (Rendle et al., 2022).
                Ials = "ials", IalsConfig, Ials;
                /// Weighted matrix factorisation as first published (Hu et al., 2008).
                Wrmf = "wrmf", WrmfConfig, Ials;
                /// EASE's idea at a low rank (Vančura et al., 2022).
                Elsa = "elsa", ElsaConfig, Elsa;
                /// Bayesian personalised ranking with a table of users and one of items (Rendle et al., 2009).
                Bpr = "bpr", BprConfig, Bpr;
                /// Matrix factorisation with a table of users and one of items, by the softmax.
                Mf = "mf", MfConfig, Mf;
                /// The same tables by the weighted approximate-rank pairwise loss (Weston et al., 2011).
                Warp = "warp", WarpConfig, Mf;
                /// The same by BPR with adaptively oversampled negatives (Rendle and Freudenthaler, 2014).
                Aobpr = "aobpr", AobprConfig, Mf;
                /// The same by BPR with the hardest of a few negatives (Zhang et al., 2013).
                Dns = "dns", DnsConfig, Mf;
                /// The same by BPR with importance weights (Lian et al., 2020).
                Pris = "pris", PrisConfig, Mf;
                /// The same by a logistic loss with self-adversarial weights (Sun et al., 2019).
                SelfAdversarial = "self-adversarial", SelfAdversarialConfig, Mf;
            }
        }
    };
}

mod any;
#[cfg(feature = "baselines")]
mod bpr;
#[cfg(feature = "baselines")]
mod ease;
#[cfg(feature = "baselines")]
mod elsa;
mod fit;
#[cfg(feature = "baselines")]
mod gram;
mod host;
#[cfg(feature = "baselines")]
mod ials;
#[cfg(feature = "baselines")]
mod implicit_slim;
#[cfg(feature = "baselines")]
mod item_knn;
#[cfg(feature = "baselines")]
mod mf;
mod popularity;
mod scorer;
#[cfg(feature = "baselines")]
mod symmetric;
mod trainable;
mod vae;

pub use any::{AnyModel, ModelConfig, ModelKind};
#[cfg(feature = "baselines")]
pub use bpr::{Bpr, BprConfig};
#[cfg(feature = "baselines")]
pub use ease::{Ease, EaseConfig};
#[cfg(feature = "baselines")]
pub use elsa::{Elsa, ElsaConfig};
pub(crate) use fit::{Defaults, Fit, FitInputs};
#[cfg(feature = "baselines")]
pub use ials::{Ials, IalsConfig, WrmfConfig};
#[cfg(feature = "baselines")]
pub(crate) use implicit_slim::ImplicitSlim;
#[cfg(feature = "baselines")]
pub use item_knn::{ItemKnn, ItemKnnConfig};
#[cfg(feature = "baselines")]
pub use mf::{AobprConfig, DnsConfig, Mf, MfConfig, PrisConfig, SelfAdversarialConfig, WarpConfig};
pub use popularity::{Popularity, PopularityConfig};
pub(crate) use scorer::queries;
#[cfg(feature = "baselines")]
pub(crate) use scorer::{Alike, alike};
pub use scorer::{Batch, Scorer, Scoring, record_products};
pub(crate) use trainable::{Sizes, Start, TableSize, TrainStep, Trainable, TrainableSettings};
pub(crate) use vae::LINEAR_PATH;
pub use vae::MultVae;
