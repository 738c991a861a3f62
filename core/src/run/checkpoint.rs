//! Checkpoints: safetensors that any tool reads, with all that is needed to recommend, measure and go on.
//!
//! The parameters are plain tensors under the names of [`State`]. What surrounds them is in the file too:
//! ids, titles and genres of the items, ids and histories of the users as `context.*` tensors (strings as
//! bytes and the place where each ends), and every setting as JSON under the metadata key `fastvae`.

mod strings;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use safetensors::{
    Dtype, SafeTensors,
    tensor::{Metadata, TensorInfo, TensorView},
};
use serde::{Deserialize, Serialize};

use super::{RunConfig, fingerprint, migrate};
use crate::{
    Error, Result,
    data::{Csr, Dataset},
    file,
    model::ModelKind,
    state::{Progress, State, Tensor, TensorData},
};

/// The metadata key of the settings.
const KEY: &str = "fastvae";
/// Prefix of the tensors that are no parameters.
const CONTEXT: &str = "context.";

/// What a model was made from and for. A clone shares names and histories.
#[derive(Clone, Debug, PartialEq)]
pub struct Context {
    /// Every setting of the run.
    pub config: RunConfig,
    /// The name of the data set.
    pub data: String,
    /// Of the interactions and their ids after all filters: [`fingerprint`].
    pub fingerprint: String,
    /// Item ids; item `i` of the model is `items[i]`.
    pub items: Arc<Vec<String>>,
    /// A title for each item, where the set has titles.
    pub titles: Option<Arc<Vec<String>>>,
    /// Genres of each item, where the set has genres.
    pub genres: Option<Arc<Vec<Vec<String>>>>,
    /// User ids; row `u` of `histories` is `users[u]`.
    pub users: Arc<Vec<String>>,
    /// All interactions of each user, whatever part of the split they are in.
    pub histories: Csr,
    /// What the model reached on the validation part, by name: `ndcg@50`.
    pub metrics: BTreeMap<String, f64>,
}

/// A checkpoint in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// What the model was made from.
    pub context: Context,
    /// The parameters, and for a run that may go on, everything else it needs.
    pub state: State,
}

/// The JSON under [`KEY`].
#[derive(Serialize, Deserialize)]
struct Header {
    version: u64,
    kind: ModelKind,
    config: RunConfig,
    data: String,
    fingerprint: String,
    metrics: BTreeMap<String, f64>,
    progress: Progress,
}

impl Context {
    /// The context of a run on `dataset`.
    pub fn new(config: RunConfig, dataset: &Dataset) -> Self {
        Self {
            config,
            data: dataset.name.clone(),
            fingerprint: fingerprint(dataset),
            items: Arc::new(dataset.items.clone()),
            titles: dataset.titles.clone().map(Arc::new),
            genres: dataset.genres.clone().map(Arc::new),
            users: Arc::new(dataset.users.clone()),
            histories: dataset.interactions.clone(),
            metrics: BTreeMap::new(),
        }
    }
}

/// Writes a checkpoint, whole or not at all: a full disk leaves the file that was there.
///
/// # Errors
/// [`Error::Io`] if it cannot be written; [`Error::Checkpoint`] if names or ids are more than the format holds.
pub fn write(path: &Path, context: &Context, state: &State) -> Result<()> {
    let named = |problem: String| Error::Checkpoint { path: path.into(), problem };
    encode(context, state, |parts| {
        file::write_with(path, |file| parts.iter().try_for_each(|part| file.write_all(part)))
    })
    .map_err(named)?
}

/// The bytes of a checkpoint, where there are no files.
///
/// # Errors
/// [`Error::Data`] if names or ids are more than the format holds.
pub fn to_bytes(context: &Context, state: &State) -> Result<Vec<u8>> {
    encode(context, state, |parts| parts.concat()).map_err(Error::Data)
}

