//! More kinds of columns, rows and parts: names in many languages, fields with names, dates of every form, numbers of rows,
//! words for nobody, remarks below tables, JSON without objects for rows, and parts without a header.

use fastvae::data::TimesRead;

use super::*;

#[track_caller]
fn notes(set: &Dataset, piece: &str) {
    assert!(set.report.notes.iter().any(|note| note.contains(piece)), "{piece}: {:?}", set.report.notes);
}

fn refused(name: &str, text: impl AsRef<[u8]>) -> String {
    load_bytes(name, text.as_ref(), &LoadOptions::default()).unwrap_err().to_string()
}

/// A table of 25 users with a few of 12 items each. `row` makes its lines from the numbers of user, item and row.
fn table(header: &str, row: impl Fn(usize, usize, usize) -> String) -> String {
    let mut lines = vec![header.to_owned()];
    // Neighbouring rows are of different users.
    (0..100).for_each(|at| lines.push(row(at * 7 % 25, (at * 5 + at / 25) % 12, at)));
    lines.retain(|line| !line.is_empty());
    lines.join("\n") + "\n"
}

/// Whether a set has the 25 users and 12 items of such a table.
#[track_caller]
fn is_whole(text: &str) -> Dataset {
    let spans = LoadOptions { times: TimesRead::Span, ..LoadOptions::default() };
    let set = load_bytes("log.csv", text.as_bytes(), &spans).unwrap_or_else(|error| panic!("{error}"));
    let first = text.lines().next().unwrap_or_default();
    assert_eq!((set.users.len(), set.items.len()), (25, 12), "{first}: {:?}", set.report);
    assert!(
        set.users.iter().any(|user| user.ends_with("u3"))
            && set.items.iter().any(|item| item.ends_with("i3"))
    );
    set
}

#[test]
fn columns_of_users_and_items_have_names_in_many_languages() {
    for header in [
        "Kunden-Nr.;Artikel-Nr.",
        "Code client;Référence article",
        "codice cliente;codice articolo",
        "código do cliente;código do produto",
        "id_cliente;id_producto",
        "klantnr;artikelnr",
        "kundnr;artnr",
        "kunde_id;vare_id",
        "klient;towar",
        "zákazník;výrobek",
        "müşteri;ürün",
        "Клиент;Товар",
        "客户编号;产品编号",
        "顧客ID;商品ID",
        "고객번호;상품번호",
        "id_customer;id_product",
        "fk_user;fk_item",
        "DimCustomerKey;DimProductKey",
        "customer_sk;product_sk",
        "member_srl;product_srl",
        "ID_CLI;ID_ART",
        "acct_num;sku_num",
        "Account Name;Product Name",
        "user_token;product_token",
        "customers;products",
        "KUNNR;MATNR",
        "rider_id;station_id",
        "borrower_no;item_barcode",
        "u;i",
        "#user;item",
        "V1;V2",
        "_c0;_c1",
        "1;2",
    ] {
        is_whole(&table(header, |u, i, _| format!("u{u};i{i}")));
    }
    // Persons under such names come before sessions.
    for header in [
        "SessionID,AccountNo,ItemNo",
        "basket,karten_nr,artikel",
        "session,guest_email,product",
        "sid,uid,pid",
    ] {
        is_whole(&table(header, |u, i, at| format!("s{},u{u},i{i}", at / 2)));
    }
    // Numbers of columns are values where those below are like them, or may be.
    let set = read("ratings.csv", table("1,2,3", |u, i, at| format!("{},{},{}", u + 10, i + 3, at % 5)));
    assert_eq!(set.report.rows, 101);
    assert_eq!(read("set.csv", table("c1,c2", |u, i, _| format!("c{u},c{i}"))).report.rows, 101);
    // Nothing is proposed twice.
    let error = refused("gym.csv", "member,class_id,date\nu1,c1,2024-01-02\nu2,c2,2024-01-03\n");
    assert!(error.contains("user=member,item=class_id"), "{error}");
}

