//! Sources of bytes: a folder, a zip or tar, one file, or memory; gzip is decompressed transparently.

#[cfg(not(target_arch = "wasm32"))]
use std::path::Path;
use std::{
    borrow::Cow,
    io::{self, Cursor, Read, Seek},
    path::PathBuf,
};

#[cfg(feature = "forms")]
use super::tar;
use super::{
    foreign::{self, base_name},
    unpack::{Bounded, GZIP, Gunzip, Refusal},
};
use crate::{Error, Result};

/// A file that is being read.
pub(super) struct Stream<'a> {
    pub(super) name: String,
    pub(super) reader: Box<dyn Read + 'a>,
    packed: bool,
    /// The kind of archive that it lies in.
    pub(super) archive: Option<&'static str>,
    /// Where it lies as it is, neither packed nor in an archive.
    #[cfg(feature = "parquet")]
    pub(super) path: Option<PathBuf>,
}

impl Stream<'_> {
    /// Whether it is unpacked while it is read.
    #[cfg(feature = "parquet")]
    pub(super) fn is_packed(&self) -> bool {
        self.packed
    }

    /// The library error for a failed read.
    pub(super) fn error(&self, error: io::Error) -> Error {
        self.error_of()(error)
    }

    /// As above, for use after the stream has been moved.
    pub(super) fn error_of(&self) -> impl Fn(io::Error) -> Error + 'static {
        let (name, packed) = (self.name.clone(), self.packed);
        move |error| {
            let refused = error.get_ref().is_some_and(|inner| inner.is::<Refusal>());
            let problem = match error.kind() {
                _ if refused => error.to_string(),
                io::ErrorKind::OutOfMemory => {
                    "it must be in memory as a whole, and this machine has too little".to_owned()
                }
                io::ErrorKind::UnexpectedEof if packed => {
                    format!("the compressed file is cut short ({error}); fetch or pack it again")
                }
                _ if packed => format!("the compressed file is damaged ({error}); fetch or pack it again"),
                _ => return Error::io("read", PathBuf::from(&name), error),
            };
            Error::format(&name, problem)
        }
    }

    /// The whole content, at most `limit` bytes.
    pub(super) fn read_all(&mut self, limit: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = self.reader.by_ref().take(limit + 1).read_to_end(&mut bytes);
        read.map_err(|error| self.error(error))?;
        if bytes.len() as u64 > limit {
            let problem = format!("longer than {} MiB, which such a file never is", limit >> 20);
            return Err(Error::format(&self.name, problem));
        }
        Ok(bytes)
    }
}

trait Seekable: Read + Seek {}
impl<T: Read + Seek> Seekable for T {}

/// A collection of named files.
pub(super) struct Source<'a> {
    /// Name of the data set.
    pub(super) name: String,
    kind: Kind<'a>,
    /// The names of all files, with `/` between folders.
    pub(super) files: Vec<String>,
    /// The requested file, if a single file was requested.
    pub(super) asked: Option<String>,
}

