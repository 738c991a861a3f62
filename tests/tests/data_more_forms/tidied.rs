//! What people and programs put around tables and fields: delimiters of several characters, quotes, titles, footers,
//! baskets by line.

use super::*;

fn refused(name: &str, text: impl AsRef<[u8]>) -> String {
    load_bytes(name, text.as_ref(), &LoadOptions::default()).unwrap_err().to_string()
}

#[track_caller]
fn notes(set: &Dataset, piece: &str) {
    assert!(set.report.notes.iter().any(|note| note.contains(piece)), "{piece}: {:?}", set.report.notes);
}

#[test]
fn delimiters_of_several_characters_are_no_part_of_ids() {
    for between in [
        ":::", "::::", ":::::", "~|~", "^|^", "|#|", "||", ";;", "<SEP>", "[sep]", " -> ", " - ", "=>", "##",
        "\u{a7}",
    ] {
        let body = rows(|u, i| [u, i, "5"].join(between), "\n");
        let header = ["user", "item", "rating"].join(between);
        for text in [format!("{header}\n{body}\n"), format!("{body}\n"), body.clone()] {
            let set = read("set.dat", &text);
            assert_eq!(shown(&set), SET, "{text}");
            let plain = ["||", ";;", "::::"].contains(&between);
            assert!(plain || set.report.form.starts_with(between.trim()), "{}", set.report.form);
        }
        let liked = LoadOptions { min_rating: Some(5.0), ..LoadOptions::default() };
        assert_eq!(shown(&load_bytes("a.dat", format!("{header}\n{body}").as_bytes(), &liked).unwrap()), SET);
    }
    // Fields with blanks, as in titles.
    let songs = "TR1<SEP>SO1<SEP>A band<SEP>A long title\nTR2<SEP>SO1<SEP>Another band<SEP>Title\nTR2<SEP>SO2<SEP>A band<SEP>It is one\n";
    let set = load_bytes("tracks.txt", songs.as_bytes(), &options("user=0,item=1")).unwrap();
    assert_eq!(shown(&set), "TR1: SO1; TR2: SO1 SO2");
    // Control characters, blanks that do not break, signs beside TABs, tuples.
    for text in [
        csv().replace(',', "\u{1f}"),
        csv().replace(',', "\u{a0}"),
        csv().replace(',', ";\t"),
        csv().replace(',', "\t|\t"),
        rows(|u, i| format!("('{u}', '{i}'),"), "\n"),
        rows(|u, i| format!("\"\"\"{u}\"\"\",\"\"\"{i}\"\"\""), "\n"),
    ] {
        assert_eq!(shown(&read("set.txt", &text)), SET, "{text}");
    }
    // A file that mixes them is not guessed at.
    let mixed = "u1:::i1::5\nu2:::i2::4\nu3:::i3::3\n";
    assert!(refused("a.dat", mixed).contains("one column"), "{}", refused("a.dat", mixed));
}

#[test]
fn quotes_of_every_kind_belong_to_no_id() {
    for (open, close) in [
        ("'", "'"),
        ("`", "`"),
        ("\u{201c}", "\u{201d}"),
        ("\u{201e}", "\u{201c}"),
        ("\u{2018}", "\u{2019}"),
        ("\u{ab}", "\u{bb}"),
    ] {
        let quoted = |text: &str| format!("{open}{text}{close}");
        for between in [",", ";", "\t", "|", "::", " "] {
            let body = rows(|u, i| [quoted(u), quoted(i), "5".into()].join(between), "\n");
            let all = rows(|u, i| [quoted(u), quoted(i), quoted("5")].join(between), "\n");
            let header = ["user", "item", "rating"];
            let quoted_header = header.map(quoted).join(between);
            for text in [
                format!("{}\n{body}\n", header.join(between)),
                format!("{quoted_header}\n{body}\n"),
                format!("{quoted_header}\r\n{}\r\n", all.replace('\n', "\r\n")),
                format!("{all}\n"),
            ] {
                let set = read("set.txt", &text);
                assert_eq!(shown(&set), SET, "{text}");
                notes(&set, "quotes of the form");
            }
        }
        // Delimiters within, and quotes that are letters.
        let text =
            format!("user,item\n{open}a{close},{open}x, y{close}\n{open}b{close},{open}say \"z\"{close}\n");
        assert_eq!(shown(&read("set.csv", text)), "a: x, y; b: say \"z\"");
    }
    let apostrophes = "user,item\n'O''Brien','rock''n''roll'\n'Ann','it\\'s'\n";
    assert_eq!(shown(&read("set.csv", apostrophes)), "Ann: it's; O'Brien: rock'n'roll");
    let letters = "user,item\nO'Brien,rock'n'roll\nAnn,'tis\n";
    assert_eq!(shown(&read("set.csv", letters)), "Ann: 'tis; O'Brien: rock'n'roll");
    let windows = b"user;item\n\x93a\x94;\x93x\x94\n\x93b\x94;\x93y\x94\n";
    assert_eq!(shown(&read("set.csv", windows)), "a: x; b: y");
}

