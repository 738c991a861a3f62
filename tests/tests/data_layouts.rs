//! Columns as public sets, shops and logs lay them out, with a header and without.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use fastvae::data::{Dataset, LoadOptions, load_bytes};

fn read(text: &str) -> Dataset {
    load_bytes("set.csv", text.as_bytes(), &LoadOptions::default())
        .unwrap_or_else(|error| panic!("{error}:\n{text}"))
}

fn refused(text: &str) -> String {
    load_bytes("set.csv", text.as_bytes(), &LoadOptions::default()).unwrap_err().to_string()
}

/// 60 rows of a template, in which `U` is a number for each of 12 users, `I` one for each of 13 items, `N` the number of
/// the row, `D` a day, and `E` one of three actions.
fn table(header: &str, template: &str) -> String {
    let row = |n: usize| {
        let (user, item) = (n * 7 % 12, n * 5 % 13);
        template
            .replace('U', &format!("{}", 101 + user * 7))
            .replace('I', &format!("{}", 5003 + item * 11))
            .replace('N', &format!("{}", 1 + n))
            .replace('D', &format!("2021-{:02}-{:02}", 1 + n % 12, 1 + n % 28))
            .replace('E', ["view", "cart", "purchase"][n % 3])
            .replace('H', &format!("{:024x}", 77 + item * 13))
            .replace('G', &format!("{:08x}-0000-4000-8000-0000000000aa", 77 + item * 13))
    };
    let rows: Vec<String> = (0..60).map(row).collect();
    format!("{header}{}{}\n", if header.is_empty() { "" } else { "\n" }, rows.join("\n"))
}

/// Checks that a table is read with the user and the item of these columns.
fn assert_columns(header: &str, template: &str, user: &str, item: &str) {
    let set = read(&table(header, template));
    let of = |role: &str| &set.report.columns.iter().find(|one| one.0.starts_with(role)).unwrap().1;
    assert_eq!((of("user").as_str(), of("item").as_str()), (user, item), "{header} {template}");
    assert_eq!((set.users.len(), set.items.len()), (12, 13), "{header} {template}");
}

#[test]
fn headers_of_shops_travel_courses_and_social_sets() {
    for (header, template, user, item) in [
        ("session_id_hash,event,sku_hash", "sU,E,pI", "session_id_hash", "sku_hash"),
        ("listening_id,session_id,track_id_clean,skip", "lN,sU,tI,true", "session_id", "track_id_clean"),
        ("course_id_DI,registered,userid_DI,grade", "cI,1,uU,0.5", "userid_DI", "course_id_DI"),
        ("user_uid,element_uid,ts", "U,I,443N.5", "user_uid", "element_uid"),
        ("actor_login,repo_name,created_at", "devU,o/rI,D", "actor_login", "repo_name"),
        ("username,subreddit,utc", "rU,sI,163000000N", "username", "subreddit"),
        ("timestamp,uid,campaign,conversion", "N,U,I,0", "uid", "campaign"),
        (
            "brewery_id,review_time,review_profilename,beer_beerid",
            "3,163000000N,pU,I",
            "review_profilename",
            "beer_beerid",
        ),
        ("user_id,session_id,step,action_type,reference,city", "uU,sN,N,E,I,Oslo", "user_id", "reference"),
        ("date_time,user_id,is_mobile,channel,hotel_cluster", "D,U,0,9,I", "user_id", "hotel_cluster"),
        (
            "card_id,city_id,category_1,merchant_category_id,merchant_id",
            "cU,8,N,80,mI",
            "card_id",
            "merchant_id",
        ),
        ("userID,bookmarkID,tagID,day", "U,I,19,3", "userID", "bookmarkID"),
        ("uuid,document_id,platform", "aU,I,1", "uuid", "document_id"),
        ("userId,eventTime,id,sessionStart", "uU,163000000N,aI,true", "userId", "id"),
        ("SHOP_DATE,QUANTITY,PROD_CODE,CUST_CODE,BASKET_ID", "D,1,pI,cU,bN", "CUST_CODE", "PROD_CODE"),
        ("ID,Movie_Name_EN,Username,Star", "N,The I,uU,3", "Username", "Movie_Name_EN"),
        ("CourseId,Review,Label,reviewers", "cI,good,4,By U", "reviewers", "CourseId"),
        ("useri, movie_id, rating, tstamp", "hU, I, 1.5, D", "useri", "movie_id"),
        ("member.key,product.key,qty", "mU,pI,2", "member.key", "product.key"),
    ] {
        assert_columns(header, template, user, item);
    }
}

