//! Builds a graph, operator by operator. Numbers of fields are those of onnx.proto
//! (<https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3>).

use std::borrow::Cow;

use super::protobuf::Message;
use crate::config::Activation;

/// Version of the file format, and of the operators: the first that adds in `ScatterElements` is 16.
const FILE_VERSION: i64 = 8;
const OPERATORS: i64 = 17;
/// Names of the input and the outputs.
const HISTORY: &str = "history";
const SCORES: &str = "scores";
const QUERY: &str = "query";

/// Types of tensors and attributes, by their numbers in onnx.proto.
const FLOAT: i64 = 1;
const INT64: i64 = 7;
const INTEGER_ATTRIBUTE: i64 = 2;
const TEXT_ATTRIBUTE: i64 = 3;

/// A graph that is being built.
pub(crate) struct Builder<'a> {
    /// M.
    items: usize,
    nodes: Vec<Message<'a>>,
    tensors: Vec<Message<'a>>,
    outputs: Vec<Message<'a>>,
}

impl<'a> Builder<'a> {
    /// A graph without operators, of a model with this many items.
    pub fn new(items: usize) -> Self {
        Self { items, nodes: Vec::new(), tensors: Vec::new(), outputs: Vec::new() }
    }

    /// Adds numbers of this shape.
    pub fn floats(&mut self, name: &str, shape: &[usize], values: impl Into<Cow<'a, [f32]>>) -> String {
        self.tensor(name, FLOAT, shape, vec![bytes(values.into())])
    }

    /// Adds a table with a row for each item, of this width, and a row of zeros after them: the number -1, of no item,
    /// names the last row.
    pub fn table(&mut self, name: &str, width: usize, values: impl Into<Cow<'a, [f32]>>) -> String {
        let zeros = bytes(vec![0.0; width].into());
        self.tensor(name, FLOAT, &[self.items + 1, width], vec![bytes(values.into()), zeros])
    }

    fn integers(&mut self, name: &str, values: &[i64]) -> String {
        let bytes = Cow::Owned(bytemuck::cast_slice(values).to_vec());
        self.tensor(name, INT64, &[values.len()], vec![bytes])
    }

    fn tensor(&mut self, name: &str, kind: i64, shape: &[usize], bytes: Vec<Cow<'a, [u8]>>) -> String {
        let dimensions = shape.iter().fold(Message::default(), |all, &size| all.integer(1, size as i64));
        self.tensors.push(dimensions.integer(2, kind).text(8, name).bytes(9, bytes));
        name.to_owned()
    }

    /// Adds an operator with these inputs; returns the name of its output.
    pub fn operator(&mut self, kind: &str, inputs: &[&str]) -> String {
        self.operator_with(kind, inputs, Vec::new())
    }

    fn operator_with(&mut self, kind: &str, inputs: &[&str], attributes: Vec<Message<'a>>) -> String {
        let output = format!("{}_{}", kind.to_lowercase(), self.nodes.len());
        let node = inputs.iter().fold(Message::default(), |node, input| node.text(1, input));
        let node = node.text(2, &output).text(3, &output).text(4, kind);
        self.nodes.push(attributes.into_iter().fold(node, |node, attribute| node.message(5, attribute)));
        output
    }

    /// The sum of the rows of a [`Graph::table`] over each history: users x width.
    pub fn sum_of_rows(&mut self, table: &str) -> String {
        let rows = self.operator("Gather", &[table, HISTORY]);
        let axes = self.integers("over_history", &[1]);
        self.operator_with("ReduceSum", &[&rows, &axes], vec![integer("keepdims", 0)])
    }

    /// 1 for each item of a history and 0 for the places that are left: users x length.
    pub fn mask(&mut self) -> String {
        let zero = self.integers("first_item", &[0]);
        let is_item = self.operator("GreaterOrEqual", &[HISTORY, &zero]);
        self.operator_with("Cast", &[&is_item], vec![integer("to", FLOAT)])
    }

    /// The number of items of each history: users x 1.
    pub fn count(&mut self) -> String {
        let mask = self.mask();
        let axes = self.integers("over_mask", &[1]);
        self.operator_with("ReduceSum", &[&mask, &axes], vec![integer("keepdims", 1)])
    }

    /// The sum of each row: users x 1.
    pub fn sum_of_columns(&mut self, input: &str) -> String {
        let axes = self.integers(&format!("over_columns_{}", self.nodes.len()), &[1]);
        self.operator_with("ReduceSum", &[input, &axes], vec![integer("keepdims", 1)])
    }

    /// `input weight + bias`.
    pub fn dense(&mut self, input: &str, weight: &str, bias: &str) -> String {
        self.operator("Gemm", &[input, weight, bias])
    }

