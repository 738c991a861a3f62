//! The kernels of one training step, in order, against PyTorch in f64: loss and every gradient.
//!
//! Dropout, noise, negatives and log q are those of the fixture; nothing else is given.

use fastvae::{
    engine::{Buffer, Engine, Recording},
    kernels::{
        Activation, ActivationBackward, AdamStep, ColumnSum, EncodeRows, Groups, ItemLists, MatMul,
        Parameter, Partition, RankOne, Reach, Reparameterise, ReparameteriseBackward, SampledLoss,
        SoftmaxAccumulate, SoftmaxGradient, SumLoss, Table, Transpose, UpdateRows, View,
    },
};
use tests::{
    MultVae, Tensor, assert_close, csr,
    device::{read, unset, unwritten, upload},
    engines, fixture,
    fixtures::MULT_VAE,
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
struct Results {
    posterior: Buffer<f32>,
    nll: Buffer<f32>,
    kl: Buffer<f32>,
    losses: Buffer<f32>,
    e: Buffer<f32>,
    b0: Buffer<f32>,
    w1: Buffer<f32>,
    b1: Buffer<f32>,
    w2: Buffer<f32>,
    b2: Buffer<f32>,
    q: Buffer<f32>,
    c: Option<Buffer<f32>>,
}

/// A fixture's batch on an engine.
struct Step<'a> {
    engine: &'a Engine,
    truth: &'a MultVae,
    recording: Recording,
    offsets: Buffer<u32>,
    items: Buffer<u32>,
    rows: Buffer<u32>,
    weights: Buffer<f32>,
    entries: usize,
    item_ids: Vec<u32>,
    entry_rows: Vec<u32>,
}

