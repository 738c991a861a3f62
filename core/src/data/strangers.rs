//! Users and items of a set that was read which may be none: sums, remarks, words for nobody, numbers of rows.

use super::{Csr, tidy::is_total};

/// The fewest users or items among which one stands out.
const FEWEST: usize = 20;
/// How many times as many items as most users have an id for nobody has.
const MANY: usize = 3;
/// How many times as many a number has that may stand for nobody, since numbers are ids like others.
const MANY_OF_A_NUMBER: usize = 5;

/// Words for persons who are not known.
#[rustfmt::skip]
const NOBODY: &[&str] = &[
    "unknown", "anonymous", "anon", "guest", "visitor", "missing", "empty", "blank", "nobody", "notset", "notavailable",
    "notloggedin", "nologin", "default", "other", "dummy", "deleted", "removed", "unbekannt", "anonym", "gast", "leer",
    "inconnu", "anonyme", "invité", "vide", "desconocido", "anónimo", "anonimo", "invitado", "vacío", "sconosciuto",
    "ospite", "desconhecido", "convidado", "onbekend", "nieznany", "gość", "okänd", "ukjent", "ukendt", "неизвестно",
    "неизвестный", "гость", "аноним", "нет", "未知", "匿名", "游客", "不明", "ゲスト", "알수없음", "비회원",
];

/// Numbers for persons who are not known.
const NUMBERS: [&str; 7] =
    ["0", "-1", "-999", "999999", "99999999", "9999999999", "00000000-0000-0000-0000-000000000000"];

/// What to say of users and items that may be none.
pub(super) fn notes([users, items]: [&[String]; 2], interactions: &Csr) -> Vec<String> {
    let said = |role: &str, name: &String, rows: usize, why: &str| {
        format!("the {role} {name:?}, in {rows} rows, {why}; if it is none, leave its rows out with `where`")
    };
    let of_user = |user: usize, why: &str| said("user", &users[user], interactions.row(user).len(), why);
    let found = total(users, items, interactions).map(|found| match found {
        Total::User(user) => of_user(user, "may be a sum"),
        Total::Item(item, rows) => said("item", &items[item], rows, "may be a sum"),
    });
    let odd = || odd(users).map(|user| of_user(user, "is the only one that is no number"));
    let nobody = || nobody(users, interactions).map(|user| of_user(user, "may stand for nobody"));
    let remark = || {
        let item = odd_number(items)?;
        let user = (0..users.len()).find(|&user| interactions.row(user).contains(&(item as u32)))?;
        Some(said(
            "item",
            &items[item],
            1,
            &format!("is the only one that is a number, beside the user {:?}", users[user]),
        ))
    };
    let one = found.or_else(odd).or_else(nobody).or_else(remark);
    one.into_iter().chain(alone([users, items], interactions)).collect()
}

enum Total {
    User(usize),
    Item(usize, usize),
}

/// A user, or an item of nearly everybody, that is called a sum.
fn total(users: &[String], items: &[String], interactions: &Csr) -> Option<Total> {
    if let Some(user) = users.iter().position(|user| is_total(user)) {
        return Some(Total::User(user));
    }
    // Sums of rows are in the rows of nearly everybody.
    let item = items.iter().position(|item| is_total(item))?;
    let rows = interactions.column_counts()[item] as usize;
    (users.len() >= 2 && rows * 10 >= users.len() * 9).then_some(Total::Item(item, rows))
}

fn is_number(id: &str) -> bool {
    id.bytes().all(|byte| byte.is_ascii_digit())
}

/// The only user that is no number. Numbers come first in the order of users.
fn odd(users: &[String]) -> Option<usize> {
    let [.., before, last] = users else { return None };
    (users.len() >= FEWEST && is_number(before) && !is_number(last)).then_some(users.len() - 1)
}

/// The only item that is a number, as a sum or a count in a line below the rows.
fn odd_number(items: &[String]) -> Option<usize> {
    let [first, second, ..] = items else { return None };
    let letters = |id: &String| id.contains(|c: char| c.is_alphabetic());
    (items.len() > FEWEST / 2 && is_number(first) && !is_number(second) && items[1..].iter().all(letters))
        .then_some(0)
}

