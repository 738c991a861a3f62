//! Forms beside plain tables: encodings, archives, matrices, lists, JSON, folders.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

mod folders;
mod kinds;
mod tidied;

use std::{
    fs,
    io::{Cursor, Write},
    sync::Arc,
};

use fastvae::data::{Dataset, LoadOptions, load, load_bytes};

fn options(columns: &str) -> LoadOptions {
    LoadOptions { columns: Some(columns.parse().unwrap()), ..LoadOptions::default() }
}

fn read(name: &str, bytes: impl AsRef<[u8]>) -> Dataset {
    load_bytes(name, bytes.as_ref(), &LoadOptions::default()).unwrap_or_else(|error| panic!("{error}"))
}

/// Each user with the items, by their ids.
fn shown(set: &Dataset) -> String {
    let items =
        |row: &[u32]| row.iter().map(|&i| set.items[i as usize].clone()).collect::<Vec<_>>().join(" ");
    let rows = set.users.iter().zip(set.interactions.iter());
    rows.map(|(user, row)| format!("{user}: {}", items(row))).collect::<Vec<_>>().join("; ")
}

/// What every form below holds.
const SET: &str = "a: x y; b: y; c: x z";
const ROWS: [(&str, &str); 5] = [("a", "x"), ("a", "y"), ("b", "y"), ("c", "x"), ("c", "z")];

fn rows(row: impl Fn(&str, &str) -> String, between: &str) -> String {
    ROWS.iter().map(|(user, item)| row(user, item)).collect::<Vec<_>>().join(between)
}

fn csv() -> String {
    format!("user,item\n{}\n", rows(|user, item| format!("{user},{item}"), "\n"))
}

#[test]
fn encodings_are_known_or_named() {
    let utf_16 = |big: bool, mark: bool| -> Vec<u8> {
        let units = mark.then_some(0xfeff).into_iter().chain(csv().encode_utf16().collect::<Vec<_>>());
        units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    };
    for (big, mark) in [(false, true), (true, true), (false, false), (true, false)] {
        assert_eq!(shown(&read("set.csv", utf_16(big, mark))), SET, "{big} {mark}");
    }
    let latin = read("set.csv", b"user,item\nJos\xe9,x\nAnn,y\n");
    assert_eq!(latin.users, ["Ann", "Jos\u{e9}"]);
    assert!(latin.report.notes[0].contains("Windows-1252"), "{:?}", latin.report);
    let named = |encoding: &str, bytes: &[u8]| {
        let options = LoadOptions { encoding: Some(encoding.into()), ..LoadOptions::default() };
        load_bytes("set.csv", bytes, &options)
    };
    assert_eq!(named("shift_jis", b"user,item\n\x93\xfa\x96{,x\n").unwrap().users, ["\u{65e5}\u{672c}"]);
    assert_eq!(named("windows-1251", b"user,item\n\xc4\xe0,x\n").unwrap().users, ["\u{414}\u{430}"]);
    let error = named("shift_jis", b"user,item\n\x93\xff,x\n").unwrap_err().to_string();
    assert!(error.contains("Shift_JIS does not have"), "{error}");
    assert!(named("klingon", b"user,item\n").unwrap_err().is_usage());
}

