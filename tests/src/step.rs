//! The kernels of one training step on the batch of a fixture, which gives dropout, noise, negatives and log q.

mod head;

use fastvae::{
    engine::{Buffer, Engine, Recording},
    kernels::{
        Activation, ActivationBackward, AdamStep, ColumnSum, EncodeRows, Groups, ItemLists, MatMul,
        Parameter, RankOne, Reach, Reparameterise, ReparameteriseBackward, SumLoss, Table, Transpose,
        UpdateRows, View,
    },
};

use crate::{
    MultVae, Tensor, csr,
    device::{unset, unwritten, upload},
};

/// A step of Adam that leaves the gradient itself in the first moment.
const GRADIENT: AdamStep =
    AdamStep { rate: 0.0, beta1: 0.0, beta2: 0.0, root: 1.0, epsilon: 1.0, keep: 1.0, l2: 0.0 };

fn activation(name: &str) -> Activation {
    match name {
        "tanh" => Activation::Tanh,
        "relu" => Activation::Relu,
        "none" => Activation::None,
        other => panic!("activation {other}"),
    }
}

/// What a step computes, under the fixture's names.
pub struct Results {
    /// B x 2D.
    pub posterior: Buffer<f32>,
    /// R.
    pub nll: Buffer<f32>,
    /// B.
    pub kl: Buffer<f32>,
    /// Mean nll and mean kl.
    pub losses: Buffer<f32>,
    /// Gradient of the encoder's rows.
    pub e: Buffer<f32>,
    /// Gradient of the encoder's bias.
    pub b0: Buffer<f32>,
    /// Gradient of the layer to the latent code.
    pub w1: Buffer<f32>,
    /// Gradient of its bias.
    pub b1: Buffer<f32>,
    /// Gradient of the layer to the queries.
    pub w2: Buffer<f32>,
    /// Gradient of its bias.
    pub b2: Buffer<f32>,
    /// Gradient of the item rows.
    pub q: Buffer<f32>,
    /// Gradient of the item biases.
    pub c: Option<Buffer<f32>>,
}

/// A fixture's batch on an engine.
pub struct Step<'a> {
    engine: &'a Engine,
    truth: &'a MultVae,
    /// The kernels so far.
    pub recording: Recording,
    offsets: Buffer<u32>,
    items: Buffer<u32>,
    rows: Buffer<u32>,
    weights: Buffer<f32>,
    entries: usize,
    item_ids: Vec<u32>,
    entry_rows: Vec<u32>,
}

impl<'a> Step<'a> {
    /// Uploads the batch.
    pub fn new(engine: &'a Engine, truth: &'a MultVae) -> Self {
        let (offsets, items) = csr(&truth.histories);
        let by_user = truth.histories.iter().enumerate();
        let rows: Vec<u32> = by_user.flat_map(|(user, history)| vec![user as u32; history.len()]).collect();
        let keep = 1.0 - truth.config.dropout;
        let weights: Vec<f32> = truth
            .keep_mask
            .iter()
            .flat_map(|mask| mask.iter().map(|&m| (f64::from(m) / keep / (mask.len() as f64).sqrt()) as f32))
            .collect();
        Self {
            engine,
            truth,
            recording: Recording::new(),
            offsets: upload(engine, &offsets),
            items: upload(engine, &items),
            rows: upload(engine, &rows),
            weights: upload(engine, &weights),
            entries: items.len(),
            item_ids: items,
            entry_rows: rows,
        }
    }

    fn tensor(&self, tensor: &Tensor) -> Buffer<f32> {
        upload(self.engine, &tensor.f32())
    }

    fn out(&self, len: usize) -> Buffer<f32> {
        unwritten(self.engine, len)
    }

    fn query_rows(&self) -> usize {
        self.truth.config.users * self.truth.config.latent_samples
    }

    /// `x w + b`, then the activation.
    fn dense(
        &mut self,
        x: &Buffer<f32>,
        w: &Buffer<f32>,
        b: &Tensor,
        shape: [usize; 3],
        f: Activation,
    ) -> Buffer<f32> {
        let [rows, inner, outer] = shape;
        let output = self.out(rows * outer);
        let (x, w, c) = (View::rows(x, inner), View::rows(w, outer), View::rows(&output, outer));
        let product = MatMul::new(rows, outer, inner, x, w, c);
        self.recording.push(MatMul { bias: Some(self.tensor(b)), activation: f, ..product });
        output
    }

    /// Gradients of the dense layer's weights, bias and input.
    fn dense_backward(
        &mut self,
        x: &Buffer<f32>,
        w: &Buffer<f32>,
        gradient: &Buffer<f32>,
        [rows, inner, outer]: [usize; 3],
    ) -> (Buffer<f32>, Buffer<f32>, Buffer<f32>) {
        let (dw, db, dx) = (self.out(inner * outer), self.out(outer), self.out(rows * inner));
        let g = || View::rows(gradient, outer);
        let (x, c) = (View::rows(x, inner).transposed(), View::rows(&dw, outer));
        self.recording.push(MatMul::new(inner, outer, rows, x, g(), c));
        let (values, output) = (gradient.clone(), db.clone());
        self.recording.push(ColumnSum { values, rows, columns: outer, offset: 0, output });
        let (w, c) = (View::rows(w, outer).transposed(), View::rows(&dx, inner));
        self.recording.push(MatMul::new(rows, inner, outer, g(), w, c));
        (dw, db, dx)
    }

