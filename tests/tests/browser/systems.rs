//! Other systems beside the network: loaded when somebody asks, fitted to the set of the page, behind a link too.

use serde_json::Value;
use tests::browser::{Browser, By, Page, View};

use crate::common::{LOAD, RUN, press, site};

/// The titles of each system's list, once every list is full and none of the titles is in it that are marked.
fn lists(view: &View<'_>, what: &str) -> Vec<Vec<String>> {
    let found = view.until(
        RUN,
        what,
        "const liked = [...root.querySelectorAll('[data-part=recommend-liked] button')].map((b) => b.textContent.slice(2));
         const titles = (list) => [...list.querySelectorAll('li')].map((li) => li.firstChild.textContent.trim());
         const lists = [...root.querySelectorAll('[data-part=systems-lists] ol')].map(titles);
         const full = lists.length === 3 && lists.every((list) => list.length === 10);
         return full && !lists.flat().some((title) => liked.includes(title)) ? lists : null",
    );
    serde_json::from_value(found).unwrap()
}

fn open(page: &Page) {
    page.go("?lesson=recommend&engine=cpu&seed=7&epochs=3&speed=max");
    page.wait("engine", LOAD, |engine| engine == "cpu");
}

#[test]
#[ignore = "needs dist/ and the browsers; tests/run.sh builds the one and installs the others"]
fn other_systems_recommend_for_the_same_films() {
    for browser in [Browser::SoftwareGpu, Browser::Firefox] {
        let page = Page::blank(browser, site());
        let view = page.all();
        open(&page);
        let fetched =
            "return performance.getEntriesByType('resource').some((entry) => entry.name.includes('systems'))";
        assert_eq!(view.run(fetched), false, "the module comes when it is asked for");
        view.click("[data-part=recommend-offered] [data-act=like]");
        press(&view, "systems");
        let first = lists(&view, "three lists");
        assert!(first[0] != first[1] && first[1] != first[2] && first[0] != first[2], "{first:?}");
        let quality = view.run(
            "return [...root.querySelectorAll('[data-part=systems-lists] .note')]
                 .map((note) => /NDCG@50 ([.\\d]+), fitted/.exec(note.textContent)?.[1]).filter(Boolean).map(Number)",
        );
        let quality: Vec<f64> = serde_json::from_value(quality).unwrap();
        println!("{browser:?}: {quality:?}");
        assert!(
            quality.len() == 3 && quality[1] > 1.2 * quality[0] && quality[2] > 1.2 * quality[0],
            "{quality:?}"
        );

        // Popularity does not care who asks.
        view.press_by(By::Keys, "[data-part=recommend-offered] li:last-child [data-act=like]");
        view.until(
            LOAD,
            "two films",
            "return root.querySelectorAll('[data-part=recommend-liked] [data-act=unlike]').length === 2",
        );
        let second = view.until(
            RUN,
            "other lists",
            &format!(
                "const titles = (list) => [...list.querySelectorAll('li')].map((li) => li.firstChild.textContent.trim());
                 const lists = [...root.querySelectorAll('[data-part=systems-lists] ol')].map(titles);
                 return String(lists[2]) !== {} ? lists : null",
                Value::from(first[2].join(","))
            ),
        );
        let second: Vec<Vec<String>> = serde_json::from_value(second).unwrap();
        let stay = second[0].iter().filter(|title| first[0].contains(title)).count();
        assert!(stay >= 9, "{:?} and {:?}", first[0], second[0]);
        press(&view, "systems");
        let hidden = "return !root.querySelector('[data-part=systems-lists]').checkVisibility()";
        view.until(LOAD, "nothing of them", hidden);
    }
}

#[test]
#[ignore = "needs dist/ and Chromium; tests/run.sh builds the one and installs the other"]
fn systems_come_back_by_a_link_and_follow_the_set() {
    let page = Page::blank(Browser::SoftwareGpu, site());
    let view = page.all();
    open(&page);
    view.click("[data-part=recommend-offered] [data-act=like]");
    press(&view, "systems");
    let before = lists(&view, "three lists");
    press(&view, "share");
    let link = view.run("return root.querySelector('[data-part=share-text]').value");
    page.go("host.txt");
    page.go(link.as_str().unwrap().rsplit_once('/').unwrap().1);
    assert_eq!(lists(&view, "the same lists"), before, "{link}");

    view.slide(By::Mouse, "[data-act=subset]", 0.3);
    view.until(
        LOAD,
        "another set",
        "return root.querySelectorAll('[data-part=recommend-liked] li.note').length === 1",
    );
    view.click("[data-part=recommend-offered] [data-act=like]");
    let fewer = lists(&view, "lists of the smaller set");
    assert!(fewer != before, "{fewer:?}");
}
