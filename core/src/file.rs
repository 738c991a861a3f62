//! Files that are there whole or not at all.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use crate::{Error, Result};

/// Replaces `path` by `bytes`: writes a neighbour, flushes it to the disk, then renames it. A full disk or a
/// kill leaves the old file as it was.
///
/// # Errors
/// [`Error::Io`] if the folder cannot be written; no neighbour is left behind.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut name = path.file_name().map_or_else(OsString::new, OsString::from);
    name.push(".tmp");
    let neighbour = path.with_file_name(name);
    replace(path, &neighbour, bytes).map_err(|error| {
        let _ = fs::remove_file(&neighbour); // it may not exist; the error that matters is the first one
        Error::io("write", path, error)
    })
}

fn replace(path: &Path, neighbour: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(neighbour)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file); // Windows renames closed files alone
    fs::rename(neighbour, path)
}
