//! `RUN/log.jsonl`: the events of a run, one JSON object per line.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Error, Result, event::Event};

/// A log that is open for appending.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
}

#[derive(Serialize)]
struct Line<'a> {
    /// Seconds since 1970.
    time: f64,
    #[serde(flatten)]
    event: &'a Event,
}

impl Log {
    /// Opens the log, or creates it. If the last line is incomplete, because the run was killed, a new line
    /// begins.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read or written.
    pub fn open(path: &Path) -> Result<Self> {
        let text = text(path)?;
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.map_err(|error| Error::io("write", path, error))?;
        let mut log = Self { path: path.into(), file };
        if !text.is_empty() && !text.ends_with('\n') {
            log.append(b"\n")?;
        }
        Ok(log)
    }

    /// Writes an event. Steps are not logged: their losses come in an event of their own.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn record(&mut self, event: &Event) -> Result<()> {
        if let Event::Step { .. } = event {
            return Ok(());
        }
        let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
        let mut line = serde_json::to_vec(&Line { time, event })
            .map_err(|error| Error::format(self.path.display().to_string(), error.to_string()))?;
        line.push(b'\n');
        self.append(&line)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|error| Error::io("write", &self.path, error))
    }
}

/// The events of a log; none if there is no file. Lines that cannot be parsed (cut short by a kill, or from a
/// later version) are skipped.
///
/// # Errors
/// [`Error::Io`] if it cannot be read.
pub fn read(path: &Path) -> Result<Vec<Event>> {
    let event = |line: &str| {
        let mut line: Value = serde_json::from_str(line).ok()?;
        line.as_object_mut()?.remove("time");
        Event::deserialize(line).ok()
    };
    Ok(text(path)?.lines().filter_map(event).collect())
}

/// Whether a text begins like the log of a run. A process that was killed during its first line leaves part of it.
pub fn is_one(text: &str) -> bool {
    const START: &str = r#"{"time":"#;
    let Some((first, _)) = text.split_once('\n') else {
        return text.starts_with(START) || START.starts_with(text);
    };
    let event: Value = serde_json::from_str(first).unwrap_or_default();
    event["event"].is_string() && event["time"].is_number()
}

fn text(path: &Path) -> Result<String> {
    match std::fs::read(path) {
        // Damage costs the affected lines only, not the run.
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(Error::io("read", path, error)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn events_are_read_back_and_half_a_line_is_left_out() {
        let path = std::env::temp_dir().join(format!("fastvae-log-{}.jsonl", std::process::id()));
        let parts = BTreeMap::from([("kl".to_owned(), 1.0)]);
        let epoch = Event::Epoch { epoch: 1, seconds: 2.0, loss: 0.1 + 0.2, parts };
        let metrics = BTreeMap::from([("ndcg@50".to_owned(), 0.25)]);
        let evaluated = Event::Evaluated { epoch: 1, metrics, best: true, seconds: 0.5 };
        let parts = BTreeMap::from([("kl".to_owned(), vec![0.1, 0.2]), ("nll".to_owned(), vec![3.0, 4.0])]);
        let losses = Event::Losses { first_step: 7, parts };
        let step = Event::Step { epoch: 1, step: 1, users: 3 };
        let mut log = Log::open(&path).unwrap();
        for event in [&epoch, &step, &evaluated] {
            log.record(event).unwrap();
        }
        // What a loss of power may leave in place of lines that were not yet on the disk, followed by half a
        // line.
        log.append(b"\0\0\xff\xfe\n{\"event\":\"epoch\",\"epoch\":1e99}\n[[[[\n{\"event\":\"ep").unwrap();
        Log::open(&path).unwrap().record(&losses).unwrap();
        let found = read(&path);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(found.unwrap(), [epoch, evaluated, losses]);
    }

    #[test]
    fn the_lines_are_those_of_the_first_version() {
        let line = r#"{"time":1.5,"event":"epoch","epoch":3,"seconds":0.5,"loss":200.5,"kl":3.25}"#;
        let path = std::env::temp_dir().join(format!("fastvae-log-v1-{}.jsonl", std::process::id()));
        std::fs::write(&path, line).unwrap();
        let events = read(&path);
        std::fs::remove_file(&path).unwrap();
        let event = events.unwrap().remove(0);
        assert_eq!(serde_json::to_string(&Line { time: 1.5, event: &event }).unwrap(), line);
        assert!((0..=line.len()).all(|length| is_one(&line[..length])) && is_one(&format!("{line}\n")));
        assert!(!is_one("my log") && !is_one("{\"level\":1}") && !is_one("{\"time\":1}\n"));
    }
}
