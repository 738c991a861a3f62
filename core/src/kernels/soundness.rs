//! Runs the kernels that write from several threads or access memory unchecked on small shapes, for Miri.
//! Their numerical results are tested elsewhere.

use pollster::block_on;

use super::*;
use crate::{
    Error,
    engine::{Buffer, Engine, Kernel, Recording},
    rng::Rng,
};

const ITEMS: usize = 9;
const WIDTH: usize = 3;
/// Three users with five items between them.
const OFFSETS: [u32; 4] = [0, 2, 2, 5];
const ENTRIES: [u32; 5] = [1, 4, 0, 4, 8];
const ROWS: [u32; 5] = [0, 0, 2, 2, 2];
const GROUPS: Groups = Groups { batch: 3, samples: 2, size: 1, candidates: 4 };

fn floats(engine: &Engine, len: usize) -> Buffer<f32> {
    engine.upload("floats", &(0..len).map(|i| (i as f32 * 0.7).sin()).collect::<Vec<_>>()).expect("memory")
}

fn run(engine: &Engine, kernel: impl Kernel + 'static) -> crate::Result<()> {
    let mut recording = Recording::new();
    recording.push(kernel);
    engine.run(&recording)
}

fn read<T: crate::engine::Element>(engine: &Engine, buffer: &Buffer<T>) -> Vec<T> {
    block_on(engine.read(buffer)).expect("it is there")
}

/// Asserts that the result is an [`Error::Shape`] with these words.
#[track_caller]
fn refused(result: crate::Result<()>, words: &str) {
    match result {
        Err(error @ Error::Shape { .. }) => assert!(error.to_string().contains(words), "{error}"),
        other => panic!("{other:?} instead of a shape error about `{words}`"),
    }
}

fn table(engine: &Engine) -> Table {
    let parameter = Parameter {
        value: floats(engine, ITEMS * WIDTH),
        first: floats(engine, ITEMS * WIDTH),
        second: engine.upload("second", &[0.5; ITEMS * WIDTH]).expect("memory"),
    };
    let last_step = engine.zeros("last steps", ITEMS).expect("memory");
    Table { parameter, last_step, rows: ITEMS, width: WIDTH }
}

fn update(engine: &Engine, lists: &ItemLists, reach: Reach) -> (UpdateRows, Table) {
    let table = table(engine);
    let gradient = RankOne {
        vectors: floats(engine, GROUPS.rows() * WIDTH),
        rows: engine.upload("rows", &ROWS).expect("memory"),
        entries: ENTRIES.len(),
        positive: floats(engine, GROUPS.samples * ENTRIES.len()),
        negative: Some(floats(engine, GROUPS.rows() * GROUPS.candidates)),
        groups: GROUPS,
    };
    let update = UpdateRows {
        lists: lists.clone(),
        tables: vec![(table.clone(), gradient)],
        adam: AdamStep { rate: 0.1, beta1: 0.9, beta2: 0.99, root: 1.0, epsilon: 1e-8, keep: 1.0, l2: 0.0 },
        reach,
        step: 5,
        clear: true,
    };
    (update, table)
}

/// Items 1 and 4, 0, 4 and 8 as positives; 2 and 7 as candidates.
fn transpose(engine: &Engine, lists: &ItemLists) -> Transpose {
    let negatives: Vec<u32> = (0..GROUPS.total()).map(|i| [2, 7][i % 2]).collect();
    Transpose {
        positives: engine.upload("positives", &ENTRIES).expect("memory"),
        entries: ENTRIES.len(),
        samples: GROUPS.samples,
        negatives: Some(engine.upload("negatives", &negatives).expect("memory")),
        candidates: GROUPS.total(),
        items: ITEMS,
        lists: lists.clone(),
    }
}

fn lists(engine: &Engine) -> ItemLists {
    ItemLists::new(engine, GROUPS.samples * ENTRIES.len() + GROUPS.total(), ITEMS).expect("memory")
}

#[test]
fn touched_rows_alone_are_replayed_and_moved() {
    let engine = Engine::cpu();
    let lists = lists(&engine);
    let (update, table) = update(&engine, &lists, Reach::Touched);
    let before = read(&engine, &table.parameter.value);
    let mut recording = Recording::new();
    recording.push(transpose(&engine, &lists));
    recording.push(ReplayRows {
        lists: Some(lists.clone()),
        table: table.clone(),
        schedule: engine.upload("schedule", &[0.01; 5 * FLOATS_PER_STEP]).expect("memory"),
        beta1: 0.9,
        beta2: 0.99,
        l2: 0.0,
        step: 4,
    });
    recording.push(update);
    engine.run(&recording).expect("runs");
    let (after, steps) = (read(&engine, &table.parameter.value), read(&engine, &table.last_step));
    for item in 0..ITEMS {
        let moved = before[item * WIDTH..][..WIDTH] != after[item * WIDTH..][..WIDTH];
        assert_eq!((moved, steps[item]), if [3, 5, 6].contains(&item) { (false, 0) } else { (true, 5) });
    }
    assert_eq!(block_on(lists.read(&engine)).expect("lists").list_of, [0; ITEMS]);
}

