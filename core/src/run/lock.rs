//! One process at a folder. The lock is the system's: it ends with the process, however that ends.

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
    /// Locked; nothing where the file system knows no locks.
    _file: File,
}

/// Whether a file in a folder is its lock.
pub fn is_lock(name: &std::ffi::OsStr) -> bool {
    name == NAME
}

impl Lock {
    /// Locks a folder that exists; the other process, in words, if one has it.
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
            // Whoever had it removes the file at the end; a lock on a file that is no longer there keeps nobody out.
            if !is_same(&file, &path) {
                continue;
            }
            file.set_len(0)?;
            write!(file, "{}", std::process::id())?;
            return Ok(Ok(Self { path, _file: file }));
        }
    }

    /// The process that has a folder, in words, if one has it.
    pub fn owner(folder: &Path) -> Option<String> {
        let file = File::open(folder.join(NAME)).ok()?;
        matches!(file.try_lock(), Err(TryLockError::WouldBlock)).then(|| owner(file))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Left behind it does no harm: it is not locked.
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
        // What a killed process leaves keeps nobody out.
        fs::write(folder.join(NAME), "12345").unwrap();
        drop(Lock::take(&folder).unwrap().ok().unwrap());
        fs::remove_dir(&folder).unwrap();
    }
}