#[test]
fn lines_below_the_last_row_are_left_out_and_told() {
    let table = csv();
    for footer in [
        "Total,5",
        "Total,,5",
        "Grand total,5",
        "\"Total\",\"5\"",
        "TOTAL:,5",
        "Sum,5",
        "Count:,5",
        "Summe,5",
        "Average,2.5",
        "5 rows",
        "Total: 5 rows",
        "\u{5408}\u{8ba1},5",
        "Generated on Monday, January 5",
        "Source: the shop, 2024",
        "Total users,3\nTotal items,3",
        "\nTotal,5\n\n",
    ] {
        // With quotes, rows are read one after the other; a long table is read in several blocks.
        let quoted = table.replace("a,x", "\"a\",\"x\"");
        for text in [&table, &quoted] {
            let set = read("set.csv", format!("{text}{footer}\n"));
            assert_eq!(shown(&set), SET, "{footer}");
            notes(&set, "below the last row");
        }
    }
    let long: String = (0..1_000_000).map(|row| format!("{},{}\n", row / 1000, row % 1000)).collect();
    for header in ["user,item\n", "user,\"item\"\n"] {
        let set = read("set.csv", format!("{header}{long}Total,1000000\n"));
        assert_eq!((set.users.len(), set.interactions.nnz()), (1000, 1_000_000));
        notes(&set, "\"Total,1000000\"");
    }
    // Lists and files of other programs.
    let set = read("train.txt", "a x y\nb y\nc x z\nTotal 5\n");
    assert_eq!(shown(&set), SET);
    assert_eq!(shown(&read("train.txt", "a x y\nb y\nc x z\n(3 rows)\n")), SET);
    for end in ["\x1a", "\x1a\x1a\r\n", "\r\n\x1a"] {
        assert_eq!(shown(&read("dos.csv", format!("{}{end}", table.trim_end()))), SET, "{end:?}");
    }
    // One word that is not known may be a row that is cut short.
    assert!(refused("set.csv", format!("{table}Fin\n")).contains("set.csv:7"));
}

#[test]
fn users_who_may_be_sums_are_told() {
    // In the middle of a table, and as one word among numbers.
    let set = read("set.csv", "user,item\na,x\nTotal,x\nb,y\nc,z\n");
    notes(&set, "the user \"Total\"");
    let numbers: String = (0..30).map(|row| format!("{row},{}\n", row % 7)).collect();
    let set = read("set.csv", format!("user,item\n{numbers}fim,30\n"));
    notes(&set, "the user \"fim\", in 1 rows, is the only one that is no number");
    // The sum of each user.
    let set = read("set.csv", "user,item\na,x\na,Total\nb,y\nb,Total\n");
    notes(&set, "the item \"Total\", in 2 rows, may be a sum");
    // An item may have such a name.
    let set = read("set.csv", "user,item\na,Total\nb,x\nc,Sum\n");
    assert_eq!((set.items.join(" "), set.report.notes.len()), ("Sum Total x".into(), 0));
}

