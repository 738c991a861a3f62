//! Data sets that a reader drops, and what is wrong with some of them.

use tests::browser::{Browser, Page, Site};

use crate::common::{LOAD, RUN, choose, ml_latest_small, press, site, zip};

/// Drops a file of the site on the lesson, under a name.
#[track_caller]
fn drop_file(page: &Page, path: &str, name: &str) {
    page.run(&format!(
        "return fetch('{path}').then((answer) => answer.blob()).then((blob) => {{
            const transfer = new DataTransfer();
            transfer.items.add(new File([blob], '{name}'));
            document.querySelector('[data-drop]')
                .dispatchEvent(new DragEvent('drop', {{ dataTransfer: transfer, bubbles: true, cancelable: true }}));
            return 0;
        }})"
    ));
}

/// The race with files beside it, on an engine.
fn race(files: Vec<(&str, Vec<u8>)>, query: &str) -> Page {
    let site = files.into_iter().fold(site(), |site: Site, (path, content)| site.page(path, content));
    Page::visit(
        Browser::SoftwareGpu,
        site,
        &format!("?lesson=race&samplers=midx-pop&speed=max&seed=1&{query}"),
    )
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn movielens_is_dropped_and_learned() {
    let Some(zip) = ml_latest_small() else { return };
    for (engine, epochs) in [("cpu", 6), ("gpu", 2)] {
        let page = race(vec![("ratings.zip", zip.clone())], &format!("engine={engine}&epochs={epochs}"));
        page.wait("engine", LOAD, |found| found == engine);
        drop_file(&page, "ratings.zip", "ml-latest-small.zip");
        let told = page.all().until(
            RUN,
            "the set is read",
            "const text = root.querySelector('[data-part=race-data]').textContent;
             return text.includes('viewers') ? text : null",
        );
        println!("{told}");
        press(&page.all(), "play");
        page.wait("epoch", RUN, |epoch| epoch == "1");
        let first = (page.all().number("loss"), page.all().number("ndcg"));
        page.wait("state", RUN, |state| state == "done");
        let last = (page.all().number("loss"), page.all().number("ndcg"));
        println!(
            "{engine}: {}",
            page.run("return document.querySelector('[data-part=race-table]').innerText")
        );
        println!("{engine}: loss and NDCG@50 from {first:?} to {last:?} in {epochs} epochs");
        assert!(last.0 < first.0, "the loss went from {} to {}", first.0, last.0);
        assert!(last.1 > first.1, "NDCG@50 went from {} to {}", first.1, last.1);
        let errors = page.console_errors();
        assert!(errors.is_empty(), "{errors:#?}");
    }
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn files_that_cannot_be_used_say_why_and_the_page_goes_on() {
    let utf16: Vec<u8> = "user,item,rating\n1,2,3\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let cases: Vec<(&str, &str, Vec<u8>)> = vec![
        ("not a zip", "films.zip", b"these are not the bytes of a zip".to_vec()),
        ("no ratings in it", "empty.zip", zip(&[("README.txt".into(), b"nothing here".to_vec())])),
        ("wrong encoding", "utf16.csv", [b"\xff\xfe".to_vec(), utf16].concat()),
        ("nothing but a header", "header.csv", b"userId,movieId,rating,timestamp\n".to_vec()),
        ("no kind of file", "film.mp4", vec![0; 1000]),
        ("a broken model", "model.safetensors", vec![255; 1000]),
    ];
    let files = cases.iter().map(|(_, name, content)| (*name, content.clone())).collect();
    let page = race(files, "engine=cpu&epochs=1");
    page.wait("engine", LOAD, |engine| engine == "cpu");
    let mut before = String::new();
    for (what, name, _) in &cases {
        drop_file(&page, name, name);
        let message = page.wait("error", RUN, |message| message != before);
        println!("{what}: {message}");
        assert!(message.contains(name), "{what}: the message does not name the file: {message}");
        assert!(message.len() > 30, "{what}: {message}");
        before = message;
    }
    press(&page.all(), "play");
    page.all().until(RUN, "it trains on the set that was there", "return root.dataset.epoch === '1'");
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn a_file_of_two_gigabytes_is_an_error() {
    let page = race(Vec::new(), "engine=cpu&epochs=1");
    page.wait("engine", LOAD, |engine| engine == "cpu");
    // One piece many times over: the browser holds it once.
    page.run(
        "const piece = new Blob([new Uint8Array(64 << 20)]);
         const transfer = new DataTransfer();
         transfer.items.add(new File(Array(33).fill(piece), 'huge.zip'));
         document.querySelector('[data-drop]')
            .dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }))",
    );
    let message = page.wait("error", RUN, |message| !message.is_empty());
    println!("2 GB: {message}");
    assert!(message.contains("huge.zip"), "{message}");
    press(&page.all(), "play");
    page.all().until(RUN, "the page goes on", "return root.dataset.epoch === '1'");
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn data_beside_the_page() {
    let ratings: String = (0..60)
        .flat_map(|user| (0..12).map(move |n| format!("u{user},i{}\n", (user * 7 + n * n) % 40)))
        .collect();
    let page = race(
        vec![("data/ours.csv", format!("user,item\n{ratings}").into_bytes())],
        "engine=cpu&epochs=1&data=data/ours.csv",
    );
    press(&page.all(), "play");
    page.all().until(RUN, "an epoch", "return root.dataset.epoch === '1'");
    assert!(page.server.asked().iter().any(|path| path == "data/ours.csv"), "{:?}", page.server.asked());
    drop(page);

    let page = race(Vec::new(), "engine=cpu&epochs=1&data=data/missing.csv");
    press(&page.all(), "play");
    let message = page.wait("error", LOAD, |message| !message.is_empty());
    assert!(message.contains("missing.csv"), "{message}");
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn a_catalogue_beyond_memory_is_refused_and_a_part_of_it_is_not() {
    const ITEMS: usize = 600_000;
    let ratings: String = (0..ITEMS).map(|item| format!("u{},i{item}\n", item % 1000)).collect();
    let popular: String = (0..20_000).map(|n| format!("u{},i{}\n", n % 1000, n * 7 % 300)).collect();
    let file = format!("user,item\n{ratings}{popular}").into_bytes();
    let page = race(vec![("large.csv", file)], "engine=cpu&epochs=1");
    page.wait("engine", LOAD, |engine| engine == "cpu");
    drop_file(&page, "large.csv", "large.csv");
    let read = "return root.querySelector('[data-part=race-data]').textContent.includes('600,000')";
    page.all().until(RUN, "the set is read", read);
    press(&page.all(), "play");
    let message = page.wait("error", RUN, |message| !message.is_empty());
    println!("too large: {message}");
    assert!(message.contains("memory") && message.contains("most popular"), "{message}");
    choose(&page.all(), "subset", "1");
    let read = "return root.querySelector('[data-part=race-data]').textContent.includes('6,000')";
    page.all().until(RUN, "a part of the set is read", read);
    press(&page.all(), "play");
    page.all().until(RUN, "it trains on a part", "return root.dataset.epoch === '1'");
}