#[test]
fn tables_of_other_programs() {
    for (name, text) in [
        ("excel.csv", format!("sep=;\nuser;item\n{}", rows(|u, i| format!("{u};{i}"), "\n"))),
        ("tabs.csv", format!("sep=\t\nuser\titem\n{}", rows(|u, i| format!("{u}\t{i}"), "\n"))),
        ("hive.txt", rows(|u, i| format!("{u}\u{1}{i}"), "\n")),
        ("carets.txt", format!("user^item\n{}", rows(|u, i| format!("{u}^{i}"), "\n"))),
        ("tildes.txt", format!("user~item\n{}", rows(|u, i| format!("{u}~{i}"), "\n"))),
        (
            "mysql.txt",
            format!(
                "+------+------+\n| user | item |\n+------+------+\n{}\n+------+------+\n5 rows in set (0.00 sec)\n",
                rows(|u, i| format!("| {u}    | {i}    |"), "\n")
            ),
        ),
        ("mac.csv", csv().replace('\n', "\r")),
        (
            "psql.txt",
            format!(
                " user | item \n------+------\n{}\n(5 rows)\n",
                rows(|u, i| format!(" {u}    | {i}"), "\n")
            ),
        ),
        ("r.csv", format!("\"user\",\"item\"\n{}", rows(|u, i| format!("\"{u}{i}\",\"{u}\",\"{i}\""), "\n"))),
        ("r.txt", format!("\"user\" \"item\"\n{}", rows(|u, i| format!("\"{u}{i}\" \"{u}\" \"{i}\""), "\n"))),
        ("oracle.csv", format!("{}\n5 rows selected.\n", csv())),
        ("trailing.csv", format!("user,item\n{}", rows(|u, i| format!("{u},{i},"), "\n"))),
        (
            "blanks.csv",
            format!("\"user\", \"item\"\n{}\n, ,\n", rows(|u, i| format!("\"{u}\", \"{i}\""), "\n")),
        ),
        (
            "quoted.tsv",
            format!("user\titem\tnote\n{}", rows(|u, i| format!("\"{u}\"\t{i}\t\"so\tso\""), "\n")),
        ),
        ("inches.tsv", format!("user\titem\tnote\n{}", rows(|u, i| format!("{u}\t{i}\t\"12 inch"), "\n"))),
        ("shop.inter", format!("user_id:token,item_id:token\n{}", rows(|u, i| format!("{u},{i}"), "\n"))),
        (
            "lines.tsv",
            format!("user\titem\tnote\n{}", rows(|u, i| format!("{u}\t{i}\t\"two\nlines\""), "\n")),
        ),
    ] {
        assert_eq!(shown(&read(name, &text)), SET, "{name}:\n{text}");
    }
}

#[test]
fn json_in_arrays_and_in_depth() {
    let array = format!("[{}]", rows(|u, i| format!("{{\"user\": \"{u}\", \"item\": \"{i}\"}}"), ", "));
    assert_eq!(shown(&read("set.json", &array)), SET);
    let pretty = array.replace('{', "{\n  ").replace('}', "\n}\n");
    assert_eq!(shown(&read("set.json", &pretty)), SET);
    assert_eq!(shown(&read("set.json", pretty.trim_matches(['[', ']']).replace("}\n,", "}\n"))), SET);
    let deep = rows(
        |u, i| format!("{{\"user\": {{\"id\": \"{u}\"}}, \"of\": {{\"item\": {{\"id\": \"{i}\"}}}}}}"),
        "\n",
    );
    let set = load_bytes("set.jsonl", deep.as_bytes(), &options("user=user.id,item=of.item.id")).unwrap();
    assert_eq!(shown(&set), SET);
    let lists = "{\"user\": \"a\", \"items\": [\"x\", \"y\"]}\n{\"user\": \"b\", \"items\": [\"y\"]}\n{\"user\": \"c\", \"items\": [\"x\", \"z\"]}\n";
    assert_eq!(shown(&read("set.jsonl", lists)), SET);
    let cut =
        load_bytes("set.json", &array.as_bytes()[..array.len() - 3], &LoadOptions::default()).unwrap_err();
    assert!(cut.to_string().contains("cut short"), "{cut}");
    // As a service answers, and objects in lists.
    for answer in
        [format!("{{\"data\": {array}}}"), format!("{{\"total\": 5,\n\"rows\": {pretty}, \"next\": null}}\n")]
    {
        assert_eq!(shown(&read("set.json", &answer)), SET, "{answer}");
    }
    let carts = lists
        .replace("\"x\"", "{\"id\": \"x\", \"n\": 1}")
        .replace("\"y\"", "{\"id\": \"y\"}")
        .replace("\"z\"", "{\"id\": \"z\"}, {\"n\": 2}");
    let set = load_bytes("set.jsonl", carts.as_bytes(), &options("user=user,items=items.id")).unwrap();
    assert_eq!(shown(&set), SET);
    assert_eq!(shown(&read("set.jsonl", carts.replace("\"n\"", "\"title\""))), SET);
    let table = b"{\"user\": [1, 2], \"item\": [3, 4]}";
    let error = load_bytes("set.json", table, &LoadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("python3 -c"), "{error}");
    let null = format!(
        "{}\n{{\"user\": null, \"item\": \"x\"}}\n",
        rows(|u, i| format!("{{\"user\": \"{u}\", \"item\": \"{i}\"}}"), "\n")
    );
    let set = read("set.jsonl", &null);
    assert_eq!((shown(&set).as_str(), set.report.missing_ids), (SET, 1));
}