#[test]
fn lines_above_the_header_are_left_out_and_told() {
    let body = rows(|u, i| format!("{u},{i}"), "\n");
    for text in [
        format!("Sales of a shop\nuser,item\n{body}\n"),
        format!("Sales of a shop\n\nuser,item\n{body}\n"),
        format!("Sales,\n,\nuser,item\n{body}\n"),
        format!("\"Sales of a shop\"\nJanuary 2024\n\nuser,item\n{body}\nTotal,5\n"),
    ] {
        let set = read("set.csv", &text);
        assert_eq!(shown(&set), SET, "{text}");
        notes(&set, "above the header");
    }
    let printed = rows(|u, i| format!(" {u}    | {i}"), "\n");
    let psql =
        format!("    List of sales\n user | item\n------+------\n{printed}\n(5 rows)\n\nTime: 1.234 ms\n");
    assert_eq!(shown(&read("psql.txt", &psql)), SET);
    assert!(refused("psql.txt", psql.replace(" b    | y\n", "")).contains("states 5 rows"));
    // Text is no table.
    let prose = "This is a text, with words.\nIt has several lines. They differ in length, too.\nNobody wants to train on it.\nThe end.\n";
    assert!(load_bytes("notes.txt", prose.as_bytes(), &LoadOptions::default()).is_err());
}

#[test]
fn baskets_by_line_have_users_only_where_that_is_plain() {
    for (text, expected, note) in [
        (
            "tea,jam,milk\ntea,salt\njam,tea,salt,milk\nmilk\njam,tea\n",
            "1: jam milk tea; 2: salt tea; 3: jam milk salt tea; 4: milk; 5: jam tea",
            "without a user",
        ),
        (
            "tea,jam,milk,\ntea,salt,,\njam,tea,salt,milk\nmilk,,,\njam,tea,,\n",
            "1: jam milk tea; 2: salt tea; 3: jam milk salt tea; 4: milk; 5: jam tea",
            "without a user",
        ),
        (
            "ann;tea;jam\nbob;jam\ncid;milk;jam;tea\ndan;milk\n",
            "ann: jam tea; bob: jam; cid: jam milk tea; dan: milk",
            "first field is the user",
        ),
        ("2,tea,jam\n1,jam\n3,milk,jam,tea\n", "1: jam tea; 2: jam; 3: jam milk tea", "counts the items"),
        (
            "Item(s),Item 1,Item 2,Item 3\n2,tea,jam,\n1,jam,,\n3,milk,jam,tea\n",
            "1: jam tea; 2: jam; 3: jam milk tea",
            "counts the items",
        ),
        (
            "basket,item1,item2,item3\nb7,tea,jam,\nb8,jam,,\nb9,milk,jam,tea\n",
            "b7: jam tea; b8: jam; b9: jam milk tea",
            "first field is the user",
        ),
        (
            "\"green tea\",jam\njam\nmilk,\"green tea\",jam\nmilk,\"tea, black\",jam,salt\njam,milk\n",
            "1: green tea jam; 2: jam; 3: green tea jam milk; 4: jam milk salt tea, black; 5: jam milk",
            "without a user",
        ),
    ] {
        let set = read("baskets.csv", text);
        assert_eq!(shown(&set), expected, "{text}");
        notes(&set, note);
    }
    let doubt = refused("lists.csv", "a,x,y\nd,y\na,z,v,y\nd,v,x\n");
    assert!(doubt.contains("a user or an item") && doubt.contains("awk"), "{doubt}");
    // Nobody knows whose the baskets of a test file are; lists with users are a split.
    let folder = |train: &str, test: &str| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("train.csv"), train).unwrap();
        fs::write(folder.path().join("test.csv"), test).unwrap();
        load(folder.path(), &LoadOptions::default())
    };
    let baskets = "tea,jam,milk\ntea,salt\njam,tea,salt,milk\nmilk\njam,tea\n";
    let error = folder(baskets, baskets).unwrap_err().to_string();
    assert!(error.contains("baskets without a user"), "{error}");
    let lists =
        folder("ann,tea,jam\nbob,jam\ncid,milk,jam,tea\n", "ann,milk\nbob,tea,milk,salt\ncid,salt,milk\n");
    assert_eq!(lists.unwrap().given.unwrap().test.held_out.nnz(), 5);
}

