//! One small input of every form.

use std::io::{Cursor, Write};

use fastvae::{
    config::MultVaeConfig,
    config::{Kmeans, Method, ProposalKind},
    data::{self, LoadOptions, SyntheticOptions, WriteForm, load_bytes},
    engine::Engine,
    run::{
        RunConfig,
        checkpoint::{self, Context},
    },
    train::Trainer,
};
use pollster::block_on;

use super::{Reader, Sample};

/// Valid inputs of every form that the library reads.
///
/// # Panics
/// If the library cannot write or read one of them.
pub fn samples() -> Vec<Sample> {
    let rows: Vec<(usize, usize)> = (0..60).map(|row| (row % 9, row * 7 % 13)).collect();
    let lines = |line: &dyn Fn(usize, usize) -> String| {
        rows.iter().map(|&(user, item)| line(user, item)).collect::<String>()
    };
    let table = lines(&|user, item| format!("u{user},i{item},{}\n", item % 5));
    let csv = format!("user,item,rating\n{table}");
    let quoted = lines(&|user, item| format!("{user},\"i \"\"{item}\"\"\",\"two\nlines, {user}\"\n"));
    let adjacency =
        (0..9).map(|user| format!("{user} {} {} {}\n", user + 1, user + 3, user * 2)).collect::<String>();
    let movies = (0..13).map(|item| format!("{item},\"Film, the {item}\",Drama|War\n")).collect::<String>();
    let ratings = lines(&|user, item| format!("{user},{item},4.5,978300760\n"));
    let reviews = lines(&|user, item| {
        format!("{{\"reviewerID\": \"A{user}\", \"asin\": \"B{item}\", \"overall\": 4.0}}\n")
    });
    let set = load_bytes("set.csv", csv.as_bytes(), &LoadOptions::default()).expect("the sample is a set");
    let folder = tempfile::tempdir().expect("a folder");
    let parquet = folder.path().join("set.parquet");
    data::write(&set, &parquet, WriteForm::Parquet, &Default::default()).expect("Parquet is written");
    let in_zip = zip(&[
        ("ml/ratings.csv", format!("userId,movieId,rating,timestamp\n{ratings}").as_bytes()),
        ("ml/movies.csv", format!("movieId,title,genres\n{movies}").as_bytes()),
    ]);
    let parts = zip(&[
        ("train.txt", adjacency.as_bytes()),
        ("test.txt", b"0 7\n1 9\n2 11\n"),
        ("user_list.txt", b"org_id remap_id\na 0\nb 1\n"),
    ]);
    let old = zip(&[
        ("ml-1m/ratings.dat", ratings.replace(',', "::").as_bytes()),
        ("ml-1m/movies.dat", b"0::Am\xe9lie (2001)::Comedy|Drama\n"),
    ]);
    let array = lines(&|user, item| format!("{{\"user\": \"u{user}\", \"item\": [{item}, {user}]}},\n"));
    let array = format!("[{}]", array.trim_end_matches(",\n"));
    let carts = lines(&|user, item| format!("{{\"user\": \"u{user}\", \"items\": [{{\"id\": {item}}}]}},\n"));
    let answer = format!("{{\"total\": 60, \"data\": [{}], \"next\": null}}", carts.trim_end_matches(",\n"));
    let hive = lines(&|user, item| format!("u{user}\u{1}{item}\u{1}20240101{:02}0000\n", user % 24));
    let market = lines(&|user, item| format!("{} {} 3\n", user + 1, item + 1));
    let counted = ["1 7\n", "2 7 9\n", "3 7 9 11\n", "2 9 11\n"].concat().repeat(3);
    let histories =
        lines(&|user, item| format!("{user}\t2024-01-0{}\ti{item} i{} i3\n", 1 + user % 9, item + 1));
    let wide: Vec<u8> = csv.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let psql = lines(&|user, item| format!(" u{user} | i{item}\n"));
    let gzipped = gzip(csv.as_bytes());
    let events = lines(&|user, item| {
        let event =
            |item: usize| format!("{{\"aid\": {item}, \"ts\": 16593048{item:05}, \"type\": \"clicks\"}}");
        format!("{{\"session\": {user}, \"events\": [{}, {}]}}\n", event(item), event(item + 1))
    });
    let behaviour =
        lines(&|user, item| format!("{user},{},7,pv,2017-11-25 01:{:02}\n", item + 500, user + item));
    let log = zip(&[
        (
            "events.csv",
            format!("visitorid,event,itemid\n{}", lines(&|user, item| format!("u{user},view,i{item}\n")))
                .as_bytes(),
        ),
        ("items.csv", b"itemid,colour\ni1,red\ni2,blue\ni3,red\n"),
    ]);
    let folds = zip(&[
        ("u1.base", ratings.replace(',', "\t").as_bytes()),
        ("u1.test", b"3\t99\t4\t978300760\n".as_slice()),
    ]);
    let titled = format!("Sales of a shop\n\n{csv}Total,60\nGenerated on Monday\n\u{1a}");
    let separated = lines(&|user, item| format!("u{user}:::i{item}:::5\n"));
    let single = lines(&|user, item| format!("'u{user}','it''s, {item}',5\n"));
    let baskets = lines(&|user, item| {
        let items: Vec<String> = (0..=user % 4).map(|more| format!("i{}", (item + more) % 13)).collect();
        format!("{}\n", items.join(","))
    });
    let utf_32: Vec<u8> = csv.chars().flat_map(|letter| u32::from(letter).to_le_bytes()).collect();
    let orders = zip(&[
        ("orders.csv", b"order_id,user_id\n1,7\n2,8\n".as_slice()),
        ("items.csv", b"order_id,product_id\n1,100\n2,101\n"),
    ]);
    let archive = tar("set/ratings.csv", csv.as_bytes());
    let arrays = lines(&|user, item| format!("[\"u{user}\", {item}, 4.5],\n"));
    let arrays = format!("[{}]", arrays.trim_end_matches(",\n"));
    let arrays_by_line = lines(&|user, item| format!("[{user}, \"i{item}\"]\n"));
    let by_user = |value: &dyn Fn(usize) -> String| {
        let users: Vec<String> = (0..9).map(|user| format!("\"u{user}\": {}", value(user))).collect();
        format!("{{{}}}", users.join(", "))
    };
    let lists_of_users = by_user(&|user| format!("[\"i{user}\", \"i{}\"]", user + 1));
    let ratings_of_users = by_user(&|user| format!("{{\"i{user}\": 4.5, \"i{}\": 3}}", user + 1));
    let fields = lines(&|user, item| format!("user=u{user},item=i{item},rating=4\n"));
    let escaped = lines(&|user, item| format!("u{user},\"i \\\"{item}\\\"\",5\n"));
    let commented =
        format!("// a remark\n#user,item,day\n{}", lines(&|u, i| format!("u{u},i{i},20240131\n")));
    let first_with_header = zip(&[("part-0.csv", csv.as_bytes()), ("part-1.csv", table.as_bytes())]);
    let mut samples: Vec<Sample> = [
        ("set.csv", csv.into_bytes()),
        ("quoted.csv", format!("user;item;note\n{quoted}").replace(',', ";").into_bytes()),
        ("u.data", ratings.replace(',', "\t").into_bytes()),
        ("ratings.dat", ratings.replace(',', "::").into_bytes()),
        (
            "set.inter",
            format!("user_id:token\titem_id:token\n{}", lines(&|u, i| format!("{u}\t{i}\n"))).into_bytes(),
        ),
        ("train.txt", adjacency.into_bytes()),
        ("mv_1.txt", b"1:\n5,3,2005-09-06\n7,5,2005-05-13\n2:\n5,1,2005-10-19\n".to_vec()),
        ("reviews.json", reviews.into_bytes()),
        ("set.csv.gz", gzipped),
        ("array.json", array.into_bytes()),
        ("answer.json", answer.into_bytes()),
        ("hive.txt", hive.into_bytes()),
        (
            "ratings.mtx",
            format!("%%MatrixMarket matrix coordinate integer general\n9 13 60\n{market}").into_bytes(),
        ),
        ("users.dat", counted.into_bytes()),
        ("histories.tsv", format!("user\ttime\titems\n{histories}").into_bytes()),
        ("wide.csv", wide),
        ("psql.txt", format!(" user | item\n------+------\n{psql}(60 rows)\n").into_bytes()),
        ("matrix.npz", scipy()),
        ("matrix.mat", matlab()),
        ("set.tar", archive),
        ("ml.zip", in_zip),
        ("ml-1m.zip", old),
        ("parts.zip", parts),
        ("events.jsonl", events.into_bytes()),
        ("UserBehavior.csv", behaviour.into_bytes()),
        ("log.zip", log),
        ("folds.zip", folds),
        ("titled.csv", titled.into_bytes()),
        ("separated.dat", separated.into_bytes()),
        ("single.csv", format!("user,item,rating\n{single}").into_bytes()),
        ("baskets.csv", baskets.into_bytes()),
        ("utf-32.csv", utf_32),
        ("orders.zip", orders),
        ("arrays.json", arrays.into_bytes()),
        ("arrays.jsonl", arrays_by_line.into_bytes()),
        ("lists.json", lists_of_users.into_bytes()),
        ("ratings.json", ratings_of_users.into_bytes()),
        ("fields.txt", fields.into_bytes()),
        ("escaped.csv", format!("user,item,rating\n{escaped}").into_bytes()),
        ("commented.csv", commented.into_bytes()),
        ("first.zip", first_with_header),
        ("set.parquet", std::fs::read(parquet).expect("it was written")),
    ]
    .into_iter()
    .map(|(name, bytes)| Sample { reader: Reader::Data(name), bytes })
    .collect();
    samples.extend(checkpoints().into_iter().map(|bytes| Sample { reader: Reader::Checkpoint, bytes }));
    let config = toml::to_string_pretty(&RunConfig::default()).expect("settings are TOML");
    samples.push(Sample { reader: Reader::Config, bytes: config.into_bytes() });
    samples
}

