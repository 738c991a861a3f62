//! The output folder of measurements.

use std::{
    fs,
    path::{Path, PathBuf},
};

use fastvae::{Error, Result, file};

/// A folder for results that exists and is writable.
pub struct Results(PathBuf);

impl Results {
    /// Creates the folder `out`, by default `KIND-DATA`.
    ///
    /// # Errors
    /// [`Error::Setting`] if `out` is a file; [`Error::Io`] if the folder cannot be created.
    pub fn create(out: Option<&Path>, kind: &str, data: &str) -> Result<Self> {
        let folder = out.map_or_else(
            || {
                let plain = |c: char| if c.is_alphanumeric() || c == '.' { c } else { '-' };
                PathBuf::from(format!("{kind}-{}", data.chars().map(plain).collect::<String>()))
            },
            Path::to_owned,
        );
        if folder.exists() && !folder.is_dir() {
            return Err(Error::setting("out", format!("{} is a file; give a folder", folder.display())));
        }
        fs::create_dir_all(&folder).map_err(|error| Error::io("create", &folder, error))?;
        Ok(Self(folder))
    }

    /// The path of the folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes one result file; it is replaced whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        file::write(&self.0.join(name), text.as_bytes())
    }

    /// A line with the path of the report, for the terminal.
    pub fn told(&self) -> String {
        format!("report: {}\n", self.0.join("report.html").display())
    }
}