#[test]
fn fields_with_names_are_columns() {
    for between in [",", " ", "\t", ";", "&"] {
        let row = |u, i, at| format!("user=u{u}{between}item=i{i}{between}n={at}");
        let set = is_whole(&table("", row));
        assert!(set.report.form.starts_with("fields with names"), "{}", set.report.form);
        notes(&set, "each field has its name");
    }
    let error = refused("x.log", "user=a,item=x\nuser=b,item=y\n\nrestarted\n");
    assert!(error.contains("x.log:4"), "{error}");
    // Ids that have a type before a colon are ids.
    let set = read("x.csv", rows(|u, i| format!("user:{u},item:{i}"), "\n"));
    assert_eq!(shown(&set), "user:a: item:x item:y; user:b: item:y; user:c: item:x item:z");
    let error = refused("feed.txt", "H|20240131|x\nD|u1|i1|3\nD|u2|i2|4\nD|u3|i1|4\nT|3\n");
    assert!(error.contains("several kinds") && error.contains("grep '^D'"), "{error}");
}

#[test]
fn columns_of_times_and_numbers_of_rows_are_no_ids() {
    let days = |at: usize| (1 + at % 28, 1 + at / 28);
    let times: [(&str, &dyn Fn(usize) -> String); 9] = [
        ("20240101", &|at| format!("2024{:02}{:02}", days(at).1, days(at).0)),
        ("2024.01.01", &|at| format!("2024.{:02}.{:02}", days(at).1, days(at).0)),
        ("01.01.2024 10:00", &|at| format!("{:02}.{:02}.2024 10:00", days(at).0, days(at).1)),
        ("01-01-2024 10.00", &|at| format!("{:02}-{:02}-2024 10.00", days(at).0, days(at).1)),
        ("01/Jan/2024:10:00:00 +0000", &|at| format!("{:02}/Jan/2024:10:00:00 +0000", days(at).0)),
        ("2024年1月1日", &|at| format!("2024年{}月{}日", days(at).1, days(at).0)),
        ("2024-01-01_10:00:00", &|at| format!("2024-{:02}-{:02}_10:00:00", days(at).1, days(at).0)),
        ("2024-W01-1", &|at| format!("2024-W{:02}-{}", 1 + at % 50, 1 + at % 7)),
        ("10:00:59", &|at| format!("{}:{:02}:59", at % 24, at % 60)),
    ];
    for (form, time) in times {
        let set = is_whole(&table("", |u, i, at| format!("u{u}\t{}\ti{i}", time(at))));
        assert!(set.report.span.is_some() || form == "10:00:59", "{form}: {:?}", set.report);
    }
    for first in [0, 1, 1000] {
        is_whole(&table("", |u, i, at| format!("{},u{u},i{i}", first + at)));
    }
    let reviews = table("uid,profile,anime_uid", |u, i, at| format!("{},u{u},i{i}", 9000 - 7 * at));
    notes(&is_whole(&reviews), "profile is taken for the user");
    let set = read("x.csv", table("", |u, i, at| format!("{},{},{}", 2 * at + 10, u + 300, i + 7000)));
    notes(&set, "no user has two items");
}

#[test]
fn words_for_nothing_are_left_out_or_told() {
    let with = |word: &str| {
        let row = |u, i, at: usize| {
            if at.is_multiple_of(3) { format!("{word},i{}", at % 12) } else { format!("u{u},i{i}") }
        };
        read("shop.csv", table("customer,product", row))
    };
    for word in ["(not set)", "(blank)", "k.A.", "N/D", "#REF!", "[]"] {
        let set = with(word);
        assert!(set.report.missing_ids > 30 && set.users.len() == 25, "{word}");
        notes(&set, word);
    }
    // Four items of the guests are three times what most users have.
    for word in ["guest", "Unbekannt", "anonymous", "未知"] {
        let text = table("customer,product", |u, i, _| format!("u{u},i{i}"));
        let more: String = (0..12).map(|i| format!("{word},i{i}\n")).collect();
        notes(&read("shop.csv", text + &more), "may stand for nobody");
    }
}

