//! What the columns of a file are taken for, what is left out, and that both are said.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use fastvae::data::{Dataset, Header, LoadOptions, MissingIds, TimesRead, load_bytes};
use proptest::prelude::*;

fn with(text: &str, change: impl FnOnce(&mut LoadOptions)) -> Dataset {
    let mut options = LoadOptions::default();
    change(&mut options);
    load_bytes("set.csv", text.as_bytes(), &options).unwrap_or_else(|error| panic!("{error}:\n{text}"))
}

fn read(text: &str) -> Dataset {
    with(text, |_| ())
}

fn refused(text: &str) -> String {
    load_bytes("set.csv", text.as_bytes(), &LoadOptions::default()).unwrap_err().to_string()
}

/// Users, items and interactions.
fn size(set: &Dataset) -> (usize, usize, usize) {
    (set.users.len(), set.items.len(), set.interactions.nnz())
}

/// A table of 40 rows: 8 users, 5 items each of 13.
fn table(header: &str, row: impl Fn(usize, usize, usize) -> String) -> String {
    let rows = (0..40).map(|n| row(n, n / 5, (n / 5 * 3 + n % 5 * 2) % 13)).collect::<Vec<_>>();
    let header = if header.is_empty() { String::new() } else { format!("{header}\n") };
    format!("{header}{}\n", rows.join("\n"))
}

/// The expected size of [`table`].
const TABLE: (usize, usize, usize) = (8, 13, 40);

/// The first column is the user's, the second the item's.
fn named(header: &str) -> Dataset {
    read(&table(header, |_, user, item| format!("p{user},q{item},7,x{item}y")))
}

#[test]
fn names_of_shops_music_travel_and_courses_are_known() {
    for header in [
        "Customer ID,StockCode,n,note",
        "household_key,PRODUCT_ID,n,note",
        "msno,song_id,n,note",
        "steamid,appid,n,note",
        "student_id,course_id,n,note",
        "fullVisitorId,productSKU,n,note",
        "reviewerID,asin,n,note",
        "Email,Lineitem sku,n,note",
        "user_id:token,beer_beerid:token,n:float,note:token",
        "User-ID,Game Title,n,note",
        "Kunde,Artikelnummer,Menge,Notiz",
        "id_client,id_produit,quantite,x",
        "id_usuario,id_producto,cantidad,x",
        "klantnummer,artikelnr,n,note",
        "用户,商品,n,note",
        "rater_id,rated_item,n,note",
        "forum_user_id,musicbrainz-track-id,n,track-name",
    ] {
        let set = named(header);
        assert_eq!((size(&set), &set.users[0][..1], &set.items[0][..1]), (TABLE, "p", "q"), "{header}");
    }
}

#[test]
fn the_only_other_id_is_the_item_and_that_is_said() {
    for header in ["user_id,gnome_id,n,note", "userId,GnomeID,n,note", "gnome-id,item_id,n,note"] {
        let set = named(header);
        assert_eq!(size(&set), TABLE, "{header}");
        assert!(
            set.report.notes[0].contains("the only other column that is called an id"),
            "{:?}",
            set.report
        );
    }
    let message = refused(&table("user_id,gnome_id,n,elf_id", |_, u, i| format!("p{u},q{i},7,x{i}")));
    assert!(
        message.contains("names no item") && message.contains("`columns = user=user_id,item=gnome_id`"),
        "{message}"
    );
}

#[test]
fn persons_come_before_sessions_and_times_are_no_items() {
    let text = table("when,session_id,content,person_id", |n, u, i| {
        format!("2024-03-0{}T10:00:00Z,s{n},q{i},p{u}", 1 + n % 9)
    });
    let set = read(&text);
    assert_eq!((size(&set), set.users[0].as_str()), (TABLE, "p0"));
    assert!(set.report.unread.contains(&"session_id".to_owned()), "{:?}", set.report);
    let set = read(&table("session_id,item_id", |_, u, i| format!("s{u},q{i}")));
    assert!(set.report.notes[0].contains("each session_id counts as a user"), "{:?}", set.report);
    // Without a header: user, time, item, class of the item.
    let text =
        table("", |n, u, i| format!("{},2014-04-07T10:5{}:09.277Z,2145{i:02},{}", 7 + u, n % 10, i % 2));
    let set = read(&text);
    assert_eq!((size(&set), set.users[0].as_str()), (TABLE, "7"));
    let message = refused(&table("", |n, u, _| format!("{u},2014-04-07T10:5{}:09Z", n % 10)));
    assert!(
        message.contains("one of them is a time") && message.contains("[0: 0 | 1: 2014-04-07"),
        "{message}"
    );
}

