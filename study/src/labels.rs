//! Metrics by their keys in `metrics.json`, in the order of tables, with the labels that people read.

/// Accuracy on held-out items.
pub const ACCURACY: &[(&str, &str)] = &[
    ("ndcg", "NDCG"),
    ("recall", "Recall, hits / |test|"),
    ("recall_min_k", "Recall, hits / min(k, |test|)"),
    ("precision", "Precision"),
    ("map", "MAP"),
    ("mrr", "MRR"),
    ("hit_rate", "Hit rate"),
    ("coverage", "Coverage of the catalogue"),
];

/// What lists recommend, beyond accuracy.
pub const BEYOND: &[(&str, &str)] = &[
    ("popularity", "Interactions of a listed item"),
    ("novelty", "Novelty, bits"),
    ("intra_list_distance", "Distance within a list"),
    ("gini", "Gini coefficient of exposure"),
    ("ndcg_short_histories", "NDCG, short histories"),
    ("ndcg_middle_histories", "NDCG, middle histories"),
    ("ndcg_long_histories", "NDCG, long histories"),
    ("ndcg_head_items", "NDCG, popular items"),
    ("ndcg_middle_items", "NDCG, middle items"),
    ("ndcg_tail_items", "NDCG, rare items"),
];
