//! The folder of a run: its files, its lock, and which files may be replaced.
//!
//! `config.toml`: every setting; `log.jsonl`: the events; `last.safetensors`: the state that a resume needs;
//! `model.safetensors`: the best model; `metrics.json` and `report.html`: only in the folder of a finished
//! run.

use std::{
    borrow::Cow,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use super::{
    RunConfig, RunMetrics,
    checkpoint::{self, Checkpoint, Context, Summary},
    lock::{Lock, is_lock},
    log::{self, Log},
    storage::Storage,
};
use crate::{
    Error, Result,
    event::Event,
    file,
    state::{Frozen, State},
};

/// Every file that a run writes, in the order of removal. The first marks the run as finished. The last is
/// also the first one written; it marks the folder as that of a run.
const FILES: [&str; 6] =
    ["metrics.json", "last.safetensors", "model.safetensors", "report.html", "config.toml", "log.jsonl"];

/// A folder for one run, locked against other processes until it is dropped.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Whether this process made the folder.
    made: bool,
    /// The log; open from the start of the run.
    log: Option<Log>,
    _lock: Lock,
}

/// The content of a folder.
enum Contents {
    /// No files.
    Nothing,
    /// Settings and a log: a run that ended before its first save.
    Beginning,
    /// A run, with a description of it for messages.
    Run(&'static str),
    /// A file that is not part of a run, by name.
    Foreign(String),
}

impl Folder {
    /// Whether a new run may be written to `out`. Changes nothing, so that it can be checked before the data
    /// is read.
    ///
    /// # Errors
    /// As [`Folder::create`].
    pub fn check(out: Option<&Path>, force: bool) -> Result<()> {
        let Some(out) = out.filter(|out| out.exists()) else { return Ok(()) };
        if !out.is_dir() {
            return Err(Error::setting("out", format!("{} is a file; give a folder", out.display())));
        }
        match Lock::owner(out) {
            Some(owner) => Err(in_use("out", out, &owner)),
            None => check_contents(out, force),
        }
    }

    /// A writable folder for a new run: `out`, or a new one under `runs`.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be made or written; [`Error::Setting`] if it holds a run and `force` is
    /// off, files that are not part of a run, or a run that is in progress.
    pub fn create(out: Option<&Path>, force: bool, data: &str, config: &RunConfig) -> Result<Self> {
        let Some(out) = out else { return Self::numbered(data, config) };
        Self::check(Some(out), force)?;
        let made = !out.exists();
        fs::create_dir_all(out).map_err(|error| Error::io("create", out, error))?;
        let folder = Self::locked(out, made, "out")?;
        // Another process may have written to the folder between the check and the lock.
        check_contents(out, force)?;
        Ok(folder)
    }

    /// Opens the folder of an existing run.
    ///
    /// # Errors
    /// [`Error::Setting`] if it holds no save to resume from, or another process uses it; [`Error::Io`] if it
    /// cannot be written.
    pub fn open(path: &Path) -> Result<Self> {
        if !path.join("last.safetensors").is_file() {
            return Err(Error::setting(
                "resume",
                format!("{} holds no last.safetensors; give the folder of a run", path.display()),
            ));
        }
        Self::locked(path, false, "resume")
    }

    fn locked(path: &Path, made: bool, flag: &str) -> Result<Self> {
        let lock = Lock::take(path).map_err(|error| Error::io("write", path, error))?;
        let lock = lock.map_err(|owner| in_use(flag, path, &owner))?;
        file::sync_folder(path)?;
        let folder = Self { path: path.into(), made, log: None, _lock: lock };
        for name in names(path)?.iter().filter(|name| is_temporary(name)) {
            remove(&path.join(name))?;
        }
        Ok(folder)
    }

    /// `runs/ml-10m-midx-popularity-0-1`: with the first unused number.
    fn numbered(data: &str, config: &RunConfig) -> Result<Self> {
        const LONGEST_NAME: usize = 50;
        let runs = Path::new("runs");
        fs::create_dir_all(runs).map_err(|error| Error::io("create", runs, error))?;
        let plain = |c: char| if c.is_alphanumeric() || c == '.' { c } else { '-' };
        let name: String = data.chars().map(plain).take(LONGEST_NAME).collect();
        let method = config.name();
        let seed = config.training.seed;
        for number in 1u32.. {
            let path = runs.join(format!("{name}-{method}-{seed}-{number}"));
            // Creating the folder claims the number, in case another run starts at the same moment.
            match fs::create_dir(&path) {
                Ok(()) => return Self::locked(&path, true, "out"),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io("create", path, error)),
            }
        }
        Err(Error::setting("out", "no number is free under runs; name a folder"))
    }

    fn clear(&self) -> Result<()> {
        FILES.iter().try_for_each(|name| remove(&self.path.join(name)))
    }

    fn write_config(&self, config: &RunConfig) -> Result<()> {
        let toml =
            toml::to_string_pretty(config).map_err(|error| Error::setting("config", error.to_string()))?;
        file::write(&self.config(), toml.as_bytes())
    }

    /// Reads the save that a resume needs.
    ///
    /// # Errors
    /// As [`checkpoint::read`].
    pub fn checkpoint(&self) -> Result<Checkpoint> {
        checkpoint::read(&self.last())
    }

    /// Removes the files of a run that ended before its first save.
    ///
    /// # Errors
    /// [`Error::Io`] for a file that cannot be removed.
    pub fn abandon(self) -> Result<()> {
        self.clear()?;
        let (path, made) = (self.path.clone(), self.made);
        drop(self);
        if made {
            // Fails if another program has put a file there meanwhile; the folder then stays.
            let _ = fs::remove_dir(path);
        }
        Ok(())
    }

