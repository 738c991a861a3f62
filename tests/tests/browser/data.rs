//! Data sets that a reader drops, and what is wrong with some of them.

use fastvae::{
    data::{self, SyntheticOptions},
    engine::Engine,
    run::{
        Memory, Run, RunConfig, Saves, Setup,
        checkpoint::{self, Context},
    },
};
use tests::browser::{Browser, By, Page, Site, View};

use crate::common::{Files, LOAD, RUN, choose, ml_latest_small, press, site, zip};

/// Drops a file on the lesson, as from a file manager.
#[track_caller]
fn drop_file(page: &Page, files: &Files, name: &str) {
    page.drop_files(&page.all(), "section .data", &[&files.path(name)]);
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
        let files = Files::new(&[("ml-latest-small.zip", zip.clone())]);
        let page = race(Vec::new(), &format!("engine={engine}&epochs={epochs}"));
        page.wait("engine", LOAD, |found| found == engine);
        drop_file(&page, &files, "ml-latest-small.zip");
        let told = page.all().until(
            RUN,
            "the set is read",
            "const text = root.querySelector('[data-part=race-data]').textContent;
             return text.includes('ml-latest-small') ? text : null",
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
    let files: Vec<(&str, Vec<u8>)> =
        cases.iter().map(|(_, name, content)| (*name, content.clone())).collect();
    let files = Files::new(&files);
    let page = race(Vec::new(), "engine=cpu&epochs=1");
    page.wait("engine", LOAD, |engine| engine == "cpu");
    let mut before = String::new();
    for (what, name, _) in &cases {
        drop_file(&page, &files, name);
        let message = page.wait("error", RUN, |message| message != before);
        println!("{what}: {message}");
        assert!(message.contains(name), "{what}: the message does not name the file: {message}");
        assert!(message.len() > 30, "{what}: {message}");
        before = message;
    }
    press(&page.all(), "play");
    page.all().until(RUN, "it trains on the set that was there", "return root.dataset.epoch === '1'");
}

/// A model with all default settings of the command line, after two epochs.
fn model_of_the_command_line() -> Vec<u8> {
    let options = SyntheticOptions { users: 200, items: 300, ..Default::default() };
    let set = data::synthetic(&options).unwrap();
    let mut config = RunConfig::default();
    config.training.epochs = 2;
    (config.proposal.negatives, config.split.validation_users) = (50, 40);
    let split = data::split(&set, &config.split).unwrap();
    let context = Context::new(config, &set);
    let setup = Setup { engine: Engine::cpu(), context, split: &split, saves: Saves::default() };
    pollster::block_on(async {
        let mut run = Run::start(setup, || Ok(Memory::default())).await.unwrap();
        while run.next().await.unwrap().is_some() {}
        checkpoint::to_bytes(run.context(), run.storage().model.as_ref().unwrap()).unwrap()
    })
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn a_model_of_the_command_line_is_opened() {
    let files = Files::new(&[("model.safetensors", model_of_the_command_line())]);
    let page = Page::visit(Browser::SoftwareGpu, site(), "?lesson=recommend&engine=cpu");
    page.wait("engine", LOAD, |engine| engine == "cpu");
    drop_file(&page, &files, "model.safetensors");
    let shown = page.all().until(
        RUN,
        "the model is there, or an error",
        "const text = root.querySelector('[data-part=recommend-note]').textContent;
         return text.includes('comes from a file') ? text : root.dataset.error || null",
    );
    assert_eq!(shown, "The model comes from a file.");
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn a_file_of_two_gigabytes_is_an_error() {
    let page = race(Vec::new(), "engine=cpu&epochs=1");
    page.wait("engine", LOAD, |engine| engine == "cpu");
    // Holes take no space on the disk.
    let files = Files::new(&[("huge.zip", Vec::new())]);
    std::fs::File::options().write(true).open(files.path("huge.zip")).unwrap().set_len(33 << 26).unwrap();
    drop_file(&page, &files, "huge.zip");
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

    // Without it, nothing is trained on another set, however often that is asked for.
    let page = race(Vec::new(), "engine=cpu&epochs=1&data=data/missing.csv");
    let view = page.all();
    let missing = |when: &str| {
        let message = view.until(LOAD, when, "return root.dataset.error ?? null");
        assert!(message.as_str().unwrap().contains("missing.csv"), "{when}: {message}");
    };
    press(&view, "play");
    missing("an error when the address is read");
    view.until(LOAD, "a choice", "return root.querySelector('[data-act=built-in]') !== null");
    for act in ["play", "step"] {
        press(&view, act);
        missing(act);
    }
    choose(&view, "engine", "auto");
    view.until(LOAD, "another engine", "return root.dataset.reason !== 'you chose it'");
    press(&view, "play");
    missing("an error on another engine");
    assert_eq!(page.data("epoch"), None, "it trained on another set");
    press(&view, "built-in");
    view.until(
        LOAD,
        "the built-in set",
        "return root.querySelector('[data-part=race-data]').textContent.includes('built-in films')",
    );
    press(&view, "play");
    view.until(RUN, "an epoch", "return root.dataset.epoch === '1'");
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn a_catalogue_beyond_memory_is_refused_and_a_part_of_it_is_not() {
    const ITEMS: usize = 600_000;
    let ratings: String = (0..ITEMS).map(|item| format!("u{},i{item}\n", item % 1000)).collect();
    let popular: String = (0..20_000).map(|n| format!("u{},i{}\n", n % 1000, n * 7 % 300)).collect();
    let file = format!("user,item\n{ratings}{popular}").into_bytes();
    let files = Files::new(&[("large.csv", file)]);
    let page = race(Vec::new(), "engine=cpu&epochs=1");
    page.wait("engine", LOAD, |engine| engine == "cpu");
    drop_file(&page, &files, "large.csv");
    let read = "return root.querySelector('[data-part=race-data]').textContent.includes('600,000')";
    page.all().until(RUN, "the set is read", read);
    press(&page.all(), "play");
    let message = page.wait("error", RUN, |message| !message.is_empty());
    println!("too large: {message}");
    assert!(message.contains("memory") && message.contains("most popular"), "{message}");
    page.all().slide(By::Mouse, "[data-act=subset]", 0.0);
    let read = "return root.querySelector('[data-part=race-data]').textContent.includes('6,000')";
    page.all().until(RUN, "a part of the set is read", read);
    press(&page.all(), "play");
    page.all().until(RUN, "it trains on a part", "return root.dataset.epoch === '1'");
}

/// Ratings of 60 viewers for 40 films, and the films' titles.
fn ours() -> Files {
    let ratings: String = (0..60)
        .flat_map(|user| (0..12).map(move |n| format!("u{user},{},4\n", (user * 7 + n * n) % 40)))
        .collect();
    let titles: String = (0..40).map(|item| format!("{item},Film number {item},Drama\n")).collect();
    Files::new(&[
        ("ratings.csv", format!("userId,movieId,rating\n{ratings}").into_bytes()),
        ("movies.csv", format!("movieId,title,genres\n{titles}").into_bytes()),
    ])
}

/// Waits until the lesson says that it learns from that set.
#[track_caller]
fn learns_from_ours(view: &View<'_>) {
    view.until(
        LOAD,
        "60 viewers",
        "return root?.querySelector('[data-part=race-data]')?.textContent.includes('60 viewers')",
    );
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn the_set_stays_whatever_becomes_of_the_worker() {
    let files = ours();
    // A worker that dies when it is told to.
    let die = "new BroadcastChannel('die').onmessage = () => setTimeout(() => { throw new Error('gone') });";
    let host = "<!doctype html><html lang=\"en\"><title>Host</title><link rel=\"icon\" href=\"data:,\">\
        <script type=\"module\" src=\"embed.js\"></script>\
        <fast-vae lesson=\"race\" engine=\"cpu\" samplers=\"uniform\" speed=\"max\" seed=\"1\"></fast-vae>\
        <p id=\"far\" style=\"margin-top: 5000px\">Far below</p>";
    let site = site().prologue("worker.js", die).page("host.html", host);
    let page = Page::visit(Browser::SoftwareGpu, site, "host.html");
    let view = page.widget("fast-vae");
    view.wait("engine", LOAD, |engine| engine == "cpu");
    view.choose_files("[data-act=file]", &[&files.path("ratings.csv"), &files.path("movies.csv")]);
    learns_from_ours(&view);
    let mut epoch = 0.0;
    let mut another_epoch = |what: &str| {
        press(&view, "step");
        let more = format!("return Number(root.dataset.epoch) > {epoch}");
        view.until(RUN, what, &more);
        epoch = view.number("epoch");
        learns_from_ours(&view);
    };
    another_epoch("the first epoch");

    page.run("new BroadcastChannel('die').postMessage(0)");
    view.wait("error", LOAD, |message| message.contains("gone"));
    another_epoch("the same curve after the worker died");
    assert!(view.number("epoch") >= 2.0);

    page.run("document.querySelector('#far').scrollIntoView()");
    view.until(
        RUN,
        "it is parked",
        "return root.querySelector('[data-part=badge-name]').textContent === 'Parked'",
    );
    page.run("document.querySelector('fast-vae').scrollIntoView()");
    another_epoch("the same curve after parking");
    assert!(view.number("epoch") >= 3.0);

    view.slide(By::Mouse, "[data-act=subset]", 0.5);
    let part = "return root.querySelector('[data-part=race-data]').textContent.includes('of 40')";
    view.until(LOAD, "a part of the set", part);
    let said = view.run("return root.querySelector('[data-part=status]').textContent");
    assert!(said.as_str().unwrap().contains("Another data set"), "{said}");
    assert_eq!(view.data("epoch"), None, "another set is another curve");

    choose(&view, "engine", "gpu");
    view.wait("engine", LOAD, |engine| engine == "gpu");
    view.until(LOAD, "the same part on another engine", part);
    let titles = "return root.querySelector('[data-part=race-lists]').textContent.includes('Film number')";
    press(&view, "step");
    view.until(RUN, "titles of the set", titles);
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn files_are_dropped_together_and_anywhere() {
    let files = ours();
    let page = race(Vec::new(), "engine=cpu&epochs=1");
    let view = page.all();
    page.wait("engine", LOAD, |engine| engine == "cpu");
    page.drop_files(&view, "h2", &[&files.path("ratings.csv")]);
    learns_from_ours(&view);
    let told = view.run("return root.querySelector('[data-part=race-data]').textContent");
    assert!(told.as_str().unwrap().contains("movies.csv"), "where titles come from: {told}");
    page.drop_files(&view, "[data-part=race-loss]", &[&files.path("ratings.csv"), &files.path("movies.csv")]);
    let titled = "return !root.querySelector('[data-part=race-data]').textContent.includes('no titles')";
    view.until(LOAD, "titles", titled);
    learns_from_ours(&view);
    press(&view, "step");
    let titles = "return root.querySelector('[data-part=race-lists]').textContent.includes('Film number')";
    view.until(RUN, "titles of the set", titles);
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn data_beside_the_host_page_can_be_given_up_and_times_out() {
    let files = ours();
    let ratings = std::fs::read(files.path("ratings.csv")).unwrap();
    let host = "<!doctype html><html lang=\"en\"><title>Host</title><link rel=\"icon\" href=\"data:,\">\
        <script type=\"module\" src=\"../embed.js\"></script>\
        <fast-vae lesson=\"race\" engine=\"cpu\" samplers=\"uniform\" data=\"DATA\"></fast-vae>";
    let page = |data: &str| host.replace("DATA", data).into_bytes();
    let site = site()
        .page("course/host.html", page("ours.csv"))
        .page("course/ours.csv", ratings.clone())
        .page("course/slow.html", page("slow.csv"))
        .page("course/slow.csv", ratings)
        .hold("course/slow.csv");
    let page = Page::visit(Browser::SoftwareGpu, site, "course/host.html");
    let view = page.widget("fast-vae");
    view.wait("engine", LOAD, |engine| engine == "cpu");
    learns_from_ours(&view);

    page.go("course/slow.html");
    view.until(
        LOAD,
        "a way to give up",
        "return root?.querySelector('[data-act=cancel]')?.checkVisibility()",
    );
    press(&view, "cancel");
    press(&view, "step");
    view.wait("epoch", RUN, |epoch| epoch == "1");

    page.go("course/slow.html");
    let message = view.wait("error", RUN, |message| !message.is_empty());
    assert!(message.contains("slow.csv") && message.contains("no answer"), "{message}");
}
