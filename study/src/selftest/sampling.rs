//! Checks of proposals, the index behind them, and the sampled loss.

use super::{Agreement, Histories, Output, numbers, run_one, unset, unwritten, upload_numbers};
use fastvae::{
    Result,
    config::ProposalConfig,
    engine::{Engine, Recording},
    kernels::{
        AliasTable, Balance, DrawStatic, Groups, ItemsOf, KmeansAssign, KmeansUpdate, Lookup, MidxDraw,
        MidxExactCells, MidxExactDraw, MidxLogQ, MidxNormalise, Partition, Points, SampledLoss, SoftmaxLogQ,
    },
    proposal::{MidxIndex, alias, index::IndexState},
    rng::Rng,
};

pub async fn draw_static(engine: &Engine) -> Result<Vec<Output>> {
    let (items, rng) = (345, Rng::new(3));
    let weights: Vec<f64> = numbers(0, items).iter().map(|&x| f64::from(x.abs())).collect();
    let (thresholds, aliases) = alias::build(&weights);
    let groups = Groups { batch: 13, samples: 2, size: 4, candidates: 37 };
    let mut outputs = Vec::new();
    for popular in [false, true] {
        let negatives = unset(engine, groups.total())?;
        let log_q = unwritten(engine, 2 * groups.total())?;
        let table = AliasTable {
            thresholds: engine.upload("thresholds", &thresholds)?,
            aliases: engine.upload("aliases", &aliases)?,
        };
        let mut recording = Recording::new();
        recording.push(DrawStatic {
            groups,
            items,
            table: popular.then_some(table),
            rng,
            step: 2,
            negatives: negatives.clone(),
        });
        recording.push(Lookup {
            table: upload_numbers(engine, 1, items)?,
            items: negatives.clone(),
            len: groups.total(),
            repeats: 2,
            output: log_q.clone(),
        });
        engine.run(&recording)?;
        let name = if popular { "popularity" } else { "uniform" };
        outputs.push(Output::twin(engine, name, &negatives, Agreement::Exact).await?);
        outputs.push(Output::twin(engine, "lookup", &log_q, Agreement::Exact).await?);
    }
    Ok(outputs)
}

pub async fn kmeans(engine: &Engine) -> Result<Vec<Output>> {
    let (count, stride, dimensions, k) = (1031, 14, 7, 17);
    let points =
        Points { values: upload_numbers(engine, 0, count * stride)?, count, stride, column: 7, dimensions };
    let mut outputs = Vec::new();
    for crowded in [false, true] {
        let crowding: Vec<f32> = numbers(3, k).iter().map(|x| 1.5 + x).collect();
        let crowding = if crowded { Some(engine.upload("crowding", &crowding)?) } else { None };
        let codes = unset(engine, count)?;
        run_one(
            engine,
            KmeansAssign {
                points: points.clone(),
                codewords: upload_numbers(engine, 1, k * dimensions)?,
                crowding,
                k,
                codes: codes.clone(),
            },
        )?;
        outputs
            .push(Output::twin(engine, format!("codes, crowded {crowded}"), &codes, Agreement::Drawn).await?);
    }
    // Given codes, so that no point at a border can change the codewords; the cluster of codeword 3 is empty.
    let codes: Vec<u32> = (0..count)
        .map(|at| (at * at * 5 % 31 % (k - 1)) as u32)
        .map(|code| code + u32::from(code >= 3))
        .collect();
    let weights: Vec<f32> = numbers(2, count).iter().map(|x| x * x).collect();
    let codewords = upload_numbers(engine, 1, k * dimensions)?;
    let crowding = engine.upload("crowding", &vec![1.0f32; k])?;
    run_one(
        engine,
        KmeansUpdate {
            points,
            weights: Some(engine.upload("weights", &weights)?),
            codes: engine.upload("codes", &codes)?,
            k,
            rng: Rng::new(5),
            step: 9,
            codewords: codewords.clone(),
            balance: Some(Balance { crowding: crowding.clone(), even_weight: 60.0 }),
        },
    )?;
    outputs.push(Output::twin(engine, "codewords", &codewords, 1e-5).await?);
    outputs.push(Output::twin(engine, "crowding", &crowding, 1e-5).await?);
    Ok(outputs)
}

