//! The names that columns have in public data sets and in exports of shops and logs: one table, from which the
//! roles of columns under a header are read.
//!
//! Names are in lower case without `_`, `-`, dots and blanks, as [`plain`] makes them. Within a list, earlier
//! names win: `user_id` is the user even where there is an `author` too.

/// Whether there is space for what seldom decides: the page is fetched over a network, and asks for columns instead.
pub(super) const MORE: bool = cfg!(feature = "forms");

/// Persons, and what stands for one person: an account, a household, a device.
#[rustfmt::skip]
pub(super) const PERSONS: &[&str] = &[
    "userid", "user", "uid", "users", "usr", "usrid", "userkey", "usercode", "useruuid", "userhash", "userno",
    "usernum", "useridx", "userindex", "reviewerid", "reviewer", "customerid", "customeruniqueid", "customer",
    "custid", "custno", "cust", "customerno", "customernumber", "customerkey", "customercode", "custcode", "customeruser", "clientid",
    "client", "personid", "person", "profileid", "memberid", "member", "accountid", "account", "accountnumber",
    "buyerid", "buyer", "shopperid", "shopper", "consumerid", "consumer", "purchaserid", "subscriberid",
    "subscriber", "fullvisitorid", "visitorid", "visitor", "userpseudoid", "readerid", "reader", "listenerid",
    "listener", "viewerid", "viewer", "playerid", "player", "steamid", "gamerid", "patronid", "patron", "guestid",
    "guest", "travelerid", "travellerid", "passengerid", "householdid", "householdkey", "household", "studentid",
    "student", "learnerid", "learner", "traineeid", "employeeid", "workerid", "candidateid", "applicantid",
    "patientid", "donorid", "raterid", "rater", "voterid", "followerid", "investorid", "borrowerid", "cardid",
    "msno", "ncodpers", "usersha1", "usermboxsha1", "emailhash", "customeremail", "useremail", "email",
    "kundenid", "kundennr", "kundennummer", "kunde", "benutzerid", "benutzer", "nutzerid", "nutzer", "idclient",
    "idutilisateur", "utilisateur", "idcliente", "clienteid", "cliente", "idusuario", "usuarioid", "usuario",
    "usuário", "idutente", "utente", "klantid", "klantnummer", "klant", "用户id", "用户编号", "用户", "顾客",
    "会员", "ユーザーid", "ユーザー", "anonymousid", "anonid", "distinctid", "cookieid", "cookie", "browserid", "deviceid", "device", "authorid",
    "author", "username", "usernickname", "nickname", "reviewername", "reviewauthor", "customername",
    "clientname", "membername", "login", "handle", "actorlogin", "actorid", "actor", "reviewers", "profilename",
    "reviewprofilename", "screenname", "useri", "requesterid", "enrolleeid", "holderid", "billingemail",
];

/// What groups the actions of a person whom the data does not name: sessions, baskets, orders, playlists.
#[rustfmt::skip]
pub(super) const SESSIONS: &[&str] = &[
    "sessionid", "session", "sessid", "visitid", "visit", "basketid", "basket", "cartid", "cart", "orderid",
    "orderno", "ordernumber", "order", "invoiceno", "invoiceid", "invoice", "transactionid", "receiptid",
    "receipt", "tripid", "utripid", "playlistid", "pid", "queryid", "impressionid", "bundleid", "groupid",
];

