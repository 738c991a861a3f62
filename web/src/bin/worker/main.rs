//! The worker: holds the engine, so that training never stops the page.

#![forbid(unsafe_code)]

mod draw;
mod engine;
mod epochs;
mod fidelity;
mod runs;
mod time;

use std::collections::BTreeMap;

use fastvae::engine::Engine;
use fastvae_study::selftest;
use wasm_bindgen::prelude::*;
use web::{
    Command, EngineChoice, Failure, Report,
    worker::{Data, Queue, data, scope},
};

use self::{draw::Proposals, engine::Chosen, runs::Group};

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
    /// What was chosen last.
    choice: EngineChoice,
    /// The engine in place, and the choice that led to it.
    engine: Option<(EngineChoice, Engine)>,
    /// Devices lost so far.
    lost: u32,
    proposals: Proposals,
    data: Option<Data>,
    /// Why the set that was asked for is missing; nothing is trained on another one instead.
    lack: Option<Failure>,
    groups: BTreeMap<String, Group>,
}

impl Worker {
    async fn serve(mut self, commands: Queue) {
        loop {
            let (command, beside) = commands.next().await;
            if let Err(failure) = self.obey_through_losses(&command, &beside).await {
                scope::post(&match command.order() {
                    Some(order) => Report::Unread { order, failure },
                    None => Report::Failed(failure),
                });
            }
        }
    }

    /// Obeys; where the device is lost on the way, on another one.
    async fn obey_through_losses(&mut self, command: &Command, beside: &JsValue) -> Result<(), Failure> {
        loop {
            match self.obey(command.clone(), beside).await {
                Err(failure) if self.is_loss(&failure) => self.recover(failure.message).await?,
                result => return result,
            }
        }
    }

    /// Whether a failure is the loss of a GPU that was in place.
    fn is_loss(&self, failure: &Failure) -> bool {
        failure.code == "device" && self.engine.as_ref().is_some_and(|(_, engine)| !engine.is_cpu())
    }

    async fn obey(&mut self, command: Command, beside: &JsValue) -> Result<(), Failure> {
        match command {
            Command::Engine { choice } => {
                self.choice = choice;
                self.engine().await.map(drop)
            }
            Command::Test { choice } => {
                self.choice = choice;
                self.test().await
            }
            Command::Draw(question) => {
                let engine = self.engine().await?;
                scope::post(&self.proposals.draw(&engine, &question).await?);
                Ok(())
            }
            Command::Data(source) => match Data::read(&source, beside).await {
                Ok(data) => {
                    self.learn_from(data, Some(source.order));
                    Ok(())
                }
                Err(failure) => {
                    if source.fetch {
                        self.learn_from_nothing(failure.clone());
                    }
                    Err(failure)
                }
            },
            Command::Import { name, order } => self.import(&name, order, beside).await,
            Command::Lack(failure) => {
                self.learn_from_nothing(failure);
                Ok(())
            }
            Command::Start(settings) => {
                if let Some(failure) = &self.lack {
                    return Err(failure.clone());
                }
                let engine = self.engine().await?;
                self.groups.remove(&settings.group);
                let made = match &self.data {
                    Some(data) => data.with_seed(settings.seed()).transpose()?,
                    None => Some(Data::built_in(settings.seed(), None)?),
                };
                if let Some(data) = made {
                    self.learn_from(data, None);
                }
                let Some(data) = &self.data else { return Ok(()) };
                let group = Group::start(&engine, &settings, data).await?;
                scope::post(&Report::Started { group: settings.group.clone(), settings: settings.clone() });
                scope::post(&group.progress(Vec::new()));
                self.groups.insert(settings.group, group);
                Ok(())
            }
            Command::Advance { group, milliseconds, single } => {
                self.advance(&group, f64::from(milliseconds), single).await
            }
            Command::Fidelity(question) => {
                let engine = self.engine().await?;
                let group = group(&mut self.groups, &question.group)?;
                scope::post(&fidelity::measure(&engine, group, &question).await?);
                Ok(())
            }
            Command::Recommend(question) => {
                let engine = self.engine().await?;
                let group = group(&mut self.groups, &question.group)?;
                scope::post(&group.recommend(&engine, question).await?);
                Ok(())
            }
            Command::Time { sampler, items, negatives, codewords, seed } => {
                let engine = self.engine().await?;
                scope::post(&time::step(&engine, sampler, items, negatives, codewords, seed).await?);
                Ok(())
            }
            Command::Export { group: name, run } => {
                let group = group(&mut self.groups, &name)?;
                let (file, bytes) = group.export(run)?;
                scope::post_with(&Report::File { name: file }, &bytes);
                Ok(())
            }
        }
    }

