//! Recommendations from a trained model: the best items for a history, and the items most similar to an item.

mod diversity;
mod resolve;
mod vectors;

use std::{
    path::Path,
    sync::{Arc, OnceLock},
};

use rustc_hash::FxHashMap;

pub use self::vectors::Vectors;
use crate::{
    Error, Result,
    data::Csr,
    engine::Engine,
    model::{AnyModel, Scorer},
    proposal::Catalogue,
    rank::{RankOptions, rank},
    run::checkpoint::{self, Checkpoint, Context},
};

/// A trained model together with the names of its users and items.
///
/// ```
/// use fastvae::{
///     config::MultVaeConfig,
///     data,
///     engine::Engine,
///     recommend::{Filter, Recommender},
///     run::{RunConfig, checkpoint::{Checkpoint, Context}},
///     train::Trainer,
/// };
/// # fn main() -> fastvae::Result<()> {
/// let mut config = RunConfig::default();
/// config.model = MultVaeConfig { hidden: 16, latent: 8, ..Default::default() }.into();
/// config.training.epochs = 1;
/// let set = data::synthetic(&Default::default())?;
/// let split = data::split(&set, &config.split)?;
/// pollster::block_on(async {
///     let mut trainer = Trainer::new(Engine::cpu(), &config.training()?, &split.train, None).await?;
///     while trainer.next().await?.is_some() {}
///     // `Recommender::load(path, engine)` takes the checkpoint of a run instead.
///     let checkpoint =
///         Checkpoint { context: Context::new(config, &set), state: trainer.state().await?.into_model() };
///     let recommender = Recommender::new(checkpoint, Engine::cpu())?;
///
///     let history = recommender.history(&["1", "7", "12"])?; // ids or titles
///     let best = recommender.recommend(&[history], 5, &Filter::default()).await?;
///     for one in &best[0] {
///         println!("{:>8.3}  {}", one.score, recommender.title(one.item));
///     }
///     assert_eq!(best[0].len(), 5);
///     assert_eq!(recommender.similar(best[0][0].item, 3).await?.len(), 3);
///     Ok(())
/// })
/// # }
/// ```
pub struct Recommender {
    engine: Engine,
    model: AnyModel,
    context: Context,
    /// Item vectors on the host, M x width; read at the first request for similar items.
    vectors: OnceLock<Vec<f32>>,
    users: FxHashMap<String, u32>,
    items: Arc<FxHashMap<String, u32>>,
}

/// One item of a recommendation list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recommendation {
    /// The item; its id is [`Recommender::item_id`].
    pub item: u32,
    /// The model's score of it: for Mult-VAE the logit; for similar items see [`Recommender::similar`].
    pub score: f32,
}

/// Which items may be recommended. The default excludes the items of the history and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Recommend items of the history as well.
    pub include_seen: bool,
    /// If given, recommend only these items.
    pub allow: Option<Vec<u32>>,
    /// Never recommend these items, even if they are allowed.
    pub deny: Vec<u32>,
    /// Never recommend items with fewer interactions than this in the data of the run.
    pub min_popularity: u32,
}

/// What to leave out of the list of one user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// Never recommend these items.
    pub exclude: Vec<u32>,
    /// If given, recommend only these items.
    pub only: Option<Vec<u32>>,
}

impl Own {
    /// The items that are left out, of a catalogue of `items`.
    fn excluded(&self, items: u32) -> Vec<u32> {
        let Some(only) = &self.only else { return self.exclude.clone() };
        let mut allowed = vec![false; items as usize];
        for &item in only {
            allowed[item as usize] = true;
        }
        for &item in &self.exclude {
            allowed[item as usize] = false;
        }
        (0..items).filter(|&item| !allowed[item as usize]).collect()
    }
}

impl Recommender {
    /// Loads the model of a checkpoint file; for a folder, of the `model.safetensors` in it.
    ///
    /// # Errors
    /// As [`checkpoint::read`] and [`Recommender::new`].
    pub fn load(path: &Path, engine: Engine) -> Result<Self> {
        let file = checkpoint::model_of(path);
        let named = |error| match error {
            Error::Data(problem) => Error::Checkpoint { path: file.clone(), problem },
            other => other,
        };
        Self::new(checkpoint::read(&file)?, engine).map_err(named)
    }

    /// Loads the model of a checkpoint in memory. A model that ranks on the CPU engine only is loaded there,
    /// whatever the engine.
    ///
    /// # Errors
    /// [`Error::Data`] if a tensor is missing or has the wrong shape; [`Error::Device`] if the engine cannot
    /// hold them.
    pub fn new(checkpoint: Checkpoint, engine: Engine) -> Result<Self> {
        let Checkpoint { context, state } = checkpoint;
        let engine = if context.config.model.kind().needs_cpu() { Engine::cpu() } else { engine };
        let state = state.into_model();
        let model = AnyModel::from_state(&engine, &context.config.model, context.items.len(), &state)?;
        let numbered = |ids: &[String]| -> FxHashMap<String, u32> { ids.iter().cloned().zip(0..).collect() };
        Ok(Self {
            users: numbered(&context.users),
            items: Arc::new(numbered(&context.items)),
            engine,
            model,
            context,
            vectors: OnceLock::new(),
        })
    }