/// Hands the parts of the file in order to `write`.
fn encode<R>(context: &Context, state: &State, write: impl FnOnce(&[&[u8]]) -> R) -> Result<R, String> {
    let header = Header {
        version: migrate::VERSION,
        kind: context.config.model.kind(),
        config: context.config.clone(),
        data: context.data.clone(),
        fingerprint: context.fingerprint.clone(),
        metrics: context.metrics.clone(),
        progress: state.progress.clone(),
    };
    let header = serde_json::to_string(&header).map_err(|error| error.to_string())?;
    let extra = context_tensors(context)?;
    let tensors: Vec<(&str, Dtype, &[usize], &[u8])> = state
        .tensors
        .iter()
        .map(|(name, tensor)| {
            let (dtype, bytes) = bytes_of(&tensor.data);
            (name.as_str(), dtype, tensor.shape.as_slice(), bytes)
        })
        .chain(extra.iter().map(|(name, part)| {
            let (dtype, bytes) = part.bytes();
            (name.as_str(), dtype, part.shape(), bytes)
        }))
        .collect();
    // Four-byte numbers first, so that every tensor is aligned in the file.
    let (words, bytes): (Vec<_>, Vec<_>) = tensors.into_iter().partition(|tensor| tensor.1 != Dtype::U8);
    let ordered: Vec<_> = words.into_iter().chain(bytes).collect();
    let mut place = 0;
    let infos = ordered
        .iter()
        .map(|&(name, dtype, shape, bytes)| {
            let start = place;
            place += bytes.len();
            (name.to_owned(), TensorInfo { dtype, shape: shape.to_vec(), data_offsets: (start, place) })
        })
        .collect();
    let metadata = Metadata::new(Some([(KEY.to_owned(), header)].into_iter().collect()), infos)
        .map_err(|error| error.to_string())?;
    let mut metadata = serde_json::to_vec(&metadata).map_err(|error| error.to_string())?;
    metadata.resize(metadata.len().next_multiple_of(8), b' ');
    let length = (metadata.len() as u64).to_le_bytes();
    let parts: Vec<&[u8]> =
        [&length[..], &metadata].into_iter().chain(ordered.iter().map(|tensor| tensor.3)).collect();
    Ok(write(&parts))
}

/// Reads a checkpoint.
///
/// # Errors
/// [`Error::Io`] if it cannot be read; [`Error::Checkpoint`] if it is damaged, of another program, or of a
/// later version.
pub fn read(path: &Path) -> Result<Checkpoint> {
    let bytes = std::fs::read(path).map_err(|error| Error::io("read", path, error))?;
    from_bytes(path, &bytes)
}

/// Reads a checkpoint from memory; `path` is what messages call it.
///
/// # Errors
/// [`Error::Checkpoint`] as for [`read`].
pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Checkpoint> {
    parse(bytes).map_err(|problem| Error::Checkpoint { path: path.into(), problem })
}

fn parse(bytes: &[u8]) -> Result<Checkpoint, String> {
    if bytes.is_empty() {
        return Err("the file is empty".into());
    }
    let (_, metadata) =
        SafeTensors::read_metadata(bytes).map_err(|error| not_safetensors(bytes, &error.to_string()))?;
    let tensors =
        SafeTensors::deserialize(bytes).map_err(|error| not_safetensors(bytes, &error.to_string()))?;
    let Some(header) = metadata.metadata().as_ref().and_then(|entries| entries.get(KEY)) else {
        return Err("a safetensors file of another program: it has no `fastvae` entry in its metadata".into());
    };
    let header: Header = migrate::header(header)?;
    let mut state = State { progress: header.progress, ..State::default() };
    for (name, view) in tensors.iter().filter(|(name, _)| !name.starts_with(CONTEXT)) {
        let data = match view.dtype() {
            Dtype::F32 => {
                let values: Vec<f32> = words(&view);
                // Weights of an index may be the logarithm of nothing.
                if !name.starts_with("index.") && values.iter().any(|value| !value.is_finite()) {
                    return Err(format!(
                        "tensor `{name}` holds numbers that are not finite; take another checkpoint of the run"
                    ));
                }
                TensorData::F32(values)
            }
            Dtype::U32 => TensorData::U32(words(&view)),
            other => return Err(format!("tensor `{name}` is of type {other:?}; f32 or u32 was expected")),
        };
        state.tensors.insert(name.to_owned(), Tensor { shape: view.shape().to_vec(), data });
    }
    let context = context(&tensors, header.config, header.data, header.fingerprint, header.metrics)?;
    Ok(Checkpoint { context, state })
}

/// Tells a damaged file from a foreign one.
fn not_safetensors(bytes: &[u8], problem: &str) -> String {
    let looks_like_one = bytes.get(8) == Some(&b'{');
    if looks_like_one {
        format!("damaged or cut short ({} bytes; {problem}); take another checkpoint of the run", bytes.len())
    } else {
        "not a safetensors file; give the folder of a run or its model.safetensors".into()
    }
}

/// A tensor of the context: strings or numbers.
enum Part {
    Bytes(Vec<u8>, [usize; 1]),
    Words(Vec<u32>, [usize; 1]),
}

