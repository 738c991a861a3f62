//! Downloads, from a server on this machine.

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
    data::download::{Progress, REMOTES, Remote, Server, get, remote},
};

/// What a server sends: its file, the file's validator, and the number of bytes before the connection closes or
/// stalls.
#[derive(Clone)]
struct Answer {
    body: Vec<u8>,
    validator: Option<&'static str>,
    at_most: usize,
    silent: bool,
}

impl Answer {
    fn of(body: &[u8]) -> Self {
        Self { body: body.to_vec(), validator: None, at_most: usize::MAX, silent: false }
    }

    fn cut(self, at_most: usize) -> Self {
        Self { at_most, ..self }
    }
}

/// A server that answers one request after the other, and reports the first byte that each asked for. Like many
/// servers,
/// it ignores `If-Range`, so a client that resumes has to check the response.
fn serve(answers: Vec<Answer>) -> (Server, mpsc::Receiver<Option<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let home = format!("http://{}", listener.local_addr().unwrap());
    let (asked, log) = mpsc::channel();
    thread::spawn(move || {
        let mut open = Vec::new();
        for Answer { body, validator, at_most, silent } in answers {
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
            let (from, length) = (start.unwrap_or(0), body.len());
            let rest = &body[from.min(length)..];
            let head = match start {
                Some(from) if from >= length => "416 Range Not Satisfiable\r\n".to_owned(),
                Some(from) => {
                    format!("206 Partial Content\r\nContent-Range: bytes {from}-{}/{length}\r\n", length - 1)
                }
                None => "200 OK\r\n".to_owned(),
            };
            let tag = validator.map_or_else(String::new, |tag| format!("ETag: \"{tag}\"\r\n"));
            let length = rest.len();
            write!(stream, "HTTP/1.1 {head}{tag}Content-Length: {length}\r\nConnection: close\r\n\r\n")
                .unwrap();
            stream.write_all(&rest[..at_most.min(length)]).unwrap();
            if silent {
                open.push(stream);
            }
        }
        // Stalled connections stay open until the test ends.
        if !open.is_empty() {
            thread::park();
        }
    });
    (Server { home, ..Server::default() }, log)
}

const BODY: &[u8] = b"The quick brown fox jumps over the lazy dog";
const FOX: Remote = Remote { name: "fox", md5: Some("9e107d9d372bb6826bd81d3542a419d6"), licence: "none" };
/// A data set without a published hash.
const UNHASHED: Remote = Remote { name: "fox", md5: None, licence: "none" };

fn names(folder: &tempfile::TempDir) -> Vec<PathBuf> {
    let mut names: Vec<PathBuf> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into()).collect();
    names.sort();
    names
}

/// A zip archive with a table in it; texts of equal length give files of equal length.
fn zip(text: &str) -> Vec<u8> {
    let mut out = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    out.start_file("ratings.csv", stored).unwrap();
    out.write_all(text.as_bytes()).unwrap();
    out.finish().unwrap().into_inner()
}

#[test]
fn an_interrupted_download_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (server, log) = serve(vec![Answer::of(BODY).cut(10), Answer::of(BODY)]);
    let first = get(&server, &FOX, folder.path(), |_| ()).unwrap_err();
    assert!(matches!(first, Error::Data(_)));
    let message = first.to_string();
    assert!(message.contains("fox.zip") && message.contains("run the command again"), "{message}");
    assert_eq!(names(&folder), ["fox.zip.part", "fox.zip.part.json"].map(PathBuf::from));
    let mut seen = Vec::new();
    let path = get(&server, &FOX, folder.path(), |progress| seen.push(progress)).unwrap();
    assert_eq!(log.iter().take(2).collect::<Vec<_>>(), [None, Some(10)]);
    assert_eq!(fs::read(&path).unwrap(), BODY);
    assert_eq!(names(&folder), [PathBuf::from("fox.zip")]);
    assert_eq!(seen[0], Progress { done: 10, total: Some(43) });
    assert_eq!(seen.last(), Some(&Progress { done: 43, total: Some(43) }));
    // The file exists now, so no request is made.
    let nobody = Server { home: "http://127.0.0.1:1".into(), ..Server::default() };
    assert_eq!(get(&nobody, &FOX, folder.path(), |_| ()).unwrap(), path);
}