impl<'a> Step<'a> {
    fn new(engine: &'a Engine, truth: &'a MultVae) -> Self {
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
        self.recording.push(UpdateRows { lists, gradient, table, adam: GRADIENT, reach, step: 1, clear });
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

    /// Loss of each row, and the gradients of queries, item rows and item bias.
    fn sampled(&mut self, queries: &Buffer<f32>, table: &Buffer<f32>) -> Head {
        let config = &self.truth.config;
        let (batch, samples, width) = (config.users, config.latent_samples, config.hidden);
        let candidates = config.negatives * config.share;
        let groups = Groups { batch, samples, size: config.share, candidates };
        let log_q = self.truth.corrected_log_q().expect("a sampled fixture");
        let negatives = self.truth.negatives.as_ref().expect("a sampled fixture");
        let (mut ids, mut negative_log_q) = (Vec::new(), Vec::new());
        for group in 0..groups.count() {
            let row = groups.rows_of(group).start;
            let of_group = &negatives[row / batch][row % batch];
            ids.extend_from_slice(of_group);
            let log_q = &log_q.at(row / batch)[row % batch * config.items..];
            negative_log_q.extend(of_group.iter().map(|&item| log_q[item as usize] as f32));
        }
        let mut positive_log_q = Vec::new();
        for sample in 0..samples {
            for (&item, &row) in self.item_ids.iter().zip(&self.entry_rows) {
                positive_log_q.push(log_q.at(sample)[row as usize * config.items + item as usize] as f32);
            }
        }
        let ids = upload(self.engine, &ids);
        let (nll, query_gradient) = (self.out(groups.rows()), self.out(groups.rows() * width));
        let (positive, negative) = (self.out(samples * self.entries), self.out(groups.rows() * candidates));
        self.recording.push(SampledLoss {
            queries: queries.clone(),
            table: table.clone(),
            item_bias: self.truth.params.c.as_ref().map(|c| self.tensor(c)),
            width,
            groups,
            batch_offsets: self.offsets.clone(),
            batch_items: self.items.clone(),
            entries: self.entries,
            negatives: ids.clone(),
            negative_log_q: upload(self.engine, &negative_log_q),
            positive_log_q: upload(self.engine, &positive_log_q),
            partition: if config.exact_positives { Partition::ExactPositives } else { Partition::Paper },
            scale: 1.0 / groups.rows() as f32,
            nll: nll.clone(),
            positive: positive.clone(),
            negative: negative.clone(),
            query_gradient: query_gradient.clone(),
        });
        let lists = self.lists(samples, Some((&ids, groups.total())));
        let source = |vectors: Buffer<f32>| RankOne {
            vectors,
            rows: self.rows.clone(),
            entries: self.entries,
            positive: positive.clone(),
            negative: Some(negative.clone()),
            groups,
        };
        let (of_rows, of_bias) =
            (source(queries.clone()), source(upload(self.engine, &vec![1.0; groups.rows()])));
        let biased = config.item_bias;
        let rows = self.row_gradient(&lists, of_rows, width, !biased);
        let bias = biased.then(|| self.row_gradient(&lists, of_bias, 1, true));
        Head { nll, query_gradient, rows, bias }
    }

    /// As [`Step::sampled`] by the full softmax, streamed over blocks of items.
    fn full(&mut self, queries: &Buffer<f32>, table: &Buffer<f32>, block: usize) -> Head {
        let config = &self.truth.config;
        let (batch, samples, width, items) =
            (config.users, config.latent_samples, config.hidden, config.items);
        let rows = self.query_rows();
        let bias = self.truth.params.c.as_ref().map(|c| self.tensor(c));
        let head = Head {
            nll: self.out(rows),
            query_gradient: self.out(rows * width),
            rows: self.out(items * width),
            bias: bias.as_ref().map(|_| self.out(items)),
        };
        let (maximum, sum, logits) = (self.out(rows), self.out(rows), self.out(rows * block));
        let starts = || (0..items).step_by(block);
        let score = |start: usize, n: usize| {
            let tile = View::rows(table, width).from_row(start).transposed();
            let product =
                MatMul::new(rows, n, width, View::rows(queries, width), tile, View::rows(&logits, n));
            MatMul { bias: bias.clone(), bias_offset: start, ..product }
        };
        for start in starts() {
            let n = block.min(items - start);
            self.recording.push(score(start, n));
            let (logits, maximum, sum) = (logits.clone(), maximum.clone(), sum.clone());
            self.recording.push(SoftmaxAccumulate {
                logits,
                rows,
                block: n,
                first: start == 0,
                maximum,
                sum,
            });
        }
        for start in starts() {
            let n = block.min(items - start);
            self.recording.push(score(start, n));
            self.recording.push(SoftmaxGradient {
                logits: logits.clone(),
                batch,
                samples,
                block: n,
                block_start: start,
                maximum: maximum.clone(),
                sum: sum.clone(),
                batch_offsets: self.offsets.clone(),
                batch_items: self.items.clone(),
                scale: 1.0 / rows as f32,
                nll: head.nll.clone(),
            });
            let gradient = || View::rows(&logits, n);
            let into_queries = MatMul::new(
                rows,
                width,
                n,
                gradient(),
                View::rows(table, width).from_row(start),
                View::rows(&head.query_gradient, width),
            );
            self.recording.push(MatMul { beta: if start == 0 { 0.0 } else { 1.0 }, ..into_queries });
            let into_rows = View::rows(&head.rows, width).from_row(start);
            let (gradient, queries) = (gradient().transposed(), View::rows(queries, width));
            self.recording.push(MatMul::new(n, width, rows, gradient, queries, into_rows));
            if let Some(into_bias) = &head.bias {
                // A column sum with an offset is a product with a row of ones.
                let ones = View::rows(&upload(self.engine, &vec![1.0; rows]), rows);
                let into_bias = View::rows(into_bias, items).from_column(start);
                self.recording.push(MatMul::new(1, n, rows, ones, View::rows(&logits, n), into_bias));
            }
        }
        head
    }

    fn record(&mut self, block: Option<usize>) -> Results {
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

/// The loss's side of a step.
struct Head {
    nll: Buffer<f32>,
    query_gradient: Buffer<f32>,
    rows: Buffer<f32>,
    bias: Option<Buffer<f32>>,
}

fn check(engine: &Engine, name: &str, block: Option<usize>) {
    let truth: MultVae = fixture(name);
    let mut step = Step::new(engine, &truth);
    let results = step.record(block);
    engine.run(&step.recording).unwrap_or_else(|error| panic!("{name}: {error}"));

    let label = |what: &str| format!("{}: {name}, block {block:?}: {what}", engine.describe());
    let close = |what: &str, got: &[f32], want: &[f64]| assert_close(&label(what), got, want, 1e-6, 5e-5);
    let config = &truth.config;
    let (batch, latent) = (config.users, config.latent);

    let posterior = read(engine, &results.posterior);
    let halves = |from: usize| {
        let rows = posterior.chunks_exact(2 * latent);
        rows.flat_map(move |row| row[from..from + latent].to_vec()).collect::<Vec<f32>>()
    };
    close("mu", &halves(0), &truth.mu.data);
    close("log-variance", &halves(latent), &truth.logvar.data);
    let by_row = read(engine, &results.nll);
    let mean = |user: usize| {
        let of_user = by_row.iter().skip(user).step_by(batch);
        of_user.sum::<f32>() / config.latent_samples as f32
    };
    close("nll", &(0..batch).map(mean).collect::<Vec<f32>>(), &truth.nll.data);
    close("kl", &read(engine, &results.kl), &truth.kl.data);
    let losses = read(engine, &results.losses);
    close("loss", &[losses[0] + config.beta as f32 * losses[1]], &[truth.loss]);

    let want = &truth.grads;
    for (what, got, want) in [
        ("E", &results.e, &want.e),
        ("b0", &results.b0, &want.b0),
        ("W1", &results.w1, &want.w1),
        ("b1", &results.b1, &want.b1),
        ("W2", &results.w2, &want.w2),
        ("b2", &results.b2, &want.b2),
        ("Q", &results.q, &want.q),
    ] {
        close(&format!("gradient of {what}"), &read(engine, got), &want.data);
    }
    assert_eq!(results.c.is_some(), want.c.is_some());
    if let (Some(got), Some(want)) = (&results.c, &want.c) {
        close("gradient of c", &read(engine, got), &want.data);
    }
}

#[test]
fn sampled_softmax() {
    let sampled: Vec<&str> = MULT_VAE.into_iter().filter(|name| !name.contains("full")).collect();
    assert_eq!(sampled.len(), 5);
    for engine in engines() {
        for name in &sampled {
            check(engine, name, None);
        }
    }
}

/// Blocks of one item, that divide the catalogue or not, of all of it, and larger than it.
#[test]
fn full_softmax_in_blocks() {
    for engine in engines() {
        for (name, items) in [("mult_vae_full", 53), ("mult_vae_full_bias", 37)] {
            for block in [1, 7, 16, items - 1, items, 64] {
                check(engine, name, Some(block));
            }
        }
    }
}
