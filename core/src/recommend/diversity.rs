//! Lists whose items differ from one another.

use super::{Recommendation, Recommender};
use crate::{Error, Result};

impl Recommender {
    /// The `n` items of a longer list that are the best by maximal marginal relevance (Carbonell and Goldstein,
    /// 1998): each next item maximises `(1 - diversity) score - diversity max cosine`, where scores are scaled to
    /// 0..1 within the list and the cosine is that with the items taken before. 0 leaves the order as it is.
    ///
    /// # Errors
    /// [`Error::Setting`] for a diversity outside of 0..=1; [`Error::Data`] for a model without item vectors.
    pub async fn diversify(
        &self,
        list: &[Recommendation],
        n: usize,
        diversity: f32,
    ) -> Result<Vec<Recommendation>> {
        if !(0.0..=1.0).contains(&diversity) {
            return Err(Error::setting("diversity", format!("{diversity} is not in 0..=1")));
        }
        let catalogue = self.item_vectors()?;
        let (vectors, width) = self.vectors(&catalogue).await?;
        let unit: Vec<Vec<f64>> = list
            .iter()
            .map(|one| {
                let row = &vectors[one.item as usize * width..][..width];
                let length = row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
                row.iter().map(|&x| if length > 0.0 { f64::from(x) / length } else { 0.0 }).collect()
            })
            .collect();
        let best = list.first().map_or(0.0, |one| f64::from(one.score));
        let range = (best - list.last().map_or(0.0, |one| f64::from(one.score))).max(f64::MIN_POSITIVE);
        let relevance: Vec<f64> =
            list.iter().map(|one| 1.0 - (best - f64::from(one.score)) / range).collect();
        let diversity = f64::from(diversity);
        let mut nearest = vec![f64::NEG_INFINITY; list.len()];
        let mut left: Vec<usize> = (0..list.len()).collect();
        let mut chosen = Vec::with_capacity(n.min(list.len()));
        while chosen.len() < n && !left.is_empty() {
            let value = |at: usize| {
                let similarity = if chosen.is_empty() { 0.0 } else { nearest[at] };
                (1.0 - diversity) * relevance[at] - diversity * similarity
            };
            // Of equal values, the one that was ranked higher.
            let mut place = 0;
            for (candidate, &at) in left.iter().enumerate() {
                if value(at) > value(left[place]) {
                    place = candidate;
                }
            }
            let taken = left.remove(place);
            for &at in &left {
                let cosine = unit[at].iter().zip(&unit[taken]).map(|(a, b)| a * b).sum();
                nearest[at] = nearest[at].max(cosine);
            }
            chosen.push(list[taken]);
        }
        Ok(chosen)
    }
}
