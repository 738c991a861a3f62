//! Downloads the MovieLens data sets from GroupLens.

use std::{
    fmt::Display,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

use super::unpack::Bounded;
use crate::{Error, Result, file, watch};

/// A data set that can be downloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remote {
    /// `ml-100k`; the file is this name with `.zip`.
    pub name: &'static str,
    /// The published MD5 in hexadecimal; `None` for data sets that change.
    pub md5: Option<&'static str>,
    /// The terms of use, in one line.
    pub licence: &'static str,
}

const HOME: &str = "https://files.grouplens.org/datasets/movielens";

const NO_REDISTRIBUTION: &str = "GroupLens, University of Minnesota: research use, cite Harper and Konstan (2015); not to be redistributed, \
     no commercial use without permission";
const REDISTRIBUTABLE: &str = "GroupLens, University of Minnesota: cite Harper and Konstan (2015); redistribution under the same terms, \
     no commercial use without permission";

/// All data sets that [`get`] can download.
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

/// Progress of a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes on disk.
    pub done: u64,
    /// Total bytes, if the server reports them.
    pub total: Option<u64>,
}

/// The data set with this name.
///
/// # Errors
/// [`Error::Setting`] for an unknown name; the message lists the known ones.
pub fn remote(name: &str) -> Result<&'static Remote> {
    REMOTES.iter().find(|remote| remote.name == name).ok_or_else(|| {
        let names: Vec<&str> = REMOTES.iter().map(|remote| remote.name).collect();
        Error::setting(
            "name",
            format!("{name:?} is not one of the sets that can be fetched: {}", names.join(", ")),
        )
    })
}

/// The server, and how long to wait for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// `http://host/folder`, without a trailing `/`: GroupLens, or a mirror.
    pub home: String,
    /// The download fails if the server sends nothing for this long.
    pub patience: Duration,
}

impl Default for Server {
    fn default() -> Self {
        Self { home: HOME.into(), patience: Duration::from_secs(60) }
    }
}

/// Downloads `NAME.zip` to `folder` and returns its path, which [`load`](super::load) reads directly.
///
/// If the complete zip already exists, the network is not used. An interrupted download continues where it
/// stopped if the server still has the same file (by its entity tag or date), or if a published hash can
/// verify the result; otherwise it starts again. The file gets its final name only after its MD5 is verified
/// or, if none is published, the checksum of every file in the zip. Only one process at a time downloads a
/// file.
///
/// # Errors
/// [`Error::Setting`] for an unknown name; [`Error::Io`] if the folder cannot be written; [`Error::Data`] if
/// the network fails, with instructions for a manual download; [`Error::Format`] if the bytes are not the
/// published ones; [`Error::Interrupted`] after [`watch::stop`].
pub fn get(
    server: &Server,
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
    let mut download = Download::open(server, remote, path)?;
    let resumed = match download.fetch(&mut progress) {
        Err(error) if download.is_empty() => {
            download.discard()?;
            return Err(error);
        }
        resumed => resumed?,
    };
    if let Err(error) = verify(&download.partial, remote) {
        if !resumed {
            // Delete damaged bytes: continuing from them could never succeed.
            download.discard()?;
            return Err(error);
        }
        // The two pieces belong to different files: download the whole file once more.
        download.discard()?;
        download = Download::open(server, remote, download.path)?;
        download.fetch(&mut progress)?;
        if let Err(error) = verify(&download.partial, remote) {
            download.discard()?;
            return Err(error);
        }
    }
    file::rename(&download.partial, &download.path)?;
    remove(&download.origin)?;
    Ok(download.path)
}

/// Identifies the version of the file that a partial download belongs to; saved beside it.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Origin {
    url: String,
    /// A strong entity tag, or the date of the last modification.
    validator: Option<String>,
    /// Total bytes.
    total: Option<u64>,
}

/// A download in progress.
struct Download<'a> {
    server: &'a Server,
    url: String,
    /// Whether a published hash will detect pieces that do not belong together.
    hashed: bool,
    path: PathBuf,
    partial: PathBuf,
    origin: PathBuf,
    /// The partial file, locked while this process downloads it.
    out: File,
}

/// Messages from the thread that communicates with the server.
enum News {
    Head { status: u16, headers: Vec<(String, String)> },
    Bytes(Vec<u8>),
    Failed(String),
    End,
}

