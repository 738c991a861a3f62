//! Jobs around a model: lists for people in a file, vectors, held-out files, comparisons, next week's data.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use std::{collections::BTreeMap, fs};

use fastvae_study::labels;
use tempfile::{TempDir, tempdir};
use tests::cli::{complaint, fastvae, stdout};

/// A folder with a run on 40 users and 30 items.
fn trained() -> TempDir {
    let folder = tempdir().unwrap();
    let pairs = (0..40u32).flat_map(|user| (0..9).map(move |n| (user, (user % 4 * 7 + n * 2) % 30)));
    let rows: String = pairs.map(|(user, item)| format!("u{user},i{item}\n")).collect();
    fs::write(folder.path().join("set.csv"), format!("user,item\n{rows}")).unwrap();
    stdout(fastvae(&folder).args(train("set.csv", "run").split(' ')));
    folder
}

fn train(data: &str, out: &str) -> String {
    format!(
        "train --data {data} --out {out} --loss full --epochs 5 --hidden 16 --latent 8 --batch 16 --engine cpu --quiet"
    )
}

/// User, item and score of each line of a csv with a header.
fn lists(text: &str) -> Vec<(String, String, f32)> {
    let row = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        (fields[0].to_owned(), fields[2].to_owned(), fields[4].parse().unwrap())
    };
    text.lines().skip(1).map(row).collect()
}

#[test]
fn people_in_a_file_get_lists() {
    let folder = trained();
    let path = folder.path();
    fs::write(path.join("new.csv"), "user,item\nann,i1\nann,i3\nbob,i2\nbob,unheard\ncarl,unheard\n")
        .unwrap();
    let line = "recommend run --histories new.csv -n 5 --format csv --engine cpu";
    let text = stdout(fastvae(&folder).args(line.split(' ')));
    let found = lists(&text);
    assert_eq!((found.len(), found.iter().filter(|row| row.0 == "bob").count()), (10, 5), "{text}");
    // The same as by hand.
    let by_hand = stdout(
        fastvae(&folder).args("recommend run --history i1,i3 -n 5 --format csv --engine cpu".split(' ')),
    );
    let items = |rows: &[(String, String, f32)], user: &str| {
        rows.iter().filter(|row| row.0 == user).map(|row| row.1.clone()).collect::<Vec<_>>()
    };
    assert_eq!(items(&found, "ann"), items(&lists(&by_hand), "history"));
    let text = complaint(fastvae(&folder).args(format!("{line} --strict").split(' ')), 2);
    assert!(text.contains("unheard"), "{text}");
    // Standard input, and JSON.
    let line = "recommend run --histories - -n 1 --format json --engine cpu";
    let text = stdout(fastvae(&folder).args(line.split(' ')).write_stdin("user,item\nann,i1\nbob,i2\n"));
    assert_eq!(text.lines().count(), 2, "{text}");
}

#[test]
fn lists_obey_what_is_said_of_each_user() {
    let folder = trained();
    let path = folder.path();
    let run = |more: &str| {
        let line = format!("recommend run --user u1 --user u2 -n 5 --format csv --engine cpu{more}");
        lists(&stdout(fastvae(&folder).args(line.split(' '))))
    };
    let all = run("");
    let first = |user: &str| all.iter().find(|row| row.0 == user).unwrap().1.clone();
    fs::write(path.join("bought.csv"), format!("user,item\nu1,{}\nu9,i1\n", first("u1"))).unwrap();
    let others = run(" --exclude bought.csv");
    assert!(!others.iter().any(|row| row.0 == "u1" && row.1 == first("u1")));
    assert_eq!(
        others.iter().filter(|row| row.0 == "u2").collect::<Vec<_>>(),
        all.iter().filter(|row| row.0 == "u2").collect::<Vec<_>>()
    );
    let allowed: Vec<String> = all.iter().filter(|row| row.0 == "u2").map(|row| row.1.clone()).collect();
    fs::write(path.join("only.csv"), format!("user,item\nu2,{}\nu2,{}\n", allowed[3], allowed[1])).unwrap();
    let only = run(" --only only.csv");
    assert_eq!(
        only.iter().map(|row| (row.0.as_str(), &row.1)).collect::<Vec<_>>(),
        [("u2", &allowed[1]), ("u2", &allowed[3])]
    );
    // Where nothing is left, the table is empty, and that is said.
    let line =
        "recommend run --user u1 --user u2 --format csv --engine cpu --only only.csv --exclude only.csv";
    let output = fastvae(&folder).args(line.split(' ')).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "user,rank,item,title,score\n");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("2 of 2 users have no list"), "{said}");
    assert!(run(" --min-popularity 1 --diversity 0.9").len() == 10);
    assert_eq!(run(" --diversity 0"), all);
    let text =
        complaint(fastvae(&folder).args("recommend run --user u1 --min-popularity 1000".split(' ')), 2);
    assert!(text.contains("--min-popularity"), "{text}");
    // One unknown user of many, and lists saved by Windows.
    fs::write(path.join("allow.txt"), "\u{feff}i1\r\ni2\r\nunheard\r\n").unwrap();
    let line =
        "recommend run --user u1 --user stranger --allow allow.txt --include-seen --format csv --engine cpu";
    assert_eq!(lists(&stdout(fastvae(&folder).args(line.split(' ')))).len(), 2);
    complaint(fastvae(&folder).args(format!("{line} --strict").split(' ')), 2);
    complaint(fastvae(&folder).args("recommend run --user stranger".split(' ')), 2);
}