/// A sparse matrix of 3 x 4 as MATLAB 5 writes it.
fn matlab() -> Vec<u8> {
    let element = |kind: u32, data: &[u8]| {
        let mut out = [&kind.to_le_bytes()[..], &(data.len() as u32).to_le_bytes(), data].concat();
        out.resize(out.len().next_multiple_of(8), 0);
        out
    };
    let ints = |values: &[i32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let reals: Vec<u8> = [1.0f64, 4.5, 2.0, 3.0, 1.0].iter().flat_map(|value| value.to_le_bytes()).collect();
    let parts = [
        // The class sparse, and room for five numbers.
        element(6, &ints(&[5, 5])),
        element(5, &ints(&[3, 4])),
        element(1, b"data"),
        // Rows, and where each column begins.
        element(5, &ints(&[0, 2, 1, 0, 2])),
        element(5, &ints(&[0, 2, 3, 4, 5])),
        element(9, &reals),
    ];
    let mut header = b"MATLAB 5.0 MAT-file".to_vec();
    header.resize(124, b' ');
    [header, b"\x00\x01IM".to_vec(), element(14, &parts.concat())].concat()
}

/// A tar archive with one file.
fn tar(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut header = vec![0u8; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    for (at, field) in
        [(100, "0000644".to_owned()), (124, format!("{:011o}", bytes.len())), (136, "0".repeat(11))]
    {
        header[at..at + field.len()].copy_from_slice(field.as_bytes());
    }
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    // The checksum counts its own field as blanks.
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    let mut out = [&header, bytes].concat();
    out.resize(out.len().next_multiple_of(512) + 1024, 0);
    out
}

/// A sparse matrix of 3 x 4 as scipy writes it.
fn scipy() -> Vec<u8> {
    let array = |descr: &str, shape: &str, data: &[u8]| {
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
        [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat()
    };
    let ints = |values: &[i32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    zip(&[
        ("indices.npy", &array("<i4", "(4,)", &ints(&[0, 3, 1, 1]))),
        ("indptr.npy", &array("<i4", "(4,)", &ints(&[0, 2, 3, 4]))),
        ("format.npy", &array("|S3", "()", b"csr")),
        ("shape.npy", &array("<i4", "(2,)", &ints(&[3, 4]))),
        ("data.npy", &array("<i4", "(4,)", &ints(&[5, 3, 4, 1]))),
    ])
}

/// Checkpoints in the middle of a run and of its model, for a proposal with an index and one without.
fn checkpoints() -> Vec<Vec<u8>> {
    let options = SyntheticOptions { users: 30, items: 100, shortest: 3, longest: 12, seed: 3 };
    let set = data::synthetic(&options).expect("a small set");
    let mut files = Vec::new();
    for (method, kmeans) in [
        (Method::Sampled(ProposalKind::MidxUniform), Kmeans::Balanced),
        (Method::Sampled(ProposalKind::Quadratic), Kmeans::Plain),
    ] {
        let network = MultVaeConfig { hidden: 4, latent: 3, ..Default::default() };
        let mut config = RunConfig { model: network.into(), ..Default::default() };
        config.training.batch = 8;
        config.set_method(method);
        config.proposal.kmeans = kmeans;
        (config.proposal.negatives, config.proposal.codewords, config.proposal.first_iterations) = (8, 3, 3);
        let state = block_on(async {
            let train = &set.interactions;
            let mut trainer = Trainer::new(Engine::cpu(), &config.training()?, train, None).await?;
            for _ in 0..5 {
                trainer.next().await?;
            }
            trainer.state().await
        });
        let (context, state) = (Context::new(config, &set), state.expect("a few steps"));
        files.push(checkpoint::to_bytes(&context, &state).expect("a run is written"));
        files.push(checkpoint::to_bytes(&context, &state.into_model()).expect("a model is written"));
    }
    files
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).and_then(|()| out.finish()).expect("memory takes it")
}

fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        out.start_file(*name, zip::write::SimpleFileOptions::default()).expect("a name");
        out.write_all(bytes).expect("memory takes it");
    }
    out.finish().expect("memory takes it").into_inner()
}
