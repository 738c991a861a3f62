//! The folder of a run: its files, and what may be written where.

use std::{
    fs,
    path::{Path, PathBuf},
};

use fastvae::{Error, Result, run_config::RunConfig};

/// A folder that holds, or will hold, one run.
pub struct RunFolder(PathBuf);

impl RunFolder {
    /// A folder for a new run, there and writable: `out`, or a new one under `runs`.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be made or written; [`Error::Setting`] if it holds a run and `force` is off.
    pub fn create(out: Option<&Path>, force: bool, data: &str, config: &RunConfig) -> Result<Self> {
        let Some(out) = out else { return Self::numbered(data, config) };
        if out.exists() && !out.is_dir() {
            return Err(Error::setting("out", format!("{} is a file; give a folder", out.display())));
        }
        let folder = Self(out.into());
        let refusal = if folder.is_finished() {
            Some("holds a finished run; choose another folder, or --force to replace it".to_owned())
        } else if folder.last().exists() {
            Some(format!(
                "holds a run that was stopped; --resume {} goes on with it, --force replaces it",
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
        let folder = Self(path.into());
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
        let loss = config.loss.loss.name();
        let seed = config.training.seed;
        for number in 1u32.. {
            let path = runs.join(format!("{name}-{loss}-{seed}-{number}"));
            // Making the folder claims the number, against another run that starts at this moment too.
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io("create", path, error)),
            }
        }
        Err(Error::setting("out", "no number is free under runs; name a folder"))
    }

    fn check_writable(&self) -> Result<()> {
        let probe = self.0.join(".writable");
        let tried = fs::write(&probe, b"fastvae");
        let removed = fs::remove_file(&probe);
        tried.and(removed).map_err(|error| Error::io("write", &self.0, error))
    }

    /// Removes the files of the run that was here.
    ///
    /// # Errors
    /// [`Error::Io`] for a file that cannot be removed.
    pub fn clear(&self) -> Result<()> {
        self.reopen()?;
        [self.last(), self.model(), self.log(), self.report(), self.config()]
            .iter()
            .try_for_each(|path| remove(path))
    }

    /// Makes a finished run one that goes on.
    ///
    /// # Errors
    /// [`Error::Io`] for a file that cannot be removed.
    pub fn reopen(&self) -> Result<()> {
        remove(&self.metrics())
    }

    /// Whether the run that is here came to its end.
    pub fn is_finished(&self) -> bool {
        self.metrics().exists()
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Every setting.
    pub fn config(&self) -> PathBuf {
        self.0.join("config.toml")
    }

    /// Events, one JSON object a line.
    pub fn log(&self) -> PathBuf {
        self.0.join("log.jsonl")
    }

    /// The numbers of the run, written when it is finished.
    pub fn metrics(&self) -> PathBuf {
        self.0.join("metrics.json")
    }

    /// The best model, or the last without validation.
    pub fn model(&self) -> PathBuf {
        self.0.join("model.safetensors")
    }

    /// All that is needed to go on.
    pub fn last(&self) -> PathBuf {
        self.0.join("last.safetensors")
    }

    /// For people.
    pub fn report(&self) -> PathBuf {
        self.0.join("report.html")
    }
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", path, error)),
        _ => Ok(()),
    }
}
