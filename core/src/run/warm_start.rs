//! The start of a run from the parameters of an earlier model.

use rustc_hash::FxHashMap;

use super::checkpoint::Checkpoint;
use crate::{
    Error, Result,
    data::Csr,
    engine::Engine,
    model::{self, AnyModel, ModelConfig},
    state::{State, Tensor, TensorData},
};

/// Tensors with a row for each item.
const TABLES: [&str; 3] = ["encoder", "items", "item_bias"];
/// Where ELSA holds its item vectors before they are normalised.
const WEIGHTS: &str = "fit.weights";

/// The vectors of users: while a factorisation is fitted, and of a model that has a table of them.
const USERS: [&str; 2] = ["fit.users", "users"];
/// Which of the users of that table has which history.
const USER_HISTORIES: &str = "user_histories";

/// Whether a tensor is a parameter that is carried over; the linear path and the users are those of the new data.
fn carried(name: &str) -> bool {
    let of_data = USERS.contains(&name) || name == USER_HISTORIES || model::LINEAR_PATH.contains(&name);
    !name.contains('.') && !of_data
}

/// How many items of a new run an earlier model has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Matched {
    /// Items that both have.
    pub known: usize,
    /// New items that are seen together with known ones; their rows are the means of the rows of these.
    pub means: usize,
    /// New items without such a neighbour, which start at random.
    pub random: usize,
    /// Items of the earlier model that the new catalogue does not have.
    pub gone: usize,
}

/// Replaces the parameters of the state of a new run by those of an earlier model. Tables of items are matched by
/// ids; all other parameters are taken whole. Moments of the optimiser and the index stay those of a new run.
///
/// # Errors
/// [`Error::Setting`] for `warm-start` if a tensor has another size in the earlier model.
pub(super) fn fill(
    state: &mut State,
    earlier: &Checkpoint,
    items: &[String],
    train: &Csr,
) -> Result<Matched> {
    let before: FxHashMap<&str, usize> = earlier.context.items.iter().map(String::as_str).zip(0..).collect();
    let known: Vec<Option<usize>> = items.iter().map(|id| before.get(id.as_str()).copied()).collect();
    let seen = seen_with(&known, train);
    let names: Vec<String> = state.tensors.keys().filter(|name| carried(name)).cloned().collect();
    for name in names {
        let Some(old) = earlier.state.tensors.get(&name) else {
            let problem =
                format!("the earlier model has no `{name}`; train with the settings of its network");
            return Err(Error::setting("warm-start", problem));
        };
        let is_table = TABLES.contains(&name.as_str());
        let Some(new) = state.tensors.get_mut(&name) else { continue };
        let width = |tensor: &Tensor| tensor.data.len() / tensor.shape.first().copied().unwrap_or(1).max(1);
        let rows = |tensor: &Tensor| tensor.shape.first().copied().unwrap_or(0);
        let fits = if is_table {
            width(old) == width(new) && rows(old) == earlier.context.items.len() && rows(new) == items.len()
        } else {
            old.shape == new.shape
        };
        if !fits {
            let problem = format!(
                "`{name}` is {:?} in the earlier model and {:?} here; train with the settings of its network",
                old.shape, new.shape
            );
            return Err(Error::setting("warm-start", problem));
        }
        let width = width(new);
        match (&mut new.data, &old.data) {
            (TensorData::F32(new), TensorData::F32(old)) if is_table => {
                copy_rows(new, old, width, &known);
                fill_means(new, old, width, &known, &seen, train);
            }
            (new, old) => new.clone_from(old),
        }
    }
    if state.tensors.contains_key(WEIGHTS)
        && let Some(vectors) = state.tensors.get("items").cloned()
    {
        state.tensors.insert(WEIGHTS.into(), vectors);
    }
    let found = known.iter().flatten().count();
    let means = known.iter().zip(&seen).filter(|(known, seen)| known.is_none() && **seen > 0).count();
    Ok(Matched {
        known: found,
        means,
        random: items.len() - found - means,
        gone: earlier.context.items.len() - found,
    })
}

