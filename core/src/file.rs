//! Files that are there whole or not at all.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::Path,
};

use crate::{Error, Result};

/// Replaces `path` by `bytes`: writes a neighbour, flushes it to the disk, then renames it. A full disk or a
/// kill leaves the old file as it was.
///
/// # Errors
/// [`Error::Io`] if the folder cannot be written; no neighbour is left behind.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_with(path, |out| out.write_all(bytes))
}

/// The same for content that is made while it is written; `content` gets a buffered writer.
///
/// # Errors
/// As [`write()`].
pub fn write_with(
    path: &Path,
    content: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>,
) -> Result<()> {
    let mut name = path.file_name().map_or_else(OsString::new, OsString::from);
    name.push(".tmp");
    let neighbour = path.with_file_name(name);
    replace(path, &neighbour, content).map_err(|error| {
        let _ = fs::remove_file(&neighbour); // it may not exist; the error that matters is the first one
        Error::io("write", path, error)
    })
}

fn replace(
    path: &Path,
    neighbour: &Path,
    content: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>,
) -> io::Result<()> {
    {
        let mut out = BufWriter::with_capacity(1 << 18, File::create(neighbour)?);
        content(&mut out)?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        // The file closes here: Windows renames closed files alone.
    }
    fs::rename(neighbour, path)
}
