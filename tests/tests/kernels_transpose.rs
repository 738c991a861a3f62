//! Lists of touched rows, and the gradients that are summed from them, against f64.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use fastvae::kernels::{AddRowGradients, Groups, ItemLists, RankOne, RowGradients, Transpose};
use tests::{
    assert_close, assert_equal,
    device::{numbers, read, run, unwritten, upload, wide},
    engines_and_divisions,
    rows::{Gradient, batches},
};

#[test]
fn lists_hold_every_entry_in_order() {
    for engine in engines_and_divisions() {
        for met in batches() {
            let lists = ItemLists::new(engine, met.total(), met.items).unwrap();
            // Twice: the second time starts from the cleared lists of the first.
            for round in 0..2 {
                met.transpose(engine, &lists);
                let name = format!("{:?}, round {round}", met.groups);
                let want = met.lists();
                let found = pollster::block_on(lists.read(engine)).unwrap();
                let count = found.touched.len();
                assert_eq!(
                    count,
                    want.iter().filter(|list| !list.is_empty()).count(),
                    "{name}: rows touched"
                );
                let (starts, lengths) = (&found.starts, &found.lengths);
                for (item, want) in want.iter().enumerate() {
                    if want.is_empty() {
                        assert_eq!(found.list_of[item], 0, "{name}: item {item} was not met");
                        continue;
                    }
                    let list = found.list_of[item] as usize - 1;
                    assert!(
                        list < count && found.touched[list] as usize == item,
                        "{name}: list {list} of item {item}"
                    );
                    let got = &found.entries[starts[list] as usize..][..lengths[list] as usize];
                    assert_equal(&format!("{name}: item {item}"), got, want);
                }
                let kernel = RowGradients {
                    lists: lists.clone(),
                    gradient: Gradient::new(40, &met, 1).upload(engine, &met),
                    width: 1,
                    clear: true,
                    output: unwritten(engine, lists.capacity()),
                };
                run(engine, kernel);
                let list_of = pollster::block_on(lists.read(engine)).unwrap().list_of;
                assert!(list_of.iter().all(|&list| list == 0), "{name}: lists are cleared");
            }
        }
    }
}

#[test]
fn gradients_of_touched_rows_are_sums_over_their_entries() {
    for engine in engines_and_divisions() {
        for met in batches() {
            for width in [1, 7, 345] {
                let lists = ItemLists::new(engine, met.total(), met.items).unwrap();
                met.transpose(engine, &lists);
                let gradient = Gradient::new(50, &met, width);
                let output = unwritten(engine, lists.capacity() * width);
                let kernel = RowGradients {
                    lists: lists.clone(),
                    gradient: gradient.upload(engine, &met),
                    width,
                    clear: false,
                    output: output.clone(),
                };
                run(engine, kernel);
                let found = pollster::block_on(lists.read(engine)).unwrap();
                let touched = pollster::block_on(ItemLists::read_touched(engine, &[&lists])).unwrap();
                assert_equal("touched", &touched[0], &found.touched);
                let got = read(engine, &output);
                let dense = gradient.dense(&met);
                for (row, &item) in got.chunks_exact(width).zip(&found.touched) {
                    assert_eq!(found.touched[found.list_of[item as usize] as usize - 1], item);
                    let want = &dense[item as usize * width..][..width];
                    let name = format!("{:?}, width {width}, row {item}", met.groups);
                    assert_close(&name, row, want, 1e-4, 1e-4);
                }
                let unused = &got[found.touched.len() * width..];
                assert!(
                    unused.iter().all(|value| value.is_nan()),
                    "{:?}: more rows than touched",
                    met.groups
                );
            }
        }
    }
}

/// Gradients of the positives alone are added to those of all entries, by list and by row.
#[test]
fn gradients_of_fewer_rows_are_added() {
    for engine in engines_and_divisions() {
        for met in batches() {
            let entries = met.positives.len();
            if entries == 0 {
                continue;
            }
            for width in [1, 7, 345] {
                let all = ItemLists::new(engine, met.total(), met.items).unwrap();
                met.transpose(engine, &all);
                let (rows, users) = (upload(engine, &met.rows), met.groups.batch);
                let (vectors, weights) = (numbers(60, users * width), numbers(61, entries));
                let found = pollster::block_on(all.read(engine)).unwrap();
                let mut dense = vec![0.0; met.items * width];
                let (wide_vectors, wide_weights) = (wide(&vectors), wide(&weights));
                for ((&item, &row), weight) in met.positives.iter().zip(&met.rows).zip(wide_weights) {
                    let vector = &wide_vectors[row as usize * width..][..width];
                    let sum = &mut dense[item as usize * width..][..width];
                    sum.iter_mut().zip(vector).for_each(|(sum, x)| *sum += weight * x);
                }
                for places in [Some(all.clone()), None] {
                    let few = ItemLists::new(engine, entries, met.items).unwrap();
                    let transpose = Transpose {
                        positives: upload(engine, &met.positives),
                        entries,
                        samples: 1,
                        negatives: None,
                        candidates: 0,
                        items: met.items,
                        lists: few.clone(),
                    };
                    run(engine, transpose);
                    let stored = if places.is_some() { all.capacity() } else { met.items };
                    let before = numbers(62, stored * width);
                    let output = upload(engine, &before);
                    let kernel = AddRowGradients {
                        lists: few.clone(),
                        gradient: RankOne {
                            vectors: upload(engine, &vectors),
                            rows: rows.clone(),
                            entries,
                            positive: upload(engine, &weights),
                            negative: None,
                            groups: Groups { batch: users, samples: 1, size: 1, candidates: 0 },
                        },
                        width,
                        places: places.clone(),
                        output: output.clone(),
                    };
                    run(engine, kernel);
                    let mut want = wide(&before);
                    for (place, sum) in want.chunks_exact_mut(width).enumerate() {
                        let row = match &places {
                            Some(_) => found.touched.get(place).map(|&row| row as usize),
                            None => Some(place),
                        };
                        let Some(row) = row else { continue };
                        sum.iter_mut().zip(&dense[row * width..]).for_each(|(sum, x)| *sum += x);
                    }
                    let name = format!("{:?}, width {width}, by list {}", met.groups, places.is_some());
                    assert_close(&name, &read(engine, &output), &want, 1e-4, 1e-4);
                    let list_of = pollster::block_on(few.read(engine)).unwrap().list_of;
                    assert!(list_of.iter().all(|&list| list == 0), "{name}: lists are cleared");
                }
            }
        }
    }
}