/// Replaces the vectors of users, of a model that has some, by those of their histories with the items as they are.
///
/// # Errors
/// As [`AnyModel::from_state`]; [`Error::Device`] if the engine is lost.
pub(super) async fn fold_in_users(
    state: &mut State,
    engine: &Engine,
    config: &ModelConfig,
    train: &Csr,
) -> Result<()> {
    let Some(name) = USERS.into_iter().find(|name| state.tensors.contains_key(*name)) else { return Ok(()) };
    let mut items = state.clone();
    if let Some(histories) = items.tensors.get_mut(USER_HISTORIES) {
        // Their vectors are still random, so nobody is known.
        *histories = Tensor { shape: vec![0, 2], data: TensorData::U32(Vec::new()) };
        if let Some(Tensor { shape, data }) = items.tensors.get_mut(name) {
            (shape[0], *data) = (0, TensorData::F32(Vec::new()));
        }
    }
    let model = AnyModel::from_state(engine, config, train.columns(), &items)?;
    let vectors = model::queries(engine, &model, train).await?;
    let shape = vec![train.rows(), vectors.len() / train.rows().max(1)];
    state.tensors.insert(name.into(), Tensor { shape, data: TensorData::F32(vectors) });
    Ok(())
}

/// How often each new item is seen with a known one: pairs of them in one history.
fn seen_with(known: &[Option<usize>], train: &Csr) -> Vec<u64> {
    let mut seen = vec![0; known.len()];
    for row in train.iter() {
        let (old, new): (Vec<u32>, Vec<u32>) = row.iter().partition(|&&item| known[item as usize].is_some());
        new.iter().for_each(|&item| seen[item as usize] += old.len() as u64);
    }
    seen
}

fn copy_rows(new: &mut [f32], old: &[f32], width: usize, known: &[Option<usize>]) {
    for (row, known) in new.chunks_exact_mut(width).zip(known) {
        if let Some(at) = known {
            row.copy_from_slice(&old[at * width..][..width]);
        }
    }
}

/// Gives new items the mean of the rows of the known items that they are seen with.
fn fill_means(
    new: &mut [f32],
    old: &[f32],
    width: usize,
    known: &[Option<usize>],
    seen: &[u64],
    train: &Csr,
) {
    // Only new items have a sum; `places` numbers them.
    let mut count = 0;
    let mut places = Vec::with_capacity(known.len());
    for known in known {
        places.push(count);
        count += usize::from(known.is_none());
    }
    let mut sums = vec![0f64; count * width];
    let mut of_user = vec![0f64; width];
    for row in train.iter() {
        if row.iter().all(|&item| known[item as usize].is_some()) {
            continue;
        }
        of_user.fill(0.0);
        for at in row.iter().filter_map(|&item| known[item as usize]) {
            let old = &old[at * width..][..width];
            of_user.iter_mut().zip(old).for_each(|(sum, &value)| *sum += f64::from(value));
        }
        for &item in row.iter().filter(|&&item| known[item as usize].is_none()) {
            let sum = &mut sums[places[item as usize] * width..][..width];
            sum.iter_mut().zip(&of_user).for_each(|(sum, value)| *sum += value);
        }
    }
    for (item, row) in new.chunks_exact_mut(width).enumerate() {
        if known[item].is_none() && seen[item] > 0 {
            let sum = &sums[places[item] * width..][..width];
            row.iter_mut().zip(sum).for_each(|(value, sum)| *value = (sum / seen[item] as f64) as f32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_items_start_at_the_mean_of_what_they_are_seen_with() {
        // Items 0 and 2 are known, as rows 1 and 0; item 1 is seen with both, twice with 2; item 3 with none.
        let known = [Some(1), None, Some(0), None];
        let train = Csr::from_rows(&[vec![0, 1, 2], vec![1, 2], vec![3], vec![0]], 4).unwrap();
        let seen = seen_with(&known, &train);
        assert_eq!(seen, [0, 3, 0, 0]);
        let (mut new, old) = (vec![9.0; 8], [6.0, 0.0, 0.0, 3.0]);
        copy_rows(&mut new, &old, 2, &known);
        fill_means(&mut new, &old, 2, &known, &seen, &train);
        assert_eq!(new, [0.0, 3.0, 4.0, 1.0, 6.0, 0.0, 9.0, 9.0]);
    }
}
