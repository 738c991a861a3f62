//! Loads a [`Dataset`] from a path or from bytes.

#[cfg(feature = "parquet")]
use super::parquet;
use super::{
    Dataset, LoadOptions,
    collect::{Collector, Part},
    forms::{Adjacency, Netflix},
    layout::Layout,
    lines::{self, Text},
    sniff::{Form, sniff},
    source::Source,
    titles,
};
use crate::{Error, Result, watch};

/// Reads a data set from a folder, a zip, or a single file (gzipped or not); its format is recognised.
///
/// # Errors
/// [`Error::Io`] if a file cannot be read, [`Error::Format`] with file and line if its content does not fit
/// the recognised format, [`Error::Data`] if the filters leave nothing, [`Error::Setting`] for columns or
/// ratings that it does not have.
#[cfg(not(target_arch = "wasm32"))]
pub fn load(path: &std::path::Path, options: &LoadOptions) -> Result<Dataset> {
    load_source(Source::of_path(path)?, options).map_err(|error| match error {
        // Messages show the path as the user gave it.
        Error::Data(problem) => Error::format(path.display().to_string(), problem),
        other => other,
    })
}

/// Reads a data set from one file in memory, which may be a zip; `name` is its name in messages.
///
/// # Errors
/// As `load`.
pub fn load_bytes(name: &str, bytes: &[u8], options: &LoadOptions) -> Result<Dataset> {
    load_source(Source::of_bytes(name, bytes)?, options)
}

/// Reads a data set from several files in memory, such as ratings and item titles, given by name and content.
///
/// # Errors
/// As [`load_bytes`]; also if one of several files is a zip.
pub fn load_files(files: &[(String, Vec<u8>)], options: &LoadOptions) -> Result<Dataset> {
    load_source(Source::of_files(files)?, options)
}

fn load_source(mut source: Source, options: &LoadOptions) -> Result<Dataset> {
    check(options)?;
    watch::begin("reading", "lines", 0);
    let layout = Layout::of(&source)?;
    let mut collector = Collector::new(options);
    for (file, part) in &layout.interactions {
        read(&mut source, file, *part, options, &mut collector)?;
    }
    let mut dataset = collector.finish(&source.name)?;
    if let Some((file, form)) = layout.titles {
        titles::attach(&mut dataset, &mut source, &file, form)?;
    }
    for (file, ids) in layout.lists.iter().zip([&mut dataset.users, &mut dataset.items]) {
        if let Some(file) = file {
            titles::relabel(ids, &mut source, file)?;
        }
    }
    Ok(dataset)
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
    let shards = &mut collector.shards;
    match form {
        Form::Table(table) => table.read(text, shards),
        Form::Adjacency => lines::read(&mut text, &Adjacency, shards).map(drop),
        Form::Netflix => lines::read(&mut text, &Netflix, shards).map(drop),
        Form::Json(json) => lines::read(&mut text, &json, shards).map(drop),
        #[cfg(feature = "parquet")]
        Form::Parquet => parquet::read(text, options, &mut shards[0]),
        #[cfg(not(feature = "parquet"))]
        Form::Parquet => {
            Err(Error::format(text.stream.name, "Parquet is not read by this build; convert it to csv first"))
        }
    }
}
