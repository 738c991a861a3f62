//! The proposals that need no index (softmax, dns, kernel) and mixtures: log q against enumeration, draws
//! against log q, means of importance weights, independence, and unusual catalogues, on both engines.

use fastvae::{
    config::{AdaptiveLambda, DnsCorrection, Mix, PopularityWeight, ProposalConfig, ProposalKind},
    proposal::index::IndexState,
};
use tests::{
    Proposals, assert_close,
    device::numbers,
    engines, fixture,
    fixtures::PROPOSALS,
    index::by_index,
    proposal::{Case, normalised},
    statistics::{assert_drawn_from, histogram},
};

const CANDIDATES: usize = 3000;

fn config(kind: ProposalKind) -> ProposalConfig {
    ProposalConfig { kind, negatives: CANDIDATES, codewords: 6, ..ProposalConfig::default() }
}

fn mixed(kind: ProposalKind, with: ProposalKind, probability: f32) -> ProposalConfig {
    ProposalConfig { mix: Some(Mix { with, probability }), ..config(kind) }
}

/// Every proposal there is, and variants.
fn proposals() -> Vec<(&'static str, ProposalConfig)> {
    let named = ProposalKind::NAMED.into_iter();
    let variants = [
        ("dns of 9", ProposalConfig { dns_draws: 9, ..config(ProposalKind::Dns) }),
        (
            "adaptive, lambda 20",
            ProposalConfig { adaptive_lambda: AdaptiveLambda(20.0), ..config(ProposalKind::Adaptive) },
        ),
        ("kernel, alpha 2", ProposalConfig { kernel_alpha: 2.0, ..config(ProposalKind::Quadratic) }),
        ("midx-popularity with uniform", mixed(ProposalKind::MidxPopularity, ProposalKind::Uniform, 0.1)),
        ("popularity with softmax", mixed(ProposalKind::Popularity, ProposalKind::Softmax, 0.5)),
        ("kernel with midx", mixed(ProposalKind::Quadratic, ProposalKind::Midx, 0.3)),
        ("dns with kernel", mixed(ProposalKind::Dns, ProposalKind::Quadratic, 0.75)),
    ];
    named.map(|(name, kind)| (name, config(kind))).chain(variants).collect()
}

fn case(users: usize, items: usize, width: usize) -> Case {
    Case {
        queries: numbers(1, users * width),
        table: numbers(2, items * width),
        bias: Some(numbers(4, items)),
        width,
        counts: (0..items as u32).map(|i| i * i % 97).collect(),
        seed: 11,
        step: 7,
    }
}

/// log q of one user by enumeration. A proposal without a truth does not compile here.
fn truth(
    kind: ProposalKind,
    config: &ProposalConfig,
    case: &Case,
    index: Option<&IndexState>,
    user: usize,
) -> Vec<f64> {
    let (logits, items) = (case.logits(user), case.items());
    match kind {
        ProposalKind::Softmax | ProposalKind::Midx => normalised(&logits),
        ProposalKind::Uniform => vec![-(items as f64).ln(); items],
        ProposalKind::Popularity => {
            assert_eq!(config.popularity, PopularityWeight::Log);
            normalised(&case.counts.iter().map(|&c| f64::from(c.max(1)).ln_1p().ln()).collect::<Vec<_>>())
        }
        ProposalKind::Quadratic => {
            let alpha = f64::from(config.kernel_alpha);
            normalised(&logits.iter().map(|o| (alpha * o * o + 1.0).ln()).collect::<Vec<_>>())
        }
        ProposalKind::Dns => {
            let (m, b) = (items as f64, config.dns_draws as i32);
            let rank = |item: usize| {
                let above = |&other: &usize| {
                    logits[other] > logits[item] || (logits[other] == logits[item] && other < item)
                };
                (0..items).filter(above).count() as f64
            };
            (0..items)
                .map(|item| {
                    let at_or_below = m - rank(item);
                    ((at_or_below / m).powi(b) - ((at_or_below - 1.0) / m).powi(b)).ln()
                })
                .collect()
        }
        ProposalKind::Adaptive => by_ranks(f64::from(config.adaptive_lambda.0), case, user),
        ProposalKind::MidxUniform | ProposalKind::MidxPopularity => {
            let index = index.unwrap_or_else(|| panic!("{} has no index", kind.name()));
            by_index(index, items, &case.queries[user * case.width..][..case.width])
        }
    }
}

