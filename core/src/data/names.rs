//! The names that columns have in public data sets and in exports of shops and logs: one table, from which the
//! roles of columns under a header are read.
//!
//! Names are in lower case without `_`, `-`, dots and blanks, as [`plain`] makes them. Within a list, earlier
//! names win: `user_id` is the user even where there is an `author` too.

/// Persons, and what stands for one person: an account, a household, a device.
#[rustfmt::skip]
pub(super) const PERSONS: &[&str] = &[
    "userid", "user", "uid", "users", "usr", "usrid", "userkey", "usercode", "useruuid", "userhash", "userno",
    "usernum", "useridx", "userindex", "reviewerid", "reviewer", "customerid", "customeruniqueid", "customer",
    "custid", "custno", "cust", "customerno", "customernumber", "customerkey", "customercode", "clientid",
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
    "clientname", "membername", "login", "handle",
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
    "itemid", "item", "iid", "sid", "items", "itemkey", "itemcode", "itemno", "itemnum", "itemnumber", "itemidx",
    "itemindex", "itemsku", "movieid", "movie", "filmid", "film", "parentasin", "asin", "productid", "product",
    "prodid", "productkey", "productcode", "productno", "productsku", "sku", "skuid", "lineitemsku", "variantid",
    "stockcode", "upc", "ean", "gtin", "barcode", "goodsid", "goods", "goodid", "materialid", "partnumber",
    "isbn", "isbn13", "isbn10", "bookid", "book", "workid", "titleid", "trackid", "trackuri", "track", "songid",
    "song", "artistid", "artist", "albumid", "album", "musicid", "podcastid", "podcast", "episodeid", "showid",
    "show", "seriesid", "animeid", "animeuid", "anime", "mangaid", "gameid", "game", "appid", "app", "businessid",
    "business", "restaurantid", "restaurant", "placeid", "place", "gmapid", "locationid", "location", "venueid",
    "venue", "poi", "poiid", "hotelid", "hotel", "listingid", "listing", "propertyid", "roomid", "houseid",
    "attractionid", "destinationid", "destination", "cityid", "routeid", "tourid", "newsid", "news", "articleid",
    "article", "postid", "post", "storyid", "blogid", "docid", "documentid", "document", "contentid", "content",
    "contentitemid", "videoid", "video", "clipid", "photoid", "imageid", "pinid", "boardid", "tweetid",
    "statusid", "streamid", "streamerid", "streamer", "channelid", "channel", "recipeid", "recipe", "foodid",
    "food", "dishid", "dish", "mealid", "menuid", "beerid", "beerbeerid", "wineid", "drinkid", "jobid", "job",
    "vacancyid", "positionid", "courseid", "course", "moocid", "lessonid", "lectureid", "moduleid", "exerciseid",
    "problemid", "questionid", "paperid", "paper", "repoid", "repositoryid", "repo", "package", "pluginid",
    "jokeid", "joke", "offerid", "dealid", "couponid", "adid", "ad", "creativeid", "campaignid", "bannerid",
    "petid", "carid", "vehicleid", "fundid", "stockid", "isin", "ticker", "assetid", "tokenid", "serviceid",
    "service", "planid", "brandid", "shopid", "shop", "storeid", "merchantid", "sellerid", "vendorid", "doctorid",
    "entityid", "entity", "objectid", "object", "resourceid", "targetid", "thingid", "materialno", "pageid",
    "page", "urlid", "url", "link", "aid", "gid", "vid", "bid", "isbncode", "rateditem", "artikelid", "artikelnr",
    "artikelnummer", "artikel", "produktid", "produktnr", "produkt", "idproduit", "produit", "idarticle",
    "idproducto", "productoid", "producto", "idarticulo", "articulo", "artículo", "idproduto", "produto",
    "idprodotto", "prodotto", "articolo", "商品id", "商品编号", "商品", "物品id", "物品", "商品コード",
];