/// An index over `items` items with some empty cells.
fn index(engine: &Engine, items: usize, codewords: usize) -> Result<MidxIndex> {
    let width = 10;
    let config = ProposalConfig { codewords, ..ProposalConfig::default() };
    let mut index = MidxIndex::new(engine, &config, &vec![1; items], width)?;
    index.install(
        engine,
        IndexState {
            codewords: numbers(0, 2 * codewords * width),
            // Cells from 40 on are empty.
            codes: (0..items as u32)
                .map(|item| item * item % 40)
                .flat_map(|cell| [cell / codewords as u32, cell % codewords as u32])
                .collect(),
            log_weights: numbers(1, items),
            ..IndexState::default()
        },
    )?;
    Ok(index)
}

pub async fn midx(engine: &Engine) -> Result<Vec<Output>> {
    let (items, k) = (345, 7);
    let index = index(engine, items, k)?;
    let mut outputs = Vec::new();
    for (group_size, samples) in [(1, 2), (4, 1)] {
        let groups = Groups { batch: 13, samples, size: group_size, candidates: 21 };
        let histories = Histories::new(groups.batch, items);
        let rows = groups.rows();
        let scores = numbers(2, rows * 2 * k).iter().map(|x| 4.0 * x).collect::<Vec<_>>();
        let scores = engine.upload("scores", &scores)?;
        let (log_psi, log_z) = (unwritten(engine, rows * k)?, unwritten(engine, rows)?);
        let negatives = unset(engine, groups.total())?;
        let negative_log_q = unwritten(engine, groups.total())?;
        let positive_log_q = unwritten(engine, samples * histories.entries())?;
        let cells = index.cells();
        let mut recording = Recording::new();
        recording.push(MidxNormalise {
            scores: scores.clone(),
            rows,
            cells: cells.clone(),
            log_psi: log_psi.clone(),
            log_z: log_z.clone(),
        });
        recording.push(MidxDraw {
            groups,
            scores: scores.clone(),
            log_psi: log_psi.clone(),
            log_z: log_z.clone(),
            cells: cells.clone(),
            rng: Rng::new(11),
            step: 4,
            negatives: negatives.clone(),
        });
        let entries = ItemsOf::Entries {
            items: engine.upload("items", &histories.items)?,
            rows: engine.upload("rows", &histories.rows)?,
            entries: histories.entries(),
        };
        for (items, output) in
            [(ItemsOf::Candidates(negatives.clone()), &negative_log_q), (entries, &positive_log_q)]
        {
            recording.push(MidxLogQ {
                groups,
                scores: scores.clone(),
                log_z: log_z.clone(),
                cells: cells.clone(),
                items,
                output: output.clone(),
            });
        }
        engine.run(&recording)?;
        // Of a codeword without items, shaders write the lowest number, the CPU's twin negative infinity.
        let mut psi = Output::twin(engine, "log psi", &log_psi, 1e-5).await?;
        psi.got
            .iter_mut()
            .filter(|value| **value <= f64::from(f32::MIN))
            .for_each(|v| *v = f64::NEG_INFINITY);
        outputs.push(psi);
        outputs.push(Output::twin(engine, "log Z", &log_z, 1e-5).await?);
        outputs.push(
            Output::twin(engine, format!("draws, shared by {group_size}"), &negatives, Agreement::Drawn)
                .await?,
        );
        outputs
            .push(Output::twin(engine, "log q of draws", &negative_log_q, Agreement::OfDrawn(1e-5)).await?);
        outputs.push(Output::twin(engine, "log q of positives", &positive_log_q, 1e-5).await?);
    }
    Ok(outputs)
}

