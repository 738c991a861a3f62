//! Writes interactions as Parquet.

use std::io::Write;

use parquet::{
    basic::Compression,
    data_type::{ByteArray, ByteArrayType},
    errors::ParquetError,
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};

/// Writes `user` and `item` as text columns, one row group at a time.
pub(in crate::data) fn write<'a, W: Write + Send>(
    out: W,
    mut pairs: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<(), ParquetError> {
    const GROUP: usize = 1 << 20;
    let schema = parse_message_type(
        "message interactions { REQUIRED BYTE_ARRAY user (UTF8); REQUIRED BYTE_ARRAY item (UTF8); }",
    )?;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut file = SerializedFileWriter::new(out, schema.into(), properties.into())?;
    loop {
        let rows: Vec<(&str, &str)> = pairs.by_ref().take(GROUP).collect();
        if rows.is_empty() {
            break;
        }
        let mut group = file.next_row_group()?;
        for side in 0..2 {
            let text = |row: &(&str, &str)| ByteArray::from(if side == 0 { row.0 } else { row.1 });
            let values: Vec<ByteArray> = rows.iter().map(text).collect();
            if let Some(mut column) = group.next_column()? {
                column.typed::<ByteArrayType>().write_batch(&values, None, None)?;
                column.close()?;
            }
        }
        group.close()?;
    }
    file.close()?;
    Ok(())
}
