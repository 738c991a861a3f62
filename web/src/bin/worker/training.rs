//! A run on the built-in set, with a turn for the page every few hundredths of a second.

use fastvae::{
    data::{SplitOptions, SyntheticOptions, split, synthetic},
    engine::Engine,
    event::Event,
    train::Trainer,
};
use wasm_bindgen::JsValue;
use web::{Command, Failure, Report, Settings};

use crate::{
    queue::Queue,
    scope::{Turn, post},
};

/// Milliseconds between reports, and between looks at the commands.
const INTERVAL: f64 = 30.0;

/// Trains to the end, unless the page ends the worker before.
pub async fn train(engine: Engine, settings: &Settings, commands: &Queue) -> Result<(), Failure> {
    let turn = Turn::new().map_err(|error| broken(&error))?;
    let seed = settings.seed.into();
    let set = synthetic(&SyntheticOptions { seed, ..Default::default() })?;
    let split = split(&set, &SplitOptions { seed, ..Default::default() })?;
    let mut trainer = Trainer::new(engine, &settings.config(), &split.train, Some(&split.validation)).await?;
    let mut news: Vec<Event> = Vec::new();
    let mut last = js_sys::Date::now();
    while let Some(event) = trainer.next().await? {
        if matches!((&event, news.last()), (Event::Step { .. }, Some(Event::Step { .. }))) {
            news.pop();
        }
        news.push(event);
        if js_sys::Date::now() - last < INTERVAL {
            continue;
        }
        post(&Report::Events { events: std::mem::take(&mut news) });
        turn.give().await;
        while let Some(command) = commands.pop() {
            if command == Command::Pause {
                while commands.next().await != Command::Resume {}
            }
        }
        last = js_sys::Date::now();
    }
    post(&Report::Events { events: news });
    Ok(())
}

fn broken(error: &JsValue) -> Failure {
    Failure::new("bug", format!("the browser refused a message channel: {error:?}"), "Reload the page.")
}
