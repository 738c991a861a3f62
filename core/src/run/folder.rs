//! The folder of a run: its files, who may write them, and what may be replaced.
//!
//! `config.toml` every setting; `log.jsonl` the events; `last.safetensors` what a resume starts from;
//! `model.safetensors` the best model; `metrics.json` and `report.html` of a finished run.

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

/// Every file that a run writes, in the order in which they are removed: the first tells that it is finished, and the
/// last, which is also the first that is written, that the folder is a run's.
const FILES: [&str; 6] =
    ["metrics.json", "last.safetensors", "model.safetensors", "report.html", "config.toml", "log.jsonl"];

/// A folder that holds, or will hold, one run; of this process alone as long as this lives.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Whether this process made the folder.
    made: bool,
    /// Open from the run's beginning on.
    log: Option<Log>,
    _lock: Lock,
}

/// What a folder holds.
enum Contents {
    /// No files.
    Nothing,
    /// Settings and a log: a run that ended before its first save.
    Beginning,
    /// A run, and what to say of it.
    Run(&'static str),
    /// Something else, by the name of a file.
    Foreign(String),
}

impl Folder {
    /// Whether a new run may go into `out`. Nothing is touched, so that it can be asked before minutes of reading.
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

    /// A folder for a new run, there and writable: `out`, or a new one under `runs`.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be made or written; [`Error::Setting`] if it holds a run and `force` is off, files that
    /// are no run's, or a run that is going on.
    pub fn create(out: Option<&Path>, force: bool, data: &str, config: &RunConfig) -> Result<Self> {
        let Some(out) = out else { return Self::numbered(data, config) };
        Self::check(Some(out), force)?;
        let made = !out.exists();
        fs::create_dir_all(out).map_err(|error| Error::io("create", out, error))?;
        let folder = Self::locked(out, made, "out")?;
        // Another process may have been here between the two.
        check_contents(out, force)?;
        Ok(folder)
    }

    /// The folder of a run that exists.
    ///
    /// # Errors
    /// [`Error::Setting`] if there is nothing to go on from, or another process is at it; [`Error::Io`] if it cannot be
    /// written.
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

    /// `runs/ml-10m-midx-popularity-0-1`: the first number that is free.
    fn numbered(data: &str, config: &RunConfig) -> Result<Self> {
        const LONGEST_NAME: usize = 50;
        let runs = Path::new("runs");
        fs::create_dir_all(runs).map_err(|error| Error::io("create", runs, error))?;
        let plain = |c: char| if c.is_alphanumeric() || c == '.' { c } else { '-' };
        let name: String = data.chars().map(plain).take(LONGEST_NAME).collect();
        let method = config.method().name();
        let seed = config.training.seed;
        for number in 1u32.. {
            let path = runs.join(format!("{name}-{method}-{seed}-{number}"));
            // Making the folder claims the number, against another run that starts at this moment too.
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

    /// Reads the save that a resume starts from.
    ///
    /// # Errors
    /// As [`checkpoint::read`].
    pub fn checkpoint(&self) -> Result<Checkpoint> {
        checkpoint::read(&self.last())
    }

    /// Leaves nothing of a run that ended before there was anything to go on from.
    ///
    /// # Errors
    /// [`Error::Io`] for a file that cannot be removed.
    pub fn abandon(self) -> Result<()> {
        self.clear()?;
        let (path, made) = (self.path.clone(), self.made);
        drop(self);
        if made {
            // Not empty if somebody put something there meanwhile.
            let _ = fs::remove_dir(path);
        }
        Ok(())
    }

    /// Whether the run that is here came to its end.
    pub fn is_finished(&self) -> bool {
        self.metrics().exists()
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every setting.
    pub fn config(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    /// Events, one JSON object a line.
    pub fn log(&self) -> PathBuf {
        self.path.join("log.jsonl")
    }

    /// The numbers of the run, written when it is finished.
    pub fn metrics(&self) -> PathBuf {
        self.path.join("metrics.json")
    }

    /// The best model, or the last without validation.
    pub fn model(&self) -> PathBuf {
        self.path.join("model.safetensors")
    }

    /// All that is needed to go on.
    pub fn last(&self) -> PathBuf {
        self.path.join("last.safetensors")
    }

    /// For people.
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
        // Names that people use too.
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

/// Whether a log.jsonl, config.toml or report.html is one that runs write; one that is not there offends nobody.
fn is_own(path: &Path) -> bool {
    let Ok(text) = fs::read_to_string(path) else { return !path.exists() };
    if path.extension().is_some_and(|ending| ending == "html") {
        return text.contains("– FastVAE</title>");
    }
    if path.extension().is_some_and(|ending| ending == "jsonl") {
        let first: Option<serde_json::Value> =
            text.lines().next().map(|line| serde_json::from_str(line).unwrap_or_default());
        return first.is_none_or(|event| event["event"].is_string() && event["time"].is_number());
    }
    let sections = ["data", "split", "model", "optimizer", "training"];
    // Runs write every section; people write those that they change.
    toml::from_str::<toml::Table>(&text)
        .is_ok_and(|table| sections.iter().all(|section| table.contains_key(*section)))
}

/// Whether a killed process left it while it wrote one of the files.
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