impl<'a> Download<'a> {
    fn open(server: &'a Server, remote: &Remote, path: PathBuf) -> Result<Self> {
        let partial = path.with_extension("zip.part");
        let refused = |error| Error::io("write", &partial, error);
        let mut options = OpenOptions::new();
        let out = options.create(true).append(true).read(true).open(&partial).map_err(refused)?;
        match out.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let problem =
                    format!("another process is fetching {}; wait until it is done", partial.display());
                return Err(Error::Data(problem));
            }
            // The file system does not support locks.
            Err(TryLockError::Error(_)) => {}
        }
        Ok(Self {
            url: format!("{}/{}.zip", server.home, remote.name),
            hashed: remote.md5.is_some(),
            origin: path.with_extension("zip.part.json"),
            server,
            path,
            partial,
            out,
        })
    }

    fn is_empty(&self) -> bool {
        self.out.metadata().is_ok_and(|metadata| metadata.len() == 0)
    }

    fn discard(&self) -> Result<()> {
        remove(&self.partial)?;
        remove(&self.origin)
    }

    fn refused(&self, error: io::Error) -> Error {
        Error::io("write", &self.partial, error)
    }

    fn by_hand(&self, problem: impl Display) -> Error {
        Error::Data(format!(
            "cannot fetch {}: {problem}; run the command again to go on from where it stopped, or fetch the file by \
             other means and put it at {}",
            self.url,
            self.path.display()
        ))
    }

    /// Downloads everything that is missing. Returns whether the earlier piece was reused.
    fn fetch(&mut self, progress: &mut impl FnMut(Progress)) -> Result<bool> {
        let mut have = self.out.metadata().map_err(|error| self.refused(error))?.len();
        let before: Origin = fs::read(&self.origin)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .filter(|origin: &Origin| origin.url == self.url)
            .unwrap_or_default();
        if have > 0 && before.validator.is_none() && !self.hashed {
            have = 0;
        }
        let news = self.ask(have, before.validator.clone());
        let News::Head { status, headers } = self.hear(&news)? else {
            return Err(self.by_hand("it answers with nothing"));
        };
        let header =
            |name: &str| headers.iter().find(|header| header.0 == name).map(|header| header.1.as_str());
        let length: Option<u64> = header("content-length").and_then(|text| text.parse().ok());
        let tag = header("etag").filter(|tag| !tag.starts_with("W/"));
        let validator = tag.or(header("last-modified")).map(str::to_owned);
        let resumed = match status {
            206 => {
                let range = header("content-range").and_then(|range| range.strip_prefix("bytes "));
                let (from, total) = range.and_then(|range| range.split_once('/')).unwrap_or_default();
                let whole = before.total.is_none_or(|before| total.parse() == Ok(before));
                let same = before.validator.is_none() || before.validator == validator;
                if !from.starts_with(&format!("{have}-")) || !whole || !same {
                    // The server has another version of the file than the existing piece.
                    return self.start_again(progress);
                }
                true
            }
            200 => false,
            // There are no bytes beyond the existing piece: the checksum decides whether it is complete.
            416 if have > 0 && self.hashed => return Ok(true),
            416 if have > 0 => return self.start_again(progress),
            status => return Err(self.by_hand(format!("the server answers {status}"))),
        };
        let mut done = if resumed { have } else { 0 };
        self.out.set_len(done).map_err(|error| self.refused(error))?;
        let total = length.map(|length| length + done);
        let origin = Origin { url: self.url.clone(), validator, total };
        let origin = serde_json::to_vec(&origin).map_err(|error| self.by_hand(error))?;
        file::write(&self.origin, &origin)?;
        loop {
            progress(Progress { done, total });
            match self.hear(&news) {
                Ok(News::Bytes(bytes)) => {
                    self.out.write_all(&bytes).map_err(|error| self.refused(error))?;
                    done += bytes.len() as u64;
                }
                Ok(News::End | News::Head { .. }) => break,
                Ok(News::Failed(problem)) => {
                    return Err(self.by_hand(format!("after {done} bytes: {problem}")));
                }
                Err(error) => return Err(error),
            }
        }
        self.out.sync_all().map_err(|error| self.refused(error))?;
        match total {
            Some(total) if done != total => {
                Err(self.by_hand(format!("the connection ended after {done} of {total} bytes")))
            }
            _ => Ok(resumed),
        }
    }

    fn start_again(&mut self, progress: &mut impl FnMut(Progress)) -> Result<bool> {
        self.out.set_len(0).map_err(|error| self.refused(error))?;
        remove(&self.origin)?;
        self.fetch(progress)
    }

    /// Sends the request on a separate thread, because a silent server could block it forever.
    fn ask(&self, have: u64, validator: Option<String>) -> Receiver<News> {
        let (sender, news) = mpsc::sync_channel(4);
        let url = self.url.clone();
        thread::spawn(move || {
            // The receiver may be gone already, and then needs no answer.
            let _ = match converse(&url, have, validator, &sender) {
                Ok(()) => sender.send(News::End),
                Err(problem) => sender.send(News::Failed(problem)),
            };
        });
        news
    }

    /// The next message; an error if there is none for too long.
    fn hear(&self, news: &Receiver<News>) -> Result<News> {
        const TICK: Duration = Duration::from_millis(100);
        let start = Instant::now();
        loop {
            watch::check()?;
            match news.recv_timeout(TICK) {
                Ok(News::Failed(problem)) => return Err(self.by_hand(problem)),
                Ok(news) => return Ok(news),
                Err(RecvTimeoutError::Disconnected) => return Ok(News::End),
                Err(RecvTimeoutError::Timeout) if start.elapsed() < self.server.patience => {}
                Err(RecvTimeoutError::Timeout) => {
                    let seconds = self.server.patience.as_secs_f64();
                    return Err(self.by_hand(format!("the server has sent nothing for {seconds} s")));
                }
            }
        }
    }
}

