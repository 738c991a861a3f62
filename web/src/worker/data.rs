//! The data set that runs learn from: the built-in one, a file that somebody dropped, or one beside the page.

use fastvae::{
    Error,
    data::{self, Dataset, LoadOptions, Split, SplitOptions, SyntheticOptions},
    run::checkpoint::Checkpoint,
};
use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{File, FileReaderSync};

use super::scope;
use crate::{DataView, Failure, Report, Source};

/// The largest file that is read: it has to fit into the four gigabytes of a worker together with what is made of it.
const LARGEST: f64 = (1u64 << 30) as f64;
/// Bytes read at once.
const PIECE: f64 = (1u64 << 23) as f64;

const ANOTHER: &str = "The set that was there stays. MovieLens zips, csv files whose first line names user, item and \
                       rating, and the other forms that the command line reads will do.";

/// A set, and how it is divided.
pub struct Data {
    /// The interactions, titles and genres.
    pub set: Dataset,
    /// Training, validation and test part.
    pub split: Split,
    /// Items before a subset was taken.
    all_items: usize,
    /// Seed and size of the built-in set, if it is that.
    built_in: Option<(u32, Option<u32>)>,
    /// Whether it came from files of the reader.
    own: bool,
}

impl Data {
    /// The built-in set.
    ///
    /// # Errors
    /// If too few items are left.
    pub fn built_in(seed: u32, items: Option<u32>) -> Result<Self, Failure> {
        let set = data::synthetic(&SyntheticOptions { seed: seed.into(), ..Default::default() })?;
        Ok(Self { built_in: Some((seed, items)), ..Self::of(set, seed, items)? })
    }

    /// The built-in set of another seed, where this one is built in.
    pub fn with_seed(&self, seed: u32) -> Option<Result<Self, Failure>> {
        let (present, items) = self.built_in?;
        (present != seed).then(|| Self::built_in(seed, items))
    }

    /// The set that is asked for; its files are in the array `beside`.
    ///
    /// # Errors
    /// With code `data` if it cannot be fetched or read.
    pub async fn read(source: &Source, beside: &JsValue) -> Result<Self, Failure> {
        let Some(name) = &source.name else { return Self::built_in(source.seed, source.items) };
        let files = if source.fetch { vec![fetched(name).await?] } else { files(name, beside)? };
        let set = data::load_files(&files, &LoadOptions::default()).map_err(|error| match error {
            Error::Format { .. } | Error::Data(_) => {
                let said = error.to_string();
                let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
                let said = if names.iter().any(|name| said.contains(name)) {
                    said
                } else {
                    format!("{}: {said}", names.join(" + "))
                };
                Failure::new("data", said, ANOTHER)
            }
            error => error.into(),
        })?;
        drop(files);
        Ok(Self { own: !source.fetch, ..Self::of(set, source.seed, source.items)? })
    }

    fn of(set: Dataset, seed: u32, items: Option<u32>) -> Result<Self, Failure> {
        let all_items = set.items.len();
        let set = match items {
            Some(items) if (items as usize) < all_items => set.most_popular(items as usize)?,
            _ => set,
        };
        let options = SplitOptions { seed: seed.into(), ..SplitOptions::default() };
        let split = data::split(&set, &options)?;
        Ok(Self { set, split, all_items, built_in: None, own: false })
    }

    /// The set that a checkpoint was made from.
    ///
    /// # Errors
    /// If its settings do not split it.
    pub fn of_checkpoint(checkpoint: &Checkpoint) -> Result<Self, Failure> {
        let context = &checkpoint.context;
        let set = Dataset {
            name: context.data.clone(),
            users: context.users.to_vec(),
            items: context.items.to_vec(),
            titles: context.titles.as_deref().cloned(),
            genres: context.genres.as_deref().cloned(),
            interactions: context.histories.clone(),
            given: None,
            times: None,
            report: data::LoadReport { form: "a trained model".into(), ..Default::default() },
        };
        let split = data::split(&set, &context.config.split)?;
        Ok(Self { all_items: set.items.len(), set, split, built_in: None, own: true })
    }

    /// The set for people, as the answer to a request.
    pub fn view(&self, order: Option<u32>) -> DataView {
        let set = &self.set;
        DataView {
            order,
            name: if set.name == "synthetic" { "built-in films".into() } else { set.name.clone() },
            form: set.report.form.clone(),
            own: self.own,
            titled: set.titles.is_some(),
            users: set.users.len(),
            items: set.items.len(),
            all_items: self.all_items,
            interactions: set.interactions.nnz(),
            titles: set.titles.clone().unwrap_or_else(|| set.items.clone()),
            genres: set.genres.iter().flatten().map(|genres| genres.join(", ")).collect(),
            counts: set.interactions.column_counts(),
        }
    }
}

/// Name and content of the file at an address.
async fn fetched(address: &str) -> Result<(String, Vec<u8>), Failure> {
    let bytes = scope::fetch(address, LARGEST).await.map_err(|error| {
        Failure::new(
            "data",
            format!("{address} cannot be fetched: {}", scope::describe(&error)),
            "Check the address in data=, and that its server lets this page read it.",
        )
    })?;
    let name = address.split(['?', '#']).next().unwrap_or(address).rsplit('/').next().unwrap_or(address);
    Ok((name.to_owned(), bytes))
}

/// Names and contents of the files that came beside a command.
fn files(name: &str, beside: &JsValue) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let files: &Array =
        beside.dyn_ref().ok_or_else(|| Failure::new("data", format!("{name} is no file"), ANOTHER))?;
    files
        .iter()
        .map(|file| {
            let name = file.dyn_ref::<File>().map_or_else(|| name.to_owned(), File::name);
            let bytes = bytes(&name, &file)?;
            Ok((name, bytes))
        })
        .collect()
}

/// The content of a file, read piece by piece with reports on the way.
///
/// # Errors
/// With code `data` or `memory` if it cannot be read or is too large.
pub fn bytes(name: &str, file: &JsValue) -> Result<Vec<u8>, Failure> {
    let refused = |error: JsValue| {
        Failure::new("data", format!("{name} cannot be read: {}", scope::describe(&error)), ANOTHER)
    };
    let file: &File =
        file.dyn_ref().ok_or_else(|| Failure::new("data", format!("{name} is no file"), ANOTHER))?;
    let total = file.size();
    if total > LARGEST {
        return Err(Failure::new(
            "data",
            format!("{name} has {}, more than the 1 GiB that fits into a page", crate::text::bytes(total)),
            "Take a smaller set (ml-latest-small is a good start), or the command line, which reads files of any size.",
        ));
    }
    if total == 0.0 {
        return Err(Failure::new("data", format!("{name} is empty"), ANOTHER));
    }
    let reader = FileReaderSync::new().map_err(refused)?;
    let mut bytes = Vec::new();
    if bytes.try_reserve_exact(total as usize).is_err() {
        return Err(Failure::new(
            "memory",
            format!("this browser has no room for the {} of {name}", crate::text::bytes(total)),
            "Close other pages, or take a smaller set.",
        ));
    }
    while (bytes.len() as f64) < total {
        let start = bytes.len() as f64;
        let piece = file.slice_with_f64_and_f64(start, (start + PIECE).min(total)).map_err(refused)?;
        let read = Uint8Array::new(&reader.read_as_array_buffer(&piece).map_err(refused)?.into()).to_vec();
        if read.is_empty() {
            return Err(refused("it has changed while it was read".into()));
        }
        bytes.extend(read);
        scope::post(&Report::Reading { done: bytes.len() as f64, total });
    }
    Ok(bytes)
}
