//! Checks of the kernels of the encoder and the latent code.

use super::{Agreement, Histories, Output, run_one, unset, unwritten, upload_numbers};
use fastvae::{
    Result,
    engine::{Engine, Recording},
    kernels::{
        Activation, ActivationBackward, DropoutDense, DropoutInput, EncodeRows, GatherBatch, Normal,
        Reparameterise, ReparameteriseBackward,
    },
    rng::{Rng, Stream, unit},
};

const RNG_SEED: u64 = 0x1234_5678_9abc_def0;

/// WGSL guarantees the cosine only within 2^-11, so drivers may differ by that times the largest radius.
const NOISE_TOLERANCE: f64 = 2e-3;

pub async fn normal(engine: &Engine) -> Result<Vec<Output>> {
    let (rows, width, step, rng) = (345, 7, 3, Rng::new(RNG_SEED));
    let output = unwritten(engine, rows * width)?;
    run_one(
        engine,
        Normal { output: output.clone(), rows, width, scale: 0.5, rng, stream: Stream::Noise, step },
    )?;
    let want = (0..rows * width).map(|at| {
        let (row, column) = (at / width, at % width);
        let words = rng.block(Stream::Noise, step, row as u32, column as u32 / 4);
        let pair = &words[column % 4 / 2 * 2..];
        let radius = (-2.0 * f64::from(unit(pair[0])).ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * f64::from(unit(pair[1]))).sin_cos();
        0.5 * radius * if column % 2 == 0 { cos } else { sin }
    });
    Ok(vec![Output::known(engine, "noise", &output, want.collect(), NOISE_TOLERANCE).await?])
}

pub async fn dropout(engine: &Engine) -> Result<Vec<Output>> {
    let (users, step, probability) = (67, 5, 0.3);
    let (histories, rng) = (Histories::new(users, 345), Rng::new(RNG_SEED));
    let weights = unwritten(engine, histories.entries())?;
    let (rows, width) = (7, 13);
    let values = upload_numbers(engine, 0, rows * width)?;
    let mut recording = Recording::new();
    recording.push(DropoutInput {
        batch_offsets: engine.upload("offsets", &histories.offsets)?,
        batch: users,
        entries: histories.entries(),
        probability,
        rng,
        step,
        weights: weights.clone(),
    });
    recording.push(DropoutDense {
        values: values.clone(),
        rows,
        width,
        probability,
        activation: Activation::Tanh,
        rng,
        step,
    });
    engine.run(&recording)?;
    let kept = |row: u32, place: u32| {
        let word = rng.block(Stream::Dropout, step, row, place / 4)[place as usize % 4];
        f64::from(word) >= (f64::from(probability) * 4_294_967_296.0).floor()
    };
    let want = histories.rows.iter().enumerate().map(|(entry, &row)| {
        let place = entry as u32 - histories.offsets[row as usize];
        let length = histories.of(row as usize).len() as f64;
        if kept(row, place) { 1.0 / ((1.0 - f64::from(probability)) * length.sqrt()) } else { 0.0 }
    });
    Ok(vec![
        Output::known(engine, "weights of entries", &weights, want.collect(), 1e-6).await?,
        Output::twin(engine, "bag", &values, 1e-5).await?,
    ])
}

pub async fn encode(engine: &Engine) -> Result<Vec<Output>> {
    let (all, catalogue, hidden) = (67, 345, 37);
    let histories = Histories::new(all, catalogue);
    let users: Vec<u32> = (0..all as u32).rev().step_by(3).collect();
    let mut offsets = vec![0];
    for &user in &users {
        offsets.push(offsets[offsets.len() - 1] + histories.of(user as usize).len() as u32);
    }
    let (batch, entries) = (users.len(), offsets[users.len()] as usize);
    let batch_offsets = engine.upload("batch offsets", &offsets)?;
    let (items, rows) = (unset(engine, entries)?, unset(engine, entries)?);
    let output = unwritten(engine, batch * hidden)?;
    let mut recording = Recording::new();
    recording.push(GatherBatch {
        users: engine.upload("users", &users)?,
        history_offsets: engine.upload("offsets", &histories.offsets)?,
        history_items: engine.upload("items", &histories.items)?,
        batch_offsets: batch_offsets.clone(),
        batch,
        entries,
        items: items.clone(),
        rows: rows.clone(),
    });
    recording.push(EncodeRows {
        batch_offsets,
        items: items.clone(),
        weights: upload_numbers(engine, 0, entries)?,
        table: upload_numbers(engine, 1, catalogue * hidden)?,
        bias: upload_numbers(engine, 2, hidden)?,
        batch,
        hidden,
        activation: Activation::Tanh,
        output: output.clone(),
    });
    engine.run(&recording)?;
    Ok(vec![
        Output::twin(engine, "items", &items, Agreement::Exact).await?,
        Output::twin(engine, "rows", &rows, Agreement::Exact).await?,
        Output::twin(engine, "hidden", &output, 1e-5).await?,
    ])
}

pub async fn reparameterise(engine: &Engine) -> Result<Vec<Output>> {
    let (batch, samples, latent) = (67, 3, 7);
    let posterior = upload_numbers(engine, 0, batch * 2 * latent)?;
    let noise = upload_numbers(engine, 1, samples * batch * latent)?;
    let (codes, kl) = (unwritten(engine, samples * batch * latent)?, unwritten(engine, batch)?);
    let gradient = unwritten(engine, batch * 2 * latent)?;
    let through = upload_numbers(engine, 3, batch * latent)?;
    let mut recording = Recording::new();
    recording.push(Reparameterise {
        posterior: posterior.clone(),
        noise: noise.clone(),
        batch,
        latent,
        samples,
        codes: codes.clone(),
        kl: kl.clone(),
    });
    recording.push(ReparameteriseBackward {
        posterior: posterior.clone(),
        noise,
        code_gradient: upload_numbers(engine, 2, samples * batch * latent)?,
        batch,
        latent,
        samples,
        weight: 0.2 / batch as f32,
        posterior_gradient: gradient.clone(),
    });
    recording.push(ActivationBackward {
        activation: Activation::Tanh,
        output: posterior,
        gradient: through.clone(),
        len: batch * latent,
    });
    engine.run(&recording)?;
    Ok(vec![
        Output::twin(engine, "codes", &codes, 1e-5).await?,
        Output::twin(engine, "divergence", &kl, 1e-5).await?,
        Output::twin(engine, "gradient", &gradient, 1e-5).await?,
        Output::twin(engine, "through tanh", &through, 1e-5).await?,
    ])
}