#[test]
fn running_numbers_of_rows_are_no_users() {
    let set = read(&table(",user,item", |n, u, i| format!("{n},p{u},q{i}")));
    assert_eq!(size(&set), TABLE);
    let set = read(&table("", |n, u, i| format!("{n},p{u},q{i}")));
    assert_eq!((size(&set), set.users[0].as_str()), (TABLE, "p0"));
    let message = refused(&table("", |n, _, i| format!("{},{i},{}", n + 1, 1 + n % 5)));
    assert!(message.contains("counts the rows"), "{message}");
}

#[test]
fn a_header_is_one_where_the_values_below_differ() {
    // Unknown words over numbers, over ids with digits, and beside a known name.
    for header in ["who,what", "alpha,beta", "person,thing"] {
        for row in [|u, i| format!("{u},{}", 500 + i), |u, i| format!("p{u},q{i}")]
            as [fn(usize, usize) -> String; 2]
        {
            let message =
                load_bytes("set.csv", table(header, |_, u, i| row(u, i)).as_bytes(), &LoadOptions::default());
            match message {
                Ok(set) => assert_eq!(size(&set), TABLE, "{header}"),
                Err(error) => assert!(error.to_string().contains("the header names no"), "{error}"),
            }
            let columns =
                |options: &mut LoadOptions| options.columns = Some("user=0,item=1".parse().unwrap());
            assert_eq!(size(&with(&table(header, |_, u, i| row(u, i)), columns)), TABLE, "{header}");
        }
    }
    // Programs number columns without names.
    let numbered = table("0,1,2", |_, u, i| format!("{},{},4.5", 100 + u, 500 + i));
    assert_eq!(size(&read(&numbered)), TABLE);
    let doubtful = table("0,1", |_, u, i| format!("{},{}", 100 + u, 500 + i));
    assert!(refused(&doubtful).contains("`header = yes` or `header = no`"), "{}", refused(&doubtful));
    assert_eq!(size(&with(&doubtful, |options| options.header = Header::Yes)), TABLE);
    assert_eq!(size(&with(&doubtful, |options| options.header = Header::No)), (9, 14, 41));
    // Words that occur below are values, and so are ids that begin at 0.
    let words = ["ann", "bob", "cat", "dan", "eve", "fay", "gus", "hal"];
    let text = table("", |_, u, i| format!("{},{}", words[u], words[i % 8]));
    assert_eq!(read(&text).report.rows, 40);
    assert_eq!(size(&read(&table("", |_, u, i| format!("{u},{i}")))), TABLE);
    let text = table("kind,sort", |_, u, i| format!("{},{}", words[u], words[i % 8]));
    assert!(refused(&text).contains("`header = yes`"), "{}", refused(&text));
    // A header in the middle, where files were joined.
    let twice = table("user,item", |_, u, i| format!("p{u},q{i}")).repeat(2);
    let set = read(&twice);
    assert_eq!(size(&set), TABLE);
    assert!(set.report.notes[0].contains("1 lines repeat the header"), "{:?}", set.report.notes);
}

#[test]
fn ids_come_before_titles_and_tracks_before_artists() {
    let set = read(&table("user_id,title,pin_id", |_, user, item| format!("p{user},The {item}th,q{item}")));
    assert_eq!((size(&set), &set.items[0][..1]), (TABLE, "q"));
    let set =
        read(&table("user,artist_id,track_id", |_, user, item| format!("p{user},a{},q{item}", item % 3)));
    assert_eq!((size(&set), &set.items[0][..1]), (TABLE, "q"));
    // A proposal names no record and no time.
    let row = |n: usize, user: usize, item: usize| format!("p{user},e{n},{},q{item}", 1_700_000_000 + n);
    let text = refused(&table("who,event_id,timestamp,what", row));
    assert!(text.contains("user=who,item=what"), "{text}");
}

