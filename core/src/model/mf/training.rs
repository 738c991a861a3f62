//! Matrix factorisation in training.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Mf, Shape,
    known::{HASHES, KnownUsers},
    points,
};
use crate::{
    Error, Result,
    data::Csr,
    engine::{Buffer, Engine, Recording},
    kernels::{GatherRows, Groups, ItemLists, Normal, Parameter, RankOne, Table, Transpose},
    model::{AnyModel, Batch, Sizes, Start, TrainStep, Trainable},
    optimizer::{DenseGradient, RowGradient},
    proposal::Catalogue,
    rng::Stream,
    state::{FrozenTensor, State, TensorData},
};

/// The tables with Adam's moments, and the buffers of a step.
pub struct MfTraining {
    shape: Shape,
    users: Table,
    items: Table,
    item_bias: Option<Table>,
    known: Arc<KnownUsers>,
    /// B x d.
    queries: Buffer<f32>,
    /// B x d.
    query_gradients: Buffer<f32>,
    /// The batch row of each user of a batch: 0, 1, 2, ..
    places: Buffer<u32>,
    ones: Buffer<f32>,
    /// A table of users has no divergence: B zeros.
    divergence: Buffer<f32>,
    lists: ItemLists,
}

fn table(engine: &Engine, label: &'static str, rows: usize, width: usize) -> Result<Table> {
    let zeros = |label| engine.zeros(label, rows * width);
    let parameter =
        Parameter { value: zeros(label)?, first: zeros("first moments")?, second: zeros("second moments")? };
    Ok(Table { parameter, last_step: engine.zeros("last steps", rows)?, rows, width })
}

impl MfTraining {
    /// Creates tables with random vectors, or those of a state.
    ///
    /// # Errors
    /// [`Error::Data`] if the state does not fit the settings or the training set; [`Error::Device`] if the engine cannot
    /// hold the tables.
    pub fn new(engine: &Engine, shape: Shape, sizes: Sizes, start: Start<'_>, train: &Csr) -> Result<Self> {
        let (batch, width) = (sizes.users, shape.factors);
        let training = Self {
            users: table(engine, "user vectors", train.rows(), width)?,
            items: table(engine, "item vectors", sizes.items, width)?,
            item_bias: match shape.item_bias {
                true => Some(table(engine, "item biases", sizes.items, 1)?),
                false => None,
            },
            known: Arc::new(KnownUsers::of_data(train)),
            queries: engine.zeros("queries", batch * width)?,
            query_gradients: engine.zeros("query gradients", batch * width)?,
            places: engine.upload("places", &(0..batch as u32).collect::<Vec<_>>())?,
            ones: engine.upload("ones", &vec![1.0; batch])?,
            divergence: engine.zeros("no divergence", batch)?,
            lists: ItemLists::new(engine, batch, train.rows())?,
            shape,
        };
        match start {
            Start::Random(rng) => {
                // Scores begin at about 0.01 and grow with the gradients of both vectors.
                let scale = 0.1 / (width as f32).sqrt();
                let mut recording = Recording::new();
                for (step, table) in (0..).zip([&training.users, &training.items]) {
                    let (output, rows) = (table.parameter.value.clone(), table.rows);
                    recording.push(Normal { output, rows, width, scale, rng, stream: Stream::Init, step });
                }
                engine.run(&recording)?;
            }
            Start::State(state) => training.restore(engine, state)?,
        }
        Ok(training)
    }

    fn tables(&self) -> impl Iterator<Item = (&'static str, &Table)> {
        let bias = self.item_bias.iter().map(|bias| ("item_bias", bias));
        [("users", &self.users), ("items", &self.items)].into_iter().chain(bias)
    }

    fn restore(&self, engine: &Engine, state: &State) -> Result<()> {
        for (name, table) in self.tables() {
            let shape = shape_of(name, table);
            let Parameter { value, first, second } = &table.parameter;
            for (suffix, buffer) in [("", value), (".first", first), (".second", second)] {
                engine.write(buffer, 0, state.values(&format!("{name}{suffix}"), &shape)?)?;
            }
            let name = format!("{name}.last_step");
            match state.integers(&name)? {
                Some(steps) if steps.len() == table.rows => engine.write(&table.last_step, 0, steps)?,
                _ => return Err(Error::Data(format!("tensor `{name}` is missing or of another size"))),
            }
        }
        match state.tensors.get(HASHES).map(|tensor| &tensor.data) {
            Some(TensorData::U32(hashes)) if self.known.is(hashes) => Ok(()),
            _ => Err(Error::Data("the training users of the state are not those of this data".into())),
        }
    }
}