/// Items, in shops, music, films, books, travel, courses, news, games.
#[rustfmt::skip]
pub(super) const ITEMS: &[&str] = &[
    "itemid", "item", "iid", "sid", "items", "itemkey", "itemcode", "itemno", "itemnum", "itemnumber",
    "itemidx", "itemindex", "itemsku", "movieid", "movie", "filmid", "film", "parentasin", "asin", "productid",
    "product", "prodid", "productkey", "productcode", "productno", "productsku", "sku", "skuid", "lineitemsku",
    "variantid", "stockcode", "upc", "ean", "gtin", "barcode", "goodsid", "goods", "goodid", "materialid",
    "partnumber", "isbn", "isbn13", "isbn10", "bookid", "book", "workid", "titleid", "trackid", "trackuri",
    "track", "songid", "song", "artistid", "artist", "albumid", "album", "musicid", "podcastid", "podcast",
    "episodeid", "showid", "show", "seriesid", "animeid", "animeuid", "anime", "mangaid", "gameid", "game",
    "appid", "app", "businessid", "business", "restaurantid", "restaurant", "placeid", "place", "gmapid",
    "locationid", "venueid", "venue", "poi", "poiid", "hotelid", "hotel", "listingid", "listing", "propertyid",
    "roomid", "houseid", "attractionid", "destinationid", "routeid", "tourid", "newsid", "news", "articleid",
    "article", "postid", "post", "storyid", "blogid", "docid", "documentid", "contentid", "contentitemid",
    "videoid", "video", "clipid", "photoid", "imageid", "pinid", "boardid", "tweetid", "statusid", "streamid",
    "streamerid", "streamer", "channelid", "recipeid", "recipe", "foodid", "food", "dishid", "dish", "mealid",
    "menuid", "beerid", "beerbeerid", "wineid", "drinkid", "jobid", "job", "vacancyid", "positionid",
    "courseid", "course", "moocid", "lessonid", "lectureid", "moduleid", "exerciseid", "problemid",
    "questionid", "paperid", "paper", "repoid", "repositoryid", "repo", "package", "pluginid", "jokeid", "joke",
    "offerid", "dealid", "couponid", "adid", "ad", "creativeid", "campaignid", "bannerid", "petid", "carid",
    "vehicleid", "fundid", "stockid", "isin", "ticker", "assetid", "tokenid", "planid", "doctorid", "entityid",
    "objectid", "resourceid", "targetid", "thingid", "materialno", "aid", "gid", "vid", "bid", "isbncode",
    "rateditem", "artikelid", "artikelnr", "artikelnummer", "artikel", "produktid", "produktnr", "produkt",
    "idproduit", "produit", "idarticle", "idproducto", "productoid", "producto", "idarticulo", "articulo",
    "artículo", "idproduto", "produto", "idprodotto", "prodotto", "articolo", "商品id", "商品编号", "商品", "物品id",
    "物品", "商品コード", "bookmarkid", "bookmark", "subreddit", "subredditid", "hotelcluster", "prodcode",
    "elementid", "element", "collectionid",
];

/// What is an item in some sets and says something of an item, or of the way to it, in others.
#[rustfmt::skip]
pub(super) const ATTRIBUTES: &[&str] = &[
    "merchantid", "sellerid", "vendorid", "shopid", "shop", "storeid", "brandid", "entity", "object", "content",
    "document", "page", "pageid", "url", "urlid", "link", "service", "serviceid", "channel", "location",
    "destination", "cityid", "reference", "campaign",
];

/// Titles of items, which stand for them where no column has their ids.
#[rustfmt::skip]
pub(super) const TITLES: &[&str] = &[
    "itemname", "productname",
    "producttitle", "gametitle", "gamename", "movietitle", "moviename", "booktitle", "bookname", "songtitle",
    "songname", "trackname", "albumname", "artistname", "coursename", "recipename", "beername", "hotelname",
    "venuename", "lineitemname", "reponame", "animetitle", "articletitle", "prodname", "title",
];

/// Columns that hold several items a row.
#[rustfmt::skip]
pub(super) const LISTS: &[&str] = &[
    "items", "itemids", "itemlist", "itemidlist", "itemseq", "itemsequence", "itemsids", "movieids", "movies",
    "products", "productids", "asins", "skus", "tracks", "trackids", "songs", "songids", "books", "bookids",
    "articles", "articleids", "history", "histories", "clickhistory", "clicks", "clickedids", "sequence", "seq",
    "interactions", "purchases", "basketitems", "cartitems", "courseorder", "courses", "courseids", "videos", "videoids", "games", "gameids", "playlist", "watchlist", "likes", "liked", "viewed",
];

/// Ratings and other amounts of liking.
#[rustfmt::skip]
pub(super) const RATINGS: &[&str] = &[
    "rating", "ratings", "rate", "overall", "overallrating", "score", "stars", "star", "starrating", "userrating",
    "bookrating", "movierating", "reviewscore", "reviewrating", "reviewoverall", "ratingscore", "ratingvalue",
    "userscore", "myscore", "mark", "grade", "preference", "pref", "points", "playcount", "plays", "listencount",
    "scrobbles", "hours", "hoursplayed", "quantity", "qty", "count", "weight", "value", "bewertung", "menge",
    "note", "quantite", "quantité", "calificacion", "calificación", "puntuacion", "cantidad", "voto", "nota", "评分",
];

/// Columns that often hold only 0 and 1, where 0 says that the item was shown and not taken.
#[rustfmt::skip]
pub(super) const LABELS: &[&str] = &[
    "label", "labels", "target", "clicked", "click", "isclick", "isclicked", "isrecommended", "recommended",
    "recommend", "recommends", "liked", "like", "islike", "isliked", "thumbsup", "votedup", "upvote", "purchased",
    "ispurchased", "bought", "isbought", "converted", "conversion", "isconversion", "engaged", "watched",
    "iswatched", "isread", "read", "favorite", "favourite", "isfavorite", "outcome", "response", "positive",
    "feedback", "correct", "hit", "y",
];

