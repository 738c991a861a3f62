//! Tests the built page in a headless browser: `dist/` is served on loopback; Chromium is driven through
//! ChromeDriver, Firefox through geckodriver. User input uses real key, mouse and touch actions (the module
//! `hands`), never events that scripts create.
//!
//! [`Page::open`] starts server and browser, and dropping the page ends every process. The page reports its
//! state in `data-*` attributes of its container (documented in the package `web`): the `<body>` of the
//! full page, a `<div>` in the shadow root of a widget ([`Page::widget`]).

mod hands;
mod page;
mod server;
mod view;
mod webdriver;

pub use hands::By;
pub use page::{Browser, Page, dist};
pub use server::{Server, Site};
pub use view::View;
pub use webdriver::{LogEntry, WebDriver};