#[test]
fn pieces_of_two_files_never_become_one() {
    let (old, new) = (zip(&"1,2,3\n".repeat(900)), zip(&"4,5,6\n".repeat(900)));
    let of = |body: &[u8], tag: Option<&'static str>| Answer { validator: tag, ..Answer::of(body) };
    for (first, then, goes_on) in [
        // The tag shows that the file is unchanged, so only the second half is requested.
        (of(&new, Some("b")), vec![of(&new, Some("b"))], true),
        // Another tag, and no tag.
        (of(&old, Some("a")), vec![of(&new, Some("b")), of(&new, Some("b"))], false),
        (of(&old, None), vec![of(&new, None)], false),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let answers = [vec![first.cut(2000)], then].concat();
        let requests = answers.len();
        let (server, log) = serve(answers);
        get(&server, &UNHASHED, folder.path(), |_| ()).unwrap_err();
        let path = get(&server, &UNHASHED, folder.path(), |_| ()).unwrap();
        assert_eq!(fs::read(path).unwrap(), new);
        let asked: Vec<_> = log.iter().take(requests).collect();
        assert_eq!(asked.last().unwrap().is_some(), goes_on, "{asked:?}");
    }
    // With a published hash, no validator is needed: the hash does not match, so the whole file is fetched.
    let folder = tempfile::tempdir().unwrap();
    let other = b"THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG";
    let (server, log) = serve(vec![Answer::of(other).cut(10), Answer::of(BODY), Answer::of(BODY)]);
    get(&server, &FOX, folder.path(), |_| ()).unwrap_err();
    assert_eq!(fs::read(get(&server, &FOX, folder.path(), |_| ()).unwrap()).unwrap(), BODY);
    assert_eq!(log.iter().take(3).collect::<Vec<_>>(), [None, Some(10), None]);
}

#[test]
fn a_zip_without_a_published_hash_is_read_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut damaged = zip(&"1,2,3\n".repeat(900));
    damaged[2000] ^= 1;
    let (server, _log) = serve(vec![Answer::of(&damaged)]);
    let error = get(&server, &UNHASHED, folder.path(), |_| ()).unwrap_err().to_string();
    assert!(error.contains("ratings.csv in it is damaged"), "{error}");
    assert!(names(&folder).is_empty(), "{:?}", names(&folder));
}

#[test]
fn a_server_that_falls_silent_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let silent = Answer { silent: true, validator: Some("a"), ..Answer::of(BODY).cut(10) };
    let (mut server, _log) = serve(vec![silent]);
    server.patience = std::time::Duration::from_millis(300);
    let error = get(&server, &FOX, folder.path(), |_| ()).unwrap_err().to_string();
    assert!(
        error.contains("has sent nothing for 0.3 s") && error.contains("run the command again"),
        "{error}"
    );
    assert_eq!(fs::read(folder.path().join("fox.zip.part")).unwrap(), &BODY[..10]);
}

#[test]
fn one_process_fetches_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let part = fs::File::create(folder.path().join("fox.zip.part")).unwrap();
    part.lock().unwrap();
    let (server, _log) = serve(vec![Answer::of(BODY)]);
    let error = get(&server, &FOX, folder.path(), |_| ()).unwrap_err().to_string();
    assert!(error.contains("another process is fetching"), "{error}");
    drop(part);
    get(&server, &FOX, folder.path(), |_| ()).unwrap();
}

#[test]
fn wrong_bytes_are_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (server, _log) = serve(vec![Answer::of(b"The quick brown fox jumps over the lazy cog")]);
    let error = get(&server, &FOX, folder.path(), |_| ()).unwrap_err();
    assert!(matches!(error, Error::Format { .. }) && error.to_string().contains("MD5"), "{error}");
    assert!(names(&folder).is_empty());
    // An archive that the user put there is checked too, and is not deleted.
    fs::write(folder.path().join("fox.zip"), "other").unwrap();
    assert!(get(&server, &FOX, folder.path(), |_| ()).unwrap_err().to_string().contains("delete it"));
    assert_eq!(names(&folder), [PathBuf::from("fox.zip")]);
}

#[test]
fn offline_says_where_to_put_the_zip() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = Server { home: "http://127.0.0.1:1".into(), ..Server::default() };
    let error = get(&nobody, &FOX, folder.path(), |_| ()).unwrap_err().to_string();
    let place = folder.path().join("fox.zip").display().to_string();
    assert!(error.contains("put it at") && error.contains(&place), "{error}");
    assert!(names(&folder).is_empty(), "{:?}", names(&folder));
    let unknown = remote("ml-7m").unwrap_err();
    assert!(unknown.is_usage() && unknown.to_string().contains("ml-25m"));
    assert!(REMOTES.iter().all(|set| remote(set.name).is_ok() && !set.licence.is_empty()));
}
