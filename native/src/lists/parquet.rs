//! Lists as Parquet, a row group at a time.

use std::{io::Write, sync::Arc};

use fastvae::{Error, Result};
use parquet::{
    basic::Compression,
    data_type::{ByteArray, ByteArrayType, FloatType, Int32Type},
    errors::ParquetError,
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};

use super::Row;

/// Rows of a group, which are held in memory.
const GROUP: usize = 1 << 16;

/// Collects rows and writes them in groups. The file begins with the first group, whose rows show whether
/// there are hits.
pub struct Parquet<'a> {
    key: &'static str,
    out: Option<&'a mut (dyn Write + Send)>,
    writer: Option<SerializedFileWriter<&'a mut (dyn Write + Send)>>,
    /// Users (or items that others are like), items and titles.
    texts: [Vec<ByteArray>; 3],
    ranks: Vec<i32>,
    scores: Vec<f32>,
    hits: Vec<i32>,
}

impl<'a> Parquet<'a> {
    /// Writes to `out`; the first column is called `key`.
    pub fn new(key: &'static str, out: &'a mut (dyn Write + Send)) -> Self {
        let (texts, ranks, scores, hits) = (Default::default(), Vec::new(), Vec::new(), Vec::new());
        Self { key, out: Some(out), writer: None, texts, ranks, scores, hits }
    }

    /// Adds a row.
    ///
    /// # Errors
    /// [`Error::Data`] if a full group cannot be written.
    pub fn row(&mut self, row: &Row) -> Result<()> {
        let key = row.user.or(row.like).unwrap_or_default();
        // Rows of one list share the text of their key.
        let key = match self.texts[0].last() {
            Some(last) if last.data() == key.as_bytes() => last.clone(),
            _ => ByteArray::from(key),
        };
        self.texts[0].push(key);
        self.texts[1].push(ByteArray::from(row.item));
        self.texts[2].push(ByteArray::from(row.title));
        self.ranks.push(row.rank as i32);
        self.scores.push(row.score);
        self.hits.extend(row.hit.map(i32::from));
        if self.ranks.len() == GROUP { self.group().map_err(failed) } else { Ok(()) }
    }

    /// Writes the last group and the end of the file.
    ///
    /// # Errors
    /// As [`Parquet::row`].
    pub fn finish(mut self) -> Result<()> {
        if !self.ranks.is_empty() || self.writer.is_none() {
            self.group().map_err(failed)?;
        }
        self.writer.map_or(Ok(()), |writer| writer.close().map(drop).map_err(failed))
    }

    fn group(&mut self) -> Result<(), ParquetError> {
        let with_hits = !self.hits.is_empty();
        if let Some(out) = self.out.take() {
            let schema = parse_message_type(&format!(
                "message recommendations {{ required binary {} (utf8); required int32 rank; required binary item (utf8); \
                 required binary title (utf8); required float score; {} }}",
                self.key,
                if with_hits { "required int32 hit;" } else { "" }
            ))?;
            let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
            self.writer = Some(SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties))?);
        }
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let mut group = writer.next_row_group()?;
        let mut at = 0;
        while let Some(mut column) = group.next_column()? {
            match at {
                1 => column.typed::<Int32Type>().write_batch(&self.ranks, None, None)?,
                4 => column.typed::<FloatType>().write_batch(&self.scores, None, None)?,
                5 => column.typed::<Int32Type>().write_batch(&self.hits, None, None)?,
                _ => {
                    let texts = &self.texts[if at == 0 { 0 } else { at - 1 }];
                    column.typed::<ByteArrayType>().write_batch(texts, None, None)?
                }
            };
            column.close()?;
            at += 1;
        }
        group.close()?;
        self.texts.iter_mut().for_each(Vec::clear);
        self.ranks.clear();
        self.scores.clear();
        self.hits.clear();
        Ok(())
    }
}

fn failed(error: ParquetError) -> Error {
    Error::Data(format!("the lists cannot be written as Parquet: {error}"))
}
