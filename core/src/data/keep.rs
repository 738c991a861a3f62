//! Items that a set does not have and its catalogue keeps: those of an earlier model.

use rustc_hash::FxHashSet;

use super::{Csr, Dataset, EvaluationSet, GivenSplit, compare_ids};

/// The items of an earlier model.
#[derive(Clone, Copy, Debug)]
pub struct KnownItems<'a> {
    /// Their ids.
    pub ids: &'a [String],
    /// A title for each, if there are titles.
    pub titles: Option<&'a [String]>,
    /// The genres of each, if there are genres.
    pub genres: Option<&'a [Vec<String>]>,
}

impl Dataset {
    /// Adds the items of an earlier model that the set does not have, without interactions; returns their number. The
    /// catalogue stays in the order of [`compare_ids`].
    pub fn keep_items(&mut self, earlier: KnownItems<'_>) -> usize {
        let here: FxHashSet<&str> = self.items.iter().map(String::as_str).collect();
        let gone: Vec<usize> =
            (0..earlier.ids.len()).filter(|&at| !here.contains(earlier.ids[at].as_str())).collect();
        if gone.is_empty() {
            return 0;
        }
        // The number of each item in this set, or in the earlier one.
        let mut order: Vec<Result<usize, usize>> =
            (0..self.items.len()).map(Ok).chain(gone.iter().copied().map(Err)).collect();
        let id = |at: &Result<usize, usize>| match *at {
            Ok(at) => self.items[at].as_str(),
            Err(at) => earlier.ids[at].as_str(),
        };
        order.sort_by(|a, b| compare_ids(id(a), id(b)));
        let mut columns = vec![0; self.items.len()];
        for (new, at) in (0..).zip(&order) {
            if let Ok(old) = at {
                columns[*old] = new;
            }
        }
        let items = order.iter().map(|at| id(at).to_owned()).collect();
        let titles = self.titles.as_ref().map(|titles| {
            let title = |at: &Result<usize, usize>| match *at {
                Ok(at) => titles[at].clone(),
                Err(at) => earlier.titles.map_or(&earlier.ids[at], |titles| &titles[at]).clone(),
            };
            order.iter().map(title).collect()
        });
        let genres = self.genres.as_ref().map(|genres| {
            let genres = |at: &Result<usize, usize>| match *at {
                Ok(at) => genres[at].clone(),
                Err(at) => earlier.genres.map_or_else(Vec::new, |genres| genres[at].clone()),
            };
            order.iter().map(genres).collect()
        });
        (self.items, self.titles, self.genres) = (items, titles, genres);
        self.renumber(&columns, order.len() as u32);
        gone.len()
    }

    /// Gives items other numbers, in the same order.
    fn renumber(&mut self, columns: &[u32], count: u32) {
        let all = |csr: &mut Csr| {
            let rows: Vec<u32> = (0..csr.rows() as u32).collect();
            *csr = csr.restrict(&rows, columns, count);
        };
        all(&mut self.interactions);
        if let Some(GivenSplit { train, validation, test }) = &mut self.given {
            all(train);
            for EvaluationSet { fold_in, held_out, .. } in validation.iter_mut().chain([test]) {
                all(fold_in);
                all(held_out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{LoadOptions, load_bytes};

    #[test]
    fn kept_items_have_no_interactions_and_change_no_others() {
        let text = b"user,item\nu,10\nu,b\nv,2\nv,b\n";
        let mut set = load_bytes("set.csv", text, &LoadOptions::default()).unwrap();
        let rows = |set: &Dataset| -> Vec<Vec<String>> {
            let ids = |row: &[u32]| row.iter().map(|&item| set.items[item as usize].clone()).collect();
            set.interactions.iter().map(ids).collect()
        };
        let before = rows(&set);
        let ids = ["1", "10", "a", "c"].map(String::from);
        let earlier = KnownItems { ids: &ids, titles: None, genres: None };
        assert_eq!(set.keep_items(earlier), 3);
        assert_eq!(set.items, ["1", "2", "10", "a", "b", "c"]);
        assert_eq!((rows(&set), set.interactions.columns()), (before, 6));
        assert_eq!(set.interactions.column_counts(), [0, 1, 1, 0, 2, 0]);
        assert_eq!(set.keep_items(earlier), 0);
    }
}