/// Sends a request and passes the response on as messages. A failed send is ignored: the receiver is gone.
fn converse(
    url: &str,
    have: u64,
    validator: Option<String>,
    news: &mpsc::SyncSender<News>,
) -> Result<(), String> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(Duration::from_secs(20)))
        .build()
        .into();
    let mut request = agent.get(url);
    if have > 0 {
        request = request.header("Range", format!("bytes={have}-"));
        if let Some(validator) = validator {
            request = request.header("If-Range", validator);
        }
    }
    let response = request.call().map_err(|error| error.to_string())?;
    let headers = response.headers().iter();
    let headers =
        headers.filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
    if news.send(News::Head { status: response.status().as_u16(), headers: headers.collect() }).is_err() {
        return Ok(());
    }
    let mut body = response.into_body().into_reader();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = match body.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.to_string()),
        };
        if news.send(News::Bytes(buffer[..count].to_vec())).is_err() {
            return Ok(());
        }
    }
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", path, error)),
        _ => Ok(()),
    }
}

/// Verifies the MD5; if there is none, reads every file of the zip and verifies its checksum.
fn verify(path: &Path, remote: &Remote) -> Result<()> {
    let refused = |error| Error::io("read", path, error);
    let wrong = |problem: String| {
        Error::format(path.display().to_string(), format!("{problem}; delete it and fetch it again"))
    };
    let mut file = File::open(path).map_err(refused)?;
    let Some(expected) = remote.md5 else {
        let broken = |error: &dyn Display| wrong(format!("not a whole zip ({error})"));
        let mut zip = zip::ZipArchive::new(io::BufReader::new(file)).map_err(|error| broken(&error))?;
        for member in 0..zip.len() {
            let member = zip.by_index(member).map_err(|error| broken(&error))?;
            let name = member.name().map_or_else(|_| "a file".to_owned(), |name| name.into_owned());
            let packed = member.compressed_size();
            copy(&mut Bounded::new(member, packed), |_| ()).map_err(|error| {
                error.unwrap_or_else(|error| wrong(format!("{name} in it is damaged ({error})")))
            })?;
        }
        return Ok(());
    };
    let mut hash = Md5::new();
    copy(&mut file, |bytes| hash.update(bytes)).map_err(|error| error.unwrap_or_else(refused))?;
    let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if found == expected {
        return Ok(());
    }
    Err(wrong(format!("its MD5 is {found}, the published one {expected}")))
}

/// Reads to the end unless interrupted.
fn copy(reader: &mut impl Read, mut each: impl FnMut(&[u8])) -> Result<(), Result<Error, io::Error>> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        watch::check().map_err(Ok)?;
        match reader.read(&mut buffer).map_err(Err)? {
            0 => return Ok(()),
            count => each(&buffer[..count]),
        }
    }
}
