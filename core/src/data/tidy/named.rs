//! Rows whose fields have names of their own, as logs write them: `user=u1,item=i1,time=..`.

use super::super::table::Delimiter;

/// What separates the fields afterwards.
const REPLACEMENT: u8 = 1;
/// The longest name.
const LONGEST: usize = 40;

/// Fields with names.
#[derive(Clone)]
pub(super) struct Named {
    delimiter: Delimiter,
    names: Vec<Vec<u8>>,
}

/// The names of the fields, if all lines have the same ones.
pub(super) fn find(lines: &[&[u8]]) -> Option<Named> {
    let bytes = [b'\t', b';', b'|', b',', b'&'].map(Delimiter::Byte);
    let found = bytes.into_iter().chain([Delimiter::Blanks]).find_map(|delimiter| {
        let all: Vec<Vec<&[u8]>> = lines.iter().map(|line| names(delimiter, line)).collect::<Option<_>>()?;
        let first = all.first().filter(|names| names.len() >= 2)?;
        let distinct = (1..first.len()).all(|at| !first[..at].contains(&first[at]));
        let same = |names: &&Vec<&[u8]>| names.iter().filter(|name| first.contains(name)).count() >= 2;
        (distinct && all.iter().all(|names| same(&names)))
            .then(|| Named { delimiter, names: first.iter().map(|name| name.to_vec()).collect() })
    });
    found.filter(|_| lines.len() >= 2)
}

/// The names of the fields of a line.
fn names(delimiter: Delimiter, line: &[u8]) -> Option<Vec<&[u8]>> {
    delimiter.fields(line).into_iter().map(|field| pair(field).map(|pair| pair.0)).collect()
}

/// The name and the value of a field.
fn pair(field: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(b'=', field)?;
    let (name, value) = (&field[..at], &field[at + 1..]);
    let is_name = (1..=LONGEST).contains(&name.len())
        && name[0].is_ascii_alphabetic()
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    is_name.then_some((name, value))
}

impl Named {
    pub(super) fn note(&self) -> String {
        let names: Vec<_> = self.names.iter().map(|name| String::from_utf8_lossy(name)).collect();
        format!("each field has its name with it ({}), and is read by it", names.join(", "))
    }

    /// The line of names.
    pub(super) fn header(&self) -> Vec<u8> {
        let mut line = self.names.join(&REPLACEMENT);
        line.push(b'\n');
        line
    }

    /// The values of a line in the order of the names; a line of another kind as it is.
    pub(super) fn replaced(&self, line: &[u8]) -> Vec<u8> {
        if line.trim_ascii().is_empty() {
            return line.to_vec();
        }
        let pairs: Option<Vec<_>> = self.delimiter.fields(line).into_iter().map(pair).collect();
        let Some(pairs) = pairs else { return line.to_vec() };
        let value =
            |name: &Vec<u8>| pairs.iter().find(|pair| pair.0 == *name).map_or(&b""[..], |pair| pair.1);
        self.names.iter().map(value).collect::<Vec<_>>().join(&REPLACEMENT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_with_names_are_columns() {
        let lines: [&[u8]; 3] =
            [b"user=u1 item=i1 n=\"3\"", b"user=u2 item=i=2", b"item=i3 user=u3 n=5 more=x"];
        let named = find(&lines).unwrap();
        assert_eq!(named.header(), b"user\x01item\x01n\n");
        assert_eq!(named.replaced(lines[1]), b"u2\x01i=2\x01");
        assert_eq!(named.replaced(lines[2]), b"u3\x01i3\x015");
        assert_eq!((named.replaced(b"restarted"), named.replaced(b"")), (b"restarted".to_vec(), Vec::new()));
        for others in [
            &[&b"u1,i=1"[..], b"u2,i=2"][..],
            &[b"a=1,a=2", b"a=3,a=4"],
            &[b"user=u1,item=i1", b"what=x,which=y"],
            &[b"user=u1,item=i1"],
            &[b"https://a/?x=1,y=2", b"https://b/?x=1,y=2"],
        ] {
            assert!(find(others).is_none());
        }
    }
}