#[test]
fn a_user_with_far_more_items_than_others_is_spoken_of() {
    let people = (0..40).map(|n| format!("p{},q{}\n", n / 5, n * 7 % 13)).collect::<String>();
    let guest = (0..150).map(|item| format!("guest,q{item}\n")).collect::<String>();
    let set = read(&format!("user,item\n{people}{guest}"));
    assert!(
        set.report.notes.iter().any(|note| note.contains("\"guest\" has 150 items")),
        "{:?}",
        set.report.notes
    );
    assert!(read(&format!("user,item\n{people}")).report.notes.is_empty());
}

#[test]
fn words_for_nothing_are_left_out_and_said() {
    for word in ["NA", "NULL", "None", "nan", "\\N", "<NA>", "undefined", ""] {
        let text = table("user,item", |n, u, i| {
            format!("{},q{i}", if n % 4 == 0 { word.into() } else { format!("p{u}") })
        });
        let set = read(&text);
        assert_eq!(
            (set.interactions.nnz(), set.report.missing_ids, set.users.len()),
            (30, 10, 8),
            "{word:?}"
        );
        if !word.is_empty() {
            assert!(set.report.notes[0].contains(word), "{:?}", set.report.notes);
            let kept = with(&text, |options| options.missing_ids = MissingIds::Kept);
            assert_eq!((kept.report.rows, kept.users.len()), (40, 9), "{word:?}");
        }
    }
    // Items that only such users have are gone too.
    let set = read("user,item\nNA,only\na,x\nb,x\n");
    assert_eq!(size(&set), (2, 1, 2));
}

#[test]
fn columns_that_say_yes_or_no_are_spoken_of() {
    for (name, yes, no) in
        [("clicked", "1", "0"), ("is_recommended", "True", "False"), ("liked", "yes", "no")]
    {
        let text = table(&format!("user,item,{name}"), |n, u, i| {
            format!("p{u},q{i},{}", if n % 2 == 0 { yes } else { no })
        });
        let set = read(&text);
        let note = &set.report.notes[0];
        assert!(note.contains(&format!("`columns = user=user,item=item,rating={name}`")), "{note}");
        let yes = with(&text, |options| options.min_rating = Some(1.0));
        assert_eq!((set.interactions.nnz(), yes.interactions.nnz()), (40, 20), "{name}");
    }
}

#[test]
fn ratings_are_read_only_where_they_are_asked_for() {
    let text = "user;item;rating\na;x;4,5\na;y;3,0\nb;x;\nb;y;NA\nc;x;5\n";
    assert_eq!(read(text).interactions.nnz(), 5);
    let liked = with(text, |options| options.min_rating = Some(4.0));
    assert_eq!(
        (liked.interactions.nnz(), liked.report.without_rating, liked.report.below_min_rating),
        (2, 2, 1)
    );
}

#[test]
fn conditions_choose_rows() {
    let events = ["view", "cart", "buy"];
    let text = table("user,event,item,price", |n, u, i| format!("p{u},{},q{i},{n}", events[n % 3]));
    let chosen = |conditions: &str| {
        let set = with(&text, |options| options.conditions = conditions.parse().unwrap());
        (set.interactions.nnz(), set.report.unmet_conditions)
    };
    assert_eq!(chosen("event=buy"), (13, 27));
    assert_eq!(chosen("event=buy,cart; price>=20"), (13, 27));
    assert_eq!(chosen("event!=view"), (26, 14));
    let mut options = LoadOptions { conditions: "colour=red".parse().unwrap(), ..LoadOptions::default() };
    let error = load_bytes("set.csv", text.as_bytes(), &options).unwrap_err();
    assert!(error.is_usage() && error.to_string().contains("no column \"colour\""), "{error}");
    let json = "{\"user\": \"a\", \"item\": \"x\", \"event\": {\"kind\": \"buy\"}}\n{\"user\": \"a\", \"item\": \"y\", \"event\": {\"kind\": \"view\"}}\n";
    options.conditions = "event.kind=buy".parse().unwrap();
    assert_eq!(load_bytes("set.jsonl", json.as_bytes(), &options).unwrap().items, ["x"]);
}