/// The numbers of an array of numpy, row by row.
fn npy(path: &std::path::Path) -> Vec<Vec<f32>> {
    let bytes = fs::read(path).unwrap();
    let length = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = std::str::from_utf8(&bytes[10..10 + length]).unwrap();
    let shape = header.split("'shape': (").nth(1).unwrap().split(')').next().unwrap();
    let width: usize = shape.split(',').nth(1).unwrap().trim().parse().unwrap();
    let numbers = bytes[10 + length..].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    numbers.collect::<Vec<_>>().chunks_exact(width).map(<[f32]>::to_vec).collect()
}

#[test]
fn vectors_give_the_lists_of_recommend() {
    let folder = trained();
    let path = folder.path();
    stdout(fastvae(&folder).args("export run --items items.npy --users users.npy --engine cpu".split(' ')));
    let (items, users) = (npy(&path.join("items.npy")), npy(&path.join("users.npy")));
    let ids = |name: &str| -> Vec<String> {
        fs::read_to_string(path.join(name)).unwrap().lines().skip(1).map(str::to_owned).collect()
    };
    let (item_ids, user_ids) = (ids("items.ids.csv"), ids("users.ids.csv"));
    assert_eq!((items.len(), users.len(), items[0].len()), (30, 40, users[0].len()));
    let text = stdout(
        fastvae(&folder)
            .args("recommend run --all-users -n 30 --include-seen --format csv --engine cpu".split(' ')),
    );
    let mut scores: BTreeMap<String, BTreeMap<String, f32>> = BTreeMap::new();
    for (user, item, score) in lists(&text) {
        scores.entry(user).or_default().insert(item, score);
    }
    for (user, query) in user_ids.iter().zip(&users) {
        for (item, row) in item_ids.iter().zip(&items) {
            let product: f32 = query.iter().zip(row).map(|(a, b)| a * b).sum();
            let score = scores[user][item];
            assert!(
                (product - score).abs() <= 1e-4 * score.abs().max(1.0),
                "{user} {item}: {product} and {score}"
            );
        }
    }
    stdout(fastvae(&folder).args(
        "export run --items items.parquet --users users.csv --histories set.csv --engine cpu".split(' '),
    ));
    let json = stdout(
        fastvae(&folder).args("data info items.parquet --columns user=item,items=vector --json".split(' ')),
    );
    assert!(json.contains("\"users\": 30"), "{json}");
    assert_eq!(fs::read_to_string(path.join("users.csv")).unwrap().lines().count(), 41);
    let text = complaint(fastvae(&folder).args("export run --items items.xyz".split(' ')), 2);
    assert!(text.contains(".npy"), "{text}");
}

