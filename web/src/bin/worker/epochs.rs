//! The models of a run, epoch by epoch, in memory.

use std::{borrow::Cow, collections::BTreeMap, path::PathBuf};

use fastvae::{
    Error, Result,
    event::Event,
    run::{RunConfig, RunMetrics, Storage, checkpoint::Context},
    state::{Frozen, State, TensorData},
};

/// What a page keeps of a run: the model after each epoch, to look back at, and what going on needs.
#[derive(Default)]
pub struct Epochs {
    /// All that a resume needs, as of the last whole epoch.
    last: Option<State>,
    /// Models by epoch, some of them dropped.
    models: BTreeMap<u32, State>,
    /// What the last validation measured.
    pub metrics: BTreeMap<String, f64>,
}

impl Epochs {
    /// One model and no others.
    pub fn of(state: State, metrics: BTreeMap<String, f64>) -> Self {
        Self { last: None, models: [(state.progress.epoch, state.into_model())].into(), metrics }
    }

    /// The epochs whose models are there, ascending.
    pub fn numbers(&self) -> Vec<u32> {
        self.models.keys().copied().collect()
    }

    /// The model of an epoch or the nearest one before it; without an epoch, the last.
    pub fn near(&self, epoch: Option<u32>) -> Option<(u32, &State)> {
        let upto = self.models.range(..=epoch.unwrap_or(u32::MAX)).next_back();
        upto.or_else(|| self.models.first_key_value()).map(|(&epoch, model)| (epoch, model))
    }

    /// Bytes of all models.
    pub fn bytes(&self) -> usize {
        let len = |data: &TensorData| match data {
            TensorData::F32(values) => values.len(),
            TensorData::U32(values) => values.len(),
        };
        self.models
            .values()
            .flat_map(|model| model.tensors.values())
            .map(|tensor| 4 * len(&tensor.data))
            .sum()
    }

    /// Drops every other model; the first and the last stay.
    pub fn halve(&mut self) {
        let last = self.models.len() - 1;
        let mut place = 0;
        self.models.retain(|_, _| {
            place += 1;
            (place - 1) % 2 == 0 || place - 1 == last
        });
    }
}

impl Storage for Epochs {
    fn last_save(&self) -> PathBuf {
        "the last epoch".into()
    }

    fn begin(&mut self, _: &RunConfig) -> Result<()> {
        *self = Self::default();
        Ok(())
    }

    fn reopen(&mut self, _: &RunConfig) -> Result<()> {
        Ok(())
    }

    /// The page draws events as they come and keeps them itself.
    fn events(&self) -> Result<Vec<Event>> {
        Ok(Vec::new())
    }

    fn record(&mut self, event: &Event) -> Result<()> {
        if let Event::Evaluated { metrics, .. } = event {
            self.metrics.clone_from(metrics);
        }
        Ok(())
    }

    async fn save_last(&mut self, _: &Context, run: Frozen<'_>) -> Result<()> {
        let state = run.state().await?;
        self.models.insert(state.progress.epoch, state.clone().into_model());
        self.last = Some(state);
        Ok(())
    }

    async fn save_model(&mut self, _: &Context, model: Frozen<'_>) -> Result<()> {
        let model = model.state().await?;
        self.models.insert(model.progress.epoch, model);
        Ok(())
    }

    fn read_last(&self) -> Result<Cow<'_, State>> {
        self.last.as_ref().map(Cow::Borrowed).ok_or_else(|| Error::Data("this run cannot go on".into()))
    }

    fn read_model(&self) -> Result<Cow<'_, State>> {
        let model = self.near(None).map(|(_, model)| Cow::Borrowed(model));
        model.ok_or_else(|| Error::Data("no model has been kept".into()))
    }

    fn finish(&mut self, _: &RunMetrics) -> Result<()> {
        Ok(())
    }
}