/// Adaptive oversampling: a factor by its share, and an item by its rank for the factor.
fn by_ranks(lambda: f64, case: &Case, user: usize) -> Vec<f64> {
    let (items, width) = (case.items(), case.width);
    let query = &case.queries[user * width..][..width];
    let mut q = vec![0.0; items];
    let mut shares = 0.0;
    for factor in 0..=width {
        let weight = query.get(factor).map_or(1.0, |&value| f64::from(value));
        let of = |item: usize| match &case.bias {
            Some(bias) if factor == width => f64::from(bias[item]),
            _ if factor == width => 0.0,
            _ => f64::from(case.table[item * width + factor]),
        };
        let mean = (0..items).map(of).sum::<f64>() / items as f64;
        let deviation = ((0..items).map(|item| (of(item) - mean).powi(2)).sum::<f64>() / items as f64).sqrt();
        let mut order: Vec<usize> = (0..items).collect();
        // Of equal ones, the first ranks first; from the other end where the query is negative.
        order.sort_by(|&a, &b| of(b).total_cmp(&of(a)));
        if weight < 0.0 {
            order.reverse();
        }
        let total: f64 = (0..items).map(|rank| (-(rank as f64) / lambda).exp()).sum();
        for (rank, item) in order.into_iter().enumerate() {
            q[item] += weight.abs() * deviation * (-(rank as f64) / lambda).exp() / total;
        }
        shares += weight.abs() * deviation;
    }
    q.iter().map(|q| (q / shares).ln()).collect()
}

/// The mixture of the users of a group, and of the two proposals.
fn truth_of_group(config: &ProposalConfig, case: &Case, index: Option<&IndexState>, user: usize) -> Vec<f64> {
    let first = user / config.group_size * config.group_size;
    let members: Vec<usize> = (first..(first + config.group_size).min(case.users())).collect();
    let mut q = vec![0.0; case.items()];
    for (at, &member) in members.iter().enumerate() {
        let drawn = (config.negatives + members.len() - 1 - at) / members.len();
        let weight = drawn as f64 / config.negatives as f64;
        let second = config.mix.map_or(0.0, |mix| f64::from(mix.probability));
        let parts = [(config.kind, 1.0 - second), (config.mix.map_or(config.kind, |mix| mix.with), second)];
        for (kind, part) in parts.into_iter().filter(|(_, part)| *part > 0.0) {
            for (q, log_q) in q.iter_mut().zip(truth(kind, config, case, index, member)) {
                *q += weight * part * log_q.exp();
            }
        }
    }
    q.into_iter().map(f64::ln).collect()
}

#[test]
fn log_q_is_that_of_enumeration_and_draws_follow_it() {
    // A width of 9 makes leaves of 10 items for the kernel: 300 items are a tree of five levels.
    let case = case(4, 300, 9);
    for engine in engines() {
        for (name, config) in proposals() {
            for group_size in [1, 3] {
                let config = ProposalConfig { group_size, ..config.clone() };
                let name = format!("{name}, group_size {group_size}, {}", engine.describe());
                let sampled = case.sample(engine, &config);
                for user in 0..case.users() {
                    let log_q = &sampled.log_q[user * 300..][..300];
                    let probabilities: Vec<f64> = log_q.iter().map(|&q| f64::from(q).exp()).collect();
                    let total: f64 = probabilities.iter().sum();
                    assert!(
                        (total - 1.0).abs() <= 1e-5,
                        "{name}: probabilities of user {user} sum to {total}"
                    );
                    let want = truth_of_group(&config, &case, sampled.index.as_ref(), user);
                    assert_close(&name, log_q, &want, 2e-4, 1e-4);
                    let group = user / group_size;
                    let drawn = &sampled.negatives[group * CANDIDATES..][..CANDIDATES];
                    assert_drawn_from(&name, &histogram(drawn.iter().copied(), 300), &probabilities);
                    let own = &sampled.negative_log_q[group * CANDIDATES..][..CANDIDATES];
                    let want: Vec<f32> = drawn.iter().map(|&item| log_q[item as usize]).collect();
                    assert_close(&format!("{name}: log q of candidates"), own, &want, 1e-4, 1e-5);
                }
            }
        }
    }
}

#[test]
fn log_q_agrees_with_the_fixtures() {
    for file in PROPOSALS {
        let truth: Proposals = fixture(file);
        let case = Case {
            queries: truth.queries.f32(),
            table: truth.q.f32(),
            bias: None,
            width: truth.hidden,
            counts: truth.counts.clone(),
            seed: 1,
            step: 1,
        };
        for engine in engines() {
            for (kind, want) in [
                (ProposalKind::Softmax, &truth.log_q.softmax),
                (ProposalKind::Quadratic, &truth.log_q.kernel),
            ] {
                let sampled = case.sample(engine, &ProposalConfig { negatives: 8, ..config(kind) });
                assert_close(&format!("{file}, {kind:?}"), &sampled.log_q, &want.data, 1e-4, 2e-4);
            }
        }
    }
}