/// What was done with the item: a log has a row for each view, click or purchase.
#[rustfmt::skip]
pub(super) const EVENTS: &[&str] = &[
    "event", "eventtype", "eventname", "eventkind", "action", "actiontype", "actionname", "useraction", "behavior",
    "behaviour", "behaviortype", "behaviourtype", "interaction", "interactiontype", "activity", "activitytype",
    "operation", "productaction", "type",
];

/// Words for what was done, as values of such a column.
#[rustfmt::skip]
pub(super) const ACTIONS: &[&str] = &[
    "view", "views", "viewed", "pv", "pageview", "click", "clicks", "clicked", "cart", "carts", "addtocart", "buy",
    "buys", "bought", "order", "orders", "ordered", "purchase", "purchased", "transaction", "fav", "favorite",
    "favourite", "like", "liked", "play", "played", "skip", "skipped", "share", "shared", "save", "saved", "rate",
    "rated", "watch", "watched", "read", "download", "wishlist", "bookmark", "remove", "removefromcart", "collect",
];

/// Times.
#[rustfmt::skip]
pub(super) const TIMES: &[&str] = &[
    "timestamp", "time", "ts", "datetime", "date", "eventtime", "eventtimestamp", "eventdate", "unixreviewtime",
    "reviewtime", "reviewdate", "unixtime", "unixtimestamp", "epoch", "utctime", "utctimestamp", "localtime",
    "createdat", "created", "createtime", "createdate", "creationdate", "createdtime", "createddate", "ratedat",
    "ratingtimestamp", "ratingdate", "updatedat", "dateupdated", "dateadded", "addedat", "viewedat", "clickedat",
    "clicktime", "purchasedat", "purchasedate", "purchasetime", "orderdate", "ordertime",
    "orderpurchasetimestamp", "orderedat", "invoicedate", "transactiondate", "transactiontime", "tdat",
    "behaviortime", "actiontime", "seentime", "playedat", "listenedat", "watchedat", "readat", "visitedat",
    "visitdate", "visitstarttime", "checkin", "checkintime", "postedat", "logtime", "starttime", "day", "datum",
    "tstamp", "timepoint", "utc", "createdutc", "datestamp", "lastwatchdt", "zeit", "zeitstempel", "fecha", "hora", "heure", "when", "时间", "日期", "日時",
];

/// Names that end as ids do but count rows, orders or classes; none of them is the other id of a table.
#[rustfmt::skip]
pub(super) const RECORDS: &[&str] = &[
    "id", "rowid", "recordid", "logid", "eventid", "interactionid", "actionid", "ratingid", "reviewid",
    "commentid", "clickid", "viewid", "lineid", "uuid", "guid", "hashid", "requestid", "traceid", "messageid",
    "categoryid", "catid", "subcategoryid", "genreid", "typeid", "classid", "parentid", "regionid", "countryid",
    "languageid", "platformid", "sourceid", "paid", "valid", "invalid", "isvalid", "ispaid", "said", "grid",
    "avoid", "kid",
];

/// The words that read as a missing value in exports of languages and data bases: those of pandas, `\N` of MySQL and
/// Hive, `?` of Weka, `-` of logs. Letters count in the case that their languages write them in.
#[rustfmt::skip]
pub(super) const MISSING: &[&str] = &[
    "NA", "N/A", "n/a", "N.A.", "n.a.", "#N/A", "#NA", "<NA>", "NaN", "nan", "NAN", "-NaN", "-nan", "NULL", "null",
    "(null)", "<null>", "[null]", "Null", "None", "none", "NONE", "nil", "Nil", "NIL", "undefined", "\\N", "NaT", "-",
    "--", "?",
];

/// What follows the name of an id where a column was made unreadable, cleaned or exported: `session_id_hash`.
const ENDINGS: &[&str] = &[
    "hash",
    "hashed",
    "clean",
    "encoded",
    "enc",
    "anon",
    "anonymized",
    "uid",
    "uuid",
    "guid",
    "oid",
    "key",
    "idx",
    "md5",
    "sha1",
    "sha256",
    "di",
    "en",
];

