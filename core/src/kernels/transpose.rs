//! Converts users' lists of items to items' lists of users.
//!
//! The gradient of an item row is a sum over the users who have the item as a positive or a candidate. Entry
//! ids number all of these in a step: the positives of all samples first, then all candidates (see
//! [`super::update_rows`]).

use fastvae_shaders::{
    transpose_allocate, transpose_count, transpose_reset, transpose_scatter, transpose_sort,
};

use crate::{
    Result,
    engine::{Buffer, Check, Engine, Kernel, gpu},
};

/// The rows of a table that a step touches, and for each the entries that touch it.
///
/// The touched rows are distinct, and twins that write them from several threads rely on it. Only
/// [`Transpose`] can write the lists; all other code gets copies, so the guarantee cannot be broken.
#[derive(Clone, Debug)]
pub struct ItemLists {
    /// Number of touched rows; 1 element.
    pub(super) count: Buffer<u32>,
    /// Item of each list, in no guaranteed order; the first `count` are distinct.
    pub(super) touched: Buffer<u32>,
    /// Offset of each list in `entries`.
    pub(super) starts: Buffer<u32>,
    /// Length of each list.
    pub(super) lengths: Buffer<u32>,
    /// Entry ids, ascending within each list.
    pub(super) entries: Buffer<u32>,
    /// For each of the M items: 0, or 1 + the index of its list. All zero outside of a step.
    pub(super) list_of: Buffer<u32>,
}

/// A copy of [`ItemLists`] on the host.
#[derive(Clone, Debug)]
pub struct HostLists {
    /// Item of each list in use.
    pub touched: Vec<u32>,
    /// Offset of each list in use in `entries`.
    pub starts: Vec<u32>,
    /// Length of each list in use.
    pub lengths: Vec<u32>,
    /// Entry ids.
    pub entries: Vec<u32>,
    /// For each of the M items: 0, or 1 + the index of its list.
    pub list_of: Vec<u32>,
}

impl ItemLists {
    /// Allocates lists for `entries` entries over `items` rows.
    ///
    /// # Errors
    /// If the engine cannot hold it.
    pub fn new(engine: &Engine, entries: usize, items: usize) -> Result<Self> {
        let lists = entries.min(items).max(1);
        Ok(Self {
            count: engine.zeros("list count", 1)?,
            touched: engine.zeros("touched items", lists)?,
            starts: engine.zeros("list starts", lists)?,
            lengths: engine.zeros("list lengths", lists)?,
            entries: engine.zeros("list entries", entries.max(1))?,
            list_of: engine.zeros("list of item", items)?,
        })
    }

    /// Fills the memory of the lists with `value`, so that a test detects elements that a kernel has not
    /// written. Afterwards no list is in use.
    ///
    /// # Errors
    /// If the device was lost.
    pub fn fill(&self, engine: &Engine, value: u32) -> Result<()> {
        engine.write(&self.count, 0, &[0])?;
        for list in [&self.touched, &self.starts, &self.lengths, &self.entries] {
            engine.write(list, 0, &vec![value; list.len()])?;
        }
        Ok(())
    }

    /// Copies the lists.
    ///
    /// # Errors
    /// If the device was lost.
    pub async fn read(&self, engine: &Engine) -> Result<HostLists> {
        let count = engine.read(&self.count).await?[0] as usize;
        Ok(HostLists {
            touched: engine.read_range(&self.touched, 0..count).await?,
            starts: engine.read_range(&self.starts, 0..count).await?,
            lengths: engine.read_range(&self.lengths, 0..count).await?,
            entries: engine.read(&self.entries).await?,
            list_of: engine.read(&self.list_of).await?,
        })
    }

    /// The same touched rows, with one entry each: the number of the list. `numbers` are 0, 1, 2, .., and `ones` as many.
    #[cfg(feature = "baselines")]
    pub(crate) fn with_one_entry_each(&self, numbers: &Buffer<u32>, ones: &Buffer<u32>) -> Self {
        let (starts, lengths, entries) = (numbers.clone(), ones.clone(), numbers.clone());
        Self { starts, lengths, entries, ..self.clone() }
    }

    /// The most lists there can be.
    pub fn capacity(&self) -> usize {
        self.touched.len()
    }

    /// Copies the item of each list in use.
    ///
    /// # Errors
    /// If the device was lost.
    pub async fn read_touched(engine: &Engine, lists: &[&Self]) -> Result<Vec<Vec<u32>>> {
        let counts: Vec<_> = lists.iter().map(|lists| (&lists.count, 0..1)).collect();
        let counts = engine.read_ranges(&counts).await?;
        let touched = lists.iter().zip(&counts).map(|(lists, count)| (&lists.touched, 0..count[0] as usize));
        engine.read_ranges(&touched.collect::<Vec<_>>()).await
    }

    /// Whether all lists are on the engine and have equal lengths.
    pub(super) fn check(&self, check: &Check) -> Result<()> {
        check.holds(&self.count, &[1])?;
        check.holds(&self.starts, &[self.touched.len()])?;
        check.holds(&self.lengths, &[self.touched.len()])?;
        [&self.touched, &self.entries, &self.list_of].iter().try_for_each(|list| check.lives_here(list))
    }
}

