//! A headless browser on the built page: `dist/` is served on loopback; Chromium is driven through ChromeDriver, Firefox
//! through geckodriver. What people do is done by keys, mouse and fingers (the module `hands`), never by events made in
//! scripts.
//!
//! [`Page::open`] does all of it and ends every process when the value is dropped. The page says what it is doing
//! in `data-*` attributes of its container (listed in the documentation of the package `web`): the `<body>` of the
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