#[test]
fn each_object_of_a_list_has_its_own_event_and_time() {
    let events = "{\"session\": 1, \"events\": [{\"aid\": 10, \"ts\": 1659304800025, \"type\": \"clicks\"}, {\"aid\": 11, \"ts\": 1659304900025, \"type\": \"orders\"}]}\n\
                  {\"session\": 2, \"events\": [{\"aid\": 11, \"ts\": 1659305000025, \"type\": \"carts\"}, {\"ts\": 1, \"type\": \"carts\"}]}\n";
    let read = |options: LoadOptions| load_bytes("set.jsonl", events.as_bytes(), &options).unwrap();
    let set = read(LoadOptions::default());
    assert_eq!((shown(&set).as_str(), set.report.missing_ids), ("1: 10 11; 2: 11", 1));
    let set = read(LoadOptions {
        conditions: "events.type=orders,carts".parse().unwrap(),
        ..LoadOptions::default()
    });
    assert_eq!((shown(&set).as_str(), set.report.unmet_conditions), ("1: 11; 2: 11", 1));
    let set = read(LoadOptions { since: Some("1659304900".parse().unwrap()), ..LoadOptions::default() });
    assert_eq!((shown(&set).as_str(), set.report.outside_window), ("1: 11; 2: 11", 1));
    let cut = events.replace(", \"type\": \"orders\"", "");
    let options = LoadOptions { conditions: "events.type=clicks".parse().unwrap(), ..LoadOptions::default() };
    assert_eq!(shown(&load_bytes("set.jsonl", cut.as_bytes(), &options).unwrap()), "1: 10");
    let uneven = "{\"user\": 1, \"items\": [1, 2], \"time\": [1659304800]}\n";
    let options = LoadOptions {
        columns: Some("user=user,items=items,time=time".parse().unwrap()),
        since: Some("1659304800".parse().unwrap()),
        ..LoadOptions::default()
    };
    let error = load_bytes("set.jsonl", uneven.as_bytes(), &options).unwrap_err().to_string();
    assert!(error.contains("set.jsonl:1") && error.contains("a list of 2 items has 1 values"), "{error}");
}

