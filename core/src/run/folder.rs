//! The folder of a run: its files, and what may be written where.
//!
//! `config.toml` every setting; `log.jsonl` the events; `last.safetensors` what a resume starts from;
//! `model.safetensors` the best model; `metrics.json` and `report.html` of a finished run.

use std::{
    borrow::Cow,
    fs,
    path::{Path, PathBuf},
};

use super::{
    RunConfig, RunMetrics,
    checkpoint::{self, Checkpoint, Context},
    log::{self, Log},
    storage::Storage,
};
use crate::{Error, Result, event::Event, file, state::State};

/// A folder that holds, or will hold, one run.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Open from the run's beginning on.
    log: Option<Log>,
}

impl Folder {
    /// A folder for a new run, there and writable: `out`, or a new one under `runs`.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be made or written; [`Error::Setting`] if it holds a run and `force` is off.
    pub fn create(out: Option<&Path>, force: bool, data: &str, config: &RunConfig) -> Result<Self> {
        let Some(out) = out else { return Self::numbered(data, config) };
        if out.exists() && !out.is_dir() {
            return Err(Error::setting("out", format!("{} is a file; give a folder", out.display())));
        }
        let folder = Self::at(out);
        let refusal = if folder.is_finished() {
            Some("holds a finished run; choose another folder, or replace it with `force`".to_owned())
        } else if folder.last().exists() {
            Some(format!(
                "holds a run that was stopped; `resume = {}` goes on with it, `force` replaces it",
                out.display()
            ))
        } else {
            None
        };
        if let Some(refusal) = refusal.filter(|_| !force) {
            return Err(Error::setting("out", format!("{} {refusal}", out.display())));
        }
        fs::create_dir_all(out).map_err(|error| Error::io("create", out, error))?;
        folder.check_writable()?;
        Ok(folder)
    }

    /// The folder of a run that exists.
    ///
    /// # Errors
    /// [`Error::Setting`] if there is nothing to go on from; [`Error::Io`] if it cannot be written.
    pub fn open(path: &Path) -> Result<Self> {
        let folder = Self::at(path);
        if !folder.last().is_file() {
            return Err(Error::setting(
                "resume",
                format!("{} holds no last.safetensors; give the folder of a run", path.display()),
            ));
        }
        folder.check_writable()?;
        Ok(folder)
    }

    /// `runs/ml-10m-midx-popularity-0-1`: the first number that is free.
    fn numbered(data: &str, config: &RunConfig) -> Result<Self> {
        let runs = Path::new("runs");
        fs::create_dir_all(runs).map_err(|error| Error::io("create", runs, error))?;
        let name: String =
            data.chars().map(|c| if c.is_alphanumeric() || c == '.' { c } else { '-' }).collect();
        let method = config.method().name();
        let seed = config.training.seed;
        for number in 1u32.. {
            let path = runs.join(format!("{name}-{method}-{seed}-{number}"));
            // Making the folder claims the number, against another run that starts at this moment too.
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self::at(&path)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io("create", path, error)),
            }
        }
        Err(Error::setting("out", "no number is free under runs; name a folder"))
    }

    fn check_writable(&self) -> Result<()> {
        let probe = self.path.join(".writable");
        let tried = fs::write(&probe, b"fastvae");
        let removed = fs::remove_file(&probe);
        tried.and(removed).map_err(|error| Error::io("write", &self.path, error))
    }

    fn at(path: &Path) -> Self {
        Self { path: path.into(), log: None }
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

    fn begin(&mut self, config: &RunConfig) -> Result<()> {
        for path in [self.metrics(), self.last(), self.model(), self.log(), self.report(), self.config()] {
            remove(&path)?;
        }
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

    fn save_last(&mut self, context: &Context, state: State) -> Result<()> {
        checkpoint::write(&self.last(), context, &state)
    }

    fn save_model(&mut self, context: &Context, model: State) -> Result<()> {
        checkpoint::write(&self.model(), context, &model)
    }

    fn read_last(&self) -> Result<Cow<'_, State>> {
        Ok(Cow::Owned(self.checkpoint()?.state))
    }

    fn read_model(&self) -> Result<Cow<'_, State>> {
        Ok(Cow::Owned(checkpoint::read(&self.model())?.state))
    }

    fn finish(&mut self, metrics: &RunMetrics) -> Result<()> {
        metrics.write(&self.metrics())
    }
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", path, error)),
        _ => Ok(()),
    }
}
