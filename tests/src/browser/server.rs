//! A static file server on loopback. Each request has its own connection and thread, so holding one
//! response does not delay others.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// The content of a server: a folder below a path prefix, and the changes that a test makes to it.
pub struct Site {
    folder: PathBuf,
    prefix: String,
    headers: Vec<(String, String)>,
    pages: BTreeMap<String, Vec<u8>>,
    prologues: BTreeMap<String, String>,
    held: Mutex<BTreeSet<String>>,
    released: Condvar,
    asked: Mutex<Vec<String>>,
    stopped: AtomicBool,
    closed: AtomicBool,
}

impl Site {
    /// Serves `folder` at `prefix`, which starts and ends with `/`.
    pub fn new(folder: &Path, prefix: &str) -> Self {
        assert!(prefix.starts_with('/') && prefix.ends_with('/'), "prefix {prefix:?}");
        Self {
            folder: folder.to_path_buf(),
            prefix: prefix.to_owned(),
            headers: Vec::new(),
            pages: BTreeMap::new(),
            prologues: BTreeMap::new(),
            held: Mutex::default(),
            released: Condvar::new(),
            asked: Mutex::default(),
            stopped: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        }
    }

    /// Adds a header to every response.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Serves `content` instead of a file of the folder; the path has no leading `/`.
    pub fn page(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.pages.insert(path.into(), content.into());
        self
    }

    /// Puts `script` in front of a served script.
    pub fn prologue(mut self, path: &str, script: &str) -> Self {
        self.prologues.insert(path.into(), script.into());
        self
    }

    /// Delays responses for a path until [`Server::release`].
    pub fn hold(self, path: &str) -> Self {
        lock(&self.held).insert(path.into());
        self
    }

    /// Starts the server.
    ///
    /// # Errors
    /// If no socket can be opened.
    pub fn serve(self) -> io::Result<Server> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let site = Arc::new(self);
        let thread = {
            let site = Arc::clone(&site);
            std::thread::spawn(move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    if site.closed.load(Ordering::Relaxed) {
                        break;
                    }
                    let site = Arc::clone(&site);
                    // The thread is detached. A held response ends when it is released, which also happens
                    // when the server is dropped. Errors of a closed connection are ignored.
                    std::thread::spawn(move || drop(site.answer(&stream)));
                }
            })
        };
        Ok(Server { site, address, thread: Some(thread) })
    }

    /// Reads one request and answers it.
    fn answer(&self, mut stream: &TcpStream) -> io::Result<()> {
        let mut lines = BufReader::new(stream).lines();
        let request = lines.next().transpose()?.unwrap_or_default();
        // The headers must be read, but have no effect.
        while lines.next().transpose()?.is_some_and(|header| !header.is_empty()) {}
        let Some(url) = request.split(' ').nth(1) else { return Ok(()) };
        let (status, kind, bytes) = self.respond(url);
        let mut head = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\nContent-Type: {kind}\r\nConnection: close\r\n",
            bytes.len()
        );
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{head}\r\n").as_bytes())?;
        stream.write_all(&bytes)?;
        stream.flush()?;
        stream.shutdown(Shutdown::Write)
    }

    /// Status, content type and body of the response.
    fn respond(&self, url: &str) -> (&'static str, &'static str, Vec<u8>) {
        const TEXT: &str = "text/plain; charset=utf-8";
        if self.stopped.load(Ordering::Relaxed) {
            return ("503 Service Unavailable", TEXT, b"stopped".to_vec());
        }
        let path = self.path(url);
        lock(&self.asked).push(path.unwrap_or(url).to_owned());
        let missing = || ("404 Not Found", TEXT, format!("not found: {url}").into_bytes());
        let Some(path) = path else { return missing() };
        let mut held = lock(&self.held);
        while held.contains(path) {
            held = self.released.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
        drop(held);
        let bytes = match self.pages.get(path) {
            Some(content) => Some(content.clone()),
            None => std::fs::read(self.folder.join(path)).ok(),
        };
        let Some(mut bytes) = bytes else { return missing() };
        if let Some(script) = self.prologues.get(path) {
            bytes.splice(0..0, format!("{script}\n").into_bytes());
        }
        ("200 OK", content_type(path), bytes)
    }

    /// The path inside the folder for `url`, or `None` if it leads outside.
    fn path<'u>(&self, url: &'u str) -> Option<&'u str> {
        let path = url.split(['?', '#']).next()?.strip_prefix(&*self.prefix)?;
        let path = if path.is_empty() { "index.html" } else { path };
        path.split('/').all(|part| !part.is_empty() && part != "." && part != "..").then_some(path)
    }
}

/// A running server; it stops when dropped.
pub struct Server {
    site: Arc<Site>,
    address: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// The address of `path` (relative, without a leading `/`) on this server.
    pub fn url(&self, path: &str) -> String {
        format!("{}{}{path}", self.origin(), self.site.prefix)
    }

    /// `http://127.0.0.1:PORT`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sends all held responses, and holds no more.
    pub fn release(&self) {
        lock(&self.site.held).clear();
        self.site.released.notify_all();
    }

    /// Requested paths, in order.
    pub fn asked(&self) -> Vec<String> {
        lock(&self.site.asked).clone()
    }

    /// From now on every response is an error.
    pub fn stop(&self) {
        self.release();
        self.site.stopped.store(true, Ordering::Relaxed);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.release();
        self.site.closed.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for connections.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            // The thread only ends here; a panic in it has already failed the test.
            let _ = thread.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("css") => "text/css; charset=utf-8",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_inside_its_folder() {
        let site = Site::new(Path::new("dist"), "/a/");
        assert_eq!(site.path("/a/?x=1"), Some("index.html"));
        assert_eq!(site.path("/a/b/c.js#d"), Some("b/c.js"));
        for outside in ["/a/../Cargo.toml", "/a//etc/passwd", "/b/index.html", "/a/./x"] {
            assert_eq!(site.path(outside), None, "{outside}");
        }
    }
}
