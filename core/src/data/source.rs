//! Where bytes come from: a folder, a zip, one file, or memory; gzip is undone on the way.

#[cfg(not(target_arch = "wasm32"))]
use std::path::Path;
use std::{
    borrow::Cow,
    io::{self, Cursor, Read, Seek},
    path::PathBuf,
};

use flate2::bufread::MultiGzDecoder;

use crate::{Error, Result};

/// One file being read.
pub(super) struct Stream<'a> {
    pub(super) name: String,
    pub(super) reader: Box<dyn Read + 'a>,
    packed: bool,
}

impl Stream<'_> {
    /// The error behind a failed read.
    pub(super) fn error(&self, error: io::Error) -> Error {
        self.error_of()(error)
    }

    /// The same, for when the stream itself has been given away.
    pub(super) fn error_of(&self) -> impl Fn(io::Error) -> Error + 'static {
        let (name, packed) = (self.name.clone(), self.packed);
        move |error| {
            if packed {
                let cause =
                    if error.kind() == io::ErrorKind::UnexpectedEof { "is cut short" } else { "is damaged" };
                Error::format(&name, format!("the compressed file {cause} ({error}); fetch or pack it again"))
            } else {
                Error::io("read", PathBuf::from(&name), error)
            }
        }
    }
}

trait Seekable: Read + Seek {}
impl<T: Read + Seek> Seekable for T {}

/// A set of files with names.
pub(super) struct Source<'a> {
    /// What to call the set.
    pub(super) name: String,
    kind: Kind<'a>,
    /// Every file, with `/` between folders.
    pub(super) files: Vec<String>,
    /// The one file that was asked for, if it was one.
    pub(super) asked: Option<String>,
}