/// `E[exp(o_j - log q_j)]` is the partition function for every proposal.
#[test]
fn importance_weights_average_to_the_partition_function() {
    let case = case(3, 300, 9);
    for engine in engines() {
        for (name, config) in proposals() {
            let sampled = case.sample(engine, &config);
            for user in 0..case.users() {
                let logits = case.logits(user);
                let log_p = normalised(&logits);
                let log_z = logits[0] - log_p[0];
                let drawn = &sampled.negatives[user * CANDIDATES..][..CANDIDATES];
                let log_q = &sampled.negative_log_q[user * CANDIDATES..][..CANDIDATES];
                let weights = drawn.iter().zip(log_q);
                let mean =
                    weights.map(|(&j, &q)| (logits[j as usize] - f64::from(q) - log_z).exp()).sum::<f64>()
                        / CANDIDATES as f64;
                let all = &sampled.log_q[user * 300..][..300];
                let square: f64 = log_p.iter().zip(all).map(|(p, &q)| (2.0 * p - f64::from(q)).exp()).sum();
                let sigma = ((square - 1.0).max(0.0) / CANDIDATES as f64).sqrt();
                assert!(
                    (mean - 1.0).abs() <= 5.0 * sigma + 1e-4,
                    "{name}, user {user}, {}: mean weight {mean}, sigma {sigma}",
                    engine.describe()
                );
            }
        }
    }
}

/// The classes of pairs of draws are distributed like those of independent draws.
#[test]
fn draws_of_slots_users_and_steps_are_independent() {
    const CLASSES: usize = 4;
    // Two users with the same query: they differ only in their random numbers.
    let mut case = case(2, 300, 9);
    let (first, second) = case.queries.split_at_mut(9);
    second.copy_from_slice(first);
    for engine in engines() {
        for (name, config) in proposals() {
            let now = case.sample(engine, &config);
            let later = Case { step: 8, ..case.clone() }.sample(engine, &config);
            let q: Vec<f64> = now.log_q[..300].iter().map(|&q| f64::from(q).exp()).collect();
            let mut class = vec![0; 300];
            let mut order: Vec<usize> = (0..300).collect();
            order.sort_by(|&a, &b| q[b].total_cmp(&q[a]));
            let (mut mass, mut masses) = (0.0, vec![0.0; CLASSES]);
            for item in order {
                class[item] = ((mass * CLASSES as f64) as usize).min(CLASSES - 1);
                masses[class[item]] += q[item];
                mass += q[item];
            }
            let expected: Vec<f64> = (0..CLASSES * CLASSES)
                .map(|pair| masses[pair / CLASSES] * masses[pair % CLASSES] / mass / mass)
                .collect();
            let own = &now.negatives[..CANDIDATES];
            for (what, other) in [
                ("slots", &[&own[1..], &own[..1]].concat()[..]),
                ("distant slots", &[&own[64..], &own[..64]].concat()[..]),
                ("users", &now.negatives[CANDIDATES..]),
                ("steps", &later.negatives[..CANDIDATES]),
            ] {
                let pair = |(&a, &b): (&u32, &u32)| (class[a as usize] * CLASSES + class[b as usize]) as u32;
                let counts = histogram(own.iter().zip(other).map(pair), CLASSES * CLASSES);
                assert_drawn_from(
                    &format!("{name}, pairs of {what}, {}", engine.describe()),
                    &counts,
                    &expected,
                );
            }
        }
    }
}