    /// What the model was trained on: ids, titles, settings.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The model, for example to evaluate it on another set.
    pub fn model(&self) -> &AnyModel {
        &self.model
    }

    /// The engine that the model is on.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// An item's id.
    pub fn item_id(&self, item: u32) -> &str {
        &self.context.items[item as usize]
    }

    /// An item's title, or its id if the set has no titles.
    pub fn title(&self, item: u32) -> &str {
        self.context.titles.as_ref().map_or_else(|| self.item_id(item), |titles| &titles[item as usize])
    }

    /// Whether the items have titles.
    pub fn has_titles(&self) -> bool {
        self.context.titles.is_some()
    }

    /// Finds an item by its id or title (in any case; the beginning of a title is enough if no other title
    /// has it).
    ///
    /// # Errors
    /// [`Error::Setting`] for field `item`, with the candidates if there are several.
    pub fn item(&self, name: &str) -> Result<u32> {
        resolve::item(name, &self.items, self.context.titles.as_deref().map(Vec::as_slice))
            .map_err(|problem| Error::setting("item", problem))
    }

    /// Finds items by their ids or titles; the result ascends and has no repeats.
    ///
    /// # Errors
    /// [`Error::Setting`] for field `history`, as [`Recommender::item`]; also for an empty list.
    pub fn history<S: AsRef<str>>(&self, names: &[S]) -> Result<Vec<u32>> {
        let mut items = names
            .iter()
            .map(|name| {
                resolve::item(name.as_ref(), &self.items, self.context.titles.as_deref().map(Vec::as_slice))
            })
            .collect::<Result<Vec<u32>, String>>()
            .map_err(|problem| Error::setting("history", problem))?;
        items.sort_unstable();
        items.dedup();
        if items.is_empty() {
            return Err(Error::setting("history", "it names no item; give at least one id or title"));
        }
        Ok(items)
    }

    /// The full history of a user in the data set of the run.
    ///
    /// # Errors
    /// [`Error::Setting`] for field `user` if the user does not exist.
    pub fn history_of(&self, user: &str) -> Result<&[u32]> {
        let row = self.users.get(user).ok_or_else(|| {
            let some: Vec<&str> = self.context.users.iter().take(3).map(String::as_str).collect();
            Error::setting(
                "user",
                format!(
                    "no user {user:?} among the {} of {}, whose ids look like {}; users with fewer interactions than \
                     the k-core asks for are not in it; a `history` of items is enough to recommend for anybody",
                    self.context.users.len(),
                    self.context.data,
                    some.join(", ")
                ),
            )
        })?;
        Ok(self.context.histories.row(*row as usize))
    }

    /// The `n` best items for each history, best first; fewer if the filter excludes too many.
    ///
    /// # Errors
    /// [`Error::Setting`] for `count` where `n` is 0, an item that is not in the catalogue, or a filter that leaves nothing;
    /// [`Error::Device`] if the engine cannot hold a piece of the work.
    pub async fn recommend<H: AsRef<[u32]>>(
        &self,
        histories: &[H],
        n: usize,
        filter: &Filter,
    ) -> Result<Vec<Vec<Recommendation>>> {
        self.recommend_each(histories, &[], n, filter).await
    }

    /// As [`Recommender::recommend`], with a filter for each history beside the common one; none if `own` is
    /// empty.
    ///
    /// # Errors
    /// As [`Recommender::recommend`]; [`Error::Data`] if there are neither no filters nor one for each history.
    pub async fn recommend_each<H: AsRef<[u32]>>(
        &self,
        histories: &[H],
        own: &[Own],
        n: usize,
        filter: &Filter,
    ) -> Result<Vec<Vec<Recommendation>>> {
        if n == 0 {
            return Err(Error::setting("count", "a list of 0 items is empty; give at least 1"));
        }
        let count = self.context.items.len() as u32;
        let excluded = match own {
            [] => None,
            own => {
                let rows: Vec<Vec<u32>> = own.iter().map(|own| own.excluded(count)).collect();
                Some(Csr::from_rows(&rows, count)?)
            }
        };
        let allowed = self.allowed(filter)?;
        let options = RankOptions { mask_seen: !filter.include_seen, allowed, excluded };
        let rows: Vec<Vec<u32>> = histories.iter().map(|history| history.as_ref().to_vec()).collect();
        if rows.iter().any(Vec::is_empty) {
            return Err(Error::setting("history", "it is empty; a recommendation needs at least one item"));
        }
        let histories = Csr::from_rows(&rows, self.context.items.len() as u32)?;
        let ranking = rank(&self.engine, &self.model, &histories, n, &options).await?;
        Ok((0..rows.len())
            .map(|user| {
                let scores = &ranking.scores[user * ranking.k..];
                let pairs = ranking.row(user).iter().zip(scores);
                pairs.map(|(&item, &score)| Recommendation { item, score }).collect()
            })
            .collect())
    }