/// A user with more items than most have, whose id is a word or a number for those who are not known.
fn nobody(users: &[String], interactions: &Csr) -> Option<usize> {
    if users.len() <= FEWEST / 2 {
        return None;
    }
    let count = |user: usize| interactions.row(user).len();
    let mut counts: Vec<usize> = (0..users.len()).map(count).collect();
    let middle = counts.len() / 2;
    let median = (*counts.select_nth_unstable(middle).1).max(1);
    // In a set numbered from 0, the first user is one like others.
    let from_0 = || users.iter().any(|user| user == "1") && users.iter().any(|user| user == "2");
    let is_number = |user: &String| NUMBERS.contains(&user.as_str()) && !(user == "0" && from_0());
    let is_word = |user: &String| {
        let word: String =
            user.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
        NOBODY.contains(&word.as_str())
    };
    users.iter().enumerate().position(|(at, user)| {
        // Most ids have digits, which none of the words has.
        if user.bytes().any(|byte| byte.is_ascii_digit()) {
            count(at) >= MANY_OF_A_NUMBER * median && is_number(user)
        } else {
            count(at) >= MANY * median && is_word(user)
        }
    })
}

/// What to say where no user has two items, or no item two users.
fn alone([users, items]: [&[String]; 2], interactions: &Csr) -> Option<String> {
    let rows = interactions.nnz();
    let is_alone = |ids: &[String]| ids.len() >= FEWEST && ids.len() == rows;
    let what = match (is_alone(users), is_alone(items)) {
        (true, _) => {
            "no user has two items: is its column a number of rows, or does the other one hold lists"
        }
        (_, true) => "no item has two users: is its column a time or a number of rows",
        _ => return None,
    };
    Some(format!("{what}? `columns = user=..,item=..` names others (`items=..` for lists)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Users with so many items of a catalogue.
    fn said(users: &[(&str, usize)], items: &[&str]) -> Vec<String> {
        let rows = users.iter().map(|user| (0..user.1 as u32).collect::<Vec<_>>());
        let matrix = Csr::from_sorted(rows, items.len() as u32).unwrap();
        let ids = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect::<Vec<_>>();
        let users = ids(users.iter().map(|user| user.0).collect());
        notes([&users, &ids(items.to_vec())], &matrix)
    }

    #[test]
    fn ids_for_nobody_are_said_where_they_have_much() {
        let items: Vec<String> = (0..12).map(|at| format!("i{at}")).collect();
        let items: Vec<&str> = items.iter().map(String::as_str).collect();
        let names: Vec<String> = (100..130).map(|at| at.to_string()).collect();
        let with = |name, count| {
            let mut users: Vec<(&str, usize)> = names.iter().map(|name| (name.as_str(), 2)).collect();
            users.insert(0, (name, count));
            said(&users, &items)
        };
        for name in ["Guest", "(anonymous)", "-1", "0"] {
            assert!(with(name, 12)[0].contains("nobody"), "{name}");
        }
        for (name, count) in [("Guest", 2), ("0", 8), ("17", 12)] {
            assert!(with(name, count).is_empty(), "{name}");
        }
        let dense: Vec<String> = (0..30).map(|at| at.to_string()).collect();
        let users: Vec<(&str, usize)> = dense
            .iter()
            .enumerate()
            .map(|(at, name)| (name.as_str(), if at == 0 { 12 } else { 2 }))
            .collect();
        assert!(said(&users, &items).is_empty());
    }

    #[test]
    fn users_with_one_item_each_and_odd_items_are_said() {
        let names: Vec<String> = (0..30).map(|at| format!("u{at}")).collect();
        let users = |count| names.iter().map(|name| (name.as_str(), count)).collect::<Vec<_>>();
        assert!(said(&users(1), &["a", "b"])[0].contains("no user has two items"));
        assert!(said(&users(2), &["a", "b"]).is_empty());
        let items: Vec<String> = (0..12).map(|at| format!("i{at}")).collect();
        let mut items: Vec<&str> = items.iter().map(String::as_str).collect();
        items.insert(0, "540");
        assert!(said(&users(3), &items)[0].contains("only one that is a number"));
    }
}
