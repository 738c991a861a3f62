//! `fastvae recommend`: the best items for users of the run, or for a given history.

use std::path::Path;

use fastvae::{
    Error, Result,
    recommend::{Filter, Recommender},
};
use pollster::block_on;

use crate::{
    Outcome,
    args::use_model::RecommendArgs,
    lists::{self, For, List, Target},
    settings,
};

/// Runs `fastvae recommend`.
///
/// # Errors
/// [`Error::Setting`] for unknown users or items; errors of checkpoint and engine.
pub fn run(args: &RecommendArgs) -> Result<Outcome> {
    let recommender = settings::recommender(&args.run, &args.engine)?;
    let filter = Filter {
        include_seen: args.include_seen,
        allow: args.allow.as_deref().map(|path| items(&recommender, "allow", path)).transpose()?,
        deny: args
            .deny
            .as_deref()
            .map(|path| items(&recommender, "deny", path))
            .transpose()?
            .unwrap_or_default(),
    };
    let (names, histories) = whom(args, &recommender)?;
    let found = block_on(recommender.recommend(&histories, args.n, &filter))?;
    let found = names
        .into_iter()
        .zip(found)
        .map(|(of, items)| List { heading: of.clone(), of, items })
        .collect::<Vec<_>>();
    let target =
        Target { format: args.format, output: args.output.as_deref(), no_formulas: args.no_formulas };
    lists::put(For::User, &found, &recommender, &target)?;
    Ok(Outcome::Done)
}

/// Names and histories of the users to recommend for.
fn whom(args: &RecommendArgs, recommender: &Recommender) -> Result<(Vec<String>, Vec<Vec<u32>>)> {
    let context = recommender.context();
    if args.all_users {
        return Ok((context.users.to_vec(), context.histories.iter().map(<[u32]>::to_vec).collect()));
    }
    let mut names = args.user.clone();
    let mut histories = Vec::new();
    for user in &args.user {
        histories.push(recommender.history_of(user)?.to_vec());
    }
    if !args.history.is_empty() {
        histories.push(history(&args.history, recommender)?);
        names.push("history".into());
    }
    Ok((names, histories))
}

/// Parses `--history`. Each value is one item (whose title may contain a comma) or a comma-separated list.
fn history(flags: &[String], recommender: &Recommender) -> Result<Vec<u32>> {
    let mut parts: Vec<&str> = Vec::new();
    for flag in flags {
        if recommender.item(flag).is_ok() {
            parts.push(flag);
        } else {
            parts.extend(flag.split(',').filter(|part| !part.trim().is_empty()));
        }
    }
    recommender.history(&parts)
}

/// Reads a file of items, one id or title per line.
fn items(recommender: &Recommender, flag: &str, path: &Path) -> Result<Vec<u32>> {
    let text = std::fs::read_to_string(path).map_err(|error| Error::io("read", path, error))?;
    let mut items = Vec::new();
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let item = recommender.item(line).map_err(|error| match error {
            Error::Setting { problem, .. } => {
                Error::setting(flag, format!("{}:{number}: {problem}", path.display()))
            }
            other => other,
        })?;
        items.push(item);
    }
    if items.is_empty() {
        return Err(Error::setting(flag, format!("{} names no item", path.display())));
    }
    Ok(items)
}
