//! Atomic file writes: a file is replaced whole or not at all.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{Error, Result};

/// Separates the name of a file from the id of the process that writes it.
const TEMPORARY: &str = ".tmp.";

/// Replaces the content of `path` by `bytes`: writes a temporary file beside it, flushes it to the disk, then
/// renames it. If the disk is full or the process is killed, the old file stays as it was.
///
/// # Errors
/// [`Error::Io`] if the folder cannot be written; the temporary file is removed.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_with(path, |out| out.write_all(bytes))
}

/// As [`write()`], for content that is produced while it is written; `content` gets a buffered writer.
///
/// The temporary file is new and belongs to this call alone (`NAME.tmp.PROCESS.NUMBER`), so two processes
/// that write the same file do not mix their output. A path that is not a regular file (a pipe, a device) is
/// written directly; of a symbolic link, the file that it names is replaced.
///
/// # Errors
/// As [`write()`], and any error of `content`; an [`Error`] inside its [`io::Error`] is returned unchanged.
pub fn write_with(
    path: &Path,
    content: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>,
) -> Result<()> {
    let failed = |error: io::Error| error.downcast().unwrap_or_else(|error| Error::io("write", path, error));
    if fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        let mut out = BufWriter::new(OpenOptions::new().write(true).open(path).map_err(failed)?);
        return content(&mut out).and_then(|()| out.flush()).map_err(failed);
    }
    // A symbolic link stays: the file that it names is replaced.
    let linked = fs::symlink_metadata(path).is_ok_and(|there| there.is_symlink());
    let named = if linked { target_of(path).map_err(failed)? } else { path.to_owned() };
    let (neighbour, file) = create_neighbour(&named).map_err(failed)?;
    fill(file, content).and_then(|()| fs::rename(&neighbour, &named)).map_err(|error| {
        let _ = fs::remove_file(&neighbour); // the error that matters is the first one
        failed(error)
    })?;
    sync_folder(&named)
}

/// The file that a symbolic link names in the end, which need not exist.
fn target_of(link: &Path) -> io::Result<PathBuf> {
    const MOST_LINKS: u32 = 40;
    let mut path = link.to_owned();
    for _ in 0..MOST_LINKS {
        match fs::read_link(&path) {
            Ok(next) => path = path.parent().unwrap_or(Path::new("")).join(next),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many symbolic links that name one another"))
}

fn fill(file: File, content: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 18, file);
    content(&mut out)?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    // The file closes here: Windows renames closed files only.
}

/// Creates a new temporary file beside `path`.
fn create_neighbour(path: &Path) -> io::Result<(PathBuf, File)> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    loop {
        let mut name = path.file_name().map_or_else(OsString::new, OsString::from);
        name.push(format!("{TEMPORARY}{}.{}", process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)));
        let neighbour = path.with_file_name(name);
        match OpenOptions::new().write(true).create_new(true).open(&neighbour) {
            Ok(file) => return Ok((neighbour, file)),
            // Left by an earlier process with the same id, which was killed.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Whether a file is a temporary file that [`write_with`] makes for `name`; it remains if the process is
/// killed.
pub fn is_temporary_of(file: &OsStr, name: &str) -> bool {
    let file = file.to_string_lossy();
    let process = file.strip_prefix(name).and_then(|rest| rest.strip_prefix(TEMPORARY));
    process.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
}

/// Renames a complete file that is on the disk, such that the new name also survives a loss of power.
///
/// # Errors
/// [`Error::Io`] if it cannot be renamed.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(|error| Error::io("write", to, error))?;
    sync_folder(to)
}

/// Flushes the folder of `path` to the disk: a file's name is stored in its folder.
///
/// # Errors
/// [`Error::Io`] if the disk fails.
pub fn sync_folder(path: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        match File::open(folder).and_then(|folder| folder.sync_all()) {
            // Some file systems do not support this, and some folders may be written but not read.
            Err(error)
                if !matches!(
                    error.kind(),
                    io::ErrorKind::InvalidInput
                        | io::ErrorKind::Unsupported
                        | io::ErrorKind::PermissionDenied
                ) =>
            {
                return Err(Error::io("write", folder, error));
            }
            _ => {}
        }
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_new_and_known_by_their_names() {
        let folder = std::env::temp_dir().join(format!("fastvae-file-{}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("a.txt");
        // A temporary file that a killed process left must not be reused.
        let stale = folder.join(format!("a.txt.tmp.{}.0", process::id()));
        fs::write(&stale, "stale").unwrap();
        write(&path, b"whole").unwrap();
        assert_eq!(
            (fs::read(&path).unwrap(), fs::read(&stale).unwrap()),
            (b"whole".to_vec(), b"stale".to_vec())
        );
        assert!(is_temporary_of(stale.file_name().unwrap(), "a.txt"));
        assert!(!is_temporary_of(OsStr::new("a.txt.tmp.notes"), "a.txt"));
        assert!(!is_temporary_of(OsStr::new("a.txt"), "a.txt"));
        let failed = write_with(&path, |out| {
            out.write_all(b"half").unwrap();
            Err(io::Error::other(Error::Interrupted))
        });
        assert!(matches!(failed, Err(Error::Interrupted)));
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    #[cfg(unix)]
    fn links_stay_links() {
        let folder = std::env::temp_dir().join(format!("fastvae-link-{}", process::id()));
        fs::create_dir_all(folder.join("inner")).unwrap();
        let (first, second) = (folder.join("first"), folder.join("second"));
        std::os::unix::fs::symlink("second", &first).unwrap();
        std::os::unix::fs::symlink("inner/real", &second).unwrap();
        for content in [b"one", b"two"] {
            write(&first, content).unwrap();
            assert!(fs::symlink_metadata(&first).unwrap().is_symlink());
            assert_eq!(fs::read(folder.join("inner/real")).unwrap(), content);
        }
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    #[cfg(unix)]
    fn devices_stay_devices() {
        write(Path::new("/dev/null"), b"gone").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
}
