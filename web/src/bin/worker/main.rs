//! The worker: holds the engine, so that training never stops the page.

mod engine;
mod queue;
mod scope;

use fastvae::{engine::Engine, selftest};
use wasm_bindgen::prelude::*;
use web::{Command, EngineChoice, Failure, Report};

use self::{engine::Chosen, queue::Queue};

fn main() -> Result<(), JsValue> {
    scope::report_panics();
    let commands = Queue::default();
    scope::listen(commands.clone())?;
    wasm_bindgen_futures::spawn_local(Worker { commands, engine: None }.serve());
    scope::post(&Report::Ready);
    Ok(())
}

/// One task obeys all commands, so they never overlap.
struct Worker {
    commands: Queue,
    /// The engine in place, and the choice that led to it.
    engine: Option<(EngineChoice, Engine)>,
}

impl Worker {
    async fn serve(mut self) {
        loop {
            let obeyed = match self.commands.next().await {
                Command::Engine { choice } => self.engine(choice).await.map(drop),
                Command::Test { choice } => self.test(choice).await,
            };
            if let Err(failure) = obeyed {
                scope::post(&Report::Failed(failure));
            }
        }
    }

    /// The engine of a choice, the one in place if it is that.
    async fn engine(&mut self, choice: EngineChoice) -> Result<Engine, Failure> {
        if let Some((chosen, engine)) = &self.engine
            && *chosen == choice
        {
            return Ok(engine.clone());
        }
        let Chosen { engine, adapter, reason } = engine::choose(choice).await?;
        scope::post(&Report::Engine { adapter, reason });
        self.engine = Some((choice, engine.clone()));
        Ok(engine)
    }

    async fn test(&mut self, choice: EngineChoice) -> Result<(), Failure> {
        let engine = self.engine(choice).await?;
        let results = selftest::run(&engine).await;
        let failures: Vec<String> = results
            .iter()
            .filter_map(|(name, result)| result.as_ref().err().map(|problem| format!("{name}: {problem}")))
            .collect();
        scope::post(&Report::Tested { passed: results.len() - failures.len(), failures });
        Ok(())
    }
}