enum Kind<'a> {
    Zip(Box<zip::ZipArchive<Box<dyn Seekable + 'a>>>),
    Memory(Vec<(String, Cow<'a, [u8]>)>),
    #[cfg(not(target_arch = "wasm32"))]
    Folder(PathBuf),
}

const ZIP: &[u8] = b"PK\x03\x04";
const GZIP: &[u8] = b"\x1f\x8b";

impl<'a> Source<'a> {
    /// A file in memory: a zip, or a table that may be gzipped.
    pub(super) fn of_bytes(name: &str, bytes: &'a [u8]) -> Result<Self> {
        Self::of_memory(name, bytes.into())
    }

    fn of_memory(name: &str, bytes: Cow<'a, [u8]>) -> Result<Self> {
        if bytes.starts_with(ZIP) {
            return Self::of_zip(name, Box::new(Cursor::new(bytes)));
        }
        let file = base_name(name).to_owned();
        Ok(Self {
            name: set_name(name),
            files: vec![file.clone()],
            kind: Kind::Memory(vec![(file.clone(), bytes)]),
            asked: Some(file),
        })
    }

    /// Files in memory that belong together, as those of a folder do; the largest names the set.
    pub(super) fn of_files(files: &'a [(String, Vec<u8>)]) -> Result<Self> {
        if let [(name, bytes)] = files {
            return Self::of_bytes(name, bytes);
        }
        if let Some((name, _)) = files.iter().find(|(_, bytes)| bytes.starts_with(ZIP)) {
            return Err(Error::format(name, "a zip is a set by itself; give it alone"));
        }
        let largest = files.iter().max_by_key(|(_, bytes)| bytes.len());
        let (name, _) = largest.ok_or_else(|| Error::Data("no files were given".into()))?;
        let mut files: Vec<(String, Cow<'a, [u8]>)> =
            files.iter().map(|(name, bytes)| (base_name(name).to_owned(), bytes.as_slice().into())).collect();
        files.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(Self {
            name: set_name(name),
            files: files.iter().map(|(name, _)| name.clone()).collect(),
            kind: Kind::Memory(files),
            asked: None,
        })
    }

    fn of_zip(name: &str, reader: Box<dyn Seekable + 'a>) -> Result<Self> {
        let archive = zip::ZipArchive::new(reader)
            .map_err(|error| Error::format(name, format!("not a whole zip ({error}); fetch it again")))?;
        let names = archive.file_names().flatten().map(|file| file.into_owned());
        let files = names.filter(|file| !file.ends_with('/')).collect();
        Ok(Self { name: set_name(name), kind: Kind::Zip(Box::new(archive)), files, asked: None })
    }

    /// A folder, a zip, or one file, whose neighbours may hold titles.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn of_path(path: &Path) -> Result<Self> {
        let refused = |error| Error::io("read", path, error);
        let shown = path.display().to_string();
        let metadata = std::fs::metadata(path).map_err(refused)?;
        if metadata.is_dir() {
            let full = path.canonicalize().map_err(refused)?;
            let files = files_below(path)?;
            return Ok(Self {
                name: set_name(&full.to_string_lossy()),
                kind: Kind::Folder(path.into()),
                files,
                asked: None,
            });
        }
        if !metadata.is_file() {
            // A pipe can be read once.
            return Self::of_memory(&shown, std::fs::read(path).map_err(refused)?.into());
        }
        let mut file = std::fs::File::open(path).map_err(refused)?;
        let mut magic = Vec::new();
        file.by_ref().take(ZIP.len() as u64).read_to_end(&mut magic).map_err(refused)?;
        if magic == ZIP {
            return Self::of_zip(
                &shown,
                Box::new(io::BufReader::new(std::fs::File::open(path).map_err(refused)?)),
            );
        }
        let folder = path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
        let asked = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mut files = vec![asked.clone()];
        let here = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
        // Neighbours only help with titles: a folder that cannot be listed is no error.
        for entry in std::fs::read_dir(here).into_iter().flatten().flatten() {
            if entry.path().is_file() && entry.file_name().to_string_lossy() != asked {
                files.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        Ok(Self { name: set_name(&asked), kind: Kind::Folder(folder), files, asked: Some(asked) })
    }

    /// Opens one of [`files`](Self::files).
    pub(super) fn open(&mut self, file: &str) -> Result<Stream<'_>> {
        let packed = matches!(self.kind, Kind::Zip(_));
        let (name, reader): (String, Box<dyn Read + '_>) = match &mut self.kind {
            Kind::Memory(files) => {
                let found = files.iter().find(|(name, _)| name == file);
                let (_, bytes) = found.ok_or_else(|| Error::format(file, "there is no such file"))?;
                (file.to_owned(), Box::new(&bytes[..]))
            }
            Kind::Zip(archive) => {
                let entry = archive.by_name(file).map_err(|error| {
                    Error::format(file, format!("cannot be unpacked from the zip: {error}"))
                })?;
                (file.to_owned(), Box::new(entry))
            }
            #[cfg(not(target_arch = "wasm32"))]
            Kind::Folder(folder) => {
                let path = folder.join(file);
                let reader = std::fs::File::open(&path).map_err(|error| Error::io("read", &path, error))?;
                (path.display().to_string(), Box::new(reader))
            }
        };
        let mut stream = Stream { name, reader, packed };
        let mut head = Vec::new();
        stream.reader.by_ref().take(8).read_to_end(&mut head).map_err(|error| stream.error(error))?;
        let packer = [
            (&b"BZh"[..], "bzip2"),
            (b"\xfd7zXZ", "xz"),
            (b"\x28\xb5\x2f\xfd", "zstd"),
            (b"7z\xbc\xaf", "7-zip"),
            (b"Rar!", "rar"),
        ];
        if let Some((_, packer)) = packer.iter().find(|(magic, _)| head.starts_with(magic)) {
            return Err(Error::format(
                stream.name,
                format!("it is packed with {packer}; unpack it first, or pack it as .gz or .zip"),
            ));
        }
        let gzip = head.starts_with(GZIP);
        let whole = Cursor::new(head).chain(stream.reader);
        stream.reader = if gzip {
            stream.packed = true;
            Box::new(MultiGzDecoder::new(io::BufReader::with_capacity(1 << 16, whole)))
        } else {
            Box::new(whole)
        };
        Ok(stream)
    }
}

/// The last part of a name with `/` or `\` in it.
pub(super) fn base_name(name: &str) -> &str {
    name.rsplit(['/', '\\']).next().unwrap_or(name)
}

/// A file's name without folders and the ending that says how it is packed or written.
fn set_name(name: &str) -> String {
    let mut name = base_name(name);
    for ending in [".gz", ".zip", ".csv", ".tsv", ".txt", ".dat", ".inter", ".parquet", ".jsonl", ".json"] {
        name = name.strip_suffix(ending).unwrap_or(name);
    }
    if name.is_empty() { "data".into() } else { name.into() }
}

/// Files of a folder and of the folders in it, sorted.
#[cfg(not(target_arch = "wasm32"))]
fn files_below(folder: &Path) -> Result<Vec<String>> {
    fn walk(folder: &Path, prefix: &str, depth: u32, files: &mut Vec<String>) -> Result<()> {
        let refused = |error| Error::io("read", folder, error);
        for entry in std::fs::read_dir(folder).map_err(refused)? {
            let entry = entry.map_err(refused)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') {
                continue;
            }
            if !entry.path().is_dir() {
                files.push(format!("{prefix}{name}"));
            } else if depth > 0 {
                walk(&entry.path(), &format!("{prefix}{name}/"), depth - 1, files)?;
            }
        }
        Ok(())
    }
    let mut files = Vec::new();
    walk(folder, "", 1, &mut files)?;
    files.sort();
    Ok(files)
}