    /// The gradient of a table's rows, out of the kernel that would apply it.
    fn row_gradient(
        &mut self,
        lists: &ItemLists,
        gradient: RankOne,
        width: usize,
        clear: bool,
    ) -> Buffer<f32> {
        let rows = self.truth.config.items;
        let zeros = || upload(self.engine, &vec![0.0; rows * width]);
        let parameter = Parameter { value: zeros(), first: self.out(rows * width), second: zeros() };
        // beta1 = 0 times NaN is NaN, so the moment starts from something finite and far off.
        self.engine.write(&parameter.first, 0, &vec![1e3; rows * width]).expect("it fits");
        let first = parameter.first.clone();
        let last_step = unset(self.engine, rows);
        let table = Table { parameter, last_step, rows, width };
        let (lists, reach) = (lists.clone(), Reach::All);
        self.recording.push(UpdateRows {
            lists,
            tables: vec![(table, gradient)],
            adam: GRADIENT,
            reach,
            step: 1,
            clear,
        });
        first
    }

    fn lists(&mut self, samples: usize, negatives: Option<(&Buffer<u32>, usize)>) -> ItemLists {
        let (items, candidates) = (self.truth.config.items, negatives.map_or(0, |(_, count)| count));
        let lists =
            ItemLists::new(self.engine, samples * self.entries + candidates, items).expect("room for lists");
        self.recording.push(Transpose {
            positives: self.items.clone(),
            entries: self.entries,
            samples,
            negatives: negatives.map(|(negatives, _)| negatives.clone()),
            candidates,
            items,
            lists: lists.clone(),
        });
        lists
    }

    /// Lists the kernels; the full softmax goes by blocks of items, without `block` it is the sampled one.
    pub fn record(&mut self, block: Option<usize>) -> Results {
        let config = &self.truth.config;
        let p = &self.truth.params;
        let (batch, samples, hidden, latent) =
            (config.users, config.latent_samples, config.hidden, config.latent);
        let (encoder, decoder) = (activation(&config.activation), activation(&config.decoder_activation));
        let (w1, w2, table) = (self.tensor(&p.w1), self.tensor(&p.w2), self.tensor(&p.q));

        let bag = self.out(batch * hidden);
        self.recording.push(EncodeRows {
            batch_offsets: self.offsets.clone(),
            items: self.items.clone(),
            weights: self.weights.clone(),
            table: self.tensor(&p.e),
            bias: self.tensor(&p.b0),
            batch,
            hidden,
            activation: encoder,
            output: bag.clone(),
        });
        let first_layer = [batch, hidden, 2 * latent];
        let posterior = self.dense(&bag, &w1, &p.b1, first_layer, Activation::None);
        let (noise, codes, kl) =
            (self.tensor(&self.truth.eps), self.out(samples * batch * latent), self.out(batch));
        self.recording.push(Reparameterise {
            posterior: posterior.clone(),
            noise: noise.clone(),
            batch,
            latent,
            samples,
            codes: codes.clone(),
            kl: kl.clone(),
        });
        let second_layer = [samples * batch, latent, hidden];
        let queries = self.dense(&codes, &w2, &p.b2, second_layer, decoder);

        let head = match block {
            Some(block) => self.full(&queries, &table, block),
            None => self.sampled(&queries, &table),
        };
        let (nll, losses) = (head.nll.clone(), self.out(2));
        self.recording.push(SumLoss {
            nll,
            samples,
            kl: kl.clone(),
            batch,
            whole: batch,
            slot: 0,
            losses: losses.clone(),
        });

        let (output, gradient) = (queries, head.query_gradient.clone());
        self.recording.push(ActivationBackward {
            activation: decoder,
            output,
            gradient,
            len: samples * batch * hidden,
        });
        let (dw2, db2, code_gradient) = self.dense_backward(&codes, &w2, &head.query_gradient, second_layer);
        let posterior_gradient = self.out(batch * 2 * latent);
        self.recording.push(ReparameteriseBackward {
            posterior: posterior.clone(),
            noise,
            code_gradient,
            batch,
            latent,
            samples,
            weight: config.beta as f32 / batch as f32,
            posterior_gradient: posterior_gradient.clone(),
        });
        let (dw1, db1, bag_gradient) = self.dense_backward(&bag, &w1, &posterior_gradient, first_layer);
        let (output, gradient) = (bag, bag_gradient.clone());
        self.recording.push(ActivationBackward {
            activation: encoder,
            output,
            gradient,
            len: batch * hidden,
        });
        let db0 = self.out(hidden);
        let (values, output) = (bag_gradient.clone(), db0.clone());
        self.recording.push(ColumnSum { values, rows: batch, columns: hidden, offset: 0, output });
        let lists = self.lists(1, None);
        let source = RankOne {
            vectors: bag_gradient,
            rows: self.rows.clone(),
            entries: self.entries,
            positive: self.weights.clone(),
            negative: None,
            groups: Groups { batch, samples: 1, size: 1, candidates: 0 },
        };
        let de = self.row_gradient(&lists, source, hidden, true);
        Results {
            posterior,
            nll: head.nll,
            kl,
            losses,
            e: de,
            b0: db0,
            w1: dw1,
            b1: db1,
            w2: dw2,
            b2: db2,
            q: head.rows,
            c: head.bias,
        }
    }
}
