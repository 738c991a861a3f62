//! Loads a [`Dataset`] from a path or from bytes.

#[cfg(feature = "parquet")]
use super::parquet;
use super::{
    Dataset, LoadOptions,
    collect::Collector,
    layout::{InteractionFile, Layout},
    lines::Text,
    moment,
    sniff::{Form, Sniffed, sniff},
    source::Source,
    titles,
};
#[cfg(feature = "forms")]
use super::{Header, excerpt::shorten, foreign, json, lines, matrix, sniff::HEAD};
use crate::{Error, Result, watch};

/// Reads a data set from a folder, an archive, or a single file (packed or not); its format is recognised.
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

/// Reads a data set from one file in memory, which may be an archive; `name` is its name in messages.
///
/// # Errors
/// As `load`.
pub fn load_bytes(name: &str, bytes: &[u8], options: &LoadOptions) -> Result<Dataset> {
    load_source(Source::of_bytes(name, bytes)?, options)
}

/// Reads a data set from several files in memory, such as ratings and item titles, given by name and content.
///
/// # Errors
/// As [`load_bytes`]; also if one of several files is an archive.
pub fn load_files(files: &[(String, Vec<u8>)], options: &LoadOptions) -> Result<Dataset> {
    load_source(Source::of_files(files)?, options)
}

/// Reads all interactions; returns the files that were found.
pub(super) fn read_all(
    source: &mut Source,
    options: &LoadOptions,
    collector: &mut Collector,
) -> Result<Layout> {
    check(options)?;
    watch::begin("reading", "lines", 0);
    #[cfg(feature = "forms")]
    if matrix::is_scipy(&source.files) {
        matrix::read_scipy(source, options, collector)?;
        return Ok(Layout::default());
    }
    let layout = Layout::of(source)?;
    for file in &layout.interactions {
        read(source, file, options, collector)?;
    }
    #[cfg(feature = "forms")]
    layout.note.into_iter().for_each(|note| collector.note(note.into()));
    if !layout.ignored.is_empty() {
        collector.note(format!("not read: {}", layout.ignored.join(", ")));
    }
    Ok(layout)
}

/// Whether the set has tables of ids, which are looked up when everything is read.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn needs_whole(source: &mut Source) -> Result<bool> {
    #[cfg(feature = "forms")]
    if matrix::is_scipy(&source.files) {
        return Ok(false);
    }
    Ok(Layout::of(source)?.lists.iter().any(Option::is_some))
}

pub(super) fn load_source(mut source: Source, options: &LoadOptions) -> Result<Dataset> {
    let mut collector = Collector::new(options);
    let layout = read_all(&mut source, options, &mut collector)?;
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
    if let (Some(since), Some(until)) = (options.since, options.until)
        && since >= until
    {
        return Err(Error::setting("until", format!("{until} is not after `since` {since}")));
    }
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
    file: &InteractionFile,
    options: &LoadOptions,
    collector: &mut Collector,
) -> Result<()> {
    #[cfg(feature = "forms")]
    let header = missing_header(source, file, options, collector)?;
    let mut text = Text::new(source.open(&file.name)?);
    #[cfg(feature = "forms")]
    if let Some(header) = &header {
        text.prepend(header);
    }
    let found = sniff(&mut text, options, &file.keys);
    #[cfg(feature = "forms")]
    if header.is_some() && found.is_ok() {
        text.uncount_header();
    }
    let Sniffed { form, shown, decision, header } = found?;
    collector.header_line = collector.header_line.take().or(header);
    collector.begin(&file.name, file.part);
    // Parquet and matrices decide when they are read.
    let decides_later = match &form {
        Form::Parquet => true,
        #[cfg(feature = "forms")]
        Form::Matrix(_) => true,
        _ => false,
    };
    if !decides_later {
        collector.decided(&text.stream.name, &shown, &decision)?;
    }
    set_date_order(&mut text, &form, collector)?;
    #[cfg(feature = "forms")]
    let footers = text.footers.clone();
    let shards = &mut collector.shards;
    let read = match form {
        Form::Table(table) => table.read(text, shards),
        Form::Lists(form) => form.read(&mut text, options, shards),
        #[cfg(feature = "forms")]
        Form::JsonLines(json) => lines::read(&mut text, &json, shards).map(drop),
        #[cfg(feature = "forms")]
        Form::JsonStream(json) => json::read_stream(text, &json, &mut shards[0]),
        #[cfg(feature = "forms")]
        Form::Baskets(form) => {
            form.may_be(file.part, &text.stream.name)?;
            lines::read(&mut text, &form, shards).map(drop)
        }
        #[cfg(feature = "forms")]
        Form::Matrix(kind) => matrix::read(text, kind, options, collector),
        #[cfg(feature = "parquet")]
        Form::Parquet => parquet::read(text, options, &file.keys, collector),
        #[cfg(not(feature = "parquet"))]
        Form::Parquet => {
            let problem = "Parquet is not read by this build; convert it to csv first: fastvae data convert";
            Err(Error::format(text.stream.name, problem))
        }
    };
    #[cfg(feature = "forms")]
    for footer in footers.iter().flat_map(|footers| footers.take()) {
        collector.note(format!("the line below the last row, {:?}, is left out", shorten(&footer)));
    }
    read
}

/// The header of the first part of a table that was cut into parts, if this part has none.
#[cfg(feature = "forms")]
fn missing_header(
    source: &mut Source,
    file: &InteractionFile,
    options: &LoadOptions,
    collector: &mut Collector,
) -> Result<Option<String>> {
    let Some(header) = collector.header_line.clone().filter(|_| options.header == Header::Auto) else {
        return Ok(None);
    };
    let mut text = Text::new(source.open(&file.name)?);
    let head = text.peek(HEAD)?;
    if head.contains(&0) || foreign::name(head, &file.name).is_some() {
        return Ok(None);
    }
    let lacks = match sniff(&mut text, options, &file.keys) {
        Ok(sniffed) => matches!(sniffed.form, Form::Table(_)) && !sniffed.decision.header,
        Err(error) => matches!(error, Error::Format { .. }),
    };
    drop(text);
    if !lacks {
        return Ok(None);
    }
    let mut text = Text::new(source.open(&file.name)?);
    text.prepend(&header);
    if !sniff(&mut text, options, &file.keys).is_ok_and(|sniffed| sniffed.decision.header) {
        return Ok(None);
    }
    let first = collector.report.files[0].clone();
    collector.note(format!("{} has no header; its columns are those of {first}", file.name));
    Ok(Some(header))
}

/// Finds out whether dates such as 1/2/2024 begin with the day or with the month.
fn set_date_order(text: &mut Text, form: &Form, collector: &mut Collector) -> Result<()> {
    let Form::Table(table) = form else { return Ok(()) };
    let Some(time) = table.roles.time.filter(|&time| time < table.width) else { return Ok(()) };
    let head = text.peek(0)?;
    let fields = head.split(|&byte| byte == b'\n').take(10_000).filter_map(|line| {
        let field = table.delimiter.quoted_fields(line).into_iter().nth(time)?;
        String::from_utf8(field.into_owned()).ok()
    });
    let fields: Vec<String> = fields.collect();
    let slashed = fields.first().is_some_and(|first| first.contains('/') && first.find('/') < Some(3));
    match moment::date_order(fields.iter().map(String::as_str)) {
        Some(order) => collector.shards.iter_mut().for_each(|shard| shard.date_order = order),
        None if slashed => collector.note("dates such as 1/2/2024 are read with the month first".into()),
        None => {}
    }
    Ok(())
}
