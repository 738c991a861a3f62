//! Checks of item lists, and of the updates of the rows in them.

use super::{Agreement, Histories, Output, numbers, upload_numbers};
use fastvae::{
    Result,
    config::OptimizerConfig,
    engine::{Engine, Recording},
    kernels::{Adam, Groups, ItemLists, Parameter, RankOne, Reach, ReplayRows, Table, Transpose, UpdateRows},
    optimizer::Optimizer,
};

const ITEMS: usize = 345;
const GROUPS: Groups = Groups { batch: 67, samples: 2, size: 4, candidates: 37 };

/// Lists filled with sentinel values, so that a place that the kernel fails to write shows.
fn empty_lists(engine: &Engine, entries: usize) -> Result<ItemLists> {
    let lists = ItemLists::new(engine, entries, ITEMS)?;
    lists.fill(engine, u32::MAX)?;
    Ok(lists)
}

fn transposed(engine: &Engine, histories: &Histories) -> Result<Transpose> {
    let negatives: Vec<u32> = (0..GROUPS.total()).map(|at| (at * at * 13 % ITEMS) as u32).collect();
    let total = GROUPS.samples * histories.entries() + GROUPS.total();
    Ok(Transpose {
        positives: engine.upload("items", &histories.items)?,
        entries: histories.entries(),
        samples: GROUPS.samples,
        negatives: Some(engine.upload("negatives", &negatives)?),
        candidates: GROUPS.total(),
        items: ITEMS,
        lists: empty_lists(engine, total)?,
    })
}

/// Engines may write the lists in any order, so they are compared item by item.
pub async fn transpose(engine: &Engine) -> Result<Vec<Output>> {
    let histories = Histories::new(GROUPS.batch, ITEMS);
    let kernel = transposed(engine, &histories)?;
    let lists = kernel.lists.clone();
    super::run_one(engine, kernel)?;
    let lists = lists.read(engine).await?;
    let count = lists.touched.len();
    let entries: Vec<f64> = lists.entries.iter().copied().map(f64::from).collect();
    let mut by_item = vec![count as f64];
    for (item, &list) in lists.list_of.iter().enumerate() {
        let Some(list) = (list as usize).checked_sub(1).filter(|&list| list < count) else {
            by_item.push(f64::from(list));
            continue;
        };
        let (start, length) = (lists.starts[list] as usize, lists.lengths[list] as usize);
        by_item.extend([f64::from(lists.touched[list]) - item as f64, length as f64]);
        by_item.extend(entries.iter().skip(start).take(length));
    }
    Ok(vec![Output { name: "lists".into(), got: by_item, want: None, agreement: Agreement::Exact }])
}

pub async fn updates(engine: &Engine) -> Result<Vec<Output>> {
    let mut outputs = Vec::new();
    for (reach, width, l2) in [(Reach::Touched, 37, 0.0), (Reach::All, 1, 0.0), (Reach::Touched, 7, 0.01)] {
        let config = OptimizerConfig { weight_decay: 0.01, l2, learning_rate: 0.01, ..Default::default() };
        let optimizer = Optimizer::new(&config, 2, 10);
        let squares: Vec<f32> = numbers(2, ITEMS * width).iter().map(|x| x * x).collect();
        let table = Table {
            parameter: Parameter {
                value: upload_numbers(engine, 0, ITEMS * width)?,
                first: upload_numbers(engine, 1, ITEMS * width)?,
                second: engine.upload("second moments", &squares)?,
            },
            last_step: engine.upload("last steps", &(0..ITEMS as u32).map(|i| i % 9).collect::<Vec<_>>())?,
            rows: ITEMS,
            width,
        };
        let histories = Histories::new(GROUPS.batch, ITEMS);
        let kernel = transposed(engine, &histories)?;
        let lists = kernel.lists.clone();
        let mut recording = Recording::new();
        recording.push(kernel);
        recording.push(ReplayRows {
            lists: (reach == Reach::Touched).then(|| lists.clone()),
            table: table.clone(),
            schedule: engine.upload("schedule", &optimizer.schedule())?,
            beta1: config.beta1,
            beta2: config.beta2,
            l2,
            step: 10,
        });
        let gradient = RankOne {
            vectors: upload_numbers(engine, 3, GROUPS.rows() * width)?,
            rows: engine.upload("rows", &histories.rows)?,
            entries: histories.entries(),
            positive: upload_numbers(engine, 4, GROUPS.samples * histories.entries())?,
            negative: Some(upload_numbers(engine, 5, GROUPS.rows() * GROUPS.candidates)?),
            groups: GROUPS,
        };
        recording.push(UpdateRows {
            lists: lists.clone(),
            tables: vec![(table.clone(), gradient)],
            adam: optimizer.step(11),
            reach,
            step: 11,
            clear: true,
        });
        recording.push(Adam {
            gradient: upload_numbers(engine, 6, 5 * width)?,
            parameter: table.parameter.clone(),
            offset: 3 * width,
            len: 5 * width,
            step: optimizer.step(12),
        });
        engine.run(&recording)?;
        let name = |what: &str| format!("{what}, {reach:?}, {width} wide, l2 {l2}");
        outputs.push(Output::twin(engine, name("values"), &table.parameter.value, 1e-4).await?);
        outputs.push(Output::twin(engine, name("first moments"), &table.parameter.first, 1e-4).await?);
        outputs.push(Output::twin(engine, name("second moments"), &table.parameter.second, 1e-4).await?);
        outputs.push(Output::twin(engine, name("last steps"), &table.last_step, Agreement::Exact).await?);
        let nothing = vec![0.0; ITEMS];
        let left = lists.read(engine).await?.list_of.into_iter().map(f64::from).collect();
        outputs.push(Output {
            name: name("emptied lists"),
            got: left,
            want: Some(nothing),
            agreement: Agreement::Exact,
        });
    }
    Ok(outputs)
}
