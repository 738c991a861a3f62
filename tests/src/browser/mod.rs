//! A headless browser on the built page: `dist/` is served on loopback and Chromium is driven through ChromeDriver.
//!
//! [`Page::open`] does all of it and ends every process when the value is dropped. The page says what it is doing
//! in `data-*` attributes of its container (listed in the documentation of the package `web`): the `<body>` of the
//! full page, a `<div>` in the shadow root of a widget ([`Page::widget`]).

mod page;
mod server;
mod view;
mod webdriver;

pub use page::{Browser, Page, dist};
pub use server::{Server, Site};
pub use view::View;
pub use webdriver::{LogEntry, WebDriver};
