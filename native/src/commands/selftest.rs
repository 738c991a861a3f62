//! `fastvae selftest`: checks the kernels of this machine's engines.

use std::time::Instant;

use fastvae::{
    Error, Result,
    engine::{Engine, gpu::adapters},
};
use fastvae_study::selftest;
use pollster::block_on;
use serde::Serialize;
use serde_json::json;

use crate::{
    Outcome,
    args::{EngineArgs, SelftestArgs},
    output::{duration, print, print_json},
    settings,
};

/// The result of one engine.
#[derive(Serialize)]
struct Tested {
    engine: String,
    /// Why the engine could not be tested.
    problem: Option<String>,
    tests: Vec<Test>,
}

#[derive(Serialize)]
struct Test {
    name: &'static str,
    /// The first mismatches, if the test failed.
    problem: Option<String>,
    seconds: f64,
}

/// Runs the self-tests and prints each with its result.
///
/// # Errors
/// [`Error::Device`] if a test fails or an engine cannot be opened.
pub fn run(args: &SelftestArgs) -> Result<Outcome> {
    let tested = selected(args)?
        .into_iter()
        .map(|(name, engine)| test(name, engine, !args.json))
        .collect::<Result<Vec<_>>>()?;
    if args.json {
        print_json(&json!({ "version": env!("CARGO_PKG_VERSION"), "engines": tested }))?;
    }
    let failed = |one: &Tested| one.tests.iter().filter(|test| test.problem.is_some()).count();
    let failures: usize = tested.iter().map(failed).sum();
    let closed = tested.iter().filter(|one| one.problem.is_some()).count();
    match (failures, closed) {
        (0, 0) => Ok(Outcome::Done),
        (_, 0) => Err(Error::Device(format!("self-tests failed: {failures}"))),
        _ => Err(Error::Device(format!("self-tests failed: {failures}; engines not tested: {closed}"))),
    }
}

/// The engines to test, or why one cannot be opened.
fn selected(args: &SelftestArgs) -> Result<Vec<(String, Result<Engine>)>> {
    if args.engine != "all" {
        let flags = EngineArgs { engine: args.engine.clone(), adapter: args.adapter.clone() };
        let (engine, _) = settings::engine(&flags)?;
        return Ok(vec![(engine.describe(), Ok(engine))]);
    }
    if args.adapter.is_some() {
        return Err(Error::setting(
            "adapter",
            "`--engine all` takes every adapter: leave one of the two out",
        ));
    }
    let gpus = block_on(adapters()).into_iter().enumerate();
    let gpus =
        gpus.map(|(number, info)| (info.to_string(), block_on(Engine::gpu(Some(&number.to_string())))));
    let cpu = Engine::cpu();
    Ok(std::iter::once((cpu.describe(), Ok(cpu))).chain(gpus).collect())
}

fn test(name: String, engine: Result<Engine>, shown: bool) -> Result<Tested> {
    let say = |text: String| if shown { print(&text) } else { Ok(()) };
    say(format!("{name}\n"))?;
    let mut tested = Tested { engine: name, problem: None, tests: Vec::new() };
    let engine = match engine {
        Ok(engine) => engine,
        Err(error) => {
            say(format!("  not tested: {error}\n"))?;
            tested.problem = Some(error.to_string());
            return Ok(tested);
        }
    };
    let (mut start, mut printed) = (Instant::now(), Ok(()));
    block_on(selftest::run_each(&engine, |name, result| {
        let (problem, seconds) = (result.err(), start.elapsed().as_secs_f64());
        let outcome = problem.as_ref().map_or("passed".into(), |problem| format!("FAILED: {problem}"));
        let line = say(format!("  {name:<30} {:>8}   {outcome}\n", duration(seconds)));
        if printed.is_ok() {
            printed = line;
        }
        tested.tests.push(Test { name, problem, seconds });
        start = Instant::now();
    }));
    printed?;
    Ok(tested)
}