impl Part {
    fn bytes(&self) -> (Dtype, &[u8]) {
        match self {
            Self::Bytes(values, _) => (Dtype::U8, values),
            Self::Words(values, _) => (Dtype::U32, bytemuck::cast_slice(values)),
        }
    }

    fn shape(&self) -> &[usize] {
        match self {
            Self::Bytes(_, shape) | Self::Words(_, shape) => shape,
        }
    }
}

fn bytes_of(data: &TensorData) -> (Dtype, &[u8]) {
    match data {
        TensorData::F32(values) => (Dtype::F32, bytemuck::cast_slice(values)),
        TensorData::U32(values) => (Dtype::U32, bytemuck::cast_slice(values)),
    }
}

/// Little-endian words of a view, which need not be aligned.
fn words<T: bytemuck::AnyBitPattern>(view: &TensorView<'_>) -> Vec<T> {
    view.data().chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned).collect()
}

fn context_tensors(context: &Context) -> Result<Vec<(String, Part)>, String> {
    let mut parts = Vec::new();
    let words = |values: &[u32]| Part::Words(values.to_vec(), [values.len()]);
    let mut strings = |name: &str, values: &mut dyn Iterator<Item = &str>| -> Result<(), String> {
        let (bytes, ends) = strings::join(name, values)?;
        let (bytes_len, ends_len) = ([bytes.len()], [ends.len()]);
        parts.push((format!("{CONTEXT}{name}.bytes"), Part::Bytes(bytes, bytes_len)));
        parts.push((format!("{CONTEXT}{name}.ends"), Part::Words(ends, ends_len)));
        Ok(())
    };
    strings("items", &mut context.items.iter().map(String::as_str))?;
    strings("users", &mut context.users.iter().map(String::as_str))?;
    if let Some(titles) = &context.titles {
        strings("titles", &mut titles.iter().map(String::as_str))?;
    }
    if let Some(genres) = &context.genres {
        let joined: Vec<String> = genres.iter().map(|genres| genres.join(strings::GENRES)).collect();
        strings("genres", &mut joined.iter().map(String::as_str))?;
    }
    parts.push((format!("{CONTEXT}histories.offsets"), words(context.histories.offsets())));
    parts.push((format!("{CONTEXT}histories.items"), words(context.histories.items())));
    Ok(parts)
}

fn context(
    tensors: &SafeTensors<'_>,
    config: RunConfig,
    data: String,
    fingerprint: String,
    metrics: BTreeMap<String, f64>,
) -> Result<Context, String> {
    let view = |name: &str, dtype: Dtype| -> Result<TensorView<'_>, String> {
        let name = format!("{CONTEXT}{name}");
        match tensors.tensor(&name) {
            Ok(view) if view.dtype() == dtype => Ok(view),
            Ok(view) => Err(format!("tensor `{name}` is of type {:?}; {dtype:?} was expected", view.dtype())),
            Err(_) => Err(format!("tensor `{name}` is missing; the file is damaged")),
        }
    };
    let strings = |name: &str| -> Result<Vec<String>, String> {
        let bytes = view(&format!("{name}.bytes"), Dtype::U8)?;
        let ends: Vec<u32> = words(&view(&format!("{name}.ends"), Dtype::U32)?);
        strings::split(name, bytes.data(), &ends)
    };
    let has = |name: &str| tensors.tensor(&format!("{CONTEXT}{name}.ends")).is_ok();
    let items = strings("items")?;
    let users = strings("users")?;
    let titles = has("titles").then(|| strings("titles")).transpose()?;
    let genres = has("genres").then(|| strings("genres")).transpose()?;
    let count = items.len();
    if titles.iter().any(|titles| titles.len() != count) || genres.iter().any(|all| all.len() != count) {
        return Err("titles or genres are not as many as items; the file is damaged".into());
    }
    let histories = Csr::new(
        words(&view("histories.offsets", Dtype::U32)?),
        words(&view("histories.items", Dtype::U32)?),
        count as u32,
    )
    .map_err(|error| format!("its histories are damaged: {error}"))?;
    if histories.rows() != users.len() {
        return Err(format!("{} histories for {} users; the file is damaged", histories.rows(), users.len()));
    }
    let genres = genres.map(|all| {
        let genres = |joined: &String| {
            joined.split(strings::GENRES).filter(|genre| !genre.is_empty()).map(str::to_owned).collect()
        };
        all.iter().map(genres).collect()
    });
    Ok(Context {
        config,
        data,
        fingerprint,
        items: Arc::new(items),
        titles: titles.map(Arc::new),
        genres: genres.map(Arc::new),
        users: Arc::new(users),
        histories,
        metrics,
    })
}