enum Kind<'a> {
    #[cfg(feature = "forms")]
    Tar(tar::Archive<'a>),
    Zip(Box<zip::ZipArchive<Box<dyn Seekable + 'a>>>),
    Memory(Vec<(String, Cow<'a, [u8]>)>),
    /// A pipe, which can be read once.
    #[cfg(not(target_arch = "wasm32"))]
    Pipe(Option<Box<dyn Read>>),
    /// The path of each file: a name that is not UTF-8 cannot be converted back to its path.
    #[cfg(not(target_arch = "wasm32"))]
    Paths(Vec<PathBuf>),
}

const ZIP: &[u8] = b"PK\x03\x04";

impl<'a> Source<'a> {
    /// A file in memory: a zip, or a table that may be gzipped.
    pub(super) fn of_bytes(name: &str, bytes: &'a [u8]) -> Result<Self> {
        Self::of_memory(name, bytes.into())
    }

    fn of_memory(name: &str, bytes: Cow<'a, [u8]>) -> Result<Self> {
        if bytes.starts_with(ZIP) {
            return Self::of_zip(name, Box::new(Cursor::new(bytes)));
        }
        #[cfg(feature = "forms")]
        if let Some(packed) = tar_in(&bytes[..]) {
            let shared = std::rc::Rc::new(bytes);
            let open = move || Ok(Box::new(Shared { bytes: shared.clone(), at: 0 }) as Box<dyn Read>);
            return Self::of_tar(name, Box::new(open), packed);
        }
        let file = base_name(name).to_owned();
        Ok(Self {
            name: set_name(name),
            files: vec![file.clone()],
            kind: Kind::Memory(vec![(file.clone(), bytes)]),
            asked: Some(file),
        })
    }

    /// Several files in memory, treated like those of a folder; the largest one names the data set.
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
        let files: Vec<String> = names.filter(|file| !file.ends_with('/')).collect();
        if let Some(problem) = foreign::office(files.iter().map(String::as_str), name) {
            return Err(Error::format(name, problem));
        }
        Ok(Self { name: set_name(name), kind: Kind::Zip(Box::new(archive)), files, asked: None })
    }

    #[cfg(feature = "forms")]
    fn of_tar(name: &str, open: tar::Opener<'a>, packed: bool) -> Result<Self> {
        let archive = tar::Archive::new(open, packed).map_err(|error| {
            let refused = error.get_ref().is_some_and(|inner| inner.is::<Refusal>());
            let problem = format!("not a whole tar archive ({error}); fetch it again");
            Error::format(name, if refused { error.to_string() } else { problem })
        })?;
        let files: Vec<String> = archive.members.iter().map(|member| member.name.clone()).collect();
        if files.is_empty() {
            return Err(Error::format(name, "a tar archive without files"));
        }
        Ok(Self { name: set_name(name), kind: Kind::Tar(archive), files, asked: None })
    }

    /// What kind of collection it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self.kind {
            #[cfg(feature = "forms")]
            Kind::Tar(_) => "tar archive",
            Kind::Zip(_) => "zip",
            _ => "folder",
        }
    }

    /// A folder, an archive, or one file, beside which there may be a file of titles.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn of_path(path: &Path) -> Result<Self> {
        let refused = |error| Error::io("read", path, error);
        let shown = path.display().to_string();
        let metadata = std::fs::metadata(path).map_err(refused)?;
        if metadata.is_dir() {
            let full = path.canonicalize().map_err(refused)?;
            let (files, paths) = files_below(path)?.into_iter().unzip();
            let name = set_name(&full.to_string_lossy());
            return Ok(Self { name, kind: Kind::Paths(paths), files, asked: None });
        }
        let mut file = std::fs::File::open(path).map_err(refused)?;
        let mut magic = Vec::new();
        file.by_ref().take(ZIP.len() as u64).read_to_end(&mut magic).map_err(refused)?;
        let shown_name = |path: &Path| {
            path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
        };
        let asked = shown_name(path);
        if !metadata.is_file() {
            let mut reader = Cursor::new(magic.clone()).chain(file);
            if magic != ZIP {
                let kind = Kind::Pipe(Some(Box::new(reader)));
                return Ok(Self {
                    name: set_name(&asked),
                    kind,
                    files: vec![asked.clone()],
                    asked: Some(asked),
                });
            }
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).map_err(refused)?;
            return Self::of_memory(&shown, bytes.into());
        }
        if magic == ZIP {
            return Self::of_zip(
                &shown,
                Box::new(io::BufReader::new(std::fs::File::open(path).map_err(refused)?)),
            );
        }
        #[cfg(feature = "forms")]
        if let Some(packed) = tar_in(std::fs::File::open(path).map_err(refused)?) {
            let whole = path.to_owned();
            let open =
                move || Ok(Box::new(io::BufReader::new(std::fs::File::open(&whole)?)) as Box<dyn Read>);
            return Self::of_tar(&shown, Box::new(open), packed);
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let (mut files, mut paths) = (vec![asked.clone()], vec![path.to_owned()]);
        // Other files of the folder only provide titles, so a folder that cannot be listed is not an error.
        for entry in std::fs::read_dir(folder.unwrap_or(Path::new("."))).into_iter().flatten().flatten() {
            let neighbour =
                folder.map_or_else(|| entry.file_name().into(), |folder| folder.join(entry.file_name()));
            if neighbour.is_file() && entry.file_name() != path.file_name().unwrap_or_default() {
                files.push(shown_name(&neighbour));
                paths.push(neighbour);
            }
        }
        Ok(Self { name: set_name(&asked), kind: Kind::Paths(paths), files, asked: Some(asked) })
    }

    /// Opens one of [`files`](Self::files).
    pub(super) fn open(&mut self, file: &str) -> Result<Stream<'_>> {
        let archive = match self.kind {
            Kind::Memory(_) => None,
            Kind::Zip(_) => Some("zip"),
            #[cfg(feature = "forms")]
            Kind::Tar(_) => Some("tar archive"),
            #[cfg(not(target_arch = "wasm32"))]
            _ => None,
        };
        let packed = archive.is_some();
        #[cfg(feature = "parquet")]
        let mut there = None;
        let (name, reader): (String, Box<dyn Read + '_>) = match &mut self.kind {
            Kind::Memory(files) => {
                let found = files.iter().find(|(name, _)| name == file);
                let (_, bytes) = found.ok_or_else(|| Error::format(file, "there is no such file"))?;
                (file.to_owned(), Box::new(&bytes[..]))
            }
            #[cfg(feature = "forms")]
            Kind::Tar(archive) => {
                let reader = archive.read(file).map_err(|error| {
                    Error::format(file, format!("cannot be unpacked from the tar archive: {error}"))
                })?;
                (file.to_owned(), reader)
            }
            Kind::Zip(archive) => {
                let entry = archive.by_name(file).map_err(|error| {
                    Error::format(file, format!("cannot be unpacked from the zip: {error}"))
                })?;
                let packed = entry.compressed_size();
                (file.to_owned(), Box::new(Bounded::new(entry, packed)))
            }
            #[cfg(not(target_arch = "wasm32"))]
            Kind::Pipe(reader) => {
                let reader =
                    reader.take().ok_or_else(|| Error::format(file, "a pipe, which can be read once"))?;
                (file.to_owned(), reader)
            }
            #[cfg(not(target_arch = "wasm32"))]
            Kind::Paths(paths) => {
                let place = self.files.iter().position(|name| name == file);
                let path = place.map_or_else(|| PathBuf::from(file), |place| paths[place].clone());
                let reader = std::fs::File::open(&path).map_err(|error| Error::io("read", &path, error))?;
                let name = path.display().to_string();
                #[cfg(feature = "parquet")]
                {
                    there = Some(path);
                }
                (name, Box::new(reader))
            }
        };
        let mut stream = Stream {
            name,
            reader,
            packed,
            archive,
            #[cfg(feature = "parquet")]
            path: there,
        };
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
            Box::new(Gunzip::new(whole))
        } else {
            Box::new(whole)
        };
        Ok(stream)
    }
}