#[test]
fn the_array_of_an_answer_may_lie_behind_other_objects_and_within_them() {
    let rows = rows(|u, i| format!("{{\"user\": \"{u}\", \"item\": \"{i}\"}}"), ", ");
    for text in [
        format!("{{\"info\": {{\"of\": {{\"n\": 3}}}}, \"rows\": [{rows}]}}"),
        format!("{{\"result\": {{\"total\": 5, \"hits\": [{rows}], \"next\": {{}}}}, \"ok\": true}}"),
    ] {
        assert_eq!(shown(&read("set.json", &text)), SET, "{text}");
    }
    let lists = "{\"info\": {}, \"playlists\": [{\"pid\": 5, \"tracks\": [{\"pos\": 0, \"track_uri\": \"a\"}, {\"pos\": 1, \"track_uri\": \"b\"}]}]}";
    assert_eq!(shown(&read("set.json", lists)), "5: a b");
    let courses = "{\"id\": \"u1\", \"name\": \"Ann\", \"course_order\": [\"c1\", \"c2\"]}\n{\"id\": \"u2\", \"name\": \"Bob\", \"course_order\": [\"c2\"]}\n";
    assert_eq!(shown(&read("user.json", courses)), "u1: c1 c2; u2: c2");
    let python = "{u'user': u'a', u'item': u'x'}\n";
    let error = load_bytes("set.json", python.as_bytes(), &LoadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("ast.literal_eval"), "{error}");
}

#[test]
fn lists_of_items_in_a_column() {
    for list in ["x1 y2", "x1,y2", "x1|y2", "['x1', 'y2']", "[\"x1\", \"y2\"]", "[x1 y2]"] {
        let text =
            format!("user\thistory\tn\na\t{list}\t1\nb\t{}\t2\nc\t{list}\t3\n", list.replace('x', "z"));
        for columns in ["user=user,items=history", "user=0,item=1"] {
            let set = load_bytes("set.tsv", text.as_bytes(), &options(columns)).unwrap();
            assert_eq!(shown(&set), "a: x1 y2; b: y2 z1; c: x1 y2", "{list} {columns}");
        }
    }
    // Titles are no lists.
    let text = "user\titem\na\tThe Matrix 2\nb\tThe Game\nc\tThe Matrix 2\n";
    assert_eq!(
        shown(&load_bytes("set.tsv", text.as_bytes(), &options("user=0,item=1")).unwrap()),
        "a: The Matrix 2; b: The Game; c: The Matrix 2"
    );
}

#[test]
fn lists_by_line_and_tables_under_the_same_name() {
    let counted = "2 10 20\n1 20\n3 10 20 30\n2 30 10\n";
    let set = read("users.dat", counted);
    assert_eq!(shown(&set), "0: 10 20; 1: 20; 2: 10 20 30; 3: 10 30");
    assert!(set.report.notes[0].contains("number of the line"), "{:?}", set.report);
    assert_eq!(shown(&read("train.txt", "1 10 5\n1 20 4\n2 10 1\n2 30 1\n")), "1: 10 20; 2: 10 30");
    assert_eq!(shown(&read("train.txt", "1 10 5\n2 20 4\n3 10 1\n")), "1: 5 10; 2: 4 20; 3: 1 10");
    assert_eq!(shown(&read("train.txt", "a: x y\nb: y\nc: x z\n")), SET);
    // Baskets have no users: in order, each is one; in doubt, they are refused.
    let baskets = "10 20 30\n10 40\n20 30 40 50\n10 20 30 40 50\n";
    let set = read("retail.dat", baskets);
    assert_eq!(shown(&set), "1: 10 20 30; 2: 10 40; 3: 20 30 40 50; 4: 10 20 30 40 50");
    assert!(set.report.notes[0].contains("number of the basket, from 1"), "{:?}", set.report);
    let error =
        load_bytes("retail.dat", baskets.replace("10 40", "10 60 40").as_bytes(), &LoadOptions::default());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("baskets without a user") && error.contains("awk"), "{error}");
}