#[test]
fn published_tables_without_a_header() {
    for (template, user, item) in [
        ("U,D,I,S", "0", "2"),
        ("U,D,I,12462,1", "0", "2"),
        ("U,I,88,E,D", "0", "1"),
        ("U,The long name of game I,E,1.5,0", "0", "1"),
        ("user_0U\tD\tG\tSome Band\tG\tA song", "0", "4"),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaU\tG\tBand I\t12", "0", "1"),
        ("U\tH\tD\t-240", "0", "1"),
        ("U\tH\tH\tA Bar\t40.5\t-73.5\t-240\tD", "0", "1"),
    ] {
        assert_columns("", template, user, item);
        let note = read(&table("", template)).report.notes[0].clone();
        assert!(note.starts_with("the columns are those of"), "{note}");
    }
    // Impressions with what became of them are no items.
    let news = table("", "N\tuU\tD\tnI n1 n2 n3\tn1-0 nI-1");
    let set = read(&news);
    assert_eq!((set.users.len(), set.report.columns[1].1.as_str()), (12, "3"));
    assert!(set.items.iter().all(|item| !item.contains('-')), "{:?}", set.items);
}

#[test]
fn rows_of_every_event_count_and_that_is_said() {
    for (text, flag) in [
        (table("timestamp,visitorid,event,itemid", "163000000N,U,E,I"), "`where = event=view`"),
        (table("", "U,I,88,E,D"), "`where = 3=view`"),
    ] {
        let notes = read(&text).report.notes;
        assert!(
            notes.iter().any(|note| note.contains("(view, cart, purchase)") && note.contains(flag)),
            "{notes:?}"
        );
        let condition = flag.trim_matches('`').trim_start_matches("where = ").replace("view", "cart");
        let options = LoadOptions { conditions: condition.parse().unwrap(), ..LoadOptions::default() };
        let set = load_bytes("set.csv", text.as_bytes(), &options).unwrap();
        assert_eq!(
            (set.report.unmet_conditions, set.report.notes.iter().any(|note| note.contains("every"))),
            (40, false)
        );
    }
}

#[test]
fn what_numbers_rows_or_belongs_to_items_is_no_user() {
    let error = refused(&table("timestamp,solving_id,question_id", "163000000N,N,qI"));
    assert!(error.contains("the header names no user"), "{error}");
    // A maker has the same items everywhere.
    let rows: String = (0..60).map(|n| format!("{},{},5\n", n * 5 % 13 / 4, n * 5 % 13)).collect();
    let error = refused(&format!("maker_id,beer_id,score\n{rows}"));
    assert!(error.contains("the header names no user"), "{error}");
    // A proposal has no labels, and ids by their names first.
    let error = refused(&table("label,who,thing_id,shade", "1,aU,I,red"));
    assert!(error.contains("user=thing_id") || error.contains("item=thing_id"), "{error}");
}

#[test]
fn persons_who_are_mostly_missing_are_spoken_of() {
    let text = table("sessionId;userId;itemId", "U;nan;I").replacen("nan", "7", 9);
    let set = read(&text);
    assert_eq!(set.users, ["7"]);
    let note = set.report.notes.iter().find(|note| note.contains("most of the first rows have no userId"));
    assert!(note.unwrap().contains("`columns = user=sessionId,item=itemId`"), "{:?}", set.report.notes);
}

#[test]
fn a_field_more_than_the_header_is_a_row_name_only_if_it_is_one() {
    let named = |name: fn(usize) -> usize| {
        let rows: String = (0..40).map(|n| format!("{},p{},q{}\n", name(n), n % 8, n * 3 % 11)).collect();
        format!("user,item\n{rows}")
    };
    let set = read(&named(|n| n + 1));
    assert_eq!((set.users.len(), set.items.len()), (8, 11));
    let error = refused(&named(|n| n % 5));
    assert!(error.contains("no name of a row"), "{error}");
    // A quote behind a backslash belongs to its field.
    let set = read(&table("user,item,note", "pU,qI,\"so \\\"good\\\", really\""));
    assert!(set.users.iter().all(|user| user.starts_with('p')) && set.report.unread == ["note"]);
}

#[test]
fn months_are_times() {
    for month in ["2021-0M", "0M/2021", "2021/0M"] {
        let rows: String = (0..36)
            .map(|n| format!("p{},q{},{}\n", n % 6, n * 5 % 7, month.replace('M', &format!("{}", 1 + n % 9))))
            .collect();
        let options = LoadOptions { since: Some("2021-08".parse().unwrap()), ..LoadOptions::default() };
        let set = load_bytes("set.csv", format!("user,item,month\n{rows}").as_bytes(), &options).unwrap();
        assert_eq!((set.report.rows, set.report.outside_window), (8, 28), "{month}");
    }
}
