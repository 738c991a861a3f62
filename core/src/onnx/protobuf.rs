//! Protocol buffers, as far as ONNX needs them: a message is a sequence of numbered fields, each a varint or bytes with
//! their length before them (<https://protobuf.dev/programming-guides/encoding>).

use std::{
    borrow::Cow,
    io::{self, Write},
};

/// The wire types of the two kinds of fields.
const VARINT: u64 = 0;
const BYTES: u64 = 2;

/// An encoded message. Large contents are borrowed, so that a model is not copied to be written.
#[derive(Clone, Debug, Default)]
pub(super) struct Message<'a> {
    pieces: Vec<Cow<'a, [u8]>>,
}

impl<'a> Message<'a> {
    /// Appends an integer; negative ones take ten bytes, as the format has it.
    #[must_use]
    pub fn integer(mut self, field: u64, value: i64) -> Self {
        self.key(field, VARINT);
        varint(self.tail(), value as u64);
        self
    }

    /// Appends text.
    #[must_use]
    pub fn text(self, field: u64, text: &str) -> Self {
        self.bytes(field, vec![Cow::Owned(text.as_bytes().to_vec())])
    }

    /// Appends a message.
    #[must_use]
    pub fn message(self, field: u64, message: Self) -> Self {
        self.bytes(field, message.pieces)
    }

    /// Appends bytes that are given in pieces.
    #[must_use]
    pub fn bytes(mut self, field: u64, pieces: Vec<Cow<'a, [u8]>>) -> Self {
        self.key(field, BYTES);
        varint(self.tail(), pieces.iter().map(|piece| piece.len() as u64).sum());
        self.pieces.extend(pieces);
        self
    }

    /// The length of the message in bytes.
    pub fn len(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.len() as u64).sum()
    }

    /// Writes the message.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        self.pieces.iter().try_for_each(|piece| out.write_all(piece))
    }

    fn key(&mut self, field: u64, wire: u64) {
        self.pieces.push(Cow::Owned(Vec::new()));
        varint(self.tail(), field << 3 | wire);
    }

    /// The piece that `key` has begun.
    fn tail(&mut self) -> &mut Vec<u8> {
        if self.pieces.is_empty() {
            self.pieces.push(Cow::Owned(Vec::new()));
        }
        let last = self.pieces.len() - 1;
        self.pieces[last].to_mut()
    }
}

/// Appends seven bits a byte, the lowest first; the highest bit says that more follow.
fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_encoded_as_the_format_defines() {
        let mut out = Vec::new();
        // The examples of the documentation of the format: 150, "testing", and a message within.
        let inner = Message::default().integer(1, 150);
        let message = Message::default().integer(1, 150).text(2, "testing").message(3, inner).integer(4, -1);
        message.write(&mut out).unwrap();
        let mut expected = b"\x08\x96\x01\x12\x07testing\x1a\x03\x08\x96\x01\x20".to_vec();
        expected.extend([0xff; 9]);
        expected.push(1);
        assert_eq!((&out, message.len()), (&expected, expected.len() as u64));
    }
}