pub async fn midx_exact(engine: &Engine) -> Result<Vec<Output>> {
    let (items, k) = (345, 7);
    let index = index(engine, items, k)?;
    let mut outputs = Vec::new();
    for (group_size, samples) in [(1, 2), (4, 1)] {
        let groups = Groups { batch: 13, samples, size: group_size, candidates: 21 };
        let rows = groups.rows();
        let logits: Vec<f32> = numbers(2, rows * items).iter().map(|x| 8.0 * x).collect();
        let logits = engine.upload("logits", &logits)?;
        let sums = unwritten(engine, rows * k * k)?;
        let (top, log_z) = (unwritten(engine, rows)?, unwritten(engine, rows)?);
        let negatives = unset(engine, groups.total())?;
        let log_q = unwritten(engine, groups.total())?;
        let cells = index.cells();
        let mut recording = Recording::new();
        recording.push(MidxExactCells {
            logits: logits.clone(),
            rows,
            cells: cells.clone(),
            sums: sums.clone(),
            top: top.clone(),
            log_z: log_z.clone(),
        });
        recording.push(MidxExactDraw {
            groups,
            logits: logits.clone(),
            sums: sums.clone(),
            top: top.clone(),
            cells: cells.clone(),
            rng: Rng::new(11),
            step: 4,
            negatives: negatives.clone(),
        });
        recording.push(SoftmaxLogQ {
            groups,
            logits,
            catalogue: items,
            log_z: log_z.clone(),
            items: ItemsOf::Candidates(negatives.clone()),
            output: log_q.clone(),
        });
        engine.run(&recording)?;
        outputs.push(Output::twin(engine, "sums of cells", &sums, 1e-5).await?);
        outputs.push(Output::twin(engine, "largest logits", &top, Agreement::Exact).await?);
        outputs.push(Output::twin(engine, "log Z", &log_z, 1e-5).await?);
        outputs.push(
            Output::twin(engine, format!("draws, shared by {group_size}"), &negatives, Agreement::Drawn)
                .await?,
        );
        outputs.push(Output::twin(engine, "log q of draws", &log_q, Agreement::OfDrawn(1e-5)).await?);
    }
    Ok(outputs)
}

pub async fn sampled_loss(engine: &Engine) -> Result<Vec<Output>> {
    let (items, width) = (345, 37);
    let mut outputs = Vec::new();
    for (group_size, samples, partition) in [
        (1, 1, Partition::Paper),
        (1, 2, Partition::ExactPositives),
        (4, 1, Partition::Paper),
        (4, 2, Partition::ExactPositives),
    ] {
        let groups = Groups { batch: 13, samples, size: group_size, candidates: 21 };
        let histories = Histories::new(groups.batch, items);
        let (rows, entries) = (groups.rows(), histories.entries());
        let negatives: Vec<u32> = (0..groups.total()).map(|at| (at * at * 13 % items) as u32).collect();
        let log_q = |stream, len| numbers(stream, len).iter().map(|x| x - 6.0).collect::<Vec<_>>();
        let (nll, query_gradient) = (unwritten(engine, rows)?, unwritten(engine, rows * width)?);
        let positive = unwritten(engine, samples * entries)?;
        let negative = unwritten(engine, rows * groups.candidates)?;
        run_one(
            engine,
            SampledLoss {
                queries: upload_numbers(engine, 0, rows * width)?,
                table: upload_numbers(engine, 1, items * width)?,
                item_bias: Some(upload_numbers(engine, 2, items)?),
                width,
                groups,
                batch_offsets: engine.upload("offsets", &histories.offsets)?,
                batch_items: engine.upload("items", &histories.items)?,
                entries,
                longest: entries,
                negatives: engine.upload("negatives", &negatives)?,
                negative_log_q: engine.upload("log q", &log_q(3, groups.total()))?,
                positive_log_q: engine.upload("log q", &log_q(4, samples * entries))?,
                partition,
                scale: 1.0 / rows as f32,
                nll: nll.clone(),
                positive: positive.clone(),
                negative: negative.clone(),
                query_gradient: query_gradient.clone(),
            },
        )?;
        let name = |what: &str| format!("{what}, {partition:?}, shared by {group_size}");
        outputs.push(Output::twin(engine, name("loss"), &nll, 1e-5).await?);
        outputs.push(Output::twin(engine, name("positives"), &positive, 1e-5).await?);
        outputs.push(Output::twin(engine, name("negatives"), &negative, 1e-5).await?);
        outputs.push(Output::twin(engine, name("queries"), &query_gradient, 1e-5).await?);
    }
    Ok(outputs)
}
