//! A static file server on loopback, in a thread of its own.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use tiny_http::{Header, Response};

/// Serves one folder below a path prefix until it is dropped.
pub struct Server {
    http: Arc<tiny_http::Server>,
    address: SocketAddr,
    prefix: String,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves `folder` on a free port of 127.0.0.1, at `prefix` (which starts and ends with `/`).
    ///
    /// # Errors
    /// When no socket can be opened.
    pub fn start(folder: &Path, prefix: &str) -> io::Result<Self> {
        assert!(prefix.starts_with('/') && prefix.ends_with('/'), "prefix {prefix:?}");
        let http = Arc::new(tiny_http::Server::http("127.0.0.1:0").map_err(io::Error::other)?);
        let address = http.server_addr().to_ip().ok_or_else(|| io::Error::other("not an IP socket"))?;
        let thread = {
            let (http, folder, prefix) = (Arc::clone(&http), folder.to_path_buf(), prefix.to_owned());
            std::thread::spawn(move || {
                for request in http.incoming_requests() {
                    let response = respond(&folder, &prefix, request.url());
                    // A browser that went away is not the server's business.
                    let _ = request.respond(response);
                }
            })
        };
        Ok(Self { http, address, prefix: prefix.to_owned(), thread: Some(thread) })
    }

    /// The address of `path` (relative, without a leading `/`) on this server.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{}{path}", self.address, self.prefix)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.http.unblock();
        if let Some(thread) = self.thread.take() {
            // The thread only ends; a panic in it has already failed the page.
            let _ = thread.join();
        }
    }
}

fn respond(folder: &Path, prefix: &str, url: &str) -> Response<io::Cursor<Vec<u8>>> {
    match locate(folder, prefix, url).and_then(|file| Some((std::fs::read(&file).ok()?, file))) {
        Some((bytes, file)) => {
            let kind = Header::from_bytes("Content-Type", content_type(&file)).expect("ASCII header");
            Response::from_data(bytes).with_header(kind)
        }
        None => Response::from_data(format!("not found: {url}")).with_status_code(404),
    }
}

/// The file that `url` names, if it lies inside `folder`.
fn locate(folder: &Path, prefix: &str, url: &str) -> Option<PathBuf> {
    let path = url.split(['?', '#']).next()?.strip_prefix(prefix)?;
    let path = if path.is_empty() { "index.html" } else { path };
    let plain = path.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    plain.then(|| folder.join(path))
}

fn content_type(file: &Path) -> &'static str {
    match file.extension().and_then(|extension| extension.to_str()) {
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
        let folder = Path::new("dist");
        assert_eq!(locate(folder, "/a/", "/a/?x=1"), Some(folder.join("index.html")));
        assert_eq!(locate(folder, "/a/", "/a/b/c.js#d"), Some(folder.join("b/c.js")));
        for outside in ["/a/../Cargo.toml", "/a//etc/passwd", "/b/index.html", "/a/./x"] {
            assert_eq!(locate(folder, "/a/", outside), None, "{outside}");
        }
    }
}