#[test]
fn odd_catalogues_still_make_proposals() {
    let alike =
        |items: usize| Case { table: [0.5f32, -0.25, 1.0].repeat(items), bias: None, ..case(3, items, 3) };
    // The largest absolute logit of each user is exactly 80.
    let mut huge = case(3, 345, 7);
    huge.bias = None;
    for user in 0..3 {
        let largest = huge.logits(user).iter().fold(0.0f64, |top, o| top.max(o.abs()));
        huge.queries[user * 7..][..7].iter_mut().for_each(|z| *z *= (80.0 / largest) as f32);
    }
    let zero_counts = Case { counts: vec![0; 130], ..case(3, 130, 5) };
    for engine in engines() {
        for (what, case) in [
            ("one item", case(3, 1, 3)),
            ("two items", case(3, 2, 3)),
            ("seven items", case(3, 7, 3)),
            ("all rows alike", alike(257)),
            ("huge logits", huge.clone()),
            ("no counts", zero_counts.clone()),
        ] {
            let items = case.items();
            for (name, config) in proposals() {
                if items < 6 && config.parts().any(ProposalKind::indexed) {
                    continue;
                }
                let name = format!("{what}, {name}, {}", engine.describe());
                let sampled = case.sample(engine, &ProposalConfig { negatives: 1500, ..config.clone() });
                for user in 0..case.users() {
                    let log_q = &sampled.log_q[user * items..][..items];
                    let q: Vec<f64> = log_q.iter().map(|&q| f64::from(q).exp()).collect();
                    let total: f64 = q.iter().sum();
                    // Codeword scores are ten times as large as usual, and so are their rounding errors.
                    let tolerance = if what == "huge logits" { 1e-4 } else { 1e-5 };
                    assert!((total - 1.0).abs() <= tolerance, "{name}: user {user} sums to {total}");
                    let drawn = &sampled.negatives[user * 1500..][..1500];
                    assert!(drawn.iter().all(|&item| (item as usize) < items), "{name}");
                    if q.iter().filter(|&&q| q > 0.01).count() >= 2 {
                        assert_drawn_from(&name, &histogram(drawn.iter().copied(), items), &q);
                    }
                }
            }
        }
    }
}

/// Static proposals use only integers. The others may draw the neighbouring item where a random number lies within
/// rounding
/// of an edge.
#[test]
fn engines_draw_the_same_items() {
    let case = case(4, 300, 9);
    let engines = engines();
    let mut all = proposals();
    all.push(("uniform with popularity", mixed(ProposalKind::Uniform, ProposalKind::Popularity, 0.4)));
    for (name, config) in all {
        let want = case.sample(engines[0], &config).negatives;
        for engine in &engines[1..] {
            let got = case.sample(engine, &config).negatives;
            let other = got.iter().zip(&want).filter(|(a, b)| a != b).count();
            let fixed =
                config.parts().all(|loss| matches!(loss, ProposalKind::Uniform | ProposalKind::Popularity));
            let most = if fixed { 0 } else { want.len() / 500 };
            assert!(other <= most, "{name}: {other} of {} draws differ", want.len());
            println!("{name}: {other} of {} draws differ between engines", want.len());
        }
    }
}

#[test]
fn dns_as_published_draws_the_same_and_claims_nothing() {
    let case = case(3, 300, 9);
    for engine in engines() {
        let exact = case.sample(engine, &config(ProposalKind::Dns));
        let plain = ProposalConfig { dns_correction: DnsCorrection::None, ..config(ProposalKind::Dns) };
        let plain = case.sample(engine, &plain);
        assert!(plain.log_q.iter().all(|&q| (f64::from(q) + 300f64.ln()).abs() < 1e-5));
        // Single inner products and matrix products are rounded differently.
        let other = exact.negatives.iter().zip(&plain.negatives).filter(|(a, b)| a != b).count();
        assert!(other <= exact.negatives.len() / 500, "{other} draws differ, {}", engine.describe());
    }
}

#[test]
fn what_cannot_fit_is_refused_with_the_arithmetic() {
    let engine = engines()[0];
    let counts = vec![1; 1_500_000];
    let refusal = |config: ProposalConfig| {
        let built = fastvae::proposal::build(engine, &config, &counts, 256);
        built.err().expect("a gigabyte of logits is refused").to_string()
    };
    for kind in [ProposalKind::Softmax, ProposalKind::Dns, ProposalKind::Midx] {
        let message = refusal(config(kind));
        let all = [kind.name(), "256 query rows x 1500000 items x 4 bytes = 1464 MiB", "at most 178"];
        assert!(all.iter().all(|part| message.contains(part)), "{message}");
    }
    // For rows of 500 numbers, building the kernel's tree is refused.
    let items = 1_500_000;
    let catalogue = fastvae::proposal::Catalogue {
        table: engine.zeros("no item rows", 0).expect("nothing"),
        bias: None,
        items,
        width: 500,
    };
    let mut proposal =
        fastvae::proposal::build(engine, &config(ProposalKind::Quadratic), &counts, 1).expect("builds");
    let refresh = proposal.refresh(engine, &catalogue, fastvae::rng::Rng::new(0), 0);
    let message = pollster::block_on(refresh).expect_err("6 GB are refused").to_string();
    assert!(message.contains("8192 nodes x 125250 numbers") && message.contains("6775 MiB"), "{message}");
}