    /// The products of each row of `input` with each row of `table`, plus the biases of these.
    pub fn products(&mut self, input: &str, table: &str, bias: Option<&str>) -> String {
        let inputs: Vec<&str> = [input, table].into_iter().chain(bias).collect();
        self.operator_with("Gemm", &inputs, vec![integer("transB", 1)])
    }

    /// The columns of the parts, side by side.
    pub fn joined(&mut self, parts: &[&str]) -> String {
        self.operator_with("Concat", parts, vec![integer("axis", 1)])
    }

    /// Some of the columns.
    pub fn columns(&mut self, input: &str, columns: std::ops::Range<usize>) -> String {
        let at = self.nodes.len();
        let start = self.integers(&format!("from_column_{at}"), &[columns.start as i64]);
        let end = self.integers(&format!("to_column_{at}"), &[columns.end as i64]);
        let axis = self.integers(&format!("of_columns_{at}"), &[1]);
        self.operator("Slice", &[input, &start, &end, &axis])
    }

    /// Applies an activation function.
    pub fn activation(&mut self, function: Activation, input: String) -> String {
        match function {
            Activation::None => input,
            Activation::Tanh => self.operator("Tanh", &[&input]),
            Activation::Relu => self.operator("Relu", &[&input]),
        }
    }

    /// Adds `updates`, users x length, at the items of the histories to scores with one more column than items, and
    /// removes that column, where what belongs to no item ends.
    pub fn add_at_history(&mut self, scores: &str, updates: &str) -> String {
        let attributes = vec![integer("axis", 1), text("reduction", "add")];
        let sums = self.operator_with("ScatterElements", &[scores, HISTORY, updates], attributes);
        let (start, axis) = (self.integers("from_item", &[0]), self.integers("of_scores", &[1]));
        let end = self.integers("to_item", &[self.items as i64]);
        self.operator("Slice", &[&sums, &start, &end, &axis])
    }

    /// Makes users x items the output of the graph.
    pub fn scores(&mut self, scores: &str) {
        self.output(scores, SCORES, self.items);
    }

    /// Makes users x `width`, with a 1 for the bias of items after it, an output too.
    pub fn query(&mut self, query: &str, width: usize) {
        let pads = self.integers("one_more", &[0, 0, 0, 1]);
        let one = self.floats("of_bias", &[], vec![1.0]);
        let query = self.operator("Pad", &[query, &pads, &one]);
        self.output(&query, QUERY, width + 1);
    }

    fn output(&mut self, tensor: &str, name: &str, width: usize) {
        let node = Message::default().text(1, tensor).text(2, name).text(3, name).text(4, "Identity");
        self.nodes.push(node);
        self.outputs.push(value(name, FLOAT, "users", Dimension::Fixed(width)));
    }

    /// The model, as a file has it.
    pub(super) fn finish(self) -> Message<'a> {
        let all = |graph, field, parts: Vec<Message<'a>>| {
            parts.into_iter().fold(graph, |graph: Message<'a>, part| graph.message(field, part))
        };
        let graph = all(Message::default(), 1, self.nodes).text(2, "fastvae");
        let graph = all(graph, 5, self.tensors);
        let history = value(HISTORY, INT64, "users", Dimension::Named("length"));
        let graph = all(graph.message(11, history), 12, self.outputs);
        let operators = Message::default().text(1, "").integer(2, OPERATORS);
        Message::default()
            .integer(1, FILE_VERSION)
            .text(2, "fastvae")
            .text(3, env!("CARGO_PKG_VERSION"))
            .message(7, graph)
            .message(8, operators)
    }
}

fn bytes(values: Cow<'_, [f32]>) -> Cow<'_, [u8]> {
    match values {
        Cow::Borrowed(values) => Cow::Borrowed(bytemuck::cast_slice(values)),
        Cow::Owned(values) => Cow::Owned(bytemuck::cast_slice(&values).to_vec()),
    }
}

/// The size of a dimension.
enum Dimension {
    Fixed(usize),
    Named(&'static str),
}

/// An input or output: rows of a named number, and columns.
fn value<'a>(name: &str, kind: i64, rows: &str, columns: Dimension) -> Message<'a> {
    let columns = match columns {
        Dimension::Fixed(size) => Message::default().integer(1, size as i64),
        Dimension::Named(name) => Message::default().text(2, name),
    };
    let shape = Message::default().message(1, Message::default().text(2, rows)).message(1, columns);
    let tensor = Message::default().integer(1, kind).message(2, shape);
    Message::default().text(1, name).message(2, Message::default().message(1, tensor))
}

fn integer<'a>(name: &str, value: i64) -> Message<'a> {
    Message::default().text(1, name).integer(3, value).integer(20, INTEGER_ATTRIBUTE)
}

fn text<'a>(name: &str, value: &str) -> Message<'a> {
    Message::default().text(1, name).text(4, value).integer(20, TEXT_ATTRIBUTE)
}