    fn allowed(&self, filter: &Filter) -> Result<Option<Vec<bool>>> {
        if filter.allow.is_none() && filter.deny.is_empty() && filter.min_popularity == 0 {
            return Ok(None);
        }
        let mut flags = vec![filter.allow.is_none(); self.context.items.len()];
        let allow = filter.allow.iter().flatten().map(|item| (item, true));
        for (&item, flag) in allow.chain(filter.deny.iter().map(|item| (item, false))) {
            *flags.get_mut(item as usize).ok_or_else(|| {
                Error::setting("item", format!("{item} is not below the {} items", self.context.items.len()))
            })? = flag;
        }
        if filter.min_popularity > 0 {
            let counts = self.context.histories.column_counts();
            flags.iter_mut().zip(counts).for_each(|(flag, count)| *flag &= count >= filter.min_popularity);
            if !flags.contains(&true) {
                let problem = format!(
                    "no item that may be recommended has {} interactions; lower it",
                    filter.min_popularity
                );
                return Err(Error::setting("min-popularity", problem));
            }
        }
        if !flags.contains(&true) {
            return Err(Error::setting("allow", "together with `deny` it leaves no item to recommend"));
        }
        Ok(Some(flags))
    }

    /// The number of each item, by its id.
    pub fn item_numbers(&self) -> Arc<FxHashMap<String, u32>> {
        Arc::clone(&self.items)
    }

    /// The number of an item, by its id alone.
    pub fn number_of(&self, id: &str) -> Option<u32> {
        self.items.get(id).copied()
    }

    /// The number of a user of the run's data.
    pub fn user_number(&self, id: &str) -> Option<u32> {
        self.users.get(id).copied()
    }

    /// The `n` items most similar to `item`, which is left out. The score is the cosine similarity of item
    /// vectors; for a model of weights between items, the weight from `item`.
    ///
    /// # Errors
    /// [`Error::Setting`] for `count` where `n` is 0 or an item that is not in the catalogue; [`Error::Data`] for
    /// a model that does not relate items to each other; [`Error::Device`] if the device is lost.
    pub async fn similar(&self, item: u32, n: usize) -> Result<Vec<Recommendation>> {
        if n == 0 {
            return Err(Error::setting("count", "a list of 0 items is empty; give at least 1"));
        }
        let count = self.context.items.len();
        if item as usize >= count {
            return Err(Error::setting("item", format!("{item} is not below the {count} items")));
        }
        if !self.model.relates_items() {
            let kind = self.model.kind().name();
            return Err(Error::Data(format!("a model of kind {kind} does not relate items to each other")));
        }
        let Some(vectors) = self.model.item_vectors() else {
            let all = self.recommend(&[[item]], n, &Filter::default()).await?;
            return Ok(all.into_iter().next().unwrap_or_default());
        };
        let (vectors, width) = self.vectors(&vectors).await?;
        // In f64: squares of large weights overflow f32.
        let dot =
            |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
        let query = &vectors[item as usize * width..][..width];
        let length = dot(query, query).sqrt();
        let mut all: Vec<Recommendation> = (0u32..)
            .zip(vectors.chunks_exact(width))
            .filter(|&(other, _)| other != item)
            .map(|(other, row)| {
                let lengths = length * dot(row, row).sqrt();
                // A vector of zeros has no direction; its cosine is taken as 0.
                let score = if lengths > 0.0 { dot(query, row) / lengths } else { 0.0 };
                Recommendation { item: other, score: score as f32 }
            })
            .collect();
        let order =
            |a: &Recommendation, b: &Recommendation| b.score.total_cmp(&a.score).then(a.item.cmp(&b.item));
        if n < all.len() {
            all.select_nth_unstable_by(n, order);
            all.truncate(n);
        }
        all.sort_unstable_by(order);
        Ok(all)
    }

    /// The item vectors, M x width, and their width.
    async fn vectors(&self, on_engine: &Catalogue) -> Result<(&[f32], usize)> {
        let width = on_engine.width;
        if self.vectors.get().is_none() {
            let read = self.engine.read_range(&on_engine.table, 0..on_engine.items * width).await?;
            let _ = self.vectors.set(read); // another thread may have been faster, with the same vectors
        }
        Ok((self.vectors.get().map_or(&[], Vec::as_slice), width))
    }
}