#[test]
fn rows_that_a_file_states_and_does_not_have_are_missed() {
    let market = "%%MatrixMarket matrix coordinate integer general\n3 4 4\n1 1 5\n1 4 3\n3 2 4\n2 2 0\n";
    let printed = " user | item \n------+------\n a | 1\n b | 2\n c | 1\n(3 rows)\n";
    let blanks = printed.replace(" | ", " ").replace('+', " ");
    for (name, whole, cut) in [
        ("m.mtx", market, market.replace("3 2 4\n", "")),
        ("m.mtx", market, market.replace("2 2 0\n", "2 2 0\n3 3 1\n")),
        ("psql.txt", printed, printed.replace(" b | 2\n", "")),
        ("psql.txt", &blanks, blanks.replace(" b 2\n", "")),
    ] {
        assert!(load_bytes(name, whole.as_bytes(), &LoadOptions::default()).is_ok(), "{whole}");
        let error = load_bytes(name, cut.as_bytes(), &LoadOptions::default()).unwrap_err().to_string();
        assert!(error.starts_with(name) && error.contains("cut short"), "{error}");
    }
    // What is left out on request has been there.
    let liked = LoadOptions { min_rating: Some(4.0), ..LoadOptions::default() };
    assert!(load_bytes("m.mtx", market.as_bytes(), &liked).is_ok());
}

#[test]
fn matrices_keep_their_numbers() {
    let market =
        "%%MatrixMarket matrix coordinate integer general\n% words\n3 4 4\n1 1 5\n1 4 3\n3 2 4\n2 2 0\n";
    let set = read("m.mtx", market);
    assert_eq!((shown(&set).as_str(), set.report.unmet_conditions), ("1: 1 4; 3: 2", 1));
    let liked = LoadOptions { min_rating: Some(4.0), ..LoadOptions::default() };
    assert_eq!(shown(&load_bytes("m.mtx", market.as_bytes(), &liked).unwrap()), "1: 1; 3: 2");
    assert_eq!(
        shown(&load_bytes("m.mtx", market.as_bytes(), &options("user=1,item=0")).unwrap()),
        "1: 1; 2: 3; 4: 1"
    );
    assert_eq!(
        shown(&read(
            "m.mtx",
            market
                .replace("integer", "pattern")
                .replace(" 5\n", "\n")
                .replace("4 3\n", "4\n")
                .replace("2 4\n", "2\n")
                .replace("2 2 0\n", "2 2\n")
        )),
        "1: 1 4; 2: 2; 3: 2"
    );
    let error =
        load_bytes("m.mtx", market.replace("general", "symmetric").as_bytes(), &LoadOptions::default());
    assert!(error.unwrap_err().to_string().contains("symmetric"));

    let array = |descr: &str, shape: &str, data: &[u8]| {
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
        [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat()
    };
    let ints = |values: &[i32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let matrix = |format: &str| {
        zip(&[
            ("indices.npy", &array("<i4", "(3,)", &ints(&[0, 3, 1]))),
            ("indptr.npy", &array("<i4", "(4,)", &ints(&[0, 2, 2, 3]))),
            ("format.npy", &array("|S3", "()", format.as_bytes())),
            ("shape.npy", &array("<i4", "(2,)", &ints(&[3, 4]))),
            ("data.npy", &array("<i4", "(3,)", &ints(&[5, 3, 4]))),
        ])
    };
    assert_eq!(shown(&read("m.npz", matrix("csr"))), "0: 0 3; 2: 1");
    assert_eq!(shown(&read("m.npz", matrix("csc"))), "0: 0; 1: 2; 3: 0");
    let error = load_bytes("m.npz", &matrix("bsr"), &LoadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("tocsr"), "{error}");
    let table = array("<i4", "(4, 3)", &ints(&[7, 100, 5, 7, 300, 4, 9, 100, 1, 9, 200, 2]));
    assert_eq!(shown(&read("t.npy", table)), "7: 100 300; 9: 100 200");
}

fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        out.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        out.write_all(bytes).unwrap();
    }
    out.finish().unwrap().into_inner()
}