#[test]
fn evaluations_look_behind_the_metrics() {
    let folder = trained();
    let path = folder.path();
    let json = |line: &str| -> serde_json::Value {
        serde_json::from_str(&stdout(fastvae(&folder).args(line.split(' ')))).unwrap()
    };
    let found = json("evaluate run --at 5 --more --intervals --lists lists.csv --json --engine cpu");
    let recall = found["metrics"]["recall@5"].as_f64().unwrap();
    let interval = &found["intervals"]["recall@5"];
    assert!(interval["low"].as_f64().unwrap() <= recall && recall <= interval["high"].as_f64().unwrap());
    assert!(found["beyond"]["gini@5"].as_f64().unwrap() < 1.0, "{found}");
    // Tables show what has a label.
    for (values, labels) in [("metrics", labels::ACCURACY), ("beyond", labels::BEYOND)] {
        for key in found[values].as_object().unwrap().keys() {
            let name = key.split_once('@').unwrap().0;
            assert!(labels.iter().any(|(known, _)| *known == name), "{key} has no label");
        }
    }
    let hits: u64 = fs::read_to_string(path.join("lists.csv"))
        .unwrap()
        .lines()
        .skip(1)
        .map(|line| line.rsplit(',').next().unwrap().parse::<u64>().unwrap())
        .sum();
    let users = found["users"].as_u64().unwrap();
    let precision = found["metrics"]["precision@5"].as_f64().unwrap();
    assert!((hits as f64 - precision * 5.0 * users as f64).abs() < 1e-6, "{hits} {found}");
    // A file of what came later.
    fs::write(path.join("later.csv"), "user,item\nu1,i0\nu1,i7\nu2,i1\nu2,i3\nstranger,i1\n").unwrap();
    let found = json("evaluate run --at 5 --data later.csv --json --engine cpu");
    assert_eq!(
        (found["part"].as_str(), found["users"].as_u64().map(|users| users <= 2)),
        (Some("held-out"), Some(true))
    );
    // The same model twice differs in nothing; the run is found from any folder.
    let elsewhere = tempdir().unwrap();
    let run = path.join("run");
    let line = [
        "evaluate".as_ref(),
        run.as_os_str(),
        run.as_os_str(),
        "--json".as_ref(),
        "--engine".as_ref(),
        "cpu".as_ref(),
    ];
    let found: serde_json::Value = serde_json::from_str(&stdout(fastvae(&elsewhere).args(line))).unwrap();
    assert_eq!(
        (
            found["comparison"]["ndcg@10"]["difference"]["mean"].as_f64(),
            found["comparison"]["ndcg@10"]["p"].as_f64()
        ),
        (Some(0.0), Some(1.0))
    );
    fs::remove_file(path.join("set.csv")).unwrap();
    let text = complaint(fastvae(&folder).args("evaluate run --engine cpu".split(' ')), 1);
    assert!(text.contains("set.csv") && text.contains("--data"), "{text}");
}

#[test]
fn next_week_starts_from_the_model_that_is_there() {
    let folder = trained();
    let path = folder.path();
    let rows = fs::read_to_string(path.join("set.csv")).unwrap();
    let more: String =
        (0..12).map(|user| format!("u{user},new\nv{user},i{user}\nv{user},i{}\n", user + 3)).collect();
    fs::write(path.join("later.csv"), rows + &more).unwrap();
    let line = format!("{} --warm-start run", train("later.csv", "next"));
    let output = fastvae(&folder).args(line.split(' ')).assert().success().get_output().clone();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("30 items as in run, 1 at the mean of items"), "{text}");
    let recommended = |run: &str, more: &str| {
        let line = format!("recommend {run} {more} -n 40 --include-seen --format csv --engine cpu");
        fastvae(&folder).args(line.split(' ')).output().unwrap()
    };
    let loss = |run: &str| -> f64 {
        let metrics: serde_json::Value =
            serde_json::from_slice(&fs::read(path.join(run).join("metrics.json")).unwrap()).unwrap();
        metrics["epochs"][0]["loss"].as_f64().unwrap()
    };
    stdout(fastvae(&folder).args(train("later.csv", "cold").split(' ')));
    assert!(loss("next") < loss("cold"), "{} {}", loss("next"), loss("cold"));
    // What the new data does not have stays, or leaves.
    fs::write(path.join("window.csv"), "user,item\nu1,i1\nu1,i2\nu2,i1\nu2,new\nu3,i2\nu3,new\nu3,i3\n")
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    for (out, flag, items, stays) in [("kept", "", 31, true), ("dropped", " --drop-missing", 4, false)] {
        let line = format!("{}{flag} --warm-start run --validation-users 0", train("window.csv", out));
        let output = fastvae(&folder).args(line.split(' ')).assert().success().get_output().clone();
        assert_eq!(text(output.stderr).contains("27 items and 37 users"), stays);
        let found = recommended(out, "--user u1");
        assert_eq!(lists(&text(found.stdout)).len(), items, "{out}");
        assert_eq!(recommended(out, "--user u30").status.success(), stays, "{out}");
        // The run knows its data again, and goes on.
        stdout(fastvae(&folder).args(format!("evaluate {out} --engine cpu").split(' ')));
        stdout(
            fastvae(&folder).args(format!("train --resume {out} --epochs 7 --engine cpu --quiet").split(' ')),
        );
        assert_eq!(recommended(out, "--user u30").status.success(), stays, "{out}, resumed");
    }
    let text = complaint(fastvae(&folder).args("train --data set.csv --drop-missing".split(' ')), 2);
    assert!(text.contains("--warm-start"), "{text}");
    let line =
        format!("{} --warm-start run --hidden 8", train("later.csv", "other").replace(" --hidden 16", ""));
    let text = complaint(fastvae(&folder).args(line.split(' ')), 2);
    assert!(text.contains("--warm-start"), "{text}");
}

