//! Tar archives, packed with gzip or not. Members are read where they lie: nothing is unpacked to the disk.

use std::io::{self, Read};

use super::unpack::{Gunzip, Refusal};

/// Opens the bytes of an archive from their beginning.
pub(super) type Opener<'a> = Box<dyn Fn() -> io::Result<Box<dyn Read + 'a>> + 'a>;

/// The most files that an archive may hold.
const MOST_MEMBERS: usize = 100_000;

/// A file in a tar archive.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) name: String,
    offset: u64,
    size: u64,
}

/// Whether an unpacked text begins as tar archives do.
pub(super) fn is_tar(head: &[u8]) -> bool {
    head.get(257..262) == Some(b"ustar")
}

/// An archive that can be opened several times.
pub(super) struct Archive<'a> {
    open: Opener<'a>,
    packed: bool,
    pub(super) members: Vec<Member>,
}

impl<'a> Archive<'a> {
    /// Lists the files of an archive.
    pub(super) fn new(open: Opener<'a>, packed: bool) -> io::Result<Self> {
        let mut archive = Self { open, packed, members: Vec::new() };
        let mut tar = tar::Archive::new(archive.unpacked()?);
        let mut members = Vec::new();
        for entry in tar.entries()? {
            let entry = entry?;
            if !entry.header().entry_type().is_file() {
                continue;
            }
            if members.len() == MOST_MEMBERS {
                let problem =
                    format!("more than {MOST_MEMBERS} files in one archive; unpack it and give the folder");
                return Err(Refusal::error(problem));
            }
            let name = String::from_utf8_lossy(&entry.path_bytes()).trim_start_matches("./").to_owned();
            members.push(Member { name, offset: entry.raw_file_position(), size: entry.size() });
        }
        drop(tar);
        archive.members = members;
        Ok(archive)
    }

    fn unpacked(&self) -> io::Result<Box<dyn Read + 'a>> {
        let reader = (self.open)()?;
        Ok(if self.packed { Box::new(Gunzip::new(reader)) } else { reader })
    }

    /// The content of a member.
    pub(super) fn read(&self, name: &str) -> io::Result<Box<dyn Read + 'a>> {
        let member = self.members.iter().find(|member| member.name == name);
        let member = member.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such member"))?;
        let mut reader = self.unpacked()?;
        let skipped = io::copy(&mut reader.by_ref().take(member.offset), &mut io::sink())?;
        if skipped < member.offset {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Box::new(reader.take(member.size)))
    }
}