/// A tar archive by the POSIX layout.
fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, bytes) in files {
        let mut header = [0u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[100..108].copy_from_slice(b"0000644\0");
        header[124..136].copy_from_slice(format!("{:011o}\0", bytes.len()).as_bytes());
        header[136..148].copy_from_slice(b"00000000000\0");
        header[148..156].fill(b' ');
        header[156] = b'0';
        header[257..263].copy_from_slice(b"ustar\0");
        header[263..265].copy_from_slice(b"00");
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        out.extend_from_slice(&header);
        out.extend_from_slice(bytes);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

#[test]
fn archives_and_what_is_no_data() {
    let csv = csv();
    let archive = tar(&[("set/notes.md", b"words"), ("set/set.csv", csv.as_bytes())]);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&archive).unwrap();
    let packed = packed.finish().unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in [("set.tar", &archive), ("set.tar.gz", &packed), ("set.tgz", &packed)] {
        assert_eq!(shown(&read(name, bytes)), SET, "{name}");
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        assert_eq!(shown(&load(&path, &LoadOptions::default()).unwrap()), SET, "{name}");
        let cut = load_bytes(name, &bytes[..bytes.len() / 2], &LoadOptions::default());
        assert!(cut.is_err(), "{name}");
    }
    let sheet = zip(&[("xl/workbook.xml", b"<workbook/>"), ("[Content_Types].xml", b"")]);
    let error = load_bytes("sales.xlsx", &sheet, &LoadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("Excel workbook") && error.contains("read_excel('sales.xlsx')"), "{error}");
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    let error = load_bytes("sales.csv", pointer, &LoadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("git lfs pull"), "{error}");
    for (text, what) in [
        ("<?xml version='1.0'?>\n<posts>\n<row Id='1' />\n</posts>\n", "pandas.read_xml"),
        ("INSERT INTO t VALUES (1, 2);\nINSERT INTO t VALUES (1, 3);\n", "statements of SQL"),
    ] {
        let error =
            load_bytes("posts.xml", text.as_bytes(), &LoadOptions::default()).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn parquet_of_other_programs() {
    use parquet::{
        data_type::{
            ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType, Int32Type, Int64Type,
        },
        file::{properties::WriterProperties, writer::SerializedFileWriter},
        schema::parser::parse_message_type,
    };
    let schema = "message m {
        required fixed_len_byte_array(16) user (uuid);
        required group items (list) { repeated group list { required group element { required binary id (utf8); } } }
        optional int32 rating (decimal(3, 1));
        required int64 number (integer(64, false));
    }";
    let properties = WriterProperties::builder()
        .set_compression(parquet::basic::Compression::BROTLI(Default::default()))
        .build();
    let mut bytes = Vec::new();
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let uuid = |last: u8| FixedLenByteArray::from([vec![0; 15], vec![last]].concat());
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<FixedLenByteArrayType>().write_batch(&[uuid(1), uuid(2), uuid(3)], None, None).unwrap();
    column.close().unwrap();
    let texts: Vec<ByteArray> = ["x", "y", "y", "x", "z"].map(ByteArray::from).into();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&texts, Some(&[1; 5]), Some(&[0, 1, 0, 0, 1])).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int32Type>().write_batch(&[45, 10], Some(&[1, 0, 1]), None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int64Type>().write_batch(&[-1, 2, 3], None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    let id = |last: u8| format!("00000000-0000-0000-0000-00000000000{last}");
    let expected = format!("{}: x y; {}: y; {}: x z", id(1), id(2), id(3));
    assert_eq!(shown(&read("set.parquet", &bytes)), expected);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("set.parquet"), &bytes).unwrap();
    assert_eq!(shown(&load(&folder.path().join("set.parquet"), &LoadOptions::default()).unwrap()), expected);
    let liked = LoadOptions { min_rating: Some(4.0), ..LoadOptions::default() };
    let set = load_bytes("set.parquet", &bytes, &liked).unwrap();
    assert_eq!((shown(&set), set.report.without_rating), (format!("{}: x y", id(1)), 1));
    let set = load_bytes("set.parquet", &bytes, &options("user=number,items=items.id")).unwrap();
    assert_eq!(shown(&set), "2: y; 3: x z; 18446744073709551615: x y");
}
