//! Writes a checkpoint in pieces, so that at most one piece of a tensor is copied at a time.

use std::io::{self, Write};
#[cfg(not(target_arch = "wasm32"))]
use std::path::Path;

use safetensors::{
    Dtype,
    tensor::{Metadata, TensorInfo},
};

use super::{CONTEXT, Context, Header, KEY, strings::Strings};
use crate::{
    Error, Result,
    engine::Buffer,
    state::{Frozen, State, Values},
};
#[cfg(not(target_arch = "wasm32"))]
use crate::{engine::Engine, file, watch};

/// Values read from an engine at once: 16 MiB.
#[cfg(not(target_arch = "wasm32"))]
const PIECE: usize = 1 << 22;

/// Writes a checkpoint atomically: if the disk is full, the previous file stays.
///
/// # Errors
/// [`Error::Io`] if it cannot be written; [`Error::Checkpoint`] if names or ids exceed the limits of the
/// format.
#[cfg(not(target_arch = "wasm32"))]
pub fn write(path: &Path, context: &Context, state: &State) -> Result<()> {
    write_frozen(path, context, &state.frozen())
}

/// As [`write()`], directly from the buffers of a run: memory use grows by one piece of a tensor only.
///
/// # Errors
/// As [`write()`]; [`Error::Device`] if the device is lost.
#[cfg(not(target_arch = "wasm32"))]
pub fn write_frozen(path: &Path, context: &Context, frozen: &Frozen) -> Result<()> {
    let layout =
        Layout::of(context, frozen).map_err(|problem| Error::Checkpoint { path: path.into(), problem })?;
    watch::begin("saving", "tensors", layout.parts.len() as u64);
    file::write_with(path, |out| {
        out.write_all(&layout.head)?;
        for part in &layout.parts {
            match (part.content, frozen.engine) {
                (Content::OnEngine(buffer), Some(engine)) => write_buffer(engine, buffer, out)?,
                (content, _) => content.write(out)?,
            }
            watch::advance(1);
        }
        Ok(())
    })
}

#[cfg(not(target_arch = "wasm32"))]
fn write_buffer(engine: &Engine, buffer: &Buffer<u32>, out: &mut dyn Write) -> io::Result<()> {
    for start in (0..buffer.len()).step_by(PIECE) {
        let piece = engine.read_range(buffer, start..buffer.len().min(start + PIECE));
        let piece = pollster::block_on(piece).map_err(io::Error::other)?;
        out.write_all(bytemuck::cast_slice(&piece))?;
    }
    Ok(())
}

/// The bytes of a checkpoint, for platforms without files.
///
/// # Errors
/// [`Error::Data`] if names or ids exceed the limits of the format.
pub fn to_bytes(context: &Context, state: &State) -> Result<Vec<u8>> {
    let frozen = state.frozen();
    let layout = Layout::of(context, &frozen).map_err(Error::Data)?;
    let mut bytes = layout.head;
    let written = layout.parts.iter().try_for_each(|part| part.content.write(&mut bytes));
    written.map_err(|error| Error::Data(error.to_string()))?;
    Ok(bytes)
}

/// The layout of the file: its header, and the tensors in order.
struct Layout<'a> {
    /// The length of the header, followed by the header.
    head: Vec<u8>,
    parts: Vec<Part<'a>>,
}

/// One tensor of the file.
struct Part<'a> {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    content: Content<'a>,
}

/// The source of a tensor's bytes.
#[derive(Clone, Copy)]
enum Content<'a> {
    Floats(&'a [f32]),
    Integers(&'a [u32]),
    OnEngine(&'a Buffer<u32>),
    Strings(Strings<'a>),
    Ends(Strings<'a>),
}

impl Content<'_> {
    fn write(self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Floats(values) => out.write_all(bytemuck::cast_slice(values)),
            Self::Integers(values) => out.write_all(bytemuck::cast_slice(values)),
            Self::Strings(strings) => strings.write_bytes(out),
            Self::Ends(strings) => strings.write_ends(out),
            Self::OnEngine(buffer) => {
                Err(io::Error::other(format!("`{}` is on an engine that is not there", buffer.label())))
            }
        }
    }
}

impl<'a> Layout<'a> {
    fn of(context: &'a Context, frozen: &'a Frozen) -> Result<Self, String> {
        let states = frozen.tensors.iter().map(|(name, tensor)| {
            let (dtype, content) = match &tensor.values {
                Values::Floats(values) => (Dtype::F32, Content::Floats(values)),
                Values::Integers(values) => (Dtype::U32, Content::Integers(values)),
                Values::FloatsOnEngine(buffer) => (Dtype::F32, Content::OnEngine(buffer)),
                Values::IntegersOnEngine(buffer) => (Dtype::U32, Content::OnEngine(buffer)),
            };
            Part { name: name.clone(), dtype, shape: tensor.shape.clone(), content }
        });
        // Four-byte types first, so that every tensor is aligned in the file.
        let (words, bytes): (Vec<_>, Vec<_>) =
            states.chain(context_parts(context)?).partition(|part| part.dtype != Dtype::U8);
        let parts: Vec<Part> = words.into_iter().chain(bytes).collect();
        let mut place = 0;
        let infos = parts.iter().map(|part| {
            let start = place;
            let width = if part.dtype == Dtype::U8 { 1 } else { 4 };
            place += part.shape.iter().product::<usize>() * width;
            let info =
                TensorInfo { dtype: part.dtype, shape: part.shape.clone(), data_offsets: (start, place) };
            (part.name.clone(), info)
        });
        let infos = infos.collect();
        let header = Header::of(context, frozen.progress.clone());
        let header = serde_json::to_string(&header).map_err(|error| error.to_string())?;
        let metadata = Metadata::new(Some([(KEY.to_owned(), header)].into_iter().collect()), infos)
            .map_err(|error| error.to_string())?;
        let mut metadata = serde_json::to_vec(&metadata).map_err(|error| error.to_string())?;
        metadata.resize(metadata.len().next_multiple_of(8), b' ');
        let head = [&(metadata.len() as u64).to_le_bytes()[..], &metadata].concat();
        Ok(Self { head, parts })
    }
}

fn context_parts(context: &Context) -> Result<Vec<Part<'_>>, String> {
    let mut parts = Vec::new();
    let mut part = |name: String, dtype, len, content| {
        parts.push(Part { name: format!("{CONTEXT}{name}"), dtype, shape: vec![len], content });
    };
    let strings = [
        ("items", Some(Strings::Each(&context.items))),
        ("users", Some(Strings::Each(&context.users))),
        ("titles", context.titles.as_ref().map(|titles| Strings::Each(titles))),
        ("genres", context.genres.as_ref().map(|genres| Strings::Genres(genres))),
    ];
    for (name, strings) in strings {
        let Some(strings) = strings else { continue };
        part(format!("{name}.bytes"), Dtype::U8, strings.bytes(name)?, Content::Strings(strings));
        part(format!("{name}.ends"), Dtype::U32, strings.count(), Content::Ends(strings));
    }
    for (name, numbers) in [("offsets", context.histories.offsets()), ("items", context.histories.items())] {
        part(format!("histories.{name}"), Dtype::U32, numbers.len(), Content::Integers(numbers));
    }
    Ok(parts)
}
