//! Fetches the MovieLens sets from GroupLens onto this machine.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use md5::{Digest, Md5};

use crate::{Error, Result};

/// A set that can be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remote {
    /// `ml-100k`; the file is this and `.zip`.
    pub name: &'static str,
    /// The published MD5 in hexadecimal; none for sets that change.
    pub md5: Option<&'static str>,
    /// What one may do with it, in one line.
    pub licence: &'static str,
}

const HOME: &str = "https://files.grouplens.org/datasets/movielens";

const NO_REDISTRIBUTION: &str = "GroupLens, University of Minnesota: research use, cite Harper and Konstan (2015); not to be redistributed, \
     no commercial use without permission";
const REDISTRIBUTABLE: &str = "GroupLens, University of Minnesota: cite Harper and Konstan (2015); redistribution under the same terms, \
     no commercial use without permission";

/// Every set [`get`] knows.
pub const REMOTES: &[Remote] = &[
    Remote { name: "ml-100k", md5: Some("0e33842e24a9c977be4e0107933c0723"), licence: NO_REDISTRIBUTION },
    Remote { name: "ml-1m", md5: Some("c4d9eecfca2ab87c1945afe126590906"), licence: NO_REDISTRIBUTION },
    Remote { name: "ml-10m", md5: Some("ce571fd55effeba0271552578f2648bd"), licence: NO_REDISTRIBUTION },
    Remote { name: "ml-20m", md5: Some("cd245b17a1ae2cc31bb14903e1204af3"), licence: NO_REDISTRIBUTION },
    Remote { name: "ml-25m", md5: Some("6b51fb2759a8657d3bfcbfc42b592ada"), licence: NO_REDISTRIBUTION },
    Remote { name: "ml-32m", md5: Some("d472be332d4daa821edc399621853b57"), licence: REDISTRIBUTABLE },
    Remote { name: "ml-latest", md5: None, licence: REDISTRIBUTABLE },
    Remote { name: "ml-latest-small", md5: None, licence: REDISTRIBUTABLE },
];

/// How far a download is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes on disk.
    pub done: u64,
    /// Bytes in all, where the server says so.
    pub total: Option<u64>,
}

/// The set of that name.
///
/// # Errors
/// [`Error::Setting`] that lists the names there are.
pub fn remote(name: &str) -> Result<&'static Remote> {
    REMOTES.iter().find(|remote| remote.name == name).ok_or_else(|| {
        let names: Vec<&str> = REMOTES.iter().map(|remote| remote.name).collect();
        Error::setting(
            "name",
            format!("{name:?} is not one of the sets that can be fetched: {}", names.join(", ")),
        )
    })
}

/// Fetches `NAME.zip` into `folder` and returns its path, which [`load`](super::load) reads as it is.
///
/// A whole zip that is already there is used without a network. An interrupted download goes on where it
/// stopped. The file gets its name only after its MD5 (where one is published) fits.
///
/// # Errors
/// [`Error::Setting`] for an unknown name; [`Error::Io`] if the folder cannot be written; [`Error::Data`] if
/// the network fails, with what to do by hand; [`Error::Format`] if the bytes are not the published ones.
pub fn get(name: &str, folder: &Path, progress: impl FnMut(Progress)) -> Result<PathBuf> {
    get_from(HOME, remote(name)?, folder, progress)
}

/// The same from another home, `http://host/folder`; a mirror, for example.
///
/// # Errors
/// As [`get`].
pub fn get_from(
    home: &str,
    remote: &Remote,
    folder: &Path,
    mut progress: impl FnMut(Progress),
) -> Result<PathBuf> {
    fs::create_dir_all(folder).map_err(|error| Error::io("create", folder, error))?;
    let path = folder.join(format!("{}.zip", remote.name));
    if path.exists() {
        verify(&path, remote)?;
        return Ok(path);
    }
    let partial = folder.join(format!("{}.zip.part", remote.name));
    let url = format!("{home}/{}.zip", remote.name);
    fetch(&url, &path, &partial, &mut progress)?;
    if let Err(error) = verify(&partial, remote) {
        // Going on from damaged bytes would never end well.
        fs::remove_file(&partial).map_err(|error| Error::io("remove", &partial, error))?;
        return Err(error);
    }
    fs::rename(&partial, &path).map_err(|error| Error::io("write", &path, error))?;
    Ok(path)
}

fn fetch(url: &str, path: &Path, partial: &Path, progress: &mut impl FnMut(Progress)) -> Result<()> {
    let by_hand = |problem: String| {
        Error::Data(format!(
            "cannot fetch {url}: {problem}; run the command again to go on from where it stopped, or fetch the file \
             by other means and put it at {}",
            path.display()
        ))
    };
    let refused = |error| Error::io("write", partial, error);
    let have = partial.metadata().map_or(0, |metadata| metadata.len());
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(Duration::from_secs(20)))
        .timeout_recv_response(Some(Duration::from_secs(60)))
        .build()
        .into();
    let mut request = agent.get(url);
    if have > 0 {
        request = request.header("Range", format!("bytes={have}-"));
    }
    let mut response = request.call().map_err(|error| by_hand(error.to_string()))?;
    let header = |name: &str| response.headers().get(name)?.to_str().ok().map(str::to_owned);
    let length: Option<u64> = header("content-length").and_then(|text| text.parse().ok());
    let mut out = OpenOptions::new();
    let (mut out, mut done) = match response.status().as_u16() {
        206 if header("content-range").is_some_and(|range| range.starts_with(&format!("bytes {have}-"))) => {
            (out.append(true).open(partial).map_err(refused)?, have)
        }
        200 => (out.create(true).write(true).truncate(true).open(partial).map_err(refused)?, 0),
        // Nothing beyond what is there: the check decides whether it is whole.
        416 if have > 0 => return Ok(()),
        status => return Err(by_hand(format!("the server answers {status}"))),
    };
    let total = length.map(|length| length + done);
    let mut body = response.body_mut().as_reader();
    let mut buffer = vec![0; 1 << 16];
    loop {
        progress(Progress { done, total });
        let count = match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(by_hand(format!("after {done} bytes: {error}"))),
        };
        out.write_all(&buffer[..count]).map_err(refused)?;
        done += count as u64;
    }
    out.sync_all().map_err(refused)?;
    match total {
        Some(total) if done < total => {
            Err(by_hand(format!("the connection ended after {done} of {total} bytes")))
        }
        _ => Ok(()),
    }
}

/// Compares the MD5, or at least looks whether it is a whole zip.
fn verify(path: &Path, remote: &Remote) -> Result<()> {
    let refused = |error| Error::io("read", path, error);
    let shown = || path.display().to_string();
    let mut file = File::open(path).map_err(refused)?;
    let Some(expected) = remote.md5 else {
        return zip::ZipArchive::new(io::BufReader::new(file)).map(drop).map_err(|error| {
            Error::format(shown(), format!("not a whole zip ({error}); delete it and fetch it again"))
        });
    };
    let mut hash = Md5::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = file.read(&mut buffer).map_err(refused)?;
        if count == 0 {
            break;
        }
        hash.update(&buffer[..count]);
    }
    let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if found == expected {
        return Ok(());
    }
    let problem = format!("its MD5 is {found}, the published one {expected}; delete it and fetch it again");
    Err(Error::format(shown(), problem))
}