#[test]
fn counted_lists_of_a_split_are_those_of_the_same_users() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("cf-train-users.dat"), "2 10 20\n1 20\n3 10 20 30\n").unwrap();
    fs::write(folder.path().join("cf-test-users.dat"), "1 30\n2 10 30\n1 40\n").unwrap();
    let set = load(folder.path(), &LoadOptions::default()).unwrap();
    assert_eq!(shown(&set), "0: 10 20 30; 1: 10 20 30; 2: 10 20 30 40");
    assert_eq!(set.given.unwrap().test.users, [0, 1, 2]);
}

#[test]
fn texts_in_utf_32() {
    let text = csv().replace("b,y", "\u{1f600},\u{e9}");
    let expected = "a: x y; c: x z; \u{1f600}: \u{e9}";
    for big in [false, true] {
        let encoded = |text: &str| -> Vec<u8> {
            let units = text.chars().map(u32::from);
            units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
        };
        let marked = encoded(&format!("\u{feff}{text}"));
        assert_eq!(shown(&read("set.csv", &marked)), expected);
        let set = read("set.csv", encoded(&csv()));
        assert_eq!(shown(&set), SET);
        assert!(set.report.form.contains("UTF-32"), "{}", set.report.form);
        let named = LoadOptions {
            encoding: Some(if big { "utf-32be" } else { "UTF-32LE" }.into()),
            ..LoadOptions::default()
        };
        assert_eq!(shown(&load_bytes("set.csv", &encoded(&text), &named).unwrap()), expected);
        for damaged in [&marked[..marked.len() - 2], &[&marked[..], &[0xff; 4]].concat()] {
            assert!(refused("set.csv", damaged).contains("UTF-32 does not have"));
        }
    }
}

#[test]
fn a_validation_file_alone_is_the_test() {
    for held_out in ["dev.csv", "val.csv", "valid.csv", "validation.csv"] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("train.csv"), csv()).unwrap();
        fs::write(folder.path().join(held_out), "user,item\na,z\n").unwrap();
        let set = load(folder.path(), &LoadOptions::default()).unwrap();
        notes(&set, "the validation part is the test");
        let given = set.given.unwrap();
        assert_eq!(
            (given.train.nnz(), given.test.held_out.nnz(), given.validation),
            (5, 1, None),
            "{held_out}"
        );
    }
}

#[test]
fn orders_and_their_items_in_two_tables_are_refused_with_the_way_to_join_them() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("orders.csv", "order_id,user_id,eval_set,order_number\n1,7,prior,1\n2,8,prior,1\n3,7,train,2\n");
    write(
        "order_products__prior.csv",
        "order_id,product_id,add_to_cart_order,reordered\n1,33120,1,1\n1,28985,2,1\n2,33120,1,0\n",
    );
    write("order_products__train.csv", "order_id,product_id,add_to_cart_order,reordered\n3,49302,1,1\n");
    write("products.csv", "product_id,product_name,aisle_id\n33120,Eggs,86\n28985,Greens,83\n");
    let error = load(folder.path(), &LoadOptions::default()).unwrap_err().to_string();
    for piece in [
        "orders.csv has the user_id of each order_id",
        "['order_products__prior.csv', 'order_products__train.csv']",
        "[['order_id', 'user_id']]",
        "joined.csv",
    ] {
        assert!(error.contains(piece), "{piece}: {error}");
    }
    // Both files by themselves: each order is a user.
    let set = load(&folder.path().join("order_products__prior.csv"), &LoadOptions::default()).unwrap();
    assert_eq!(shown(&set), "1: 28985 33120; 2: 33120");
    notes(&set, "each order_id counts as a user");
}
