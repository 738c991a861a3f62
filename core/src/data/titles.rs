//! Titles and genres of items.

use std::collections::HashMap;

use super::{
    Dataset, excerpt,
    layout::TitleForm,
    names,
    quoted::{Failure, Records},
    source::Source,
    table::Delimiter,
};
use crate::{Error, Result};

/// The largest accepted file of titles or ids.
const MOST_BYTES: u64 = 512 << 20;

/// Title and genres by item id.
type Titles = HashMap<String, (String, Vec<String>)>;

/// The genres of ml-100k in the order of their flags, as in its `u.genre`.
const ML_100K: [&str; 19] = [
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
];

/// Reads the file and assigns titles to the items of the set; an item without a title gets its id.
pub(super) fn attach(dataset: &mut Dataset, source: &mut Source, file: &str, form: TitleForm) -> Result<()> {
    let mut stream = source.open(file)?;
    let name = stream.name.clone();
    let bytes = stream.read_all(MOST_BYTES)?;
    let titles = read(&name, bytes, form)?;
    let found = |item: &String| titles.get(item);
    dataset.titles = Some(
        dataset
            .items
            .iter()
            .map(|item| found(item).map_or_else(|| item.clone(), |entry| entry.0.clone()))
            .collect(),
    );
    if titles.values().any(|entry| !entry.1.is_empty()) {
        let genres =
            dataset.items.iter().map(|item| found(item).map_or_else(Vec::new, |entry| entry.1.clone()));
        dataset.genres = Some(genres.collect());
    }
    dataset.report.files.push(file.to_owned());
    Ok(())
}

/// Decodes UTF-8, or Latin-1 if the format is known to occur in that encoding.
fn decode(name: &str, bytes: Vec<u8>, latin1: bool) -> Result<String> {
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned)),
        // Latin-1 is the first 256 code points.
        Err(error) if latin1 => Ok(error.as_bytes().iter().map(|&byte| char::from(byte)).collect()),
        Err(error) => {
            let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = memchr::memchr_iter(b'\n', before).count() + 1;
            Err(Error::format(format!("{name}:{line}"), "not UTF-8; save the file as UTF-8"))
        }
    }
}

fn genres(text: &str) -> Vec<String> {
    let names = text.split('|').map(str::trim);
    names.filter(|name| !name.is_empty() && *name != "(no genres listed)").map(str::to_owned).collect()
}

fn read(name: &str, bytes: Vec<u8>, form: TitleForm) -> Result<Titles> {
    let latin1 = matches!(form, TitleForm::MoviesDat | TitleForm::UItem | TitleForm::Netflix);
    let text = decode(name, bytes, latin1)?;
    match form {
        TitleForm::Csv => table(name, &text),
        TitleForm::RecBole => recbole(name, &text),
        TitleForm::MoviesDat | TitleForm::UItem | TitleForm::Netflix => {
            let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
            let entry = |(number, line): (usize, &str)| {
                let entry = match form {
                    TitleForm::MoviesDat => movies_dat(line),
                    TitleForm::UItem => u_item(line),
                    _ => netflix(line),
                };
                entry.ok_or_else(|| {
                    let problem = format!("no item with a title: {:?}", excerpt::shorten(line));
                    Error::format(format!("{name}:{}", number + 1), problem)
                })
            };
            lines.map(entry).collect()
        }
    }
}

fn movies_dat(line: &str) -> Option<(String, (String, Vec<String>))> {
    let (id, rest) = line.split_once("::")?;
    let (title, names) = rest.rsplit_once("::")?;
    Some((id.trim().into(), (title.trim().into(), genres(names))))
}

fn u_item(line: &str) -> Option<(String, (String, Vec<String>))> {
    let fields: Vec<&str> = line.split('|').collect();
    let title = fields.get(1)?.trim().to_owned();
    let flags = fields.get(5..).unwrap_or_default().iter().zip(ML_100K);
    let names = flags
        .filter(|(flag, name)| flag.trim() == "1" && *name != "unknown")
        .map(|(_, name)| name.to_owned());
    Some((fields[0].trim().into(), (title, names.collect())))
}

fn netflix(line: &str) -> Option<(String, (String, Vec<String>))> {
    let mut fields = line.splitn(3, ',');
    let (id, year, title) = (fields.next()?, fields.next()?, fields.next()?.trim());
    let title = if year == "NULL" { title.into() } else { format!("{title} ({year})") };
    Some((id.trim().into(), (title, Vec::new())))
}