#[test]
fn all_rows_move_where_all_are_asked_for() {
    let engine = Engine::cpu();
    let lists = lists(&engine);
    run(&engine, transpose(&engine, &lists)).expect("runs");
    let (update, table) = update(&engine, &lists, Reach::All);
    run(&engine, update).expect("runs");
    assert_eq!(read(&engine, &table.last_step), [5; ITEMS]);
}

#[test]
fn an_item_outside_of_the_catalogue_leaves_no_list_in_use() {
    let engine = Engine::cpu();
    let lists = lists(&engine);
    run(&engine, transpose(&engine, &lists)).expect("runs");
    let foreign = engine.upload("positives", &[0, 2, 77, 1, 3]).expect("memory");
    let wrong = Transpose { positives: foreign, ..transpose(&engine, &lists) };
    let panics = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&engine, wrong)));
    assert!(panics.is_err());
    // Otherwise rows of both calls would be touched together, some of them twice.
    assert!(block_on(lists.read(&engine)).expect("lists").touched.is_empty());
}

fn loss(engine: &Engine, offsets: &[u32]) -> SampledLoss {
    let rows = GROUPS.rows();
    let out = |len| engine.zeros("out", len).expect("memory");
    SampledLoss {
        queries: floats(engine, rows * WIDTH),
        table: floats(engine, ITEMS * WIDTH),
        item_bias: Some(floats(engine, ITEMS)),
        width: WIDTH,
        groups: GROUPS,
        batch_offsets: engine.upload("offsets", offsets).expect("memory"),
        batch_items: engine.upload("items", &ENTRIES).expect("memory"),
        entries: ENTRIES.len(),
        longest: ENTRIES.len(),
        negatives: engine.upload("negatives", &vec![7; GROUPS.total()]).expect("memory"),
        negative_log_q: floats(engine, GROUPS.total()),
        positive_log_q: floats(engine, GROUPS.samples * ENTRIES.len()),
        partition: Partition::Paper,
        scale: 1.0 / rows as f32,
        nll: out(rows),
        positive: out(GROUPS.samples * ENTRIES.len()),
        negative: out(rows * GROUPS.candidates),
        query_gradient: out(rows * WIDTH),
    }
}

#[test]
fn losses_of_all_rows_are_written() {
    let engine = Engine::cpu();
    for partition in [Partition::Paper, Partition::ExactPositives] {
        let kernel = SampledLoss { partition, ..loss(&engine, &OFFSETS) };
        let nll = kernel.nll.clone();
        run(&engine, kernel).expect("runs");
        // The second user has no history.
        let written: Vec<bool> = read(&engine, &nll).iter().map(|&nll| nll > 0.0).collect();
        assert_eq!(written, [true, false, true, true, false, true]);
    }
}

/// Offsets are contents of a buffer, which shape checks do not see; the twin checks them once, before threads
/// write.
#[test]
fn histories_that_overlap_are_written_by_nobody() {
    for offsets in [[0, 4, 2, 5], [0, 2, 2, 6]] {
        let engine = Engine::cpu();
        let kernel = loss(&engine, &offsets);
        let positive = kernel.positive.clone();
        let panics = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&engine, kernel)));
        assert!(panics.is_err(), "{offsets:?}");
        assert_eq!(read(&engine, &positive), [0.0; 10]);
    }
}

