//! Lists of touched rows, and the gradients that are summed from them, against f64.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use fastvae::kernels::{ItemLists, RowGradients};
use tests::{
    assert_close, assert_equal,
    device::{read, run, unwritten},
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
