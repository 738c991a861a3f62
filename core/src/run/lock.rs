//! A lock that lets one process at a time use a folder. It is a file lock of the system, so it ends with the
//! process, even if that is killed.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

const NAME: &str = ".lock";

/// A locked folder; unlocked when this is dropped.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    /// The locked file; `None` if the file system does not support locks.
    _file: File,
}

/// Whether a file in a folder is its lock file.
pub fn is_lock(name: &std::ffi::OsStr) -> bool {
    name == NAME
}

impl Lock {
    /// Locks an existing folder; returns a description of the other process if one holds the lock.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn take(folder: &Path) -> io::Result<Result<Self, String>> {
        let path = folder.join(NAME);
        loop {
            let mut options = OpenOptions::new();
            let mut file = options.create(true).read(true).write(true).truncate(false).open(&path)?;
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => return Ok(Err(owner(file))),
                Err(TryLockError::Error(error)) if error.kind() != io::ErrorKind::Unsupported => {
                    return Err(error);
                }
                _ => {}
            }
            // The previous holder removes the file when it ends. A lock on a removed file excludes no one, so
            // lock the new file.
            if !is_same(&file, &path) {
                continue;
            }
            file.set_len(0)?;
            write!(file, "{}", std::process::id())?;
            return Ok(Ok(Self { path, _file: file }));
        }
    }

    /// A description of the process that holds the lock of a folder, if there is one.
    pub fn owner(folder: &Path) -> Option<String> {
        let file = File::open(folder.join(NAME)).ok()?;
        matches!(file.try_lock(), Err(TryLockError::WouldBlock)).then(|| owner(file))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A remaining file is harmless: it is not locked.
        let _ = fs::remove_file(&self.path);
    }
}

fn owner(mut file: File) -> String {
    let mut process = String::new();
    match file.read_to_string(&mut process) {
        Ok(_) if process.bytes().all(|byte| byte.is_ascii_digit()) && !process.is_empty() => {
            format!("process {process}")
        }
        _ => "another process".into(),
    }
}

#[cfg(unix)]
fn is_same(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(open), Ok(there)) => (open.dev(), open.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_same(_: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_nothing_left() {
        let folder = std::env::temp_dir().join(format!("fastvae-lock-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let lock = Lock::take(&folder).unwrap().ok().unwrap();
        let own = format!("process {}", std::process::id());
        assert_eq!(Lock::take(&folder).unwrap().err(), Some(own.clone()));
        assert_eq!(Lock::owner(&folder), Some(own));
        drop(lock);
        assert_eq!(Lock::owner(&folder), None);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        // A lock file that a killed process left does not lock the folder.
        fs::write(folder.join(NAME), "12345").unwrap();
        drop(Lock::take(&folder).unwrap().ok().unwrap());
        fs::remove_dir(&folder).unwrap();
    }
}