fn table(name: &str, text: &str) -> Result<Titles> {
    let mut records = Records::new(text.as_bytes(), b',', 0);
    let wrong = |line: u64, problem: String| Error::format(format!("{name}:{line}"), problem);
    let mut next = || match records.next() {
        Ok(true) => {
            // The text is valid UTF-8 and was split at ASCII bytes, so its parts are valid too.
            let fields = records.fields().map(|field| String::from_utf8_lossy(field).into_owned());
            Ok(Some((records.line(), records.is_blank(), fields.collect::<Vec<_>>())))
        }
        Ok(false) => Ok(None),
        Err(Failure::Wrong(line, problem)) => Err(wrong(line, problem)),
        Err(Failure::Read(error)) => Err(wrong(1, error.to_string())),
    };
    let header = next()?.map(|record| record.2).unwrap_or_default();
    let place = |known: &[&str]| names::find(&header, known);
    let (Some(id), Some(title)) = (place(&["movieid", "item"]), place(&["title"])) else {
        let problem =
            format!("the header must name movieId (or item) and title, but is {}", header.join(","));
        return Err(wrong(1, problem));
    };
    let names = place(&["genres"]);
    let mut titles = Titles::new();
    while let Some((line, blank, record)) = next()? {
        if blank {
            continue;
        }
        if record.len() != header.len() {
            let problem = format!(
                "{} fields where the header has {}; is the line cut short?",
                record.len(),
                header.len()
            );
            return Err(wrong(line, problem));
        }
        let names = names.map_or_else(Vec::new, |at| genres(&record[at]));
        titles.insert(record[id].clone(), (record[title].clone(), names));
    }
    Ok(titles)
}

/// RecBole's `.item`: uses columns whose names contain title or name, and genre or category.
fn recbole(name: &str, text: &str) -> Result<Titles> {
    let tab = Delimiter::Byte(b'\t');
    let field = |line: &str, at: usize| line.split('\t').nth(at).unwrap_or("").trim().to_owned();
    let mut lines = text.lines();
    let header = lines.next().unwrap_or("");
    let names: Vec<String> = tab
        .fields(header.as_bytes())
        .into_iter()
        .map(|name| String::from_utf8_lossy(name).to_lowercase())
        .collect();
    let speaks = |of: &[&str]| names.iter().position(|name| of.iter().any(|word| name.contains(word)));
    let (Some(id), title) = (speaks(&["item_id"]), speaks(&["title", "name"])) else {
        return Err(Error::format(
            format!("{name}:1"),
            format!("the header names no item_id: {}", excerpt::shorten(header)),
        ));
    };
    let classes = speaks(&["genre", "class", "categor"]);
    let lines = lines.filter(|line| !line.trim().is_empty());
    Ok(lines
        .map(|line| {
            let id = field(line, id);
            let title = title.map_or_else(|| id.clone(), |at| field(line, at));
            let classes = classes.map_or_else(String::new, |at| field(line, at));
            // RecBole separates the tokens of a sequence by blanks; ml-100k and others use commas or bars.
            let classes = classes.split([' ', '|', ',']).map(str::trim).filter(|class| !class.is_empty());
            (id, (title, classes.map(str::to_owned).collect()))
        })
        .collect())
}

/// LightGCN's lists: a header, then `org_id remap_id` per line. Replaces the numbers of the set by the
/// original ids.
pub(super) fn relabel(ids: &mut [String], source: &mut Source, file: &str) -> Result<()> {
    let mut stream = source.open(file)?;
    let name = stream.name.clone();
    let bytes = stream.read_all(MOST_BYTES)?;
    let text = decode(&name, bytes, false)?;
    let mut originals: HashMap<&str, &str> = HashMap::new();
    for (number, line) in text.lines().enumerate().skip(1).filter(|(_, line)| !line.trim().is_empty()) {
        // Some lists have more columns; ids contain no blanks.
        let mut fields = line.split_whitespace();
        let (Some(original), Some(number_of_it)) = (fields.next(), fields.next()) else {
            let problem = format!("expected `org_id remap_id`, found {:?}", excerpt::shorten(line));
            return Err(Error::format(format!("{name}:{}", number + 1), problem));
        };
        originals.insert(number_of_it, original);
    }
    for id in ids {
        if let Some(original) = originals.get(id.as_str()) {
            *id = (*original).to_owned();
        }
    }
    Ok(())
}
