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
mod host;
#[cfg(feature = "baselines")]
mod ials;
#[cfg(feature = "baselines")]
mod item_knn;
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
pub(crate) use fit::{Fit, FitInputs};
#[cfg(feature = "baselines")]
pub use ials::{Ials, IalsConfig, WrmfConfig};
#[cfg(feature = "baselines")]
pub use item_knn::{ItemKnn, ItemKnnConfig};
pub use popularity::{Popularity, PopularityConfig};
pub(crate) use scorer::queries;
pub use scorer::{Batch, Scorer, Scoring, record_products};
pub(crate) use trainable::{Sizes, Start, TrainStep, Trainable};
pub(crate) use vae::LINEAR_PATH;
pub use vae::MultVae;
