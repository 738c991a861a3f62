//! `fastvae similar`: the items most similar to one item.

use fastvae::{Result, engine::Engine, recommend::Recommender};
use pollster::block_on;

use crate::{
    Outcome,
    args::use_model::{Format, SimilarArgs},
    lists::{self, For, List, Target},
};

/// Runs `fastvae similar`.
///
/// # Errors
/// [`fastvae::Error::Setting`] for an unknown item; errors of the checkpoint.
pub fn run(args: &SimilarArgs) -> Result<Outcome> {
    // Cosines are computed on the host, which takes less time than opening a GPU.
    let recommender = Recommender::load(&args.run, Engine::cpu())?;
    let item = recommender.item(&args.item)?;
    let (of, heading) = (recommender.item_id(item).to_owned(), recommender.title(item).to_owned());
    let found = List { of, heading, items: block_on(recommender.similar(item, args.n))?, hits: None };
    let target = Target {
        format: Format::chosen(args.format, args.output.as_deref()),
        output: args.output.as_deref(),
        no_formulas: args.no_formulas,
    };
    lists::write(For::Like, &recommender, &target, |writer| writer.list(&found))?;
    Ok(Outcome::Done)
}