#[test]
#[cfg(unix)]
fn output_goes_through_links_and_pipes() {
    let folder = trained();
    let path = folder.path();
    std::os::unix::fs::symlink("real.csv", path.join("link.csv")).unwrap();
    let line = "recommend run --user u1 -n 2 --format csv --engine cpu --output";
    stdout(fastvae(&folder).args(format!("{line} link.csv").split(' ')));
    assert!(fs::symlink_metadata(path.join("link.csv")).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(path.join("real.csv")).unwrap().lines().count(), 3);
    let text = stdout(fastvae(&folder).args(format!("{line} /dev/stdout").split(' ')));
    assert_eq!(text.lines().count(), 3, "{text}");
}

#[test]
fn the_ending_of_the_output_is_its_format() {
    let folder = trained();
    let written = |more: &str, file: &str| {
        let line = format!("recommend run --user u1 -n 2 --engine cpu{more} --output {file}");
        stdout(fastvae(&folder).args(line.split(' ')));
        fs::read(folder.path().join(file)).unwrap()
    };
    assert!(written("", "lists.csv").starts_with(b"user,rank,item,title,score\n"));
    assert!(written("", "lists.jsonl").starts_with(b"{"));
    assert!(written("", "lists.parquet").starts_with(b"PAR1"));
    assert!(written("", "lists.txt").starts_with(b"u1\n"));
    assert!(written(" --format jsonl", "more.csv").starts_with(b"{"));
}

#[test]
fn factorisations_start_from_an_earlier_one() {
    let folder = trained();
    let rows = fs::read_to_string(folder.path().join("set.csv")).unwrap();
    let more: String = (0..12).map(|user| format!("u{user},new\nv{user},i{user}\nv{user},new\n")).collect();
    fs::write(folder.path().join("later.csv"), rows + &more).unwrap();
    for model in ["ials", "wrmf", "elsa", "bpr", "mf", "dns"] {
        let line = |data: &str, out: &str, epochs: u32| {
            format!(
                "train --data {data} --out {model}-{out} --model {model} --factors 8 --epochs {epochs} --quiet \
                 --evaluate-every 1 --validation-users 0"
            )
        };
        stdout(fastvae(&folder).args(line("set.csv", "first", 30).split(' ')));
        stdout(fastvae(&folder).args(line("later.csv", "cold", 1).split(' ')));
        stdout(
            fastvae(&folder)
                .args(format!("{} --warm-start {model}-first", line("later.csv", "warm", 1)).split(' ')),
        );
        let loss = |out: &str| -> Option<f64> {
            let path = folder.path().join(format!("{model}-{out}")).join("metrics.json");
            let metrics: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
            metrics["epochs"][0]["loss"].as_f64()
        };
        assert!(
            loss("warm").unwrap() < loss("cold").unwrap(),
            "{model}: {:?} {:?}",
            loss("warm"),
            loss("cold")
        );
    }
}