#[test]
fn columns_that_say_yes_or_no_are_known_by_a_word_of_their_names() {
    for (name, yes, no) in [
        ("purchase_flag", "Y", "N"),
        ("is_relevant", "TRUE", "FALSE"),
        ("implicitFeedback", "1.0", "0.0"),
        ("gekauft", "ja", "nein"),
        ("acheté", "oui", "non"),
        ("thumb", "1", "-1"),
        ("long_view", "1", "0"),
    ] {
        let text = table(&format!("user,item,{name}"), |u, i, at| {
            format!("u{u},i{i},{}", if at % 4 == 0 { yes } else { no })
        });
        notes(&is_whole(&text), &format!("the column {name} says yes or no"));
        let liked =
            LoadOptions { min_rating: Some(1.0), ..options(&format!("user=user,item=item,rating={name}")) };
        assert_eq!(load_bytes("log.csv", text.as_bytes(), &liked).unwrap().interactions.nnz(), 25, "{name}");
    }
    let text = table("user,item,is_weekend", |u, i, at| format!("u{u},i{i},{}", at % 2));
    assert!(is_whole(&text).report.notes.is_empty());
}

#[test]
fn remarks_around_tables_are_left_out_and_told() {
    let rows = table("user,item", |u, i, _| format!("u{u},i{i}"));
    for line in [
        "Nur für den Dienstgebrauch",
        "-- end --",
        "[100 rows x 2 columns]",
        "Completion time: 2024-01-31T10:00:00.0000000+01:00",
        "Time taken: 2.1 seconds, Fetched: 100 row(s)",
    ] {
        notes(&is_whole(&format!("{rows}\n{line}\n")), "below the last row");
    }
    notes(&is_whole(&format!("OK\n{rows}")), "above the header");
    is_whole(&format!("// made by hand\n{rows}"));
    // One word may be a row that is cut short.
    assert!(refused("x.csv", format!("{rows}u24\n")).contains("x.csv:102"));
    notes(&read("x.csv", format!("{rows}Yhteensä,100\n")), "beside the user \"Yhteensä\"");
}

#[test]
fn quotes_behind_backslashes_are_quotes() {
    let text = "user,item\n\"a\",\"the \\\"best\\\" of\"\n\"b\",\"plain\"\n";
    let set = read("set.csv", text);
    assert_eq!(set.items, ["plain", "the \"best\" of"]);
    notes(&set, "backslash");
}

#[test]
fn json_of_arrays_and_of_users_is_read() {
    let pair = |u: &str, i: &str| format!("[\"{u}\", \"{i}\", 5]");
    let by_user = [("a", vec!["x", "y"]), ("b", vec!["y"]), ("c", vec!["x", "z"])];
    let members = |item: &dyn Fn(&str) -> String, open: &str, close: &str, between: &str| {
        let member = |(user, items): &(&str, Vec<&str>)| {
            let items: Vec<String> = items.iter().map(|one| item(one)).collect();
            format!("\"{user}\": {open}{}{close}", items.join(", "))
        };
        format!("{{{}}}", by_user.iter().map(member).collect::<Vec<_>>().join(between))
    };
    for text in [
        format!("[{}]", rows(pair, ", ")),
        format!("[\n  {}\n]\n", rows(pair, ",\n  ")),
        rows(pair, "\n"),
        members(&|item| format!("\"{item}\""), "[", "]", ", "),
        members(&|item| format!("\"{item}\""), "[", "]", ",\n "),
        members(&|item| format!("\"{item}\": 4.5"), "{", "}", ", "),
        members(&|item| format!("[\"{item}\", 4.5]"), "[", "]", ",\n"),
    ] {
        assert_eq!(shown(&read("set.json", &text)), SET, "{text}");
    }
    let liked = LoadOptions { min_rating: Some(5.0), ..LoadOptions::default() };
    let text = "{\"a\": {\"x\": 5, \"y\": 4}, \"b\": {\"x\": 3, \"z\": 5}}";
    assert_eq!(shown(&load_bytes("set.json", text.as_bytes(), &liked).unwrap()), "a: x; b: z");
    assert!(refused("set.json", "[[\"a\", \"x\"], [\"b\", ").contains("cut short"));
    // Exports of data bases and of pandas.
    for text in [
        rows(
            |u, i| format!("{{\"user_id\":{{\"$oid\":\"{u}\"}},\"item_id\":{{\"$numberLong\":\"{i}\"}}}}"),
            "\n",
        ),
        rows(
            |u, i| format!("{{\"Item\":{{\"user_id\":{{\"S\":\"{u}\"}},\"item_id\":{{\"S\":\"{i}\"}}}}}}"),
            "\n",
        ),
        format!(
            "{{\"schema\":{{\"fields\":[{{\"name\":\"user\"}}]}},\"data\":[{}]}}",
            rows(|u, i| format!("{{\"user\":\"{u}\",\"item\":\"{i}\"}}"), ",")
        ),
    ] {
        assert_eq!(shown(&read("set.json", &text)), SET, "{text}");
    }
    let split = "{\"columns\":[\"user\",\"item\"],\"data\":[[1,2],[2,3]]}";
    assert!(refused("set.json", split).contains("orient='split'"));
}

