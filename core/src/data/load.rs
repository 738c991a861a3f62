//! From a path or bytes to a [`Dataset`].

use super::{
    Dataset, LoadOptions,
    collect::{Collector, Part},
    lines::Text,
    sniff::{Form, sniff},
    source::{Source, base_name},
};
use crate::{Error, Result};

/// Reads a set from a folder, a zip, or a single file (gzipped or not); the form is recognised.
///
/// # Errors
/// [`Error::Io`] if a file cannot be read, [`Error::Format`] with file and line if it is not what it seems,
/// [`Error::Data`] if the filters leave nothing, [`Error::Setting`] for columns or ratings it does not have.
#[cfg(not(target_arch = "wasm32"))]
pub fn load(path: &std::path::Path, options: &LoadOptions) -> Result<Dataset> {
    load_source(Source::of_path(path)?, options)
}

/// Reads a set from one file in memory, which may be a zip; `name` tells what to call it in messages.
///
/// # Errors
/// As `load`.
pub fn load_bytes(name: &str, bytes: &[u8], options: &LoadOptions) -> Result<Dataset> {
    load_source(Source::of_bytes(name, bytes)?, options)
}

fn load_source(mut source: Source, options: &LoadOptions) -> Result<Dataset> {
    check(options)?;
    let mut collector = Collector::new(options);
    let file = source.asked.clone().unwrap_or_default();
    read(&mut source, &file, Part::Train, options, &mut collector)?;
    collector.finish(&source.name)
}

fn check(options: &LoadOptions) -> Result<()> {
    match options.min_rating {
        Some(rating) if !rating.is_finite() => {
            Err(Error::setting("min-rating", format!("{rating} is no finite number")))
        }
        _ => Ok(()),
    }
}

/// Reads one file of interactions.
fn read(
    source: &mut Source,
    file: &str,
    part: Part,
    options: &LoadOptions,
    collector: &mut Collector,
) -> Result<()> {
    collector.begin(file, part);
    let mut text = Text::new(source.open(file)?);
    let (form, shown) = sniff(&mut text, options.columns.as_ref(), options.min_rating.is_some())?;
    collector.form(&shown);
    match form {
        Form::Table(table) => table.read(text, collector),
        other => Err(Error::format(base_name(file), format!("{other:?}"))),
    }
}