/// A column name in the form of the lists; RecBole's `:token` is removed.
pub(super) fn plain(name: &str) -> String {
    let name = name.split(':').next().unwrap_or(name);
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Whether a name ends with the known name of an id: `musicbrainz_track_id`, `rated_item`.
fn ends_with(name: &str, known: &str) -> bool {
    (known.ends_with("id") && known.len() > 5 || matches!(known, "item" | "user"))
        && name.ends_with(known)
        && name.len() > known.len()
}

/// The index in `names` of the first that ends with one of `known`, earlier ones first.
pub(super) fn find_ending(names: &[String], known: &[&str], fits: &dyn Fn(usize) -> bool) -> Option<usize> {
    let names: Vec<String> = names.iter().map(|name| plain(name)).collect();
    let listed = |name: &String| RECORDS.contains(&name.as_str()) || SESSIONS.contains(&name.as_str());
    let ends = |known: &&str| {
        (0..names.len()).find(|&at| !listed(&names[at]) && ends_with(&names[at], known) && fits(at))
    };
    known.iter().find_map(ends)
}

/// The index in `names` of the first that is one of `known` with something after it (`track_id_clean`), or after a dot, as
/// the keys of inner objects (`tracks.track_uri`).
pub(super) fn find_part(names: &[String], known: &[&str], fits: &dyn Fn(usize) -> bool) -> Option<usize> {
    if !MORE {
        return None;
    }
    let beginning = |name: &String| {
        let name = plain(name);
        let end = ENDINGS.iter().find(|end| name.ends_with(**end) && !RECORDS.contains(&name.as_str()));
        end.map_or_else(String::new, |end| name[..name.len() - end.len()].to_owned())
    };
    let last = |name: &String| name.rsplit_once('.').map_or_else(String::new, |parts| parts.1.to_owned());
    let of = |part: &dyn Fn(&String) -> String| {
        find_where(&names.iter().map(part).collect::<Vec<_>>(), known, fits)
    };
    of(&beginning).or_else(|| of(&last))
}

/// Whether a name calls its column the id of something: `tweet_id`, `placeID`, `pin key`.
pub(super) fn is_id(name: &str) -> bool {
    let name = plain(name);
    let ends = ["id", "ids", "uuid"].iter().any(|end| name.ends_with(end) && name.len() > end.len());
    ends && ![RECORDS, SESSIONS, TIMES, RATINGS].iter().any(|list| list.contains(&name.as_str()))
}

/// The index in `names` of the first of `known` that occurs there and that `fits`.
pub(super) fn find_where(names: &[String], known: &[&str], fits: &dyn Fn(usize) -> bool) -> Option<usize> {
    let names: Vec<String> = names.iter().map(|name| plain(name)).collect();
    known.iter().find_map(|known| (0..names.len()).find(|&at| names[at] == *known && fits(at)))
}

/// The index in `names` of the first of `known` that occurs there.
pub(super) fn find(names: &[String], known: &[&str]) -> Option<usize> {
    find_where(names, known, &|_| true)
}

/// The number of names of a header that are those of users, items, ratings or times.
pub(super) fn known(names: &[String]) -> usize {
    let lists = [PERSONS, SESSIONS, ITEMS, ATTRIBUTES, TITLES, LISTS, RATINGS, LABELS, TIMES, RECORDS];
    names.iter().filter(|name| lists.iter().any(|list| list.contains(&plain(name).as_str()))).count()
}

/// Whether a header names both a user and an item.
pub(super) fn names_both(names: &[String]) -> bool {
    let user = find(names, PERSONS).or_else(|| find(names, SESSIONS));
    let item = |list| find_where(names, list, &|at| Some(at) != user);
    user.is_some() && [ITEMS, TITLES, ATTRIBUTES].into_iter().any(|list| item(list).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_the_form_that_they_are_compared_in() {
        for list in [
            PERSONS, SESSIONS, ITEMS, ATTRIBUTES, TITLES, LISTS, RATINGS, LABELS, EVENTS, ACTIONS, TIMES,
            RECORDS,
        ] {
            for (at, name) in list.iter().enumerate() {
                assert_eq!(plain(name), *name);
                assert!(!list[..at].contains(name), "{name} is listed twice");
            }
        }
    }

    #[test]
    fn names_are_known_by_their_beginnings_and_ends() {
        let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let at = |names: &[&str], known| find_part(&named(names), known, &|_| true);
        if !MORE {
            return;
        }
        assert_eq!(at(&["n", "session_id_hash"], SESSIONS), Some(1));
        assert_eq!(at(&["tracks.pos", "tracks.track_uri"], ITEMS), Some(1));
        assert_eq!(at(&["track_id_clean"], ITEMS), Some(0));
        assert_eq!(at(&["userid_DI", "course_id_DI"], PERSONS), Some(0));
        assert_eq!(at(&["user_id.$oid"], PERSONS), Some(0));
        assert_eq!(at(&["uuid", "key", "n"], PERSONS), None);
        assert_eq!(find_ending(&named(&["tagged_item"]), ITEMS, &|_| true), Some(0));
    }

    #[test]
    fn ids_are_called_ids() {
        assert!(["tweet_id", "placeID", "Pin Uuid", "listing-id:token"].iter().all(|name| is_id(name)));
        assert!(["id", "review_id", "paid", "order_id", "note"].iter().all(|name| !is_id(name)));
    }
}
