//! What the paper reports: Chen et al., "Fast Variational AutoEncoder with Inverted Multi-Index for Collaborative
//! Filtering", WWW 2022, section 7.

/// A data set of the paper.
pub struct PaperSet {
    /// The name by which it is given.
    pub name: &'static str,
    /// The name in tables.
    pub title: &'static str,
    /// Users, items and interactions (table 2).
    pub counts: [u64; 3],
    /// Negatives a user (section 7.1.4).
    pub negatives: usize,
    /// How to supply it.
    pub supply: &'static str,
}

/// The data sets of tables 2 and 3, in the order of table 3.
pub const SETS: [PaperSet; 4] = [
    PaperSet {
        name: "ml-10m",
        title: "MovieLens 10M",
        counts: [47_292, 5_942, 2_001_164],
        negatives: 200,
        supply: "`fastvae data get ml-10m`, then --data ml-10m=PATH; the numbers of table 2 are those of the positives \
                 that the authors published, a file of user and item",
    },
    PaperSet {
        name: "gowalla",
        title: "Gowalla",
        counts: [29_858, 40_988, 1_027_464],
        negatives: 1000,
        supply: "check-ins of SNAP (loc-gowalla), or a file of user and item: --data gowalla=PATH",
    },
    PaperSet {
        name: "netflix",
        title: "Netflix",
        counts: [422_624, 17_618, 53_417_358],
        negatives: 200,
        supply: "the Netflix prize (combined_data_*.txt), which is no longer distributed by Netflix: `fastvae data \
                 convert PATH netflix.parquet --min-rating 4`, then --data netflix=netflix.parquet",
    },
    PaperSet {
        name: "amazon",
        title: "Amazon",
        counts: [56_257, 50_154, 1_418_076],
        negatives: 2000,
        supply: "ratings of books of the Amazon reviews (2014): `fastvae data convert ratings_Books.csv books.parquet \
                 --min-rating 5`, then --data amazon=books.parquet; the paper takes a subset that it does not describe",
    },
];

/// The paper's set of a name.
pub fn set(name: &str) -> Option<&'static PaperSet> {
    SETS.iter().find(|set| set.name == name)
}

/// A system of table 3.
pub struct PaperSystem {
    /// The name in the table.
    pub title: &'static str,
    /// Its model in this program.
    pub model: &'static str,
    /// The method, for Mult-VAE.
    pub method: Option<&'static str>,
    /// NDCG@50 and Recall@50 for each of [`SETS`]; `None` for systems that the paper does not have.
    pub scores: Option<[[f64; 2]; 4]>,
}

const fn system(
    title: &'static str,
    model: &'static str,
    method: Option<&'static str>,
    scores: Option<[[f64; 2]; 4]>,
) -> PaperSystem {
    PaperSystem { title, model, method, scores }
}

/// Table 3, followed by systems that a sceptic would ask for.
pub const SYSTEMS: [PaperSystem; 14] = [
    system(
        "WRMF",
        "wrmf",
        None,
        Some([[0.3194, 0.4967], [0.1316, 0.2223], [0.3020, 0.3653], [0.0919, 0.1802]]),
    ),
    system(
        "BPR",
        "bpr",
        None,
        Some([[0.2915, 0.4642], [0.1216, 0.1978], [0.2742, 0.3283], [0.0740, 0.1441]]),
    ),
    system(
        "WARP-MF",
        "warp",
        None,
        Some([[0.2968, 0.4785], [0.1273, 0.2073], [0.2953, 0.3539], [0.0798, 0.1615]]),
    ),
    system(
        "AOBPR",
        "aobpr",
        None,
        Some([[0.2934, 0.4753], [0.1385, 0.2369], [0.2952, 0.3560], [0.0906, 0.1763]]),
    ),
    system(
        "DNS",
        "dns",
        None,
        Some([[0.3153, 0.4988], [0.1622, 0.2761], [0.2974, 0.3594], [0.1119, 0.2186]]),
    ),
    system(
        "PRIS",
        "pris",
        None,
        Some([[0.3162, 0.4937], [0.1657, 0.2736], [0.2975, 0.3608], [0.1189, 0.2244]]),
    ),
    system(
        "SA",
        "self-adversarial",
        None,
        Some([[0.3237, 0.5066], [0.1704, 0.2866], [0.3177, 0.3784], [0.1378, 0.2401]]),
    ),
    system(
        MULT_VAE,
        "mult-vae",
        Some("full"),
        Some([[0.3206, 0.5037], [0.1751, 0.2911], [0.3227, 0.3841], [0.1441, 0.2483]]),
    ),
    system(
        FAST_VAE,
        "mult-vae",
        Some("midx-popularity"),
        Some([[0.3275, 0.5078], [0.1797, 0.2971], [0.3238, 0.3845], [0.1404, 0.2434]]),
    ),
    system("EASE", "ease", None, None),
    system("iALS", "ials", None, None),
    system("ELSA", "elsa", None, None),
    system("neighbours", "item-knn", None, None),
    system("popularity", "popularity", None, None),
];

/// Mult-VAE with the full softmax, in table 3.
pub const MULT_VAE: &str = "Mult-VAE";
/// FastVAE with MIDX_Pop, in table 3.
pub const FAST_VAE: &str = "FastVAE";

/// A sampler of table 1: its name, its name in this program, and the powers of the number of items with which its space
/// and its time grow. `D^2 log M` counts as the power 0.
pub const SAMPLERS: [(&str, &str, f64, f64); 7] = [
    ("Uniform", "uniform", 0.0, 0.0),
    ("Popularity", "popularity", 1.0, 0.0),
    ("DNS", "dns", 1.0, 0.0),
    ("Kernel", "kernel", 1.0, 0.0),
    ("MIDX", "midx", 1.0, 1.0),
    ("MIDX_Uni", "midx-uniform", 1.0, 0.0),
    ("MIDX_Pop", "midx-popularity", 1.0, 0.0),
];
