//! Questions to the worker, and the draws that come back, counted one by one or by the thousand.

use serde_json::json;
use web::{Command, Question, toy};

use super::{BLOCK, Context, Midx, Shown, VARIANTS};

impl Midx {
    /// What answers about the present proposal are called.
    pub(super) fn name_of_proposal(&self) -> String {
        format!("midx {}", self.proposal)
    }

    /// Asks for the proposal as it is now, and for its next block of draws.
    pub(super) fn ask(&mut self, context: &mut Context<'_>) {
        if !self.films(context) {
            return;
        }
        let parameters = &*context.parameters;
        let question = Question {
            to: self.name_of_proposal(),
            items: Self::items(parameters),
            dim: parameters.dim,
            seed: parameters.seed(),
            sampler: VARIANTS[self.variant].2,
            weights: Vec::new(),
            codewords: parameters.codewords().min(Self::items(parameters)),
            query: toy::query(self.taste, parameters.dim as usize, parameters.seed()),
            rows: 1,
            draws: BLOCK,
            step: self.blocks + 1,
        };
        self.waiting = true;
        self.query.clone_from(&question.query);
        context.ask(Command::Draw(question));
    }

    /// The proposal has changed: draws of the one before count no more.
    pub(super) fn changed(&mut self, context: &mut Context<'_>) {
        self.ready.clear();
        self.counts.iter_mut().for_each(|count| *count = 0);
        (self.draws, self.blocks, self.owed, self.film, self.stage) = (0, 0, 0, None, 3);
        self.proposal += 1;
        self.ask(context);
    }

    /// Counts what is owed, as far as draws are there, and asks for more where they are not.
    pub(super) fn settle(&mut self, context: &mut Context<'_>) {
        let count = self.ready.len().min(self.owed as usize);
        let mut last = None;
        for film in self.ready.drain(..count) {
            self.counts[film as usize] += 1;
            last = Some(film);
        }
        (self.draws, self.owed) = (self.draws + count as u32, self.owed - count as u32);
        if let Some(film) = last {
            self.stage = 3;
            self.point(film as usize);
        }
        if self.ready.is_empty() && !self.waiting {
            self.ask(context);
        }
    }

    pub(super) fn take(&mut self, draws: &[u32], log_q: &[f32], cells: &[u32], codewords: &[f32], k: usize) {
        let Some(toy) = &self.toy else { return };
        if cells.len() != toy.len() || log_q.len() != toy.len() {
            return;
        }
        let (cells, codewords) = in_order(cells, codewords, k);
        let q: Vec<f64> = log_q.iter().map(|&log_q| f64::from(log_q).exp()).collect();
        let (mut rows, mut joint) = (vec![0.0; k], vec![0.0; k * k]);
        for (&cell, q) in cells.iter().zip(&q) {
            joint[cell] += q;
            rows[cell / k] += q;
        }
        let logits = toy.logits(&self.query);
        let p = web::theory::log_softmax(&logits).into_iter().map(f64::exp).collect();
        let first = self.shown.is_none();
        self.shown = Some(Shown { k, cells, codewords, q, rows, joint, p });
        self.ready.extend(draws);
        self.blocks += 1;
        if let Some(shown) =
            self.shown.as_ref().filter(|shown| first || self.cell.0.max(self.cell.1) >= shown.k)
        {
            let best = (0..k * k).max_by(|&a, &b| shown.joint[a].total_cmp(&shown.joint[b])).unwrap_or(0);
            self.cell = (best / k, best % k);
        }
    }

    /// One more stage of the present draw, or the first of the next.
    pub(super) fn stage(&mut self, context: &mut Context<'_>) {
        if self.stage >= 3 {
            let Some(&film) = self.ready.front() else { return };
            self.stage = 0;
            self.point(film as usize);
        }
        self.stage += 1;
        if self.stage == 3
            && let Some(&film) = self.ready.front()
        {
            self.owed = 1;
            self.settle(context);
            context.tell("step", json!({ "lesson": "midx", "draw": self.draws, "item": film }));
        }
    }
}

/// Cells and codewords, with codewords numbered as they lie in the plane: the first from the top, the second from the
/// left. Which number a codeword has means nothing.
fn in_order(cells: &[u32], codewords: &[f32], k: usize) -> (Vec<usize>, Vec<f32>) {
    let half = codewords.len() / (2 * k).max(1);
    let word = |book: usize, at: usize| &codewords[(book * k + at) * half..][..half];
    let order = |book: usize, sign: f32| {
        let mut order: Vec<usize> = (0..k).collect();
        order.sort_by(|&a, &b| (sign * word(book, a)[0]).total_cmp(&(sign * word(book, b)[0])));
        order
    };
    let orders = [order(0, -1.0), order(1, 1.0)];
    let place = |book: usize, at: usize| orders[book].iter().position(|&known| known == at).unwrap_or(at);
    let cells =
        cells.iter().map(|&cell| place(0, cell as usize / k) * k + place(1, cell as usize % k)).collect();
    let words =
        (0..2).flat_map(|book| orders[book].iter().flat_map(move |&at| word(book, at).to_vec())).collect();
    (cells, words)
}
