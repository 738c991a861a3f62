//! Files that are not read: what they are, and how to make a file of them that is.

use super::names::MORE;

/// Names a file that is not read by its first bytes, and says what makes a file of it that is.
pub(super) fn name(head: &[u8], file: &str) -> Option<String> {
    let file = base_name(file);
    let (what, way) = text(head).map(|(what, way)| (what, way.to_owned())).or_else(|| {
        // Without its name, such a file is still known to be no text.
        if MORE { of_program(head, file) } else { None }
    })?;
    Some(format!("it is {what}, which is not read{way}"))
}

/// Texts that are no tables, and could be taken for some.
fn text(head: &[u8]) -> Option<(&'static str, &'static str)> {
    let start = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let starts = |word: &[u8]| start.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    if starts(b"<!doctype") || starts(b"<html") {
        Some((
            "a web page, perhaps one that asks to log in instead of a download",
            "; download the file itself",
        ))
    } else if starts(b"<?xml") {
        Some(("an XML file", "; make a csv of it, with pandas.read_xml for one"))
    } else if starts(b"version https://git-lfs") {
        Some(("a pointer of Git LFS to the file", "; fetch the file itself: git lfs pull"))
    } else if starts(b"%PDF") {
        Some(("a PDF", "; export the table as csv"))
    } else {
        None
    }
}

/// Files of other programs, with the line that makes a csv of them.
fn of_program(head: &[u8], file: &str) -> Option<(&'static str, String)> {
    let stem = file.split('.').next().filter(|stem| !stem.is_empty()).unwrap_or("data");
    let pandas = |read: &str| {
        format!(
            "; make a csv of it: python3 -c \"import pandas as p; p.{read}.to_csv('{stem}.csv', index=False)\""
        )
    };
    let starts = |magic: &[u8]| head.starts_with(magic);
    const SQL: [&[u8]; 5] =
        [b"INSERT INTO ", b"CREATE TABLE ", b"-- MySQL dump", b"--\n-- PostgreSQL", b"PRAGMA foreign_keys"];
    Some(if starts(b"\x89HDF\r\n\x1a\n") {
        ("an HDF5 file", pandas(&format!("read_hdf('{file}')")))
    } else if starts(b"MATLAB 7.3") {
        ("a MATLAB 7.3 file (HDF5)", "; in MATLAB: save with '-v7'".into())
    } else if starts(b"\x80") && head.len() > 1 && (2..=5).contains(&head[1]) {
        (
            "a Python pickle, which can run any program when it is opened",
            pandas(&format!("read_pickle('{file}')")),
        )
    } else if starts(b"ARROW1") {
        ("an Arrow (Feather) file", pandas(&format!("read_feather('{file}')")))
    } else if starts(b"ORC") && head.contains(&0) {
        ("an ORC file", pandas(&format!("read_orc('{file}')")))
    } else if starts(b"Obj\x01") {
        ("an Avro file", "; write it as Parquet or csv".into())
    } else if starts(b"SQLite format 3\0") {
        (
            "an SQLite data base",
            format!(
                "; make a csv of a table: sqlite3 -header -csv {file} 'select * from TABLE' > {stem}.csv"
            ),
        )
    } else if starts(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") {
        ("an old Excel workbook (xls)", pandas(&format!("read_excel('{file}')")))
    } else if starts(b"RDX2") || starts(b"RDX3") || starts(b"X\n\0") {
        ("a file of R", "; in R: write.csv(DATA, 'data.csv', row.names = FALSE)".into())
    } else if SQL.iter().any(|start| starts(start)) {
        ("statements of SQL", "; load them into the data base and export the table as csv".into())
    } else {
        return None;
    })
}

/// Names a zip that is a document of an office program by the names in it.
pub(super) fn office<'a>(mut names: impl Iterator<Item = &'a str>, file: &str) -> Option<String> {
    let found = names.find_map(|name| match name {
        "xl/workbook.xml" | "xl/workbook.bin" => Some("an Excel workbook (xlsx)"),
        "content.xml" => Some("an OpenDocument spreadsheet"),
        _ => None,
    })?;
    let file = base_name(file);
    let stem = file.split('.').next().filter(|stem| !stem.is_empty()).unwrap_or("data");
    Some(format!(
        "it is {found}, which is not read; save the sheet as csv, or: python3 -c \"import pandas as p; \
         p.read_excel('{file}').to_csv('{stem}.csv', index=False)\""
    ))
}

/// The last part of a name with `/` or `\` in it.
pub(super) fn base_name(name: &str) -> &str {
    name.rsplit(['/', '\\']).next().unwrap_or(name)
}
