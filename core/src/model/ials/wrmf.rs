//! Weighted matrix factorisation as first published: every vector's norm has the same weight.

use super::{Defaults, Fit, FitInputs, Ials, IalsConfig, IalsFit, ModelSettings, uses};
use crate::{
    Result,
    config::{Kind, setting::settings},
    engine::Engine,
    model::AnyModel,
    state::State,
};

settings! {
    /// Weighted matrix factorisation (Hu et al., "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008),
    /// the special case of iALS with an exponent of 0 and exact steps. Up to the scale of the scores, the confidence
    /// of an observed pair is `1 + 1 / unobserved_weight` times that of another.
    pub struct WrmfConfig in "model" {
        /// Dimensions of the vectors of users and items, d.
        factors: usize = 128, "D", Kind::Integer(1, 1 << 16);
        /// Weight of the squared norms.
        regularisation: f32 = 5.0, "LAMBDA", Kind::Real(f32::MIN_POSITIVE as f64, 1e9);
        /// Weight of a pair that was not observed; an observed one has 1 more.
        unobserved_weight: f32 = 0.1, "ALPHA", Kind::Real(1e-9, 1e3);
    }
}

impl WrmfConfig {
    /// The same model in the settings of iALS.
    fn as_ials(&self) -> IalsConfig {
        let Self { factors, regularisation, unobserved_weight } = *self;
        IalsConfig {
            factors,
            regularisation,
            regularisation_exponent: 0.0,
            unobserved_weight,
            block: factors,
        }
    }
}

impl ModelSettings for WrmfConfig {
    type Model = Ials;

    fn uses(section: &str, key: &str) -> bool {
        uses(section, key)
    }

    fn set_defaults(defaults: Defaults<'_>) {
        IalsConfig::set_defaults(defaults);
    }

    fn load(&self, engine: &Engine, items: usize, state: &State) -> Result<Ials> {
        Ials::load(self.as_ials().objective(), engine, items, state)
    }

    fn fit(&self, inputs: &FitInputs<'_>) -> Result<Option<Box<dyn Fit>>> {
        let ials = self.as_ials();
        let fit = IalsFit::new(ials.objective(), ials.block, inputs, AnyModel::Wrmf)?;
        Ok(Some(Box::new(fit)))
    }
}
