//! Models as ONNX graphs, for runtimes in other languages: histories in, scores out.
//!
//! The graph has one input, `history`: 64-bit integers, users x length, where each row has the numbers of the items of a
//! history, once each and in any order, and -1 in the places that are left. Its output `scores` is users x items, of all
//! items, those of the history too. A model with item vectors also has the output `query`: its inner products with the
//! rows of [`Recommender::item_rows`](crate::recommend::Recommender::item_rows) are the scores, of ELSA those of items
//! outside of the history.

mod builder;
mod protobuf;

use std::io::{self, Write};

pub(crate) use self::builder::Builder;
use self::protobuf::Message;
use crate::{Error, Result, run::checkpoint::Checkpoint};

/// A protocol buffer is shorter than 2 GiB.
const LONGEST: u64 = (1 << 31) - 1;

/// A graph of operators with the parameters of a model.
pub struct Graph<'a> {
    message: Message<'a>,
}

impl<'a> Graph<'a> {
    /// The graph of the model in a checkpoint.
    ///
    /// # Errors
    /// [`Error::Data`] for a model whose scores are no fixed sequence of operators, for tensors that do not fit, and for
    /// a model of 2 GiB and more, which ONNX cannot hold.
    pub fn new(checkpoint: &'a Checkpoint) -> Result<Self> {
        const INSTEAD: &str = "export the vectors of users and items, whose inner products are the scores";
        let model = &checkpoint.context.config.model;
        let builder = model.graph(checkpoint.context.items.len(), &checkpoint.state)?.ok_or_else(|| {
            let why = "solves an optimisation problem for each history, for which ONNX has no operator";
            Error::Data(format!("a model of kind {} {why}; {INSTEAD}", model.kind().name()))
        })?;
        let message = builder.finish();
        let length = message.len();
        if length > LONGEST {
            let problem = format!("the graph takes {length} bytes, and a file of ONNX at most {LONGEST}");
            return Err(Error::Data(format!("{problem}; {INSTEAD}")));
        }
        Ok(Self { message })
    }

    /// Writes the file.
    ///
    /// # Errors
    /// As `out`.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        self.message.write(out)
    }
}