#[test]
fn windows_of_time_and_the_span() {
    let text = table("user,item,timestamp", |n, u, i| format!("p{u},q{i},{}", 1_700_000_000 + n * 3600));
    let span = with(&text, |options| options.times = TimesRead::Span).report.span.unwrap();
    assert_eq!(
        (span.0.to_string(), span.1.to_string()),
        ("2023-11-14T22:13:20Z".into(), "2023-11-16T13:13:20Z".into())
    );
    let set = with(&text, |options| options.since = Some("2023-11-16".parse().unwrap()));
    assert_eq!((set.interactions.nnz(), set.report.outside_window), (14, 26));
    let set = with(&text, |options| options.until = Some("2023-11-16".parse().unwrap()));
    assert_eq!(set.interactions.nnz(), 26);
    let mut options = LoadOptions { since: Some("2023-11-16".parse().unwrap()), ..LoadOptions::default() };
    let error = load_bytes("set.csv", b"user,item\na,x\n", &options).unwrap_err().to_string();
    assert!(error.contains("no column of times") && error.contains("time=NAME"), "{error}");
    options.until = options.since;
    assert!(load_bytes("set.csv", text.as_bytes(), &options).unwrap_err().is_usage());
    // Each interaction keeps its first time; of one time, the order of the file counts.
    let set = with("user,item,time\na,y,20\na,x,10\na,y,5\n", |options| options.times = TimesRead::Each);
    let times = set.times.unwrap();
    assert_eq!((times.times, times.order, times.timed), (vec![10_000_000, 5_000_000], vec![1, 2], true));
}

#[test]
fn bad_rows_are_left_out_on_request_alone() {
    let text = "user,item,rating\na,x,1\nb,y\nc,z,1,9\nd,x,1\n,,\n";
    let message = refused(text);
    assert!(message.contains("set.csv:3") && message.contains("`skip-bad-rows`"), "{message}");
    let set = with(text, |options| options.skip_bad_rows = true);
    assert_eq!((set.interactions.nnz(), set.report.bad_rows, set.report.blank_lines), (2, 2, 1));
    assert!(
        set.report.bad_row_samples[0].starts_with("set.csv:3: 2 comma-separated fields"),
        "{:?}",
        set.report
    );
    let quoted = "user,item,note\na,\"x, y\",1\nb,y\n\"c\",z,1\n";
    let set = with(quoted, |options| options.skip_bad_rows = true);
    assert_eq!((set.interactions.nnz(), set.report.bad_rows), (2, 1));
}

proptest! {
    /// Whatever the header and the rows look like: no panic, and nothing is lost without a count.
    #[test]
    fn every_row_is_accounted_for(
        header in prop::sample::select(vec!["", "user,item,rating", "who,what,when", "0,1,2", "a,b", "user_id,thing_id,label"]),
        rows in prop::collection::vec(prop::collection::vec(prop::sample::select(vec!["1", "2", "p1", "NA", "", "0", "2024-01-02", "4,5"]), 1..5), 0..30),
        skip: bool,
    ) {
        let text = format!("{header}\n{}\n", rows.iter().map(|row| row.join(",")).collect::<Vec<_>>().join("\n"));
        let options = LoadOptions { skip_bad_rows: skip, ..LoadOptions::default() };
        if let Ok(set) = load_bytes("set.csv", text.as_bytes(), &options) {
            let report = &set.report;
            prop_assert_eq!(report.rows, report.duplicates + set.interactions.nnz() as u64);
            let lines = text.lines().filter(|line| !line.is_empty()).count() as u64;
            let left = report.rows + report.missing_ids + report.bad_rows + report.blank_lines;
            prop_assert!(lines <= left + 1 + report.notes.len() as u64, "{lines} lines, {report:?}\n{text}");
        }
    }
}
