//! The start of a run from the parameters of an earlier model.

use rustc_hash::FxHashMap;

use super::checkpoint::Checkpoint;
use crate::{
    Error, Result,
    data::Csr,
    state::{State, Tensor, TensorData},
};

/// How many items of a new run an earlier model has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Matched {
    /// Items that both have.
    pub known: usize,
    /// New items that are seen together with known ones; their rows are the means of the rows of these.
    pub means: usize,
    /// New items without such a neighbour, which start at random.
    pub random: usize,
    /// Items of the earlier model that the new data does not have.
    pub gone: usize,
}

/// Where the row of an item comes from.
enum Origin {
    /// The row of the earlier model.
    Known(usize),
    /// The mean of these rows of the earlier model, each as often as it is seen with the item.
    Mean(Vec<usize>),
    /// The random row that is there.
    Random,
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
    let origins = origins(&known, train);
    let tables: Vec<String> =
        state.tensors.keys().filter_map(|name| Some(name.strip_suffix(".last_step")?.to_owned())).collect();
    let names: Vec<String> = state.tensors.keys().filter(|name| !name.contains('.')).cloned().collect();
    for name in names {
        let Some(old) = earlier.state.tensors.get(&name) else {
            let problem =
                format!("the earlier model has no `{name}`; train with the settings of its network");
            return Err(Error::setting("warm-start", problem));
        };
        let is_table = tables.contains(&name);
        let Some(new) = state.tensors.get_mut(&name) else { continue };
        let width = |tensor: &Tensor| tensor.data.len() / tensor.shape.first().copied().unwrap_or(1).max(1);
        let fits = if is_table { width(old) == width(new) } else { old.shape == new.shape };
        if !fits {
            let problem = format!(
                "`{name}` is {:?} in the earlier model and {:?} here; train with the settings of its network",
                old.shape, new.shape
            );
            return Err(Error::setting("warm-start", problem));
        }
        let width = width(new);
        match (&mut new.data, &old.data) {
            (TensorData::F32(new), TensorData::F32(old)) if is_table => copy_rows(new, old, width, &origins),
            (new, old) => new.clone_from(old),
        }
    }
    let count = |fits: fn(&Origin) -> bool| origins.iter().filter(|origin| fits(origin)).count();
    let found = count(|origin| matches!(origin, Origin::Known(_)));
    Ok(Matched {
        known: found,
        means: count(|origin| matches!(origin, Origin::Mean(_))),
        random: count(|origin| matches!(origin, Origin::Random)),
        gone: earlier.context.items.len() - found,
    })
}

fn origins(known: &[Option<usize>], train: &Csr) -> Vec<Origin> {
    let mut neighbours: Vec<Vec<usize>> = vec![Vec::new(); known.len()];
    for row in train.iter() {
        let seen: Vec<usize> = row.iter().filter_map(|&item| known[item as usize]).collect();
        for &item in row.iter().filter(|&&item| known[item as usize].is_none()) {
            neighbours[item as usize].extend(&seen);
        }
    }
    let origin = |(known, neighbours): (&Option<usize>, Vec<usize>)| match known {
        Some(row) => Origin::Known(*row),
        None if neighbours.is_empty() => Origin::Random,
        None => Origin::Mean(neighbours),
    };
    known.iter().zip(neighbours).map(origin).collect()
}

fn copy_rows(new: &mut [f32], old: &[f32], width: usize, origins: &[Origin]) {
    for (row, origin) in new.chunks_exact_mut(width).zip(origins) {
        match origin {
            Origin::Random => {}
            Origin::Known(at) => row.copy_from_slice(&old[at * width..][..width]),
            Origin::Mean(rows) => {
                let mut sum = vec![0f64; width];
                for at in rows {
                    let old = &old[at * width..][..width];
                    sum.iter_mut().zip(old).for_each(|(sum, &value)| *sum += f64::from(value));
                }
                row.iter_mut().zip(sum).for_each(|(value, sum)| *value = (sum / rows.len() as f64) as f32);
            }
        }
    }
}