/// Builds the lists of `positives[0..entries]`, repeated for every sample, and of `negatives`.
pub struct Transpose {
    /// Item of each entry of the batch, E.
    pub positives: Buffer<u32>,
    /// E.
    pub entries: usize,
    /// L: ids `s E + e` for s < L are entries of sample s.
    pub samples: usize,
    /// Candidates, `candidates` elements; their ids continue from L E.
    pub negatives: Option<Buffer<u32>>,
    /// Number of candidates; 0 if there are no `negatives`.
    pub candidates: usize,
    /// M.
    pub items: usize,
    /// Out.
    pub lists: ItemLists,
}

impl Transpose {
    /// Entry ids in use.
    pub fn total(&self) -> usize {
        self.samples * self.entries + self.candidates
    }
}

impl Kernel for Transpose {
    fn name(&self) -> &'static str {
        "transpose"
    }

    fn check(&self, check: &Check) -> Result<()> {
        check.holds(&self.positives, &[self.entries])?;
        check.may_hold(self.negatives.as_ref(), &[self.candidates])?;
        check
            .that(self.negatives.is_some() || self.candidates == 0, || "candidates without a list".into())?;
        // Entry ids are 32 bits wide.
        let positives = self.samples.saturating_mul(self.entries);
        check.at_most(u32::MAX as usize, &[positives.saturating_add(self.candidates)])?;
        let lists = &self.lists;
        lists.check(check)?;
        check.holds(&lists.touched, &[self.total().min(self.items)])?;
        check.holds(&lists.entries, &[self.total()])?;
        check.holds(&lists.list_of, &[self.items])
    }

    unsafe fn cpu(&self) {
        let positives = self.positives.read();
        let positives = &positives[..self.entries];
        let negatives = self.negatives.as_ref().map(Buffer::read);
        let negatives = negatives.as_deref().map_or(&[][..], |n| &n[..self.candidates]);
        let (mut touched, mut starts) = (self.lists.touched.write(), self.lists.starts.write());
        let (mut lengths, mut entries) = (self.lists.lengths.write(), self.lists.entries.write());
        let mut list_of = self.lists.list_of.write();
        // No list is in use during the rewrite, even if an item outside of the catalogue ends it early.
        self.lists.count.write()[0] = 0;
        let mut count = 0;
        let each = |weight: u32,
                    items: &[u32],
                    list_of: &mut [u32],
                    lengths: &mut [u32],
                    touched: &mut [u32],
                    count: &mut usize| {
            for &item in items {
                let list = &mut list_of[item as usize];
                if *list == 0 {
                    touched[*count] = item;
                    lengths[*count] = 0;
                    *count += 1;
                    *list = *count as u32;
                }
                lengths[*list as usize - 1] += weight;
            }
        };
        each(self.samples as u32, positives, &mut list_of, &mut lengths, &mut touched, &mut count);
        each(1, negatives, &mut list_of, &mut lengths, &mut touched, &mut count);
        let mut end = 0;
        for (start, length) in starts[..count].iter_mut().zip(&lengths[..count]) {
            *start = end;
            end += length;
        }
        // `starts` serve as cursors while entries are placed, and are then moved back.
        for (id, &item) in (0..self.samples).flat_map(|_| positives).chain(negatives).enumerate() {
            let cursor = &mut starts[list_of[item as usize] as usize - 1];
            entries[*cursor as usize] = id as u32;
            *cursor += 1;
        }
        for (start, length) in starts[..count].iter_mut().zip(&lengths[..count]) {
            *start -= length;
        }
        self.lists.count.write()[0] = count as u32;
    }

    fn gpu(&self, calls: &mut gpu::Calls) {
        let lists = &self.lists;
        let (total, most) = (self.total(), lists.touched.len());
        let allocated = calls.scratch("transpose: allocated", 1);
        let cursors = calls.scratch("transpose: cursors", most);
        let scattered = calls.scratch("transpose: scattered", total);
        let no_negatives = calls.empty();
        let negatives = self.negatives.as_ref().unwrap_or(&no_negatives);
        let (entries, positives) = (self.entries as u32, (self.samples * self.entries) as u32);
        calls.dispatch(
            transpose_reset::Params { zero: 0 },
            transpose_reset::Bindings { count: &lists.count, allocated: &allocated },
            gpu::Work::Groups(1),
        );
        calls.dispatch(
            transpose_count::Params {
                entries,
                samples: self.samples as u32,
                candidates: self.candidates as u32,
            },
            transpose_count::Bindings {
                positives: &self.positives,
                negatives,
                met: &lists.list_of,
                count: &lists.count,
                touched: &lists.touched,
            },
            gpu::Work::Threads(self.entries + self.candidates),
        );
        calls.dispatch(
            transpose_allocate::Params { lists: most as u32 },
            transpose_allocate::Bindings {
                count: &lists.count,
                touched: &lists.touched,
                list_of: &lists.list_of,
                allocated: &allocated,
                starts: &lists.starts,
                lengths: &lists.lengths,
                cursors: &cursors,
            },
            gpu::Work::Threads(most.min(total)),
        );
        calls.dispatch(
            transpose_scatter::Params { entries, positives, total: total as u32 },
            transpose_scatter::Bindings {
                positives: &self.positives,
                negatives,
                list_of: &lists.list_of,
                cursors: &cursors,
                scattered: &scattered,
            },
            gpu::Work::Threads(total),
        );
        calls.dispatch(
            transpose_sort::Params { entries, positives, total: total as u32 },
            transpose_sort::Bindings {
                positives: &self.positives,
                negatives,
                list_of: &lists.list_of,
                starts: &lists.starts,
                lengths: &lists.lengths,
                scattered: &scattered,
                sorted: &lists.entries,
            },
            gpu::Work::Threads(total),
        );
    }
}
