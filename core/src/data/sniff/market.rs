//! MatrixMarket: a sparse matrix as text.

use super::{Form, HEAD, Sniffed};
use crate::{
    Error, Result,
    data::{
        Conditions, LoadOptions,
        lines::Text,
        roles::{Decision, Roles, SIDES, no_ratings},
        table::{Delimiter, Quotes, Table},
    },
};

/// The first line of a MatrixMarket file.
pub(super) struct Market {
    pattern: bool,
}

/// Reads the words of the first line of a MatrixMarket file.
pub(super) fn head(text: &mut Text) -> Result<Market> {
    let name = text.stream.name.clone();
    let head = text.peek(HEAD)?;
    let line = &head[..memchr::memchr(b'\n', head).unwrap_or(head.len())];
    let words: Vec<String> =
        String::from_utf8_lossy(line).split_whitespace().map(str::to_lowercase).collect();
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    let wrong = |problem: &str| Err(Error::format(format!("{name}:1"), problem));
    if word(2) != "coordinate" {
        return wrong(
            "a dense MatrixMarket array; write the matrix as coordinates: scipy.io.mmwrite(NAME, scipy.sparse.coo_array(X))",
        );
    }
    if word(4) != "general" {
        return wrong(
            "a symmetric matrix, whose rows and columns are the same things; users and items are expected",
        );
    }
    match word(3) {
        "pattern" => Ok(Market { pattern: true }),
        "integer" | "real" | "unsigned-integer" => Ok(Market { pattern: false }),
        _ => wrong("a matrix whose entries are no numbers"),
    }
}

/// Consumes the line of sizes. The numbers of rows and columns are the ids.
pub(super) fn table(text: &mut Text, market: &Market, options: &LoadOptions) -> Result<Sniffed> {
    let name = text.stream.name.clone();
    let place = format!("{name}:{}", text.lines + 1);
    let head = text.peek(HEAD)?;
    let end = memchr::memchr(b'\n', head).unwrap_or(head.len());
    let sizes = Delimiter::Blanks.fields(&head[..end]);
    let sizes: Option<Vec<u64>> =
        sizes.iter().map(|size| std::str::from_utf8(size).ok()?.parse().ok()).collect();
    let Some([_, _, entries]) = sizes.as_deref().and_then(|sizes| <[u64; 3]>::try_from(sizes).ok()) else {
        return Err(Error::format(place, "the number of rows, columns and entries is expected"));
    };
    let skipped = (end + 1).min(head.len());
    let breaks = u64::from(skipped > end);
    text.skip(skipped, breaks);
    let width = if market.pattern { 2 } else { 3 };
    let (user, item) = options.sides()?;
    let rating = options.min_rating.map(|_| 2);
    if market.pattern && rating.is_some() {
        return Err(no_ratings(&name));
    }
    let mut decision =
        Decision { roles: Roles { user, item, rating, ..Roles::default() }, ..Decision::default() };
    decision.columns = vec![("user".into(), SIDES[user].into()), ("item".into(), SIDES[item].into())];
    // A zero that is stored is none the less a zero.
    let (mut conditions, mut columns) = (Vec::new(), Vec::new());
    if !market.pattern {
        conditions.extend("2!=0".parse::<Conditions>()?.iter().cloned());
        columns.push(2);
    }
    decision.roles.conditions = columns;
    decision
        .notes
        .push("the ids are the numbers of rows and columns, from 1; entries that are 0 do not count".into());
    let table = Table {
        delimiter: Delimiter::Blanks,
        quotes: Quotes::Lines,
        width,
        roles: decision.roles.clone(),
        conditions,
        constants: Vec::new(),
        stated_rows: Some(entries),
    };
    Ok(Sniffed { form: Form::Table(table), shown: "MatrixMarket".into(), decision, header: None })
}
