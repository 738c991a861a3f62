//! The names that columns have in public data sets and in exports of shops and logs: one table, from which the
//! roles of columns under a header are read.
//!
//! Names are in lower case without `_`, `-`, dots and blanks, as [`plain`] makes them. Within a list, earlier
//! names win: `user_id` is the user even where there is an `author` too.

/// Whether there is space for what seldom decides: the page is fetched over a network, and asks for columns instead.
pub(super) const MORE: bool = cfg!(feature = "forms");

/// A list of names: those that every build knows, and after the semicolon those that the page has no space for.
macro_rules! names {
    ($(#[$doc:meta])* $list:ident: $($name:literal),* $(,)?; $($more:literal),* $(,)?) => {
        $(#[$doc])*
        #[cfg(not(feature = "forms"))]
        pub(super) const $list: &[&str] = &[$($name),*];
        $(#[$doc])*
        #[cfg(feature = "forms")]
        pub(super) const $list: &[&str] = &[$($name,)* $($more),*];
    };
}

#[rustfmt::skip]
names! {
    /// Persons, and what stands for one person: an account, a household, a device.
    PERSONS:
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
    "reviewprofilename", "screenname", "useri", "requesterid", "enrolleeid", "holderid", "billingemail";
    "passenger", "owner", "ownerid", "subjectid", "subject", "rider", "borrower", "lender", "investor", "renter",
    "tenant", "policyholder", "participant", "respondent", "attendee", "cardholder", "contact", "contactid", "party",
    "partyid", "acct", "msisdn", "stb", "plate", "imei", "emailaddress", "phone", "accountname", "playername",
    "studentname", "viewername", "profile", "kunnr", "kundnr", "kund", "kundid", "karte", "karten", "kartenid", "konto",
    "kontonummer", "kontonr", "mitglied", "mitgliedid", "leser", "abonnent", "teilnehmer", "abonné", "adhérent",
    "acheteur", "cli", "comprador", "socio", "acquirente", "koper", "gebruiker", "bruger", "bruker", "användare",
    "medlem", "asiakas", "asiakasnumero", "ügyfél", "vásárló", "felhasználó", "zákazník", "zakaznik", "uživatel",
    "klient", "klientid", "nrklienta", "idklienta", "użytkownik", "uzytkownik", "nabywca", "müşteri", "müşteriid",
    "müşterino", "musteri", "musteriid", "kullanıcı", "клиент", "идклиента", "покупатель", "пользователь",
    "πελάτης", "χρήστης", "العميل", "المستخدم", "pelanggan", "pengguna", "kháchhàng", "ngườidùng", "客户",
    "客户id", "客户编号", "顾客id", "顾客编号", "会员id", "会员编号", "会员号", "买家", "用户名", "顧客", "顧客id",
    "顧客番号", "会員", "会員id", "会員番号", "お客様番号", "고객", "고객번호", "고객id", "회원", "회원번호", "회원id",
    "사용자", "사용자id", "u",
}

#[rustfmt::skip]
names! {
    /// What groups the actions of a person whom the data does not name: sessions, baskets, orders, playlists.
    SESSIONS:
    "sessionid", "session", "sessid", "visitid", "visit", "basketid", "basket", "cartid", "cart", "orderid",
    "orderno", "ordernumber", "order", "invoiceno", "invoiceid", "invoice", "transactionid", "receiptid",
    "receipt", "tripid", "utripid", "playlistid", "pid", "queryid", "impressionid", "bundleid", "groupid";
    "ticketid", "bestellnummer", "bestellnr", "auftragsnummer", "rechnungsnummer", "belegnr", "warenkorb", "sitzung",
    "commande", "facture", "panier", "pedido", "factura", "ordine", "fattura", "заказ", "订单", "订单号", "注文番号",
    "주문번호",
}

#[rustfmt::skip]
names! {
    /// Items, in shops, music, films, books, travel, courses, news, games.
    ITEMS:
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
    "elementid", "element", "collectionid";
    "pin", "work", "project", "projectid", "fund", "fundcode", "loan", "loanid", "station", "stationid", "lot",
    "lotid", "drug", "drugid", "medication", "program", "programid", "programme", "programmeid", "offer", "voucher",
    "coupon", "exhibit", "asset", "material", "matnr", "destid", "dest", "apppackage", "packagename", "clip",
    "recording", "recordingid", "mediaid", "media", "exercise", "lesson", "lecture", "question", "problem", "quiz",
    "plugin", "extension", "theme", "template", "art", "artnr", "artid", "ware", "warenr", "wareid",
    "buch", "buchid", "lied", "spiel", "rezept", "kurs", "kursid", "livre", "chanson", "jeu", "cours", "libro",
    "película", "pelicula", "canción", "cancion", "juego", "curso", "livro", "filme", "jogo", "brano", "gioco",
    "corso", "boek", "vare", "vareid", "varenr", "varenummer", "vara", "varuid", "tuote",
    "tuotenumero", "termék", "cikkszám", "výrobek", "vyrobek", "zboží", "towar", "towarid", "produkty", "ürün",
    "ürünid", "urun", "urunid", "товар", "идтовара", "артикул", "продукт", "номенклатура", "προϊόν", "المنتج",
    "produk", "barang", "sảnphẩm", "产品", "产品id", "产品编号", "货号", "歌曲", "电影", "商品番号", "商品名", "品番",
    "상품", "상품번호", "상품id", "상품코드", "제품", "제품번호", "i", "v",
}

/// What is an item in some sets and says something of an item, or of the way to it, in others.
#[rustfmt::skip]
pub(super) const ATTRIBUTES: &[&str] = &[
    "merchantid", "sellerid", "vendorid", "shopid", "shop", "storeid", "brandid", "entity", "object", "content",
    "document", "page", "pageid", "url", "urlid", "link", "service", "serviceid", "channel", "location",
    "destination", "cityid", "reference", "campaign",
];

#[rustfmt::skip]
names! {
    /// Titles of items, which stand for them where no column has their ids.
    TITLES:
    "itemname", "productname",
    "producttitle", "gametitle", "gamename", "movietitle", "moviename", "booktitle", "bookname", "songtitle",
    "songname", "trackname", "albumname", "artistname", "coursename", "recipename", "beername", "hotelname",
    "venuename", "lineitemname", "reponame", "animetitle", "articletitle", "prodname", "title";
    "showtitle", "pagetitle", "videotitle", "filmtitle", "newstitle", "posttitle", "jobtitle", "coursetitle",
    "recipetitle", "videoname", "filmname", "drugname", "appname", "programname", "programtitle", "packagetitle",
    "titel", "titre", "título", "titulo", "titolo",
}

/// Columns that hold several items a row.
#[rustfmt::skip]
pub(super) const LISTS: &[&str] = &[
    "items", "itemids", "itemlist", "itemidlist", "itemseq", "itemsequence", "itemsids", "movieids", "movies",
    "products", "productids", "asins", "skus", "tracks", "trackids", "songs", "songids", "books", "bookids",
    "articles", "articleids", "history", "histories", "clickhistory", "clicks", "clickedids", "sequence", "seq",
    "interactions", "purchases", "basketitems", "cartitems", "courseorder", "courses", "courseids", "videos", "videoids", "games", "gameids", "playlist", "watchlist", "likes", "liked", "viewed",
];

#[rustfmt::skip]
names! {
    /// Ratings and other amounts of liking.
    RATINGS:
    "rating", "ratings", "rate", "overall", "overallrating", "score", "stars", "star", "starrating", "userrating",
    "bookrating", "movierating", "reviewscore", "reviewrating", "reviewoverall", "ratingscore", "ratingvalue",
    "userscore", "myscore", "mark", "grade", "preference", "pref", "points", "playcount", "plays", "listencount",
    "scrobbles", "hours", "hoursplayed", "quantity", "qty", "count", "weight", "value", "bewertung", "menge",
    "note", "quantite", "quantité", "calificacion", "calificación", "puntuacion", "cantidad", "voto", "nota", "评分";
    "ocena", "puan", "рейтинг", "оценка", "hodnocení", "betyg", "vurdering", "arvosana", "valoración", "valoracion",
    "valutazione", "avaliação", "avaliacao", "waardering", "aantal", "ilość", "количество", "数量", "評価", "평점",
    "수량", "r", "w",
}

/// Columns that often hold only 0 and 1, where 0 says that the item was shown and not taken.
#[rustfmt::skip]
pub(super) const LABELS: &[&str] = &[
    "label", "labels", "target", "clicked", "click", "isclick", "isclicked", "isrecommended", "recommended",
    "recommend", "recommends", "liked", "like", "islike", "isliked", "thumbsup", "votedup", "upvote", "purchased",
    "ispurchased", "bought", "isbought", "converted", "conversion", "isconversion", "engaged", "watched",
    "iswatched", "isread", "read", "favorite", "favourite", "isfavorite", "outcome", "response", "positive",
    "feedback", "correct", "hit", "y",
];

/// Words of names of such columns: `purchase_flag`, `long_view`.
#[rustfmt::skip]
const LABEL_WORDS: &[&str] = &[
    "label", "target", "click", "clicked", "like", "liked", "dislike", "favorite", "favourite", "purchase", "purchased",
    "buy", "bought", "conversion", "converted", "interaction", "interacted", "relevant", "relevance", "recommend",
    "recommended", "feedback", "vote", "voted", "upvoted", "thumb", "thumbs", "sentiment", "view", "viewed", "watch",
    "watched", "read", "played", "skipped", "hidden", "follow", "followed", "share", "shared", "accepted", "used",
    "response", "engaged", "booked", "booking", "gekauft", "geklickt", "gefällt", "acheté", "achete", "aimé", "cliqué",
    "comprado", "gusta", "comprato", "piace", "curtiu", "gekocht", "куплено", "нравится",
];

/// The first column whose name says that it holds what became of a row, and that `fits`.
pub(super) fn find_label(names: &[String], fits: &dyn Fn(usize) -> bool) -> Option<usize> {
    let exact = find_where(names, LABELS, fits);
    if !MORE {
        return exact;
    }
    let by_word = |at: &usize| {
        let spaced = spaced(&names[*at]);
        spaced.split(' ').any(|word| LABEL_WORDS.contains(&word)) && fits(*at)
    };
    exact.or_else(|| (0..names.len()).find(by_word))
}

/// The words of a name in lower case, with blanks between: `isClicked`, `is_clicked`.
fn spaced(name: &str) -> String {
    let mut out = String::new();
    let mut small = false;
    for c in name.chars() {
        if c.is_uppercase() && small || !c.is_alphanumeric() {
            out.push(' ');
        }
        small = c.is_lowercase();
        out.extend(c.to_lowercase().filter(|c| c.is_alphanumeric()));
    }
    out
}

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

#[rustfmt::skip]
names! {
    /// Times.
    TIMES:
    "timestamp", "time", "ts", "datetime", "date", "eventtime", "eventtimestamp", "eventdate", "unixreviewtime",
    "reviewtime", "reviewdate", "unixtime", "unixtimestamp", "epoch", "utctime", "utctimestamp", "localtime",
    "createdat", "created", "createtime", "createdate", "creationdate", "createdtime", "createddate", "ratedat",
    "ratingtimestamp", "ratingdate", "updatedat", "dateupdated", "dateadded", "addedat", "viewedat", "clickedat",
    "clicktime", "purchasedat", "purchasedate", "purchasetime", "orderdate", "ordertime",
    "orderpurchasetimestamp", "orderedat", "invoicedate", "transactiondate", "transactiontime", "tdat",
    "behaviortime", "actiontime", "seentime", "playedat", "listenedat", "watchedat", "readat", "visitedat",
    "visitdate", "visitstarttime", "checkin", "checkintime", "postedat", "logtime", "starttime", "day", "datum",
    "tstamp", "timepoint", "utc", "createdutc", "datestamp", "lastwatchdt", "zeit", "zeitstempel", "fecha", "hora", "heure", "when", "时间", "日期", "日時";
    "kaufdatum", "bestelldatum", "zeitpunkt", "horodatage", "dateachat", "datecommande", "fechacompra", "datahora",
    "dataacquisto", "datumtijd", "tarih", "дата", "время", "購入日", "購買時間", "날짜", "시간",
}

/// Names that end as ids do but count rows, orders or classes; none of them is the other id of a table.
#[rustfmt::skip]
pub(super) const RECORDS: &[&str] = &[
    "id", "rowid", "recordid", "logid", "eventid", "interactionid", "actionid", "ratingid", "reviewid",
    "commentid", "clickid", "viewid", "lineid", "uuid", "guid", "hashid", "requestid", "traceid", "messageid",
    "categoryid", "catid", "subcategoryid", "genreid", "typeid", "classid", "parentid", "regionid", "countryid",
    "languageid", "platformid", "sourceid", "paid", "valid", "invalid", "isvalid", "ispaid", "said", "grid",
    "avoid", "kid", "pincode",
];

#[rustfmt::skip]
names! {
    /// The words that read as a missing value in exports of languages and data bases: those of pandas, `\N` of MySQL and
    /// Hive, `?` of Weka, `-` of logs. Letters count in the case that their languages write them in.
    MISSING:
    "NA", "N/A", "n/a", "N.A.", "n.a.", "#N/A", "#NA", "<NA>", "NaN", "nan", "NAN", "-NaN", "-nan", "NULL", "null",
    "(null)", "<null>", "[null]", "Null", "None", "none", "NONE", "nil", "Nil", "NIL", "undefined", "\\N", "NaT", "-",
    "--", "?";
    "(not set)", "(none)", "(blank)", "(empty)", "(unknown)", "(missing)", "(other)", "<nil>", "<none>", "<empty>",
    "N/D", "n/d", "N.D.", "n.d.", "k.A.", "k. A.", "s/d", "#REF!", "#VALUE!", "#NAME?", "#NULL!", "#DIV/0!", "#NV",
    "[]", "{}", "1.#QNAN", "-1.#IND", "-nan(ind)",
}

/// What follows the name of a thing where a column has its ids, perhaps made unreadable, cleaned or exported:
/// `session_id_hash`, `Account No.`.
#[rustfmt::skip]
const AFTER: &[&str] = &[
    "hash", "hashed", "clean", "encoded", "enc", "anon", "anonymized", "uid", "uuid", "guid", "oid", "key", "idx",
    "md5", "sha1", "sha256", "di", "en", "id", "ids", "no", "nr", "num", "nbr", "number", "nummer", "code", "sk", "fk",
    "srl", "index", "token", "ref", "reference", "barcode", "email", "s",
];

/// What precedes it: `id_customer`, `fk_user`, `codice articolo`.
#[rustfmt::skip]
const BEFORE: &[&str] = &[
    "id", "fk", "dim", "the", "hashed", "code", "codice", "codigo", "código", "codigodo", "códigodo", "cod", "kod",
    "numero", "número", "numéro", "reference", "référence", "referencia", "référencede",
];

/// The keys of objects that hold one value, in exports of data bases: `user_id.$oid`.
const VALUES: &[&str] = &["$oid", "$uuid", "$numberLong", "$numberInt", "$numberDouble", "S", "N"];

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

/// The index in `names` of the first that is one of `known` with what stands around ids (`track_id_clean`, `id_produit`), or
/// after a dot, as the keys of inner objects (`tracks.track_uri`).
pub(super) fn find_part(names: &[String], known: &[&str], fits: &dyn Fn(usize) -> bool) -> Option<usize> {
    if !MORE {
        return None;
    }
    let last: Vec<String> = names.iter().map(|name| last_key(name).to_owned()).collect();
    let exact = || find_where(&last, known, &|at| last[at] != names[at] && fits(at));
    let stems: Vec<Vec<String>> =
        names.iter().zip(&last).map(|(name, last)| [stems(name), stems(last)].concat()).collect();
    let is = |stem: &String, known: &str| {
        stem == known || known.strip_suffix("id").is_some_and(|known| known.len() > 2 && stem == known)
    };
    let around = || {
        let of = |known: &&str| {
            (0..names.len()).find(|&at| stems[at].iter().any(|stem| is(stem, known)) && fits(at))
        };
        known.iter().find_map(of)
    };
    exact().or_else(around)
}

/// The last key of an inner object that names a thing.
fn last_key(name: &str) -> &str {
    let mut keys = name.rsplit('.');
    let last = keys.next().unwrap_or(name);
    if VALUES.contains(&last) { keys.next().unwrap_or(last) } else { last }
}

/// A name without what stands around the names of ids.
fn stems(name: &str) -> Vec<String> {
    const SHORTEST: usize = 3;
    let name = plain(name);
    if RECORDS.contains(&name.as_str()) {
        return Vec::new();
    }
    let before = BEFORE.iter().filter_map(|before| name.strip_prefix(before));
    let starts: Vec<&str> = std::iter::once(name.as_str()).chain(before).collect();
    let ends = starts.iter().flat_map(|start| AFTER.iter().filter_map(|after| start.strip_suffix(after)));
    let all = starts[1..].iter().copied().chain(ends).filter(|stem| stem.len() >= SHORTEST);
    all.map(str::to_owned).collect()
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
