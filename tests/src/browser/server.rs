//! A static file server on loopback, each request in a thread of its own, so that one can be held back.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tiny_http::{Header, Response};

/// What a server serves: a folder below a path prefix, with what a test changes about it.
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
        }
    }

    /// A header for every answer.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// A file of the test's own, instead of one in the folder; the path has no leading `/`.
    pub fn page(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.pages.insert(path.into(), content.into());
        self
    }

    /// Puts a script in front of one that is served.
    pub fn prologue(mut self, path: &str, script: &str) -> Self {
        self.prologues.insert(path.into(), script.into());
        self
    }

    /// Does not answer requests for a path before [`Server::release`].
    pub fn hold(self, path: &str) -> Self {
        lock(&self.held).insert(path.into());
        self
    }

    /// Starts to serve.
    ///
    /// # Errors
    /// When no socket can be opened.
    pub fn serve(self) -> io::Result<Server> {
        let http = Arc::new(tiny_http::Server::http("127.0.0.1:0").map_err(io::Error::other)?);
        let address = http.server_addr().to_ip().ok_or_else(|| io::Error::other("not an IP socket"))?;
        let site = Arc::new(self);
        let thread = {
            let (http, site) = (Arc::clone(&http), Arc::clone(&site));
            std::thread::spawn(move || {
                for request in http.incoming_requests() {
                    let site = Arc::clone(&site);
                    // Detached: one that is held back ends with its release, which dropping the server brings.
                    std::thread::spawn(move || {
                        let response = site.respond(request.url());
                        // A browser that went away is not the server's business.
                        let _ = request.respond(response);
                    });
                }
            })
        };
        Ok(Server { site, http: Some(http), address, thread: Some(thread) })
    }

    fn respond(&self, url: &str) -> Response<io::Cursor<Vec<u8>>> {
        if self.stopped.load(Ordering::Relaxed) {
            return Response::from_data("stopped").with_status_code(503);
        }
        let path = self.path(url);
        lock(&self.asked).push(path.unwrap_or(url).to_owned());
        let Some(path) = path else {
            return Response::from_data(format!("not found: {url}")).with_status_code(404);
        };
        let mut held = lock(&self.held);
        while held.contains(path) {
            held = self.released.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
        drop(held);
        let bytes = match self.pages.get(path) {
            Some(content) => Some(content.clone()),
            None => std::fs::read(self.folder.join(path)).ok(),
        };
        let Some(mut bytes) = bytes else {
            return Response::from_data(format!("not found: {url}")).with_status_code(404);
        };
        if let Some(script) = self.prologues.get(path) {
            bytes.splice(0..0, format!("{script}\n").into_bytes());
        }
        let mut response = Response::from_data(bytes).with_header(header("Content-Type", content_type(path)));
        for (name, value) in &self.headers {
            response = response.with_header(header(name, value));
        }
        response
    }

    /// The path inside the folder that `url` names, if it stays there.
    fn path<'u>(&self, url: &'u str) -> Option<&'u str> {
        let path = url.split(['?', '#']).next()?.strip_prefix(&*self.prefix)?;
        let path = if path.is_empty() { "index.html" } else { path };
        path.split('/').all(|part| !part.is_empty() && part != "." && part != "..").then_some(path)
    }
}

/// A site that is served until this is dropped.
pub struct Server {
    site: Arc<Site>,
    http: Option<Arc<tiny_http::Server>>,
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

    /// Answers what was held back, and holds nothing more.
    pub fn release(&self) {
        lock(&self.site.held).clear();
        self.site.released.notify_all();
    }

    /// Paths that browsers asked for, in order.
    pub fn asked(&self) -> Vec<String> {
        lock(&self.site.asked).clone()
    }

    /// From now on every answer is that there is none.
    pub fn stop(&self) {
        self.release();
        self.site.stopped.store(true, Ordering::Relaxed);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.release();
        if let Some(http) = self.http.take() {
            http.unblock();
        }
        if let Some(thread) = self.thread.take() {
            // The thread only ends; a panic in it has already failed the page.
            let _ = thread.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn header(name: &str, value: &str) -> Header {
    Header::from_bytes(name, value).unwrap_or_else(|()| panic!("not a header: {name}: {value}"))
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