/// Whether bytes are a tar archive; if so, whether it is packed with gzip.
#[cfg(feature = "forms")]
fn tar_in(reader: impl Read) -> Option<bool> {
    const HEAD: u64 = 512;
    let mut head = Vec::new();
    let mut reader = io::BufReader::new(reader);
    reader.by_ref().take(HEAD).read_to_end(&mut head).ok()?;
    if !head.starts_with(GZIP) {
        return tar::is_tar(&head).then_some(false);
    }
    let mut unpacked = Vec::new();
    // A damaged file is reported when it is read.
    let _ = Gunzip::new(Cursor::new(head).chain(reader)).take(HEAD).read_to_end(&mut unpacked);
    tar::is_tar(&unpacked).then_some(true)
}

/// Bytes that several readers share.
#[cfg(feature = "forms")]
struct Shared<'a> {
    bytes: std::rc::Rc<Cow<'a, [u8]>>,
    at: usize,
}

#[cfg(feature = "forms")]
impl Read for Shared<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = (&self.bytes[self.at..]).read(buffer)?;
        self.at += count;
        Ok(count)
    }
}

/// A file's name without folders and without extensions for compression and format.
fn set_name(name: &str) -> String {
    let mut name = base_name(name);
    for ending in [
        ".gz", ".zip", ".tar", ".tgz", ".npz", ".npy", ".mat", ".mtx", ".csv", ".tsv", ".txt", ".dat",
        ".inter", ".parquet", ".jsonl", ".json",
    ] {
        name = name.strip_suffix(ending).unwrap_or(name);
    }
    if name.is_empty() { "data".into() } else { name.into() }
}

/// The files of a folder and its subfolders, sorted: name and path of each.
#[cfg(not(target_arch = "wasm32"))]
fn files_below(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    fn walk(folder: &Path, prefix: &str, depth: u32, files: &mut Vec<(String, PathBuf)>) -> Result<()> {
        let refused = |error| Error::io("read", folder, error);
        for entry in std::fs::read_dir(folder).map_err(refused)? {
            let path = entry.map_err(refused)?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if name.starts_with('.') {
                continue;
            }
            if !path.is_dir() {
                files.push((format!("{prefix}{name}"), path));
            } else if name.contains('=') {
                // A partition, as Hive names it: its files are part of the set.
                walk(&path, &format!("{prefix}{name}/"), depth, files)?;
            } else if depth > 0 {
                walk(&path, &format!("{prefix}{name}/"), depth - 1, files)?;
            }
        }
        Ok(())
    }
    let mut files = Vec::new();
    walk(folder, "", 1, &mut files)?;
    files.sort();
    Ok(files)
}