fn shape_of(name: &str, table: &Table) -> Vec<usize> {
    if name == "item_bias" { vec![table.rows] } else { vec![table.rows, table.width] }
}

impl Trainable for MfTraining {
    fn samples(&self) -> usize {
        1
    }

    fn items(&self) -> &Table {
        &self.items
    }

    fn item_bias(&self) -> Option<&Table> {
        self.item_bias.as_ref()
    }

    fn own_tables(&self) -> Vec<&Table> {
        vec![&self.users]
    }

    fn queries(&self) -> &Buffer<f32> {
        &self.queries
    }

    fn query_gradients(&self) -> &Buffer<f32> {
        &self.query_gradients
    }

    fn divergence(&self) -> &Buffer<f32> {
        &self.divergence
    }

    fn record_forward(&self, recording: &mut Recording, batch: &Batch, step: &TrainStep<'_>) {
        let Some(rows) = &batch.known else { return };
        recording.push(Transpose {
            positives: rows.clone(),
            entries: batch.users,
            samples: 1,
            negatives: None,
            candidates: 0,
            items: self.users.rows,
            lists: self.lists.clone(),
        });
        step.update.replay(recording, Some(&self.lists), &self.users);
        recording.push(GatherRows {
            points: points(&self.users.parameter.value, self.users.rows, self.users.width),
            rows: rows.clone(),
            len: batch.users,
            output: self.queries.clone(),
        });
    }

    /// The gradient of a user's vector is that of the query.
    fn record_backward(&self, _: &mut Recording, _: &Batch, _: &TrainStep<'_>) {}

    fn dense_gradients(&self) -> Vec<DenseGradient> {
        Vec::new()
    }

    fn row_gradients(&self, batch: &Batch) -> Vec<RowGradient> {
        let gradient = RankOne {
            vectors: self.query_gradients.clone(),
            rows: self.places.clone(),
            entries: batch.users,
            positive: self.ones.clone(),
            negative: None,
            groups: Groups { batch: batch.users, samples: 1, size: 1, candidates: 0 },
        };
        vec![RowGradient { lists: self.lists.clone(), tables: vec![(self.users.clone(), gradient)] }]
    }

    fn parameters(&self) -> usize {
        self.tables().map(|(_, table)| table.rows * table.width).sum()
    }

    fn tensors(&self) -> BTreeMap<String, FrozenTensor<'static>> {
        let mut tensors = BTreeMap::from([(HASHES.to_owned(), self.known.tensor())]);
        for (name, table) in self.tables() {
            let Parameter { value, first, second } = &table.parameter;
            for (suffix, buffer) in [("", value), (".first", first), (".second", second)] {
                let tensor = FrozenTensor::on_engine(shape_of(name, table), buffer);
                tensors.insert(format!("{name}{suffix}"), tensor);
            }
            let steps = FrozenTensor::on_engine(vec![table.rows], &table.last_step);
            tensors.insert(format!("{name}.last_step"), steps);
        }
        tensors
    }

    fn forget_moments(&mut self, engine: &Engine) -> Result<()> {
        let nothing = engine.zeros("no moments", 1)?;
        for table in [&mut self.users, &mut self.items].into_iter().chain(&mut self.item_bias) {
            (table.parameter.first, table.parameter.second) = (nothing.clone(), nothing.clone());
        }
        Ok(())
    }

    fn model(&self) -> AnyModel {
        self.model_with(&self.values())
    }

    fn values(&self) -> BTreeMap<String, Buffer<f32>> {
        self.tables().map(|(name, table)| (name.to_owned(), table.parameter.value.clone())).collect()
    }

    fn model_with(&self, values: &BTreeMap<String, Buffer<f32>>) -> AnyModel {
        (self.shape.wrap)(Mf {
            users: values["users"].clone(),
            known: Arc::clone(&self.known),
            catalogue: Catalogue {
                table: values["items"].clone(),
                bias: values.get("item_bias").cloned(),
                items: self.items.rows,
                width: self.items.width,
            },
        })
    }
}