#[test]
fn histories_and_their_dropout_lie_side_by_side() {
    let engine = Engine::cpu();
    let batch_offsets = engine.upload("offsets", &[0u32, 3, 5, 5]).expect("memory");
    let items = engine.zeros("items", 5).expect("memory");
    let rows = engine.zeros("rows", 5).expect("memory");
    let weights = engine.zeros("weights", 5).expect("memory");
    let gather = GatherBatch {
        users: engine.upload("users", &[2, 0, 1]).expect("memory"),
        history_offsets: engine.upload("offsets", &OFFSETS).expect("memory"),
        history_items: engine.upload("items", &ENTRIES).expect("memory"),
        batch_offsets: batch_offsets.clone(),
        batch: 3,
        entries: 5,
        items: items.clone(),
        rows: rows.clone(),
    };
    run(&engine, gather).expect("runs");
    assert_eq!((read(&engine, &items), read(&engine, &rows)), (vec![0, 4, 8, 1, 4], vec![0, 0, 0, 1, 1]));
    let dropout = DropoutInput {
        batch_offsets,
        batch: 3,
        entries: 5,
        probability: 0.0,
        rng: Rng::new(1),
        step: 1,
        weights: weights.clone(),
    };
    run(&engine, dropout).expect("runs");
    let (three, two) = (1.0 / 3f32.sqrt(), 1.0 / 2f32.sqrt());
    assert_eq!(read(&engine, &weights), [three, three, three, two, two]);
}

#[test]
fn the_best_items_of_all_users_are_written() {
    let engine = Engine::cpu();
    let (ids, values) = (engine.zeros("ids", 4).expect("memory"), engine.zeros("values", 4).expect("memory"));
    let scores = engine.upload("scores", &[3.0, 1.0, 2.0, 0.0, 5.0, 4.0]).expect("memory");
    let top = TopK { scores, rows: 2, items: 3, k: 2, ids: ids.clone(), values: values.clone() };
    run(&engine, top).expect("runs");
    assert_eq!((read(&engine, &ids), read(&engine, &values)), (vec![0, 2, 1, 2], vec![3.0, 2.0, 5.0, 4.0]));
}

/// C = A B of 2 x 3 and 3 x 2, in buffers of these lengths.
fn product(engine: &Engine, [a, b, c]: [usize; 3]) -> MatMul {
    let view = |len, width| View::rows(&floats(engine, len), width);
    MatMul::new(2, 2, 3, view(a, 3), view(b, 2), view(c, 2))
}

#[test]
fn products_outside_of_their_buffers_are_refused() {
    let engine = Engine::cpu();
    for (sizes, words) in [([5, 6, 4], "holds 5"), ([6, 5, 4], "holds 5"), ([6, 6, 3], "holds 3")] {
        refused(run(&engine, product(&engine, sizes)), words);
    }
    let fits = || product(&engine, [6, 6, 4]);
    let far = |view: View, offset, row, column| View { offset, row, column, ..view };
    refused(run(&engine, MatMul { a: far(fits().a, usize::MAX, 3, 1), ..fits() }), "too few");
    refused(run(&engine, MatMul { b: far(fits().b, 0, usize::MAX / 2 + 1, 1), ..fits() }), "too few");
    refused(run(&engine, MatMul { m: usize::MAX / 2, ..fits() }), "too few");
    let bias = Some(floats(&engine, 2));
    refused(run(&engine, MatMul { bias: bias.clone(), bias_offset: 1, ..fits() }), "3 needed");
    refused(run(&engine, MatMul { bias, bias_offset: usize::MAX, ..fits() }), "can be counted");
}

#[test]
fn results_that_overlap_themselves_are_refused() {
    let engine = Engine::cpu();
    let fits = || product(&engine, [6, 6, 4]);
    for (row, column) in [(0, 1), (1, 1), (1, 0), (0, 0)] {
        let c = View { row, column, ..fits().c };
        refused(run(&engine, MatMul { c, ..fits() }), "share memory");
    }
}

#[test]
#[cfg_attr(miri, ignore = "gemm asks the processor for its caches, which Miri cannot")]
fn bias_and_activation_reach_views_of_every_order() {
    let engine = Engine::cpu();
    let bias = engine.upload("bias", &[10.0, 20.0]).expect("memory");
    let plain = product(&engine, [6, 6, 4]);
    let c = plain.c.buffer.clone();
    run(&engine, plain).expect("runs");
    let want: Vec<f32> = read(&engine, &c).iter().zip([10.0, 20.0, 10.0, 20.0]).map(|(c, b)| c + b).collect();
    for (offset, row, column) in [(0, 2, 1), (1, 5, 2), (0, 1, 2), (2, 1, 4), (0, 3, 3 - 1)] {
        let c = engine.upload("result", &[f32::NAN; 16]).expect("memory");
        let view = View { buffer: c.clone(), offset, row, column };
        let kernel = MatMul { c: view, bias: Some(bias.clone()), ..product(&engine, [6, 6, 4]) };
        run(&engine, kernel).expect("runs");
        let c = read(&engine, &c);
        let at = |r: usize, s: usize| c[offset + r * row + s * column];
        assert_eq!([at(0, 0), at(0, 1), at(1, 0), at(1, 1)], want[..]);
        assert_eq!(c.iter().filter(|c| !c.is_nan()).count(), 4);
    }
    // Nothing to sum: the operands' offsets may lie anywhere.
    let none = MatMul {
        k: 0,
        a: View { offset: 1 << 40, ..product(&engine, [6, 6, 4]).a },
        ..product(&engine, [6, 6, 4])
    };
    let c = none.c.buffer.clone();
    run(&engine, none).expect("runs");
    assert_eq!(read(&engine, &c), [0.0; 4]);
}

