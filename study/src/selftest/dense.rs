//! Checks of matrix products, column sums, the full softmax and ranking.

use super::{Agreement, Histories, Output, numbers, run_one, unset, unwritten};
use fastvae::{
    Result,
    engine::{Engine, Recording},
    kernels::{
        Activation, ColumnSum, MaskSeen, MatMul, SoftmaxAccumulate, SoftmaxGradient, SumLoss, TopK, View,
    },
};

pub async fn matmul(engine: &Engine) -> Result<Vec<Output>> {
    let mut outputs = Vec::new();
    for (m, n, k) in [(1, 1, 1), (7, 345, 7), (345, 7, 1), (13, 66, 200)] {
        let (a, b, bias) = (numbers(0, m * k), numbers(1, k * n), numbers(2, n));
        let c = unwritten(engine, m * n)?;
        let view = |values: &[f32], width| Ok(View::rows(&engine.upload("operand", values)?, width));
        let mut product = MatMul::new(m, n, k, view(&a, k)?, view(&b, n)?, View::rows(&c, n));
        product.bias = Some(engine.upload("bias", &bias)?);
        product.activation = Activation::Tanh;
        run_one(engine, product)?;
        let dot = |r: usize, c: usize| -> f64 {
            (0..k).map(|i| f64::from(a[r * k + i]) * f64::from(b[i * n + c])).sum()
        };
        let want = (0..m * n).map(|at| (dot(at / n, at % n) + f64::from(bias[at % n])).tanh()).collect();
        outputs.push(Output::known(engine, format!("{m} x {n} x {k}"), &c, want, 1e-5).await?);
    }
    Ok(outputs)
}

pub async fn sums(engine: &Engine) -> Result<Vec<Output>> {
    let (rows, columns) = (345, 67);
    let values = numbers(0, rows * columns);
    let output = unwritten(engine, columns)?;
    let losses = unwritten(engine, 4)?;
    let mut recording = Recording::new();
    recording.push(ColumnSum {
        values: engine.upload("values", &values)?,
        rows,
        columns,
        offset: 0,
        output: output.clone(),
    });
    recording.push(SumLoss {
        nll: engine.upload("nll", &values)?,
        samples: 5,
        kl: engine.upload("kl", &values[7..])?,
        batch: 69,
        whole: 69,
        slot: 1,
        losses: losses.clone(),
    });
    engine.run(&recording)?;
    let sum = |values: &mut dyn Iterator<Item = &f32>| -> f64 { values.map(|&value| f64::from(value)).sum() };
    let by_column = (0..columns).map(|column| sum(&mut values[column..].iter().step_by(columns))).collect();
    let mut means = Output::twin(engine, "means", &losses, 1e-5).await?;
    means.got.drain(..2);
    means.want =
        Some(vec![sum(&mut values[..rows].iter()) / rows as f64, sum(&mut values[7..7 + 69].iter()) / 69.0]);
    Ok(vec![Output::known(engine, "columns", &output, by_column, 1e-5).await?, means])
}

pub async fn softmax(engine: &Engine) -> Result<Vec<Output>> {
    let (batch, samples, items) = (5, 2, 345);
    let rows = batch * samples;
    let histories = Histories::new(batch, items);
    let logits: Vec<f32> = numbers(3, rows * items).iter().map(|x| 20.0 * x).collect();
    let blocks = [(0, 200), (200, 145)];
    let block = |start: usize, count: usize| {
        let part: Vec<f32> =
            (0..rows).flat_map(|r| logits[r * items + start..][..count].iter().copied()).collect();
        engine.upload("logits", &part)
    };
    let (maximum, sum, nll) = (unwritten(engine, rows)?, unwritten(engine, rows)?, unwritten(engine, rows)?);
    for (start, count) in blocks {
        run_one(
            engine,
            SoftmaxAccumulate {
                logits: block(start, count)?,
                rows,
                block: count,
                first: start == 0,
                maximum: maximum.clone(),
                sum: sum.clone(),
            },
        )?;
    }
    let log_partition: Vec<f64> = logits
        .chunks_exact(items)
        .map(|row| row.iter().map(|&o| f64::from(o).exp()).sum::<f64>().ln())
        .collect();
    let mut outputs = Vec::new();
    for (start, count) in blocks {
        let gradient = block(start, count)?;
        run_one(
            engine,
            SoftmaxGradient {
                logits: gradient.clone(),
                batch,
                samples,
                block: count,
                block_start: start,
                maximum: maximum.clone(),
                sum: sum.clone(),
                batch_offsets: engine.upload("offsets", &histories.offsets)?,
                batch_items: engine.upload("items", &histories.items)?,
                scale: 1.0 / rows as f32,
                nll: nll.clone(),
            },
        )?;
        let want = (0..rows * count).map(|at| {
            let (row, item) = (at / count, start + at % count);
            let history = histories.of(row % batch);
            let p = (f64::from(logits[row * items + item]) - log_partition[row]).exp();
            let hit = f64::from(u8::from(history.contains(&(item as u32))));
            (history.len() as f64 * p - hit) / rows as f64
        });
        let name = format!("gradient from item {start}");
        outputs.push(Output::known(engine, name, &gradient, want.collect(), 1e-5).await?);
    }
    let losses = (0..rows).map(|row| {
        let logit = |&item: &u32| f64::from(logits[row * items + item as usize]);
        histories.of(row % batch).iter().map(|item| log_partition[row] - logit(item)).sum()
    });
    outputs.push(Output::known(engine, "loss", &nll, losses.collect(), 1e-5).await?);
    Ok(outputs)
}

pub async fn topk(engine: &Engine) -> Result<Vec<Output>> {
    let mut outputs = Vec::new();
    for (items, k) in [(7, 10), (345, 50), (1031, 1)] {
        let rows = 5;
        let histories = Histories::new(rows, items);
        // Coarse values, so that ties are common.
        let mut scores: Vec<f32> = numbers(4, rows * items).iter().map(|x| (x * 40.0).round()).collect();
        let buffer = engine.upload("scores", &scores)?;
        let (ids, values) = (unset(engine, rows * k)?, unwritten(engine, rows * k)?);
        let mut recording = Recording::new();
        recording.push(MaskSeen {
            scores: buffer.clone(),
            rows,
            items,
            offsets: engine.upload("offsets", &histories.offsets)?,
            seen: engine.upload("seen", &histories.items)?,
            allowed: None,
        });
        recording.push(TopK { scores: buffer, rows, items, k, ids: ids.clone(), values: values.clone() });
        engine.run(&recording)?;
        let (mut best_ids, mut best_values) = (Vec::new(), Vec::new());
        for (row, scores) in scores.chunks_exact_mut(items).enumerate() {
            histories.of(row).iter().for_each(|&item| scores[item as usize] = f32::NEG_INFINITY);
            let mut order: Vec<u32> =
                (0..items as u32).filter(|&item| scores[item as usize] > f32::NEG_INFINITY).collect();
            order.sort_by(|&a, &b| scores[b as usize].total_cmp(&scores[a as usize]).then(a.cmp(&b)));
            for place in 0..k {
                let item = order.get(place).copied();
                best_ids.push(f64::from(item.unwrap_or(u32::MAX)));
                best_values.push(item.map_or(f64::NEG_INFINITY, |item| f64::from(scores[item as usize])));
            }
        }
        outputs.push(
            Output::known(engine, format!("{k} best of {items}"), &ids, best_ids, Agreement::Exact).await?,
        );
        outputs.push(Output::known(engine, "their scores", &values, best_values, Agreement::Exact).await?);
    }
    Ok(outputs)
}
