//! Tables of a folder that describe one another: the one with users and items, and those that must be joined first.

use super::super::{
    lines::Text,
    names::{ITEMS, PERSONS, SESSIONS, find, names_both, plain},
    sniff::header_of,
    source::Source,
};
use crate::{Error, Result};

/// The most tables of which the headers are compared.
const MOST: usize = 30;

/// Of tables that all name their columns, the one that names both users and items: the others describe them.
///
/// # Errors
/// [`Error::Format`] for an order's person and its items in two tables, with the way to join them.
pub(super) fn only_one_of_both(source: &mut Source, files: &[String]) -> Result<Option<String>> {
    if files.len() > MOST {
        return Ok(None);
    }
    let mut tables = Vec::new();
    for file in files {
        match header_of(&mut Text::new(source.open(file)?))? {
            None => return Ok(None),
            Some(names) => tables.push((file, names)),
        }
    }
    if let Some(problem) = to_join(&tables) {
        return Err(Error::format(&source.name, problem));
    }
    let mut both = tables.iter().filter(|table| names_both(&table.1));
    let first = both.next().map(|table| table.0.clone());
    Ok(first.filter(|_| both.next().is_none()))
}

/// What to do where one table names the person of each order or session, and others its items.
fn to_join(tables: &[(&String, Vec<String>)]) -> Option<String> {
    let is_person = |names: &[String]| find(names, PERSONS).is_some();
    let has_items = |names: &[String]| find(names, ITEMS).is_some();
    // The table of actions, if one has all of it.
    if tables.iter().any(|(_, names)| is_person(names) && has_items(names)) {
        return None;
    }
    let of_items: Vec<_> = tables.iter().filter(|(_, names)| has_items(names) && !is_person(names)).collect();
    tables.iter().filter(|(_, names)| is_person(names)).find_map(|(orders, names)| {
        let person = &names[find(names, PERSONS)?];
        let key = &names[find(names, SESSIONS)?];
        let has_key = |names: &[String]| names.iter().any(|name| plain(name) == plain(key) && name == key);
        let items: Vec<&&String> =
            of_items.iter().filter(|(_, names)| has_key(names)).map(|(file, _)| file).collect();
        let first = items.first()?;
        let list = items.iter().map(|file| format!("'{file}'")).collect::<Vec<_>>().join(", ");
        let list_of_names = items.iter().map(|file| file.as_str()).collect::<Vec<_>>().join(", ");
        Some(format!(
            "{orders} has the {person} of each {key}, and {list_of_names} its items; join them in that folder: python3 -c \
             \"import pandas as p; r = lambda f: p.read_csv(f, dtype=str); o = r('{orders}')[['{key}', '{person}']]; p.concat(map(r, \
             [{list}])).merge(o).to_csv('joined.csv', index=False)\" and give the path of joined.csv; or give the path of \
             {first} to take each {key} for a user"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(tables: &[(&str, &str)]) -> Option<String> {
        let tables: Vec<(String, Vec<String>)> = tables
            .iter()
            .map(|(file, names)| ((*file).to_owned(), names.split(',').map(str::to_owned).collect()))
            .collect();
        let tables: Vec<(&String, Vec<String>)> =
            tables.iter().map(|(file, names)| (file, names.clone())).collect();
        to_join(&tables)
    }

    #[test]
    fn orders_and_their_items_are_joined_by_hand() {
        let orders = ("orders.csv", "order_id,user_id,order_dow");
        let (past, next) = (("past.csv", "order_id,product_id"), ("next.csv", "order_id,product_id"));
        let products = ("products.csv", "product_id,product_name,aisle_id");
        let problem = |tables: &[_]| problem(tables);
        let said = problem(&[next, orders, past, products]).unwrap();
        for piece in [
            "['order_id', 'user_id']",
            "['next.csv', 'past.csv']",
            "orders.csv has the user_id",
            "joined.csv",
        ] {
            assert!(said.contains(piece), "{piece}: {said}");
        }
        // One table has everything, or nothing names a person.
        assert_eq!(problem(&[orders, past, ("log.csv", "user_id,product_id")]), None);
        assert_eq!(problem(&[past, products]), None);
    }
}
