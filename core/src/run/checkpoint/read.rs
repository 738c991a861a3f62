//! Reads a checkpoint tensor by tensor. Sizes in the header are checked against the size of the file before
//! memory is allocated.

use std::{
    io::{Cursor, Read, Seek, SeekFrom},
    path::Path,
    sync::Arc,
};

use rustc_hash::FxHashSet;
use safetensors::{
    Dtype,
    tensor::{Metadata, TensorInfo},
};
use serde_json::Value;

use super::{CONTEXT, Checkpoint, Context, Header, KEY, Summary, strings};
use crate::{
    Error, Result,
    data::Csr,
    run::migrate,
    state::{State, Tensor, TensorData},
};

/// The longest header accepted, in bytes; a limit of the format.
const LONGEST_HEADER: u64 = 100_000_000;
/// Bytes of the header's length, which precedes the header.
const PREFIX: u64 = 8;

/// Reads a checkpoint.
///
/// # Errors
/// [`Error::Io`] if it cannot be read; [`Error::Checkpoint`] if it is damaged, was written by another
/// program, or by a later version.
pub fn read(path: &Path) -> Result<Checkpoint> {
    open(path, |file, size| File::open(file, size)?.checkpoint())
}

/// Reads the header of a checkpoint, without its tensors.
///
/// # Errors
/// As [`read`].
pub fn summary(path: &Path) -> Result<Summary> {
    open(path, |file, size| File::open(file, size).map(|file| file.header.summary()))
}

/// Whether a file begins like those that [`super::write()`] makes.
pub fn is_one(path: &Path) -> bool {
    let head = |path| -> std::io::Result<Value> {
        let mut file = std::fs::File::open(path)?;
        let mut length = [0; PREFIX as usize];
        file.read_exact(&mut length)?;
        let mut header = Vec::new();
        file.take(u64::from_le_bytes(length).min(LONGEST_HEADER)).read_to_end(&mut header)?;
        Ok(serde_json::from_slice(&header)?)
    };
    head(path).is_ok_and(|header| header["__metadata__"][KEY].is_string())
}

/// Reads a checkpoint from memory; `path` is its name in messages.
///
/// # Errors
/// [`Error::Checkpoint`] as for [`read`].
pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Checkpoint> {
    File::open(Cursor::new(bytes), bytes.len() as u64)
        .and_then(File::checkpoint)
        .map_err(|problem| Error::Checkpoint { path: path.into(), problem })
}

fn open<T>(path: &Path, read: impl FnOnce(std::fs::File, u64) -> Result<T, String>) -> Result<T> {
    let refused = |error| Error::io("read", path, error);
    let file = std::fs::File::open(path).map_err(refused)?;
    let metadata = file.metadata().map_err(refused)?;
    if metadata.is_dir() {
        return Err(refused(std::io::ErrorKind::IsADirectory.into()));
    }
    read(file, metadata.len()).map_err(|problem| Error::Checkpoint { path: path.into(), problem })
}

/// An open file whose header has been parsed.
struct File<R> {
    file: R,
    header: Header,
    metadata: Metadata,
    /// Offset of the first tensor.
    start: u64,
}

impl<R: Read + Seek> File<R> {
    fn open(mut file: R, size: u64) -> Result<Self, String> {
        if size == 0 {
            return Err("the file is empty".into());
        }
        let mut prefix = [0; PREFIX as usize];
        let mut text = Vec::new();
        let read = file.read_exact(&mut prefix).and_then(|()| {
            let length = u64::from_le_bytes(prefix).min(size).min(LONGEST_HEADER);
            file.by_ref().take(length).read_to_end(&mut text)
        });
        let damaged = |problem: &str| {
            if text.first() == Some(&b'{') {
                format!("damaged or cut short ({size} bytes; {problem}); take another checkpoint of the run")
            } else {
                "not a safetensors file; give the folder of a run or its model.safetensors".into()
            }
        };
        read.map_err(|error| damaged(&error.to_string()))?;
        let length = u64::from_le_bytes(prefix);
        if length != text.len() as u64 {
            return Err(damaged(&format!("a header of {length} bytes")));
        }
        let metadata: Metadata =
            serde_json::from_slice(&text).map_err(|error| damaged(&error.to_string()))?;
        let start = PREFIX + length;
        let end = start.checked_add(metadata.data_len() as u64);
        if end != Some(size) {
            return Err(damaged(&format!("its tensors take {} bytes after {start}", metadata.data_len())));
        }
        let Some(header) = metadata.metadata().as_ref().and_then(|entries| entries.get(KEY)) else {
            return Err(
                "a safetensors file of another program: it has no `fastvae` entry in its metadata".into()
            );
        };
        let header: Header = migrate::header(header)?;
        Ok(Self { file, header, metadata, start })
    }