/// Titles of items, which stand for them where no column has their ids.
#[rustfmt::skip]
pub(super) const TITLES: &[&str] = &[
    "itemname", "productname",
    "producttitle", "gametitle", "gamename", "movietitle", "moviename", "booktitle", "bookname", "songtitle",
    "songname", "trackname", "albumname", "artistname", "coursename", "recipename", "beername", "hotelname",
    "venuename", "lineitemname", "title",
];

/// Columns that hold several items a row.
#[rustfmt::skip]
pub(super) const LISTS: &[&str] = &[
    "items", "itemids", "itemlist", "itemidlist", "itemseq", "itemsequence", "itemsids", "movieids", "movies",
    "products", "productids", "asins", "skus", "tracks", "trackids", "songs", "songids", "books", "bookids",
    "articles", "articleids", "history", "histories", "clickhistory", "clicks", "clickedids", "sequence", "seq",
    "interactions", "purchases", "basketitems", "cartitems", "playlist", "watchlist", "likes", "liked", "viewed",
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
    "zeit", "zeitstempel", "fecha", "hora", "heure", "时间", "日期", "日時",
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
pub(super) fn find_ending<S: AsRef<str>>(
    names: &[S],
    known: &[&str],
    fits: impl Fn(usize) -> bool,
) -> Option<usize> {
    let names: Vec<String> = names.iter().map(|name| plain(name.as_ref())).collect();
    let listed = |name: &String| RECORDS.contains(&name.as_str()) || SESSIONS.contains(&name.as_str());
    let ends = |known: &&str| {
        (0..names.len()).find(|&at| !listed(&names[at]) && ends_with(&names[at], known) && fits(at))
    };
    known.iter().find_map(ends)
}

/// Whether a name calls its column the id of something: `tweet_id`, `placeID`, `pin key`.
pub(super) fn is_id(name: &str) -> bool {
    let name = plain(name);
    let ends = ["id", "ids", "uuid"].iter().any(|end| name.ends_with(end) && name.len() > end.len());
    ends && ![RECORDS, SESSIONS, TIMES, RATINGS].iter().any(|list| list.contains(&name.as_str()))
}

/// The index in `names` of the first of `known` that occurs there and that `fits`.
pub(super) fn find_where<S: AsRef<str>>(
    names: &[S],
    known: &[&str],
    fits: impl Fn(usize) -> bool,
) -> Option<usize> {
    let names: Vec<String> = names.iter().map(|name| plain(name.as_ref())).collect();
    let mut places = known
        .iter()
        .flat_map(|known| names.iter().enumerate().filter(move |(_, name)| name == known).map(|(at, _)| at));
    places.find(|&at| fits(at))
}

/// The index in `names` of the first of `known` that occurs there.
pub(super) fn find<S: AsRef<str>>(names: &[S], known: &[&str]) -> Option<usize> {
    find_where(names, known, |_| true)
}

/// The number of names of a header that are those of users, items, ratings or times.
pub(super) fn known(names: &[String]) -> usize {
    let lists = [PERSONS, SESSIONS, ITEMS, TITLES, LISTS, RATINGS, LABELS, TIMES, RECORDS];
    names.iter().filter(|name| lists.iter().any(|list| list.contains(&plain(name).as_str()))).count()
}

/// Whether a header names both a user and an item.
pub(super) fn names_both(names: &[String]) -> bool {
    let user = find(names, PERSONS).or_else(|| find(names, SESSIONS));
    let item = |list| find_where(names, list, |at| Some(at) != user);
    user.is_some() && item(ITEMS).or_else(|| item(TITLES)).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_the_form_that_they_are_compared_in() {
        for list in [PERSONS, SESSIONS, ITEMS, TITLES, LISTS, RATINGS, LABELS, TIMES, RECORDS] {
            for (at, name) in list.iter().enumerate() {
                assert_eq!(plain(name), *name);
                assert!(!list[..at].contains(name), "{name} is listed twice");
            }
        }
    }

    #[test]
    fn ids_are_called_ids() {
        assert!(["tweet_id", "placeID", "Pin Uuid", "listing-id:token"].iter().all(|name| is_id(name)));
        assert!(["id", "review_id", "paid", "order_id", "note"].iter().all(|name| !is_id(name)));
    }
}