    /// Whether the run in this folder is finished.
    pub fn is_finished(&self) -> bool {
        self.metrics().exists()
    }

    /// The path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every setting.
    pub fn config(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    /// The events, one JSON object per line.
    pub fn log(&self) -> PathBuf {
        self.path.join("log.jsonl")
    }

    /// The metrics of the run, written when it is finished.
    pub fn metrics(&self) -> PathBuf {
        self.path.join("metrics.json")
    }

    /// The best model, or the last one if there is no validation.
    pub fn model(&self) -> PathBuf {
        self.path.join("model.safetensors")
    }

    /// The state that a resume needs.
    pub fn last(&self) -> PathBuf {
        self.path.join("last.safetensors")
    }

    /// The report for readers.
    pub fn report(&self) -> PathBuf {
        self.path.join("report.html")
    }
}

impl Storage for Folder {
    fn last_save(&self) -> PathBuf {
        self.last()
    }

    fn model_save(&self) -> PathBuf {
        self.model()
    }

    fn begin(&mut self, config: &RunConfig) -> Result<()> {
        self.clear()?;
        self.reopen(config)
    }

    fn reopen(&mut self, config: &RunConfig) -> Result<()> {
        remove(&self.metrics())?;
        self.log = Some(Log::open(&self.log())?);
        self.write_config(config)
    }

    fn events(&self) -> Result<Vec<Event>> {
        log::read(&self.log())
    }

    fn record(&mut self, event: &Event) -> Result<()> {
        self.log.as_mut().map_or(Ok(()), |log| log.record(event))
    }

    async fn save_last(&mut self, context: &Context, run: Frozen<'_>) -> Result<()> {
        checkpoint::write_frozen(&self.last(), context, &run)
    }

    async fn save_model(&mut self, context: &Context, model: Frozen<'_>) -> Result<()> {
        checkpoint::write_frozen(&self.model(), context, &model)
    }

    fn read_last(&self) -> Result<Cow<'_, State>> {
        Ok(Cow::Owned(self.checkpoint()?.state))
    }

    fn read_model(&self) -> Result<Cow<'_, State>> {
        Ok(Cow::Owned(checkpoint::read(&self.model())?.state))
    }

    fn model_summary(&self) -> Result<Option<Summary>> {
        checkpoint::summary(&self.model()).map(Some)
    }

    fn finish(&mut self, metrics: &RunMetrics) -> Result<()> {
        metrics.write(&self.metrics())
    }
}

fn in_use(flag: &str, path: &Path, owner: &str) -> Error {
    let problem = format!(
        "{} is in use by another run ({owner}); wait for it, or choose another folder",
        path.display()
    );
    Error::setting(flag, problem)
}

fn check_contents(out: &Path, force: bool) -> Result<()> {
    let problem = match contents(out)? {
        Contents::Nothing | Contents::Beginning => return Ok(()),
        // Other programs use these file names too.
        Contents::Run(_) if force => {
            match ["config.toml", "report.html"].iter().find(|name| !is_own(&out.join(name))) {
                None => return Ok(()),
                Some(name) => format!("holds a run, and a {name} that is not of it; move that away"),
            }
        }
        Contents::Run(what) => what.replace("RUN", &out.display().to_string()),
        Contents::Foreign(name) => {
            format!("holds {name} and no run; choose a new or an empty folder (`force` replaces runs alone)")
        }
    };
    Err(Error::setting("out", format!("{} {problem}", out.display())))
}

fn contents(path: &Path) -> Result<Contents> {
    let names = names(path)?;
    let Some(first) = names.iter().find(|name| !is_lock(name) && !is_temporary(name)) else {
        return Ok(Contents::Nothing);
    };
    let there = |name: &str| path.join(name).exists();
    let begun = there("log.jsonl") && is_own(&path.join("log.jsonl")) && is_own(&path.join("config.toml"));
    let run = begun
        || ["model.safetensors", "last.safetensors"].iter().any(|name| checkpoint::is_one(&path.join(name)))
        || RunMetrics::read(&path.join("metrics.json")).is_ok();
    Ok(if !run {
        Contents::Foreign(first.to_string_lossy().into_owned())
    } else if there("metrics.json") {
        Contents::Run("holds a finished run; choose another folder, or replace it with `force`")
    } else if there("last.safetensors") {
        Contents::Run("holds a run that was stopped; `resume = RUN` goes on with it, `force` replaces it")
    } else if there("model.safetensors") {
        Contents::Run(
            "holds the model of a run that was killed; choose another folder, or replace it with `force`",
        )
    } else {
        Contents::Beginning
    })
}

/// Whether a log.jsonl, config.toml or report.html was written by a run; true if there is no such file.
fn is_own(path: &Path) -> bool {
    let Ok(text) = fs::read_to_string(path) else { return !path.exists() };
    if path.extension().is_some_and(|ending| ending == "html") {
        return text.contains("– FastVAE</title>");
    }
    if path.extension().is_some_and(|ending| ending == "jsonl") {
        return log::is_one(&text);
    }
    let sections = ["data", "split", "model", "training"];
    // A run writes every section; a file written by hand has only some of them.
    toml::from_str::<toml::Table>(&text)
        .is_ok_and(|table| sections.iter().all(|section| table.contains_key(*section)))
}

/// Whether a file is a temporary file of one of the run's files, left by a process that was killed.
fn is_temporary(name: &OsString) -> bool {
    FILES.iter().any(|own| file::is_temporary_of(name, own))
}

fn names(path: &Path) -> Result<Vec<OsString>> {
    let refused = |error| Error::io("read", path, error);
    let entries = fs::read_dir(path).map_err(refused)?;
    entries.map(|entry| entry.map(|entry| entry.file_name()).map_err(refused)).collect()
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", path, error)),
        _ => Ok(()),
    }
}