    /// The engine of the choice, the one in place if it is that.
    async fn engine(&mut self) -> Result<Engine, Failure> {
        if let Some((chosen, engine)) = &self.engine
            && *chosen == self.choice
        {
            return Ok(engine.clone());
        }
        let Chosen { engine, adapter, reason } = engine::choose(self.choice).await?;
        scope::post(&Report::Engine { adapter, reason });
        self.engine = Some((self.choice, engine.clone()));
        Ok(engine)
    }

    async fn test(&mut self) -> Result<(), Failure> {
        let engine = self.engine().await?;
        let results = selftest::run(&engine).await;
        let failures: Vec<String> = results
            .iter()
            .filter_map(|(name, result)| result.as_ref().err().map(|problem| format!("{name}: {problem}")))
            .collect();
        let draws = selftest::draws(&engine).await.ok();
        scope::post(&Report::Tested { passed: results.len() - failures.len(), failures, draws });
        Ok(())
    }

    async fn advance(&mut self, name: &str, milliseconds: f64, single: bool) -> Result<(), Failure> {
        let group = group(&mut self.groups, name)?;
        scope::post(&group.advance(milliseconds, single).await?);
        Ok(())
    }

    /// After a lost device: another one the first time, the CPU engine from then on. All runs go on from their last
    /// epoch.
    async fn recover(&mut self, message: String) -> Result<(), Failure> {
        loop {
            self.lost += 1;
            self.engine = None;
            self.proposals = Proposals::default();
            if self.lost > 1 || self.engine().await.is_err() {
                self.choice = EngineChoice::Cpu;
            }
            let engine = self.engine().await?;
            match self.resume(&engine).await {
                Err(failure) if self.is_loss(&failure) => continue,
                result => result?,
            }
            let with = if engine.is_cpu() { "cpu" } else { "gpu" };
            scope::post(&Report::Lost { message, engine: with.into() });
            return Ok(());
        }
    }

    async fn resume(&mut self, engine: &Engine) -> Result<(), Failure> {
        for group in self.groups.values_mut() {
            group.resume(engine).await?;
        }
        Ok(())
    }

    /// From now on runs learn from this set.
    fn learn_from(&mut self, data: Data, order: Option<u32>) {
        scope::post(&Report::Data(Box::new(data.view(order))));
        self.groups.clear();
        (self.data, self.lack) = (Some(data), None);
    }

    fn learn_from_nothing(&mut self, failure: Failure) {
        self.groups.clear();
        (self.data, self.lack) = (None, Some(failure));
    }

    async fn import(&mut self, name: &str, order: u32, beside: &JsValue) -> Result<(), Failure> {
        let engine = self.engine().await?;
        let file = beside.dyn_ref::<js_sys::Array>().map_or(JsValue::UNDEFINED, |files| files.get(0));
        let bytes = data::bytes(name, &file)?;
        let checkpoint = fastvae::run::checkpoint::from_bytes(name.as_ref(), &bytes)?;
        let data = Data::of_checkpoint(&checkpoint)?;
        let group = Group::of_checkpoint(&engine, checkpoint, &data)?;
        self.learn_from(data, Some(order));
        scope::post(&Report::Started { group: group.name().into(), settings: group.settings().clone() });
        scope::post(&group.progress(Vec::new()));
        self.groups.insert(group.name().into(), group);
        Ok(())
    }
}

fn group<'a>(groups: &'a mut BTreeMap<String, Group>, name: &str) -> Result<&'a mut Group, Failure> {
    groups.get_mut(name).ok_or_else(|| {
        Failure::new(
            "stale",
            format!("nothing has been trained for {name} yet"),
            "Press play to train first.",
        )
    })
}