#[test]
fn lists_in_one_column_have_more_forms() {
    for list in ["x1 -> y2 -> z3", "WrappedArray(x1, y2, z3)", "List(x1,y2,z3)", "['x1' 'y2' 'z3']"] {
        let text = format!("who\tn\tseen\na\t3\t{list}\nb\t3\t{list}\n");
        let set = load_bytes("set.tsv", text.as_bytes(), &options("user=who,items=seen")).unwrap();
        assert_eq!(shown(&set), "a: x1 y2 z3; b: x1 y2 z3", "{list}");
    }
}

#[test]
fn parts_may_lack_a_header_or_be_named_by_programs() {
    let folder = |files: &[(&str, &str)]| {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    };
    let read = |files: &[(&str, &str)], options: &LoadOptions| load(folder(files).path(), options);
    let plain = LoadOptions::default();
    let (first, second) = ("user,item\na,x\na,y\n", "b,y\nc,x\nc,z\n");
    for names in
        [["xaa", "xab"], ["log.csv.000", "log.csv.001"], ["0.part", "1.part"], ["log_a.csv", "log_b.csv"]]
    {
        let set = read(&[(names[0], first), (names[1], second)], &plain).unwrap();
        assert_eq!(shown(&set), SET, "{names:?}");
        notes(&set, "has no header; its columns are those of");
    }
    // Errors have the lines of the file.
    let error = read(&[("p1.csv", first), ("p2.csv", "b,y\nc,x\nc\n")], &plain).unwrap_err().to_string();
    assert!(error.contains("p2.csv:3"), "{error}");
    for names in [["x_tr.csv", "x_te.csv"], ["learn.csv", "probe.csv"]] {
        assert!(read(&[(names[0], first), (names[1], "a,z\nb,x\n")], &plain).unwrap().given.is_some());
    }
    let named = LoadOptions { conditions: "city=São Paulo".parse().unwrap(), ..LoadOptions::default() };
    let whole = csv();
    let cities = [("city=S%C3%A3o%20Paulo/p.csv", whole.as_str()), ("city=Rio/p.csv", "user,item\nd,x\n")];
    assert_eq!(shown(&read(&cities, &named).unwrap()), SET);
    // Files with byte order marks that were joined.
    let joined = format!("\u{feff}{}\u{feff}{}", &csv()[..18], csv());
    assert_eq!(shown(&super::read("set.csv", joined)), SET);
}

#[test]
fn conditions_that_nothing_meets_show_what_there_is() {
    let text = table("user,item,event", |u, i, at| format!("u{u},i{i},{}", ["view", "Buy"][at % 2]));
    let options = LoadOptions { conditions: "event=buy".parse().unwrap(), ..LoadOptions::default() };
    let error = load_bytes("log.csv", text.as_bytes(), &options).unwrap_err().to_string();
    assert!(error.contains("event holds view, Buy in the first rows, and none meets event=buy"), "{error}");
}