#[test]
#[cfg(feature = "baselines")]
fn all_rows_of_a_normalised_layer_and_of_its_gradient_are_written() {
    let engine = Engine::cpu();
    let out = |len| engine.upload("out", &vec![f32::NAN; len]).expect("memory");
    let (all, rows) = (ITEMS * WIDTH, ITEMS);
    let [product, output, normalised, sum] = [floats(&engine, all), out(all), out(all), out(all)];
    let (scale, gain) = (out(rows), floats(&engine, WIDTH));
    let forward = SwishNorm {
        product: product.clone(),
        skip: floats(&engine, all),
        gain: gain.clone(),
        shift: floats(&engine, WIDTH),
        rows,
        width: WIDTH,
        output: output.clone(),
        normalised: normalised.clone(),
        scale: scale.clone(),
        sum: sum.clone(),
    };
    run(&engine, forward).expect("runs");
    let [skip_gradient, gain_terms, shift_terms] = [out(all), out(all), out(all)];
    let gradient = floats(&engine, all);
    let backward = SwishNormBackward {
        product,
        normalised: normalised.clone(),
        scale: scale.clone(),
        gain,
        rows,
        width: WIDTH,
        last: true,
        gradient: gradient.clone(),
        skip_gradient: skip_gradient.clone(),
        gain_terms: gain_terms.clone(),
        shift_terms: shift_terms.clone(),
    };
    run(&engine, backward).expect("runs");
    for buffer in [output, normalised, sum, scale, gradient, skip_gradient, gain_terms, shift_terms] {
        assert!(read(&engine, &buffer).iter().all(|value| value.is_finite()), "{}", buffer.label());
    }
}

#[test]
#[cfg(feature = "baselines")]
fn all_rows_of_a_gated_layer_and_of_its_gradient_are_written() {
    let engine = Engine::cpu();
    let out = |len| engine.upload("out", &vec![f32::NAN; len]).expect("memory");
    let product = floats(&engine, 2 * ITEMS * WIDTH);
    let (output, product_gradient) = (out(ITEMS * WIDTH), out(2 * ITEMS * WIDTH));
    let forward = Gate { product: product.clone(), rows: ITEMS, width: WIDTH, output: output.clone() };
    run(&engine, forward).expect("runs");
    let backward = GateBackward {
        product,
        output_gradient: floats(&engine, ITEMS * WIDTH),
        rows: ITEMS,
        width: WIDTH,
        product_gradient: product_gradient.clone(),
    };
    run(&engine, backward).expect("runs");
    for buffer in [output, product_gradient] {
        assert!(read(&engine, &buffer).iter().all(|value| value.is_finite()));
    }
}

#[test]
#[cfg(feature = "baselines")]
fn gradients_are_added_to_the_rows_of_their_lists_alone() {
    let engine = Engine::cpu();
    let (all, few) = (lists(&engine), lists(&engine));
    let (update, _) = update(&engine, &all, Reach::Touched);
    let gradient = RankOne {
        positive: engine.upload("coefficients", &[1.0; ENTRIES.len()]).expect("memory"),
        negative: None,
        groups: Groups { samples: 1, candidates: 0, ..GROUPS },
        ..update.tables[0].1.clone()
    };
    let output = engine.zeros("output", all.capacity() * WIDTH).expect("memory");
    let add = || AddRowGradients {
        lists: few.clone(),
        gradient: gradient.clone(),
        width: WIDTH,
        places: Some(all.clone()),
        output: output.clone(),
    };
    run(&engine, transpose(&engine, &all)).expect("runs");
    run(&engine, Transpose { samples: 1, negatives: None, candidates: 0, ..transpose(&engine, &few) })
        .expect("runs");
    run(&engine, add()).expect("runs");
    let touched = block_on(all.read(&engine)).expect("lists").touched;
    for (item, sum) in touched.iter().zip(read(&engine, &output).chunks_exact(WIDTH)) {
        assert_eq!(sum.iter().any(|value| *value != 0.0), ENTRIES.contains(item), "item {item}");
    }
    refused(run(&engine, AddRowGradients { places: Some(few.clone()), ..add() }), "emptied as places");
}
