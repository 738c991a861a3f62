//! Fetching, against a server on this machine.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::PathBuf,
    sync::mpsc,
    thread,
};

use fastvae::{
    Error,
    data::download::{Progress, REMOTES, Remote, get, get_from, remote},
};

/// A server of one file; it answers each request in turn with so many bytes at most and says what was asked.
fn serve(body: &'static [u8], at_most: Vec<usize>) -> (String, mpsc::Receiver<Option<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let home = format!("http://{}", listener.local_addr().unwrap());
    let (asked, log) = mpsc::channel();
    thread::spawn(move || {
        for most in at_most {
            let (mut stream, _) = listener.accept().unwrap();
            let mut start = None;
            for line in BufReader::new(stream.try_clone().unwrap()).lines() {
                let line = line.unwrap().to_lowercase();
                if let Some(range) = line.strip_prefix("range: bytes=") {
                    start = Some(range.trim_end_matches('-').parse::<usize>().unwrap());
                }
                if line.is_empty() {
                    break;
                }
            }
            asked.send(start).unwrap();
            let from = start.unwrap_or(0);
            let rest = &body[from.min(body.len())..];
            let head = match start {
                Some(from) if from >= body.len() => "HTTP/1.1 416 Range Not Satisfiable\r\n".to_owned(),
                Some(from) => format!(
                    "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {from}-{}/{}\r\n",
                    body.len() - 1,
                    body.len()
                ),
                None => "HTTP/1.1 200 OK\r\n".to_owned(),
            };
            write!(stream, "{head}Content-Length: {}\r\nConnection: close\r\n\r\n", rest.len()).unwrap();
            stream.write_all(&rest[..most.min(rest.len())]).unwrap();
        }
    });
    (home, log)
}

const BODY: &[u8] = b"The quick brown fox jumps over the lazy dog";
const FOX: Remote = Remote { name: "fox", md5: Some("9e107d9d372bb6826bd81d3542a419d6"), licence: "none" };

fn names(folder: &tempfile::TempDir) -> Vec<PathBuf> {
    fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into()).collect()
}

#[test]
fn an_interrupted_download_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (home, log) = serve(BODY, vec![10, usize::MAX]);
    let first = get_from(&home, &FOX, folder.path(), |_| ()).unwrap_err();
    assert!(matches!(first, Error::Data(_)));
    let message = first.to_string();
    assert!(message.contains("fox.zip") && message.contains("run the command again"), "{message}");
    assert_eq!(names(&folder), [PathBuf::from("fox.zip.part")]);
    let mut seen = Vec::new();
    let path = get_from(&home, &FOX, folder.path(), |progress| seen.push(progress)).unwrap();
    assert_eq!(log.iter().take(2).collect::<Vec<_>>(), [None, Some(10)]);
    assert_eq!(fs::read(&path).unwrap(), BODY);
    assert_eq!(names(&folder), [PathBuf::from("fox.zip")]);
    assert_eq!(seen[0], Progress { done: 10, total: Some(43) });
    assert_eq!(seen.last(), Some(&Progress { done: 43, total: Some(43) }));
    // Now it is there: no server is asked.
    assert_eq!(get_from("http://127.0.0.1:1", &FOX, folder.path(), |_| ()).unwrap(), path);
}

#[test]
fn wrong_bytes_are_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (home, _log) = serve(b"The quick brown fox jumps over the lazy cog", vec![usize::MAX]);
    let error = get_from(&home, &FOX, folder.path(), |_| ()).unwrap_err();
    assert!(matches!(error, Error::Format { .. }) && error.to_string().contains("MD5"), "{error}");
    assert!(names(&folder).is_empty());
    // A zip put there by hand is checked too, and left for its owner to judge.
    fs::write(folder.path().join("fox.zip"), "other").unwrap();
    assert!(get_from(&home, &FOX, folder.path(), |_| ()).unwrap_err().to_string().contains("delete it"));
    assert_eq!(names(&folder), [PathBuf::from("fox.zip")]);
}

#[test]
fn offline_says_where_to_put_the_zip() {
    let folder = tempfile::tempdir().unwrap();
    let error = get_from("http://127.0.0.1:1", &FOX, folder.path(), |_| ()).unwrap_err().to_string();
    let place = folder.path().join("fox.zip").display().to_string();
    assert!(error.contains("put it at") && error.contains(&place), "{error}");
    let unknown = get("ml-7m", folder.path(), |_| ()).unwrap_err();
    assert!(unknown.is_usage() && unknown.to_string().contains("ml-25m"));
    assert!(REMOTES.iter().all(|set| remote(set.name).is_ok() && !set.licence.is_empty()));
}
