//! Encodings of texts: everything is converted to UTF-8 with line feeds before it is parsed.

#[cfg(feature = "forms")]
mod utf_32;

use std::io::{self, Read};

use super::lines::Text;
use crate::{Error, Result};

/// The most bytes examined.
const HEAD: usize = 64 << 10;

/// Converts a text to UTF-8 if it is in another encoding, or if one is asked for, and lone carriage returns to
/// line feeds. Returns what was done, for the report.
pub(super) fn convert(text: &mut Text, label: Option<&str>) -> Result<Vec<&'static str>> {
    let mut done = Vec::new();
    let head = text.peek(HEAD)?;
    let utf_16 = if head.starts_with(b"\xff\xfe") || zeros(head, 1) {
        Some("utf-16le")
    } else if head.starts_with(b"\xfe\xff") || zeros(head, 0) {
        Some("utf-16be")
    } else {
        None
    };
    #[cfg(feature = "forms")]
    let utf_16 = utf_32::label(head).or(utf_16);
    if let Some(label) = label.or(utf_16) {
        done.push(decode(text, label)?);
    }
    let head = text.peek(HEAD)?;
    if head.contains(&b'\r') && !head.contains(&b'\n') {
        text.replace(|reader| Box::new(Returns(reader)));
        done.push("lines that end in CR");
    }
    Ok(done)
}

/// Whether every second byte from `parity` on is 0 and no other one is, as in UTF-16 of plain letters.
fn zeros(head: &[u8], parity: usize) -> bool {
    let zero = |at: usize| head.iter().skip(at).step_by(2).filter(|&&byte| byte == 0).count();
    head.len() >= 8 && zero(parity) * 10 >= (head.len() / 2) * 8 && zero(1 - parity) == 0
}

/// Replaces carriage returns by line feeds.
struct Returns<R>(R);

impl<R: Read> Read for Returns<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read(buffer)?;
        buffer[..count].iter_mut().filter(|byte| **byte == b'\r').for_each(|byte| *byte = b'\n');
        Ok(count)
    }
}

#[cfg(not(feature = "forms"))]
fn decode(text: &mut Text, label: &str) -> Result<&'static str> {
    let problem = format!(
        "the text is {label}, which this build does not read; save it as UTF-8, or use the command line"
    );
    Err(Error::format(&text.stream.name, problem))
}

#[cfg(feature = "forms")]
fn decode(text: &mut Text, label: &str) -> Result<&'static str> {
    // With a mark, which order it is is seen.
    let marked = utf_32::label(text.peek(HEAD)?);
    let utf_32 = match label.to_ascii_lowercase().replace('_', "-").as_str() {
        "utf-32" | "utf32" => Some(marked.unwrap_or("utf-32le")),
        "utf-32le" | "utf32le" => Some("utf-32le"),
        "utf-32be" | "utf32be" => Some("utf-32be"),
        _ => None,
    };
    if let Some(order) = utf_32 {
        let name = text.stream.name.clone();
        let is_big_endian = order == "utf-32be";
        let (unit, ready) = (Vec::new(), Vec::new());
        text.replace(|reader| Box::new(utf_32::Utf32 { reader, name, is_big_endian, unit, ready, at: 0 }));
        return Ok("UTF-32");
    }
    let encoding = encoding_rs::Encoding::for_label(label.as_bytes()).ok_or_else(|| {
        let problem = format!(
            "{label:?} is no known encoding; examples are latin1, windows-1251, shift_jis, gbk, utf-16le"
        );
        Error::setting("encoding", problem)
    })?;
    let name = text.stream.name.clone();
    text.replace(|reader| {
        Box::new(Decoder {
            reader,
            name,
            encoding,
            decoder: encoding.new_decoder(),
            input: vec![0; HEAD],
            unread: 0..0,
            output: vec![0; 4 * HEAD],
            ready: 0..0,
            ended: false,
        })
    });
    Ok(encoding.name())
}

/// Converts a text to UTF-8 while it is read. Bytes that the encoding does not have are an error.
#[cfg(feature = "forms")]
struct Decoder<R> {
    reader: R,
    name: String,
    encoding: &'static encoding_rs::Encoding,
    decoder: encoding_rs::Decoder,
    input: Vec<u8>,
    /// Where in `input` the bytes are that are not decoded yet.
    unread: std::ops::Range<usize>,
    output: Vec<u8>,
    /// Where in `output` the bytes are that were not handed out yet.
    ready: std::ops::Range<usize>,
    ended: bool,
}

#[cfg(feature = "forms")]
impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use encoding_rs::DecoderResult;
        while self.ready.is_empty() {
            if self.unread.is_empty() {
                if self.ended {
                    return Ok(0);
                }
                let count = self.reader.read(&mut self.input)?;
                self.ended = count == 0;
                self.unread = 0..count;
            }
            let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(
                &self.input[self.unread.clone()],
                &mut self.output,
                self.ended,
            );
            self.unread.start += read;
            self.ready = 0..written;
            if let DecoderResult::Malformed(..) = result {
                return Err(super::unpack::Refusal::error(format!(
                    "{} holds bytes that {} does not have; name its encoding with `encoding`",
                    self.name,
                    self.encoding.name()
                )));
            }
            if self.ended && written == 0 {
                return Ok(0);
            }
        }
        let count = self.ready.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.output[self.ready.start..self.ready.start + count]);
        self.ready.start += count;
        Ok(count)
    }
}
