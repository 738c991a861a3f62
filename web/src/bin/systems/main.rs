//! The worker of systems other than the network, for comparison: each is fitted to the set of the page when it is asked
//! for. It is loaded when a reader asks for it, and computes on the CPU.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use fastvae::{
    data::Csr,
    engine::Engine,
    evaluate::evaluate,
    event::Event,
    model::{AnyModel, ModelConfig, ModelKind},
    rank::{RankOptions, rank},
    run::{Memory, Run, RunConfig, Saves, Setup, checkpoint, checkpoint::Context},
};
use wasm_bindgen::prelude::*;
use web::{
    Command, Failure, RecommendQuestion, Report,
    worker::{Data, Queue, data, scope},
};
use web_time::Instant;

/// The cut-off of the metric beside the lists.
const AT: [usize; 1] = [50];
/// Factors of a user and of an item: a page has one thread.
const FACTORS: usize = 32;

fn main() -> Result<(), JsValue> {
    scope::report_panics();
    let commands = Queue::default();
    scope::listen(commands.clone())?;
    wasm_bindgen_futures::spawn_local(Worker::default().serve(commands));
    scope::post(&Report::Ready);
    Ok(())
}

/// One task obeys all commands, so they never overlap.
#[derive(Default)]
struct Worker {
    data: Option<Data>,
    /// The systems that have been fitted to the set.
    models: BTreeMap<&'static str, AnyModel>,
}

impl Worker {
    async fn serve(mut self, commands: Queue) {
        loop {
            let (command, beside) = commands.next().await;
            if let Err(failure) = self.obey(command, &beside).await {
                scope::post(&Report::Failed(failure));
            }
        }
    }

    async fn obey(&mut self, command: Command, beside: &JsValue) -> Result<(), Failure> {
        match command {
            Command::Data(source) => self.learn_from(Data::read(&source, beside).await?),
            Command::Import { name, .. } => {
                let file = beside.dyn_ref::<js_sys::Array>().map_or(JsValue::UNDEFINED, |files| files.get(0));
                let checkpoint = checkpoint::from_bytes(name.as_ref(), &data::bytes(&name, &file)?)?;
                self.learn_from(Data::of_checkpoint(&checkpoint)?);
            }
            Command::Lack(failure) => return Err(failure),
            Command::Advance { group, .. } => self.fit(system(&group)?).await?,
            Command::Recommend(question) => self.recommend(question).await?,
            other => return Err(unknown(&format!("{other:?}"))),
        }
        Ok(())
    }

    fn learn_from(&mut self, data: Data) {
        self.models.clear();
        self.data = Some(data);
    }

    /// Fits a system and reports how well it ranks the validation users.
    async fn fit(&mut self, kind: ModelKind) -> Result<(), Failure> {
        let data = self.data.as_ref().ok_or_else(without_data)?;
        let start = Instant::now();
        let mut config = RunConfig::of(kind);
        match &mut config.model {
            ModelConfig::Bpr(settings) => settings.factors = FACTORS,
            ModelConfig::Ials(settings) => settings.factors = FACTORS,
            _ => {}
        }
        let setup = Setup {
            engine: Engine::cpu(),
            context: Context::new(config, &data.set),
            split: &data.split,
            saves: Saves { every: 0, best: true },
        };
        let mut run = Run::start(setup, || Ok(Memory::default())).await?;
        while run.next().await?.is_some() {}
        run.save().await?;
        let (engine, config) = (Engine::cpu(), run.context().config.model.clone());
        let Memory { model, last, .. } = run.into_storage();
        let state = model.or(last).ok_or_else(|| unknown("a fit that saves nothing"))?;
        let model = AnyModel::from_state(&engine, &config, data.set.items.len(), &state)?;
        let seconds = start.elapsed().as_secs_f64();
        let metrics = evaluate(&engine, &model, &data.split.validation, &AT).await?.means()?;
        self.models.insert(kind.name(), model);
        let event = Event::Evaluated { epoch: state.progress.epoch, metrics, best: true, seconds };
        scope::post(&Report::Progress {
            group: kind.name().into(),
            events: vec![(0, event)],
            kept: Vec::new(),
            finished: true,
        });
        Ok(())
    }

    async fn recommend(&mut self, question: RecommendQuestion) -> Result<(), Failure> {
        let RecommendQuestion { to, group, run, liked, count, .. } = question;
        let kind = system(&group)?;
        let data = self.data.as_ref().ok_or_else(without_data)?;
        let Some(model) = self.models.get(kind.name()) else {
            return Err(Failure::new("stale", format!("{group} has not been fitted yet"), "Fit it first."));
        };
        let history = Csr::from_rows(&[liked], data.set.items.len() as u32)?;
        let ranking = rank(&Engine::cpu(), model, &history, count as usize, &RankOptions::default()).await?;
        let items = ranking.row(0).iter().copied().zip(ranking.scores.iter().copied()).collect();
        scope::post(&Report::Recommended { to, run, epoch: 0, items, code: Vec::new() });
        Ok(())
    }
}

fn system(name: &str) -> Result<ModelKind, Failure> {
    ModelKind::parse(name).ok_or_else(|| unknown(name))
}

fn without_data() -> Failure {
    Failure::new("stale", "there is no data set yet", "Open one, or take the built-in films.")
}

fn unknown(what: &str) -> Failure {
    Failure::new("bug", format!("{what} is nothing that this worker does"), "Please report this.")
}