    fn checkpoint(mut self) -> Result<Checkpoint, String> {
        let mut state = State { progress: self.header.progress.clone(), ..State::default() };
        let names = self.metadata.offset_keys();
        for name in names.into_iter().filter(|name| !name.starts_with(CONTEXT)) {
            let info = self.info(&name)?;
            let data = match info.dtype {
                Dtype::F32 => {
                    let values: Vec<f32> = self.numbers(&name, &info)?;
                    // Log weights of an index may be negative infinity, for a weight of zero.
                    let fine = |value: &f32| {
                        value.is_finite() || (*value == f32::NEG_INFINITY && name == "index.log_weights")
                    };
                    if !values.iter().all(fine) {
                        return Err(format!(
                            "tensor `{name}` holds numbers that are not finite; take another checkpoint of the run"
                        ));
                    }
                    TensorData::F32(values)
                }
                Dtype::U32 => TensorData::U32(self.numbers(&name, &info)?),
                other => {
                    return Err(format!("tensor `{name}` is of type {other:?}; f32 or u32 was expected"));
                }
            };
            state.tensors.insert(name, Tensor { shape: info.shape, data });
        }
        let context = self.context()?;
        Ok(Checkpoint { context, state })
    }

    fn info(&self, name: &str) -> Result<TensorInfo, String> {
        let info = self.metadata.info(name);
        info.cloned().ok_or_else(|| format!("tensor `{name}` is missing; the file is damaged"))
    }

    /// The values of a tensor, little-endian as the format requires.
    fn numbers<T: bytemuck::Pod>(&mut self, name: &str, info: &TensorInfo) -> Result<Vec<T>, String> {
        let (from, to) = info.data_offsets;
        let mut values =
            bytemuck::allocation::try_zeroed_vec((to - from) / size_of::<T>()).map_err(|()| {
                format!("tensor `{name}` takes {} bytes, and this machine has no memory for that", to - from)
            })?;
        self.file
            .seek(SeekFrom::Start(self.start + from as u64))
            .and_then(|_| self.file.read_exact(bytemuck::cast_slice_mut(&mut values)))
            .map_err(|error| format!("tensor `{name}` cannot be read ({error})"))?;
        Ok(values)
    }

    /// Integers of the context.
    fn part<T: bytemuck::Pod>(&mut self, name: &str, dtype: Dtype) -> Result<Vec<T>, String> {
        let name = format!("{CONTEXT}{name}");
        let info = self.info(&name)?;
        if info.dtype != dtype {
            return Err(format!("tensor `{name}` is of type {:?}; {dtype:?} was expected", info.dtype));
        }
        self.numbers(&name, &info)
    }

    fn strings(&mut self, name: &str) -> Result<Vec<String>, String> {
        let bytes: Vec<u8> = self.part(&format!("{name}.bytes"), Dtype::U8)?;
        let ends: Vec<u32> = self.part(&format!("{name}.ends"), Dtype::U32)?;
        strings::split(name, &bytes, &ends)
    }

    /// Strings that only some data sets have.
    fn optional(&mut self, name: &str) -> Result<Option<Vec<String>>, String> {
        let there = self.metadata.info(&format!("{CONTEXT}{name}.ends")).is_some();
        there.then(|| self.strings(name)).transpose()
    }

    fn context(mut self) -> Result<Context, String> {
        let (items, users) = (self.strings("items")?, self.strings("users")?);
        let (titles, genres) = (self.optional("titles")?, self.optional("genres")?);
        let count = items.len();
        if titles.iter().any(|titles| titles.len() != count) || genres.iter().any(|all| all.len() != count) {
            return Err("titles or genres are not as many as items; the file is damaged".into());
        }
        for (what, ids) in [("item", &items), ("user", &users)] {
            let mut seen = FxHashSet::default();
            if let Some(twice) = ids.iter().find(|id| !seen.insert(id.as_str())) {
                return Err(format!("two of its {what}s have the id {twice:?}; the file is damaged"));
            }
        }
        let offsets = self.part("histories.offsets", Dtype::U32)?;
        let histories = Csr::new(offsets, self.part("histories.items", Dtype::U32)?, count as u32)
            .map_err(|error| format!("its histories are damaged: {error}"))?;
        if histories.rows() != users.len() {
            return Err(format!(
                "{} histories for {} users; the file is damaged",
                histories.rows(),
                users.len()
            ));
        }
        let genres = genres.map(|all| {
            let genres = |joined: &String| {
                joined.split(strings::GENRES).filter(|genre| !genre.is_empty()).map(str::to_owned).collect()
            };
            all.iter().map(genres).collect()
        });
        let Header { config, data, fingerprint, names, metrics, .. } = self.header;
        let (items, users) = (Arc::new(items), Arc::new(users));
        let (titles, genres) = (titles.map(Arc::new), genres.map(Arc::new));
        Ok(Context { config, data, fingerprint, names, items, titles, genres, users, histories, metrics })
    }
}
