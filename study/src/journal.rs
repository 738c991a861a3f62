//! A log of finished pieces of work, one JSON object a line, from which interrupted work goes on.
//!
//! The first line says what the work is; a log of other work is refused. Every other line is one finished piece, appended
//! in one write and flushed to the disk before the next piece begins, so a process that is killed loses the piece it was
//! at and no other.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

use fastvae::{Error, Result, file, run::Lock};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// A log that is open for appending; its folder is locked against other processes.
pub struct Journal<T> {
    path: PathBuf,
    file: File,
    entries: Vec<T>,
    damaged: usize,
    _lock: Lock,
}

impl<T: Serialize + DeserializeOwned> Journal<T> {
    /// Opens the log `name` of an existing folder, or starts one about `subject`. A last line that was cut short by a
    /// kill is removed; other lines that cannot be read are counted and left out.
    ///
    /// # Errors
    /// [`Error::Setting`] for `out` if another process uses the folder, or if the file is no such log or is about
    /// another subject; [`Error::Io`] if it cannot be read or written.
    pub fn open(folder: &Path, name: &str, subject: &Value) -> Result<Self> {
        let lock = Lock::take(folder).map_err(|error| Error::io("write", folder, error))?;
        let lock = lock.map_err(|owner| {
            let problem =
                format!("{} is in use by {owner}; wait for it, or choose another", folder.display());
            Error::setting("out", problem)
        })?;
        let path = folder.join(name);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            other => other.map_err(|error| Error::io("read", &path, error))?,
        };
        let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let mut lines = bytes[..whole].split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        let first = lines.next();
        match first {
            Some(line) => check_subject(&path, line, subject)?,
            // A process that is killed while it writes the first line leaves the beginning of it.
            None if header(subject).as_bytes().starts_with(&bytes) => {}
            None => return Err(foreign(&path)),
        }
        let (mut entries, mut damaged) = (Vec::new(), 0);
        for line in lines {
            match serde_json::from_slice(line) {
                Ok(entry) => entries.push(entry),
                Err(_) => damaged += 1,
            }
        }
        let failed = |error| Error::io("write", &path, error);
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(failed)?;
        file.set_len(whole as u64).map_err(failed)?;
        let mut journal = Self { path, file, entries, damaged, _lock: lock };
        if first.is_none() {
            journal.append(&header(subject))?;
            file::sync_folder(&journal.path)?;
        }
        Ok(journal)
    }

    /// Appends a finished piece; it is on the disk when this returns.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn push(&mut self, entry: T) -> Result<()> {
        let line = serde_json::to_string(&entry)
            .map_err(|error| Error::format(self.path.display().to_string(), error.to_string()))?;
        self.append(&(line + "\n"))?;
        self.entries.push(entry);
        Ok(())
    }

    fn append(&mut self, text: &str) -> Result<()> {
        let done = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data());
        done.map_err(|error| Error::io("write", &self.path, error))
    }

    /// The finished pieces, in the order of the log.
    pub fn entries(&self) -> &[T] {
        &self.entries
    }

    /// Lines that could not be read; their work is done again.
    pub fn damaged(&self) -> usize {
        self.damaged
    }
}

const SUBJECT: &str = "subject";

fn header(subject: &Value) -> String {
    json!({ SUBJECT: subject }).to_string() + "\n"
}

fn foreign(path: &Path) -> Error {
    let problem = format!("{} was not written by this command; choose another folder", path.display());
    Error::setting("out", problem)
}

fn check_subject(path: &Path, line: &[u8], subject: &Value) -> Result<()> {
    let before: Value = serde_json::from_slice(line).map_err(|_| foreign(path))?;
    let before = before.get(SUBJECT).ok_or_else(|| foreign(path))?;
    // By way of text, as the log has it.
    let now: Value = serde_json::from_str(&subject.to_string()).unwrap_or_default();
    let Some((place, was, is)) = difference("", before, &now) else { return Ok(()) };
    let shown = |value: Option<Value>| value.map_or("not there".into(), |value| value.to_string());
    let problem = format!(
        "{} is of other work: {place} was {} and is {}; choose another folder, or remove that file",
        path.display(),
        shown(was),
        shown(is)
    );
    Err(Error::setting("out", problem))
}

/// The first place where two values differ, with both values.
fn difference(place: &str, before: &Value, now: &Value) -> Option<(String, Option<Value>, Option<Value>)> {
    match (before, now) {
        (Value::Object(a), Value::Object(b)) => a.keys().chain(b.keys()).find_map(|key| {
            let place = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
            match (a.get(key), b.get(key)) {
                (Some(a), Some(b)) => difference(&place, a, b),
                (a, b) => Some((place, a.cloned(), b.cloned())),
            }
        }),
        (a, b) => (a != b).then(|| (place.to_owned(), Some(a.clone()), Some(b.clone()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_goes_on_wherever_it_was_cut() {
        let folder = std::env::temp_dir().join(format!("fastvae-journal-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let subject = json!({ "seed": 7, "rate": 0.1 });
        let path = folder.join("log.jsonl");
        let mut journal = Journal::<u32>::open(&folder, "log.jsonl", &subject).unwrap();
        (0..3).for_each(|entry| journal.push(entry * 11).unwrap());
        drop(journal);
        let whole = fs::read(&path).unwrap();
        for length in 0..=whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let mut journal = Journal::<u32>::open(&folder, "log.jsonl", &subject).unwrap();
            let lines = whole[..length].iter().filter(|&&byte| byte == b'\n').count();
            assert_eq!(journal.entries(), &[0, 11, 22][..lines.saturating_sub(1)], "{length}");
            for entry in journal.entries().len() as u32..3 {
                journal.push(entry * 11).unwrap();
            }
            drop(journal);
            assert_eq!(fs::read(&path).unwrap(), whole, "{length}");
        }
        let mut damaged = whole.clone();
        damaged.extend_from_slice(b"\0\xff\n33\n");
        fs::write(&path, damaged).unwrap();
        let journal = Journal::<u32>::open(&folder, "log.jsonl", &subject).unwrap();
        assert_eq!((journal.entries(), journal.damaged()), (&[0, 11, 22, 33][..], 1));
        let problem = |subject: &Value| {
            Journal::<u32>::open(&folder, "log.jsonl", subject).err().map(|error| error.to_string()).unwrap()
        };
        assert!(problem(&subject).contains("in use by process"));
        drop(journal);
        assert!(problem(&json!({ "seed": 8, "rate": 0.1 })).contains("seed was 7 and is 8"));
        assert!(problem(&json!({ "seed": 7 })).contains("rate was 0.1 and is not there"));
        for text in ["my notes", "my notes\n", "{\"a\":1}\n"] {
            fs::write(&path, text).unwrap();
            assert!(problem(&subject).contains("was not written by this command"), "{text}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        fs::remove_dir_all(&folder).unwrap();
    }
}
