//! `RUN/log.jsonl`: the events of a run, and its epochs as a run that goes on finds them there.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use fastvae::{Error, Result, event::Event, run_metrics::EpochMetrics};
use serde::Serialize;
use serde_json::Value;

/// The open log and what it has told so far.
pub struct Log {
    path: PathBuf,
    file: File,
    /// Finished epochs in order.
    pub epochs: Vec<EpochMetrics>,
    /// Spent on the index in the epoch under way.
    index_seconds: f64,
    /// Spent on validation so far.
    pub validation_seconds: f64,
}

#[derive(Serialize)]
struct Line<'a> {
    /// Seconds since 1970.
    time: f64,
    #[serde(flatten)]
    event: &'a Event,
}

impl Log {
    /// Opens the log to append to; takes up what it holds of the first `epochs` epochs.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read or written.
    pub fn open(path: &Path, epochs: u32) -> Result<Self> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Error::io("read", path, error)),
        };
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.map_err(|error| Error::io("write", path, error))?;
        let mut log =
            Self { path: path.into(), file, epochs: Vec::new(), index_seconds: 0.0, validation_seconds: 0.0 };
        // A run that was killed may have left half a line; and epochs that it has to do again.
        let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut by_epoch: BTreeMap<u64, (Option<Value>, Option<Value>)> = BTreeMap::new();
        // Builds of the index since the last epoch ended.
        let mut index_seconds = 0.0;
        for mut event in events {
            let Some(epoch) = event["epoch"].as_u64() else { continue };
            let entry = by_epoch.entry(epoch).or_default();
            match event["event"].as_str() {
                Some("indexed") => index_seconds += event["seconds"].as_f64().unwrap_or(0.0),
                Some("epoch") => {
                    event["index_seconds"] = std::mem::take(&mut index_seconds).into();
                    entry.0 = Some(event);
                }
                Some("evaluated") => entry.1 = Some(event),
                _ => {}
            }
        }
        log.index_seconds = index_seconds;
        for (_, (trained, evaluated)) in by_epoch.into_iter().filter(|(epoch, _)| *epoch <= u64::from(epochs))
        {
            let Some(Ok(mut epoch)) = trained.map(serde_json::from_value::<EpochMetrics>) else { continue };
            if let Some(mut event) = evaluated {
                epoch.validation = serde_json::from_value(event["metrics"].take()).ok();
                log.validation_seconds += event["seconds"].as_f64().unwrap_or(0.0);
            }
            log.epochs.push(epoch);
        }
        if !text.is_empty() && !text.ends_with('\n') {
            log.append(b"\n")?;
        }
        Ok(log)
    }

    /// Writes an event down. Steps are left out: their losses come in pieces.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn record(&mut self, event: &Event) -> Result<()> {
        match event {
            Event::Step { .. } => return Ok(()),
            Event::Epoch { epoch, seconds, loss, kl } => self.epochs.push(EpochMetrics {
                epoch: *epoch,
                seconds: *seconds,
                index_seconds: std::mem::take(&mut self.index_seconds),
                loss: *loss,
                kl: *kl,
                validation: None,
            }),
            Event::Indexed { seconds, .. } => self.index_seconds += seconds,
            Event::Evaluated { metrics, seconds, .. } => {
                self.validation_seconds += seconds;
                if let Some(last) = self.epochs.last_mut() {
                    last.validation = Some(metrics.clone());
                }
            }
            _ => {}
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_goes_on_finds_its_epochs() {
        let path = std::env::temp_dir().join(format!("fastvae-log-{}.jsonl", std::process::id()));
        let epoch = |epoch| Event::Epoch { epoch, seconds: 2.0, loss: 0.1 + 0.2, kl: 1.0 };
        let metrics = BTreeMap::from([("ndcg@50".to_owned(), 0.25)]);
        let evaluated = Event::Evaluated { epoch: 1, metrics: metrics.clone(), best: true, seconds: 0.5 };
        let mut log = Log::open(&path, 0).unwrap();
        for event in [epoch(1), evaluated, epoch(2)] {
            log.record(&event).unwrap();
        }
        log.append(b"{\"event\":\"ep").unwrap();
        let log = Log::open(&path, 1).unwrap();
        assert_eq!(log.epochs.len(), 1);
        assert_eq!((log.epochs[0].loss, &log.epochs[0].validation), (0.1 + 0.2, &Some(metrics)));
        assert_eq!(log.validation_seconds, 0.5);
        assert!(std::fs::read_to_string(&path).unwrap().ends_with("{\"event\":\"ep\n"));
        std::fs::remove_file(&path).unwrap();
    }
}
